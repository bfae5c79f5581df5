//! The limits of the Blob service, which stand above every adapter.

use bytes::Bytes;
use dilux_core::storage::StorageErrorKind::Invalid;
use dilux_core::storage::{BlobName, PutOptions};

use super::{Bench, block, name};
use crate::conformance::{Report, refused, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            put_of_more_than_64_mebibytes_is_refused,
            unfit_blocks_are_refused,
            unfit_metadata_is_refused,
            unfit_pages_are_refused,
            range_that_ends_before_it_starts_is_refused,
            names_that_mean_two_things_cannot_be_built,
        ]
    );
}

async fn put_of_more_than_64_mebibytes_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let bytes = Bytes::from(vec![0; 64 * 1024 * 1024 + 1]);
    let put = bench
        .store
        .put(&container, &name("blob")?, bytes, PutOptions::default())
        .await;
    refused(put, Invalid)?;
    bench.is_missing(&container, &name("blob")?).await
}

async fn unfit_blocks_are_refused(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    refused(
        bench
            .store
            .stage_block(&container, &blob, block(1), Bytes::new())
            .await,
        Invalid,
    )?;
    bench.stage(&container, &blob, 1, "one").await?;
    let many = vec![block(1); 50_001];
    let commit = bench
        .store
        .commit_blocks(&container, &blob, &many, PutOptions::default())
        .await;
    refused(commit, Invalid)?;
    bench.is_missing(&container, &blob).await
}

async fn unfit_metadata_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let long = "x".repeat(8 * 1024);
    for (key, value) in [
        ("", "x"),
        ("Upper", "x"),
        ("a-b", "x"),
        ("a_b", "x"),
        ("1a", "x"),
        ("a", "é"),
        ("a", "b\r\nx-ms-injected: 1"),
        ("a", " padded "),
        ("a", &long),
    ] {
        let metadata = [(key.to_owned(), value.to_owned())].into();
        let options = PutOptions {
            metadata,
            ..PutOptions::default()
        };
        let put = bench
            .store
            .put(&container, &blob, Bytes::new(), options.clone())
            .await;
        refused(put, Invalid).map_err(|error| error.context(format!("'{key}' = {value:.20?}")))?;
        refused(
            bench
                .store
                .commit_blocks(&container, &blob, &[], options)
                .await,
            Invalid,
        )?;
    }
    bench.is_missing(&container, &blob).await
}

async fn unfit_pages_are_refused(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    for most in [0, 5001] {
        refused(bench.store.list(&container, "", most, None).await, Invalid)?;
    }
    Ok(())
}

#[expect(clippy::reversed_empty_ranges, reason = "that is what must be refused")]
async fn range_that_ends_before_it_starts_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    bench.put(&container, &name("blob")?, "12345").await?;
    refused(
        bench
            .store
            .read(&container, &name("blob")?, 3..1, None)
            .await,
        Invalid,
    )
}

async fn names_that_mean_two_things_cannot_be_built(_bench: &Bench) -> anyhow::Result<()> {
    let long = "x".repeat(1025);
    for bad in [
        "", "/a", "a/", "a//b", "a\\b", ".", "..", "a/../b", "./a", "a\nb", "a.", &long,
    ] {
        refused(BlobName::new(bad), Invalid).map_err(|error| error.context(format!("{bad:?}")))?;
    }
    Ok(())
}
