//! Conditions on writes, reads and deletes, and races between them.

use std::sync::Arc;

use bytes::Bytes;
use dilux_core::storage::StorageErrorKind::{AlreadyExists, NotFound, PreconditionFailed};
use dilux_core::storage::{BlobName, ContainerName, ETag, PutCondition, StorageErrorKind};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Bench, name, only_if};
use crate::conformance::{Report, refused, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            create_only_put_spares_a_present_blob,
            put_with_a_version_needs_that_version,
            read_with_a_version_needs_that_version,
            delete_with_a_version_needs_that_version,
            each_version_has_its_own_etag,
            one_of_many_racing_create_only_puts_wins,
            one_of_many_racing_overwrites_of_a_version_wins,
            reader_sees_whole_versions_while_they_change,
        ]
    );
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn create_only_put_spares_a_present_blob(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let absent = || only_if(PutCondition::Absent);
    bench
        .store
        .put(&container, &blob, bytes("first"), absent())
        .await?;
    refused(
        bench
            .store
            .put(&container, &blob, bytes("second"), absent())
            .await,
        AlreadyExists,
    )?;
    bench.holds(&container, &blob, "first").await?;
    bench.store.delete(&container, &blob, None).await?;
    bench
        .store
        .put(&container, &blob, bytes("third"), absent())
        .await?;
    bench.holds(&container, &blob, "third").await
}

async fn put_with_a_version_needs_that_version(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let matches = |etag: &ETag| only_if(PutCondition::Matches(etag.clone()));
    let first = bench.put(&container, &blob, "first").await?.etag;
    let second = bench
        .store
        .put(&container, &blob, bytes("second"), matches(&first))
        .await?
        .etag;
    let stale = bench
        .store
        .put(&container, &blob, bytes("lost"), matches(&first))
        .await;
    refused(stale, PreconditionFailed)?;
    bench.holds(&container, &blob, "second").await?;
    bench.store.delete(&container, &blob, None).await?;
    let gone = bench
        .store
        .put(&container, &blob, bytes("lost"), matches(&second))
        .await;
    refused(gone, PreconditionFailed)?;
    bench.is_missing(&container, &blob).await
}

async fn read_with_a_version_needs_that_version(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let first = bench.put(&container, &blob, "first").await?.etag;
    let read = bench
        .store
        .read(&container, &blob, 0..5, Some(&first))
        .await?;
    anyhow::ensure!(read == "first", "{read:?} came");
    let second = bench.put(&container, &blob, "again").await?.etag;
    let stale = bench
        .store
        .read(&container, &blob, 0..5, Some(&first))
        .await;
    refused(stale, PreconditionFailed)?;
    let read = bench
        .store
        .read(&container, &blob, 0..5, Some(&second))
        .await?;
    anyhow::ensure!(read == "again", "{read:?} came");
    bench.store.delete(&container, &blob, None).await?;
    refused(
        bench
            .store
            .read(&container, &blob, 0..5, Some(&second))
            .await,
        NotFound,
    )
}

async fn delete_with_a_version_needs_that_version(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let first = bench.put(&container, &blob, "first").await?.etag;
    let second = bench.put(&container, &blob, "second").await?.etag;
    let stale = bench.store.delete(&container, &blob, Some(&first)).await;
    refused(stale, PreconditionFailed)?;
    bench.holds(&container, &blob, "second").await?;
    bench.store.delete(&container, &blob, Some(&second)).await?;
    bench.is_missing(&container, &blob).await?;
    refused(
        bench.store.delete(&container, &blob, Some(&second)).await,
        NotFound,
    )
}

async fn each_version_has_its_own_etag(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let mut seen = Vec::new();
    for _ in 0..20 {
        let etag = bench.put(&container, &name("blob")?, "same").await?.etag;
        anyhow::ensure!(!seen.contains(&etag), "the version {etag} came twice");
        seen.push(etag);
    }
    Ok(())
}

/// Puts 16 different texts at once; exactly one may win, the others must fail with `loss`.
async fn race(
    bench: &Bench,
    condition: PutCondition,
    loss: StorageErrorKind,
    place: (&ContainerName, &BlobName),
) -> anyhow::Result<()> {
    const RACERS: usize = 16;
    let (container, blob) = place;
    let barrier = Arc::new(Barrier::new(RACERS));
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (store, barrier) = (bench.store.clone(), barrier.clone());
        let (container, blob, condition) = (container.clone(), blob.clone(), condition.clone());
        racers.spawn(async move {
            barrier.wait().await;
            let text = bytes(&format!("racer {racer}"));
            (
                racer,
                store.put(&container, &blob, text, only_if(condition)).await,
            )
        });
    }
    let mut winners = Vec::new();
    while let Some(racer) = racers.join_next().await {
        match racer? {
            (number, Ok(_)) => winners.push(number),
            (_, outcome) => refused(outcome, loss)?,
        }
    }
    let [winner] = winners.as_slice() else {
        anyhow::bail!("{} of 16 won", winners.len())
    };
    bench
        .holds(container, blob, &format!("racer {winner}"))
        .await
}

async fn one_of_many_racing_create_only_puts_wins(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    for round in 0..3 {
        let blob = name(&format!("blob{round}"))?;
        race(
            bench,
            PutCondition::Absent,
            AlreadyExists,
            (&container, &blob),
        )
        .await?;
    }
    Ok(())
}

async fn one_of_many_racing_overwrites_of_a_version_wins(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    for _ in 0..3 {
        let etag = bench.put(&container, &blob, "start").await?.etag;
        race(
            bench,
            PutCondition::Matches(etag),
            PreconditionFailed,
            (&container, &blob),
        )
        .await?;
    }
    Ok(())
}

async fn reader_sees_whole_versions_while_they_change(bench: &Bench) -> anyhow::Result<()> {
    const SIZE: usize = 256 * 1024;
    let container = bench.container().await?;
    let blob = name("blob")?;
    let version = |letter: u8| Bytes::from(vec![letter; SIZE]);
    bench
        .store
        .put(
            &container,
            &blob,
            version(b'a'),
            only_if(PutCondition::Always),
        )
        .await?;
    let writer = {
        let (store, container, blob) = (bench.store.clone(), container.clone(), blob.clone());
        tokio::spawn(async move {
            for letter in b'b'..=b'u' {
                let options = only_if(PutCondition::Always);
                store
                    .put(&container, &blob, version(letter), options)
                    .await?;
            }
            anyhow::Ok(())
        })
    };
    let mut reads = 0;
    while reads < 5 || !writer.is_finished() {
        let read = bench
            .store
            .read(&container, &blob, 0..SIZE as u64, None)
            .await?;
        let first = read.first().copied();
        let is_whole = read.len() == SIZE && read.iter().all(|byte| Some(*byte) == first);
        anyhow::ensure!(is_whole, "a reader saw a mixture or {} bytes", read.len());
        reads += 1;
    }
    writer.await??;
    bench.holds(&container, &blob, &"u".repeat(SIZE)).await
}
