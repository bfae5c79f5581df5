//! Staged blocks and what a commit makes of them.

use bytes::Bytes;
use dilux_core::storage::StorageErrorKind::{Invalid, NotFound};
use dilux_core::storage::{BlockId, PutCondition, PutOptions};
use tokio::task::JoinSet;

use super::{Bench, block, name};
use crate::conformance::{Gaps, Report, refused, run_checks};

pub(super) async fn run(bench: &Bench, gaps: &Gaps, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            committed_blocks_become_the_blob,
            staged_blocks_are_invisible,
            staged_blocks_leave_a_present_blob_alone,
            commit_decides_the_order,
            commit_drops_the_blocks_it_does_not_name,
            block_staged_again_has_its_last_content,
            unknown_block_is_refused,
            blocks_vanish_when_they_are_committed,
            blocks_of_two_names_do_not_mix,
            blocks_staged_at_once_make_one_blob,
            discarding_nothing_succeeds,
        ]
    );
    report.record_unless(
        gaps.delete_finds_staged_blobs,
        "staged_blocks_are_no_blob_to_delete",
        staged_blocks_are_no_blob_to_delete(bench).await,
    );
    report.record_unless(
        gaps.discard_keeps_blocks,
        "discarded_blocks_cannot_be_committed",
        discarded_blocks_cannot_be_committed(bench).await,
    );
    report.record_unless(
        gaps.put_keeps_staged_blocks,
        "put_drops_what_was_staged",
        put_drops_what_was_staged(bench).await,
    );
}

async fn committed_blocks_become_the_blob(bench: &Bench) -> anyhow::Result<()> {
    const MEBIBYTE: usize = 1024 * 1024;
    let container = bench.container().await?;
    let blob = name("dir/blob")?;
    let content: Bytes = (0..700_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let ids: Vec<_> = (1..=3).map(block).collect();
    for (index, id) in ids.iter().enumerate() {
        let start = index * MEBIBYTE;
        let bytes = content.slice(start..content.len().min(start + MEBIBYTE));
        bench
            .store
            .stage_block(&container, &blob, *id, bytes)
            .await?;
    }
    let options = PutOptions::default();
    let version = bench
        .store
        .commit_blocks(&container, &blob, &ids, options)
        .await?;
    let Some(properties) = bench.store.properties(&container, &blob).await? else {
        anyhow::bail!("the blob is missing");
    };
    anyhow::ensure!(
        properties.etag == version.etag,
        "the commit gave another version"
    );
    anyhow::ensure!(
        properties.size == 2_800_000,
        "the size is {}",
        properties.size
    );
    let read = bench
        .store
        .read(&container, &blob, 0..2_800_000, Some(&version.etag))
        .await?;
    anyhow::ensure!(read == content, "other bytes came");
    let across = bench
        .store
        .read(&container, &blob, 1_048_570..1_048_580, None)
        .await?;
    anyhow::ensure!(
        across == content.slice(1_048_570..1_048_580),
        "a range across blocks differs"
    );
    Ok(())
}

async fn staged_blocks_are_invisible(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.stage(&container, &blob, 1, "staged").await?;
    bench.is_missing(&container, &blob).await?;
    refused(
        bench.store.read(&container, &blob, 0..1, None).await,
        NotFound,
    )?;
    anyhow::ensure!(bench.names(&container).await?.is_empty(), "it is listed");
    bench
        .commit(&container, &blob, &[1], PutCondition::Always)
        .await?;
    bench.holds(&container, &blob, "staged").await
}

async fn staged_blocks_are_no_blob_to_delete(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.stage(&container, &blob, 1, "staged").await?;
    refused(bench.store.delete(&container, &blob, None).await, NotFound)
}

async fn staged_blocks_leave_a_present_blob_alone(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let before = bench.put(&container, &blob, "present").await?.etag;
    bench.stage(&container, &blob, 1, "staged").await?;
    bench.holds(&container, &blob, "present").await?;
    let after = bench
        .commit(&container, &blob, &[1], PutCondition::Always)
        .await?
        .etag;
    anyhow::ensure!(before != after, "both versions have one ETag");
    bench.holds(&container, &blob, "staged").await
}

async fn commit_decides_the_order(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    for (number, text) in [(3, "three"), (1, "one"), (2, "two")] {
        bench.stage(&container, &blob, number, text).await?;
    }
    bench
        .commit(&container, &blob, &[1, 2, 3], PutCondition::Always)
        .await?;
    bench.holds(&container, &blob, "onetwothree").await
}

async fn commit_drops_the_blocks_it_does_not_name(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let cases: [(&[u8], &str); 4] = [
        (&[1, 2], "onetwo"),
        (&[2, 3], "twothree"),
        (&[1, 3], "onethree"),
        (&[], ""),
    ];
    for (index, (numbers, expected)) in cases.into_iter().enumerate() {
        let blob = name(&format!("blob{index}"))?;
        for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
            bench.stage(&container, &blob, number, text).await?;
        }
        bench
            .commit(&container, &blob, numbers, PutCondition::Always)
            .await?;
        bench.holds(&container, &blob, expected).await?;
        let second = bench
            .commit(&container, &blob, &[3], PutCondition::Always)
            .await;
        refused(second, Invalid)?;
        bench.holds(&container, &blob, expected).await?;
    }
    Ok(())
}

async fn block_staged_again_has_its_last_content(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    for (index, again) in ["same!", "other", "much longer", "short"]
        .into_iter()
        .enumerate()
    {
        let blob = name(&format!("blob{index}"))?;
        bench.stage(&container, &blob, 1, "same!").await?;
        bench.stage(&container, &blob, 2, "|end").await?;
        bench.stage(&container, &blob, 1, again).await?;
        bench
            .commit(&container, &blob, &[1, 2], PutCondition::Always)
            .await?;
        bench
            .holds(&container, &blob, &format!("{again}|end"))
            .await?;
    }
    Ok(())
}

async fn unknown_block_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    refused(
        bench
            .commit(&container, &blob, &[1], PutCondition::Always)
            .await,
        Invalid,
    )?;
    bench.stage(&container, &blob, 1, "one").await?;
    refused(
        bench
            .commit(&container, &blob, &[1, 2], PutCondition::Always)
            .await,
        Invalid,
    )?;
    bench.is_missing(&container, &blob).await?;
    bench
        .commit(&container, &blob, &[1], PutCondition::Always)
        .await?;
    bench.holds(&container, &blob, "one").await
}

async fn blocks_vanish_when_they_are_committed(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.stage(&container, &blob, 1, "one").await?;
    bench
        .commit(&container, &blob, &[1], PutCondition::Always)
        .await?;
    refused(
        bench
            .commit(&container, &blob, &[1], PutCondition::Always)
            .await,
        Invalid,
    )?;
    bench.holds(&container, &blob, "one").await?;
    bench.stage(&container, &blob, 1, "again").await?;
    bench.holds(&container, &blob, "one").await?;
    bench
        .commit(&container, &blob, &[1], PutCondition::Always)
        .await?;
    bench.holds(&container, &blob, "again").await
}

async fn blocks_of_two_names_do_not_mix(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let (one, other) = (name("one")?, name("other")?);
    bench.stage(&container, &one, 1, "one").await?;
    refused(
        bench
            .commit(&container, &other, &[1], PutCondition::Always)
            .await,
        Invalid,
    )?;
    bench.stage(&container, &other, 1, "other").await?;
    bench
        .commit(&container, &other, &[1], PutCondition::Always)
        .await?;
    bench
        .commit(&container, &one, &[1], PutCondition::Always)
        .await?;
    bench.holds(&container, &one, "one").await?;
    bench.holds(&container, &other, "other").await
}

async fn blocks_staged_at_once_make_one_blob(bench: &Bench) -> anyhow::Result<()> {
    const BLOCKS: u8 = 12;
    let container = bench.container().await?;
    let blob = name("blob")?;
    let mut stagers = JoinSet::new();
    for number in 0..BLOCKS {
        let (store, container, blob) = (bench.store.clone(), container.clone(), blob.clone());
        let bytes = Bytes::from(vec![number; 50_000 + usize::from(number)]);
        stagers.spawn(async move {
            store
                .stage_block(&container, &blob, block(number), bytes)
                .await
        });
    }
    while let Some(stager) = stagers.join_next().await {
        stager??;
    }
    let ids: Vec<BlockId> = (0..BLOCKS).map(block).collect();
    bench
        .store
        .commit_blocks(&container, &blob, &ids, PutOptions::default())
        .await?;
    let expected: Vec<u8> = (0..BLOCKS)
        .flat_map(|number| vec![number; 50_000 + usize::from(number)])
        .collect();
    let range = 0..expected.len() as u64;
    let read = bench.store.read(&container, &blob, range, None).await?;
    anyhow::ensure!(read == expected, "other bytes came");
    Ok(())
}

async fn discarding_nothing_succeeds(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.store.discard_blocks(&container, &blob).await?;
    bench.put(&container, &blob, "present").await?;
    bench.store.discard_blocks(&container, &blob).await?;
    bench.holds(&container, &blob, "present").await
}

async fn discarded_blocks_cannot_be_committed(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.stage(&container, &blob, 1, "one").await?;
    bench.store.discard_blocks(&container, &blob).await?;
    refused(
        bench
            .commit(&container, &blob, &[1], PutCondition::Always)
            .await,
        Invalid,
    )?;
    bench.is_missing(&container, &blob).await?;
    bench.stage(&container, &blob, 1, "again").await?;
    bench
        .commit(&container, &blob, &[1], PutCondition::Always)
        .await?;
    bench.holds(&container, &blob, "again").await
}

async fn put_drops_what_was_staged(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.stage(&container, &blob, 1, "staged").await?;
    bench.put(&container, &blob, "put").await?;
    refused(
        bench
            .commit(&container, &blob, &[1], PutCondition::Always)
            .await,
        Invalid,
    )?;
    bench.holds(&container, &blob, "put").await
}
