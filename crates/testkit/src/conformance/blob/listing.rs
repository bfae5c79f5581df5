//! Listings: prefix, order, pages.

use dilux_core::storage::ContainerName;

use super::{Bench, name};
use crate::conformance::{Report, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            empty_container_lists_nothing,
            listing_shows_what_is_known_of_each_blob,
            listing_is_ordered_by_name,
            prefix_is_taken_literally,
            pages_cover_every_blob_once,
        ]
    );
}

impl Bench {
    /// Names under a prefix, page by page of at most `most`, joined with blanks.
    async fn listed(
        &self,
        container: &ContainerName,
        prefix: &str,
        most: u32,
    ) -> anyhow::Result<String> {
        let mut names = Vec::new();
        let mut from = None;
        loop {
            let page = self
                .store
                .list(container, prefix, most, from.as_ref())
                .await?;
            anyhow::ensure!(
                page.blobs.len() <= most as usize,
                "a page is longer than {most}"
            );
            names.extend(page.blobs.into_iter().map(|blob| blob.name.to_string()));
            from = page.next;
            if from.is_none() {
                return Ok(names.join(" "));
            }
        }
    }
}

async fn empty_container_lists_nothing(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let page = bench.store.list(&container, "", 5000, None).await?;
    anyhow::ensure!(page.blobs.is_empty() && page.next.is_none(), "{page:?}");
    Ok(())
}

async fn listing_shows_what_is_known_of_each_blob(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    bench.put(&container, &name("blob")?, "12345").await?;
    let Some(properties) = bench.store.properties(&container, &name("blob")?).await? else {
        anyhow::bail!("the blob is missing");
    };
    let page = bench.store.list(&container, "", 10, None).await?;
    let [entry] = page.blobs.as_slice() else {
        anyhow::bail!("{page:?}")
    };
    anyhow::ensure!(entry.size == 5, "the size is {}", entry.size);
    anyhow::ensure!(
        entry.etag == properties.etag,
        "{entry:?} differs from {properties:?}"
    );
    anyhow::ensure!(
        entry.last_modified == properties.last_modified,
        "{entry:?}, {properties:?}"
    );
    anyhow::ensure!(
        entry.content_type == properties.content_type,
        "{entry:?}, {properties:?}"
    );
    Ok(())
}

async fn listing_is_ordered_by_name(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    for each in ["b", "a/c", "a", "B", "a-b", "aa", "1", "é"] {
        bench.put(&container, &name(each)?, "x").await?;
    }
    let listed = bench.listed(&container, "", 5000).await?;
    anyhow::ensure!(listed == "1 B a a-b a/c aa b é", "the order is '{listed}'");
    Ok(())
}

async fn prefix_is_taken_literally(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    for each in ["a_b/1", "aXb/2", "a%b/3", "a/4", "A/5", "é/6", "éa/7", "b"] {
        bench.put(&container, &name(each)?, "x").await?;
    }
    let cases = [
        ("a_", "a_b/1"),
        ("a%", "a%b/3"),
        ("a", "a%b/3 a/4 aXb/2 a_b/1"),
        ("a/", "a/4"),
        ("A", "A/5"),
        ("é", "é/6 éa/7"),
        ("b", "b"),
        ("b/", ""),
        ("*", ""),
        ("", "A/5 a%b/3 a/4 aXb/2 a_b/1 b é/6 éa/7"),
    ];
    for (prefix, expected) in cases {
        for most in [1, 5000] {
            let listed = bench.listed(&container, prefix, most).await?;
            anyhow::ensure!(
                listed == expected,
                "{prefix:?} listed '{listed}', not '{expected}'"
            );
        }
    }
    Ok(())
}

async fn pages_cover_every_blob_once(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let names: Vec<_> = (0..12).map(|n| format!("p/{n:02}")).collect();
    for each in &names {
        bench.put(&container, &name(each)?, "x").await?;
    }
    bench.put(&container, &name("q")?, "x").await?;
    for most in [1, 5, 6, 12, 13] {
        let listed = bench.listed(&container, "p/", most).await?;
        anyhow::ensure!(listed == names.join(" "), "pages of {most} gave '{listed}'");
    }
    Ok(())
}
