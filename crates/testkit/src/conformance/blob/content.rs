//! Writing at once, reading ranges, properties, names.

use std::collections::BTreeMap;

use bytes::Bytes;
use dilux_core::storage::StorageErrorKind::{Invalid, NotFound};
use dilux_core::storage::{ContainerName, PutOptions};

use super::{Bench, name};
use crate::conformance::{Report, refused, run_checks, unique};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            creating_a_container_again_keeps_its_blobs,
            missing_container_gives_not_found,
            missing_blob_is_none_or_not_found,
            blob_reads_back_with_its_properties,
            properties_have_their_defaults,
            overwriting_replaces_content_and_metadata,
            ranges_give_exactly_their_bytes,
            range_past_the_end_is_refused,
            empty_blob_is_a_blob,
            deleted_blob_is_gone_and_can_return,
            odd_names_are_distinct_blobs,
            containers_do_not_mix,
        ]
    );
}

async fn creating_a_container_again_keeps_its_blobs(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    bench.put(&container, &name("blob")?, "kept").await?;
    bench.store.create_container(&container).await?;
    bench.holds(&container, &name("blob")?, "kept").await
}

async fn missing_container_gives_not_found(bench: &Bench) -> anyhow::Result<()> {
    let container = ContainerName::new(unique("missing-"))?;
    let blob = name("blob")?;
    let bytes = Bytes::from_static(b"x");
    let put = bench
        .store
        .put(&container, &blob, bytes.clone(), PutOptions::default())
        .await;
    refused(put, NotFound)?;
    let stage = bench
        .store
        .stage_block(&container, &blob, super::block(1), bytes)
        .await;
    refused(stage, NotFound)?;
    refused(
        bench.store.read(&container, &blob, 0..1, None).await,
        NotFound,
    )?;
    refused(bench.store.list(&container, "", 10, None).await, NotFound)
}

async fn missing_blob_is_none_or_not_found(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("absent")?;
    bench.is_missing(&container, &blob).await?;
    refused(
        bench.store.read(&container, &blob, 0..1, None).await,
        NotFound,
    )?;
    refused(
        bench.store.read(&container, &blob, 0..0, None).await,
        NotFound,
    )?;
    refused(bench.store.delete(&container, &blob, None).await, NotFound)
}

async fn blob_reads_back_with_its_properties(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("dir/blob.sql.gz")?;
    let metadata: BTreeMap<_, _> = [("sha256", "ab12"), ("jobid", "x y ~ !\"#$%&'()=?")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let content: Bytes = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let options = PutOptions {
        content_type: Some("application/gzip".to_owned()),
        metadata: metadata.clone(),
        ..PutOptions::default()
    };
    let version = bench
        .store
        .put(&container, &blob, content.clone(), options)
        .await?;
    let Some(properties) = bench.store.properties(&container, &blob).await? else {
        anyhow::bail!("the blob is missing");
    };
    anyhow::ensure!(
        properties.size == 400_000,
        "the size is {}",
        properties.size
    );
    anyhow::ensure!(
        properties.etag == version.etag,
        "the put gave another version"
    );
    anyhow::ensure!(
        properties.content_type == "application/gzip",
        "{properties:?}"
    );
    anyhow::ensure!(
        properties.metadata == metadata,
        "the metadata is {:?}",
        properties.metadata
    );
    anyhow::ensure!(
        properties.last_modified.as_second() > 1_577_836_800,
        "{properties:?}"
    );
    let read = bench
        .store
        .read(&container, &blob, 0..400_000, None)
        .await?;
    anyhow::ensure!(
        read == content,
        "{} bytes came, not those written",
        read.len()
    );
    Ok(())
}

async fn properties_have_their_defaults(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    bench.put(&container, &name("blob")?, "x").await?;
    let Some(properties) = bench.store.properties(&container, &name("blob")?).await? else {
        anyhow::bail!("the blob is missing");
    };
    anyhow::ensure!(
        properties.content_type == "application/octet-stream",
        "{properties:?}"
    );
    anyhow::ensure!(properties.metadata.is_empty(), "{properties:?}");
    Ok(())
}

async fn overwriting_replaces_content_and_metadata(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let options = PutOptions {
        metadata: [("old".to_owned(), "1".to_owned())].into(),
        content_type: Some("text/plain".to_owned()),
        ..PutOptions::default()
    };
    let first = bench
        .store
        .put(&container, &blob, Bytes::from_static(b"longer"), options)
        .await?;
    let second = bench.put(&container, &blob, "new").await?;
    anyhow::ensure!(first.etag != second.etag, "both versions have one ETag");
    bench.holds(&container, &blob, "new").await?;
    let properties = bench.store.properties(&container, &blob).await?;
    let is_new = properties.is_some_and(|properties| {
        properties.metadata.is_empty() && properties.content_type == "application/octet-stream"
    });
    anyhow::ensure!(is_new, "metadata or type of the old version is left");
    Ok(())
}

async fn ranges_give_exactly_their_bytes(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.put(&container, &blob, "0123456789").await?;
    let cases = [
        (0..10, "0123456789"),
        (0..1, "0"),
        (3..7, "3456"),
        (9..10, "9"),
        (4..4, ""),
    ];
    for (range, expected) in cases {
        let bytes = bench
            .store
            .read(&container, &blob, range.clone(), None)
            .await?;
        anyhow::ensure!(bytes == expected, "{range:?} gave {bytes:?}");
    }
    Ok(())
}

async fn range_past_the_end_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.put(&container, &blob, "0123456789").await?;
    for range in [0..11, 9..11, 10..11, 11..12, 5..u64::MAX] {
        let outcome = bench
            .store
            .read(&container, &blob, range.clone(), None)
            .await;
        refused(outcome, Invalid).map_err(|error| error.context(format!("{range:?}")))?;
    }
    Ok(())
}

async fn empty_blob_is_a_blob(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    bench.put(&container, &name("put")?, "").await?;
    let options = PutOptions::default();
    bench
        .store
        .commit_blocks(&container, &name("committed")?, &[], options)
        .await?;
    for blob in [name("put")?, name("committed")?] {
        bench.holds(&container, &blob, "").await?;
        refused(
            bench.store.read(&container, &blob, 0..1, None).await,
            Invalid,
        )?;
    }
    let names = bench.names(&container).await?;
    anyhow::ensure!(names == "committed put", "'{names}' are listed");
    Ok(())
}

async fn deleted_blob_is_gone_and_can_return(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let first = bench.put(&container, &blob, "first").await?;
    bench.store.delete(&container, &blob, None).await?;
    bench.is_missing(&container, &blob).await?;
    refused(
        bench.store.read(&container, &blob, 0..1, None).await,
        NotFound,
    )?;
    refused(bench.store.delete(&container, &blob, None).await, NotFound)?;
    anyhow::ensure!(
        bench.names(&container).await?.is_empty(),
        "it is still listed"
    );
    let second = bench.put(&container, &blob, "second").await?;
    anyhow::ensure!(
        first.etag != second.etag,
        "the new blob has the version of the deleted one"
    );
    bench.holds(&container, &blob, "second").await
}

#[rustfmt::skip]
const ODD_NAMES: [&str; 37] = [
    "a", "A", "a/b", "a/B", "a b", "a%20b", "a+b", "a&b=c", "a?b", "a#b", "a;b", "a'b", "a\"b",
    "a~b", "-rf", "--file=x", ".hidden", "..a", "con", "数据/库.sql", "🗄️", "e\u{301}", "é", "a:b",
    "a|b", "a*b", "<a>", "%", "%2F", "$root", "{a}", "[a]", "a,b", "a@b", "a=b", "a^b", "a`b",
];

async fn odd_names_are_distinct_blobs(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    for each in ODD_NAMES {
        bench
            .put(&container, &name(each)?, each)
            .await
            .map_err(|error| error.context(format!("writing {each:?}")))?;
    }
    for each in ODD_NAMES {
        let outcome = bench.holds(&container, &name(each)?, each).await;
        outcome.map_err(|error| error.context(format!("reading {each:?}")))?;
    }
    let page = bench.store.list(&container, "", 5000, None).await?;
    let mut listed: Vec<_> = page.blobs.iter().map(|blob| blob.name.as_str()).collect();
    let mut expected = ODD_NAMES.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    anyhow::ensure!(listed == expected, "{listed:?} are listed");
    let long = name(&format!("{}/{}", "d".repeat(250), "f".repeat(250)))?;
    bench.put(&container, &long, "long").await?;
    bench.holds(&container, &long, "long").await
}

async fn containers_do_not_mix(bench: &Bench) -> anyhow::Result<()> {
    let (one, other) = (bench.container().await?, bench.container().await?);
    bench.put(&one, &name("blob")?, "one").await?;
    bench.is_missing(&other, &name("blob")?).await?;
    bench.put(&other, &name("blob")?, "other").await?;
    bench.store.delete(&other, &name("blob")?, None).await?;
    bench.holds(&one, &name("blob")?, "one").await
}
