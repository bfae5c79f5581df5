//! Conditions of commits, and races between them.

use std::sync::Arc;

use dilux_core::storage::StorageErrorKind::{AlreadyExists, PreconditionFailed};
use dilux_core::storage::{PutCondition, PutOptions};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Bench, block, name};
use crate::conformance::{Report, refused, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            commit_keeps_type_and_metadata,
            create_only_commit_spares_a_present_blob,
            commit_with_a_version_needs_that_version,
            one_of_many_racing_create_only_commits_wins,
        ]
    );
}

async fn commit_keeps_type_and_metadata(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.stage(&container, &blob, 1, "one").await?;
    let options = PutOptions {
        content_type: Some("application/zstd".to_owned()),
        metadata: [("sha256".to_owned(), "ab12".to_owned())].into(),
        ..PutOptions::default()
    };
    bench
        .store
        .commit_blocks(&container, &blob, &[block(1)], options.clone())
        .await?;
    let Some(properties) = bench.store.properties(&container, &blob).await? else {
        anyhow::bail!("the blob is missing");
    };
    anyhow::ensure!(properties.metadata == options.metadata, "{properties:?}");
    anyhow::ensure!(
        Some(properties.content_type) == options.content_type,
        "another type"
    );
    Ok(())
}

async fn create_only_commit_spares_a_present_blob(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    bench.put(&container, &blob, "present").await?;
    bench.stage(&container, &blob, 1, "staged").await?;
    let commit = bench
        .commit(&container, &blob, &[1], PutCondition::Absent)
        .await;
    refused(commit, AlreadyExists)?;
    bench.holds(&container, &blob, "present").await
}

async fn commit_with_a_version_needs_that_version(bench: &Bench) -> anyhow::Result<()> {
    let container = bench.container().await?;
    let blob = name("blob")?;
    let first = bench.put(&container, &blob, "first").await?.etag;
    bench.stage(&container, &blob, 1, "second").await?;
    bench
        .commit(
            &container,
            &blob,
            &[1],
            PutCondition::Matches(first.clone()),
        )
        .await?;
    bench.stage(&container, &blob, 1, "lost").await?;
    let stale = bench
        .commit(&container, &blob, &[1], PutCondition::Matches(first))
        .await;
    refused(stale, PreconditionFailed)?;
    bench.holds(&container, &blob, "second").await
}

async fn one_of_many_racing_create_only_commits_wins(bench: &Bench) -> anyhow::Result<()> {
    const RACERS: u8 = 8;
    let container = bench.container().await?;
    for round in 0..20 {
        let blob = name(&format!("blob{round}"))?;
        for racer in 0..RACERS {
            bench
                .stage(&container, &blob, racer, &format!("racer {racer}"))
                .await?;
        }
        let barrier = Arc::new(Barrier::new(usize::from(RACERS)));
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (bench, barrier) = (
                Bench {
                    store: bench.store.clone(),
                },
                barrier.clone(),
            );
            let (container, blob) = (container.clone(), blob.clone());
            racers.spawn(async move {
                barrier.wait().await;
                (
                    racer,
                    bench
                        .commit(&container, &blob, &[racer], PutCondition::Absent)
                        .await,
                )
            });
        }
        let mut winners = Vec::new();
        while let Some(racer) = racers.join_next().await {
            match racer? {
                (number, Ok(_)) => winners.push(number),
                (_, lost) => refused(lost, AlreadyExists)?,
            }
        }
        let [winner] = winners.as_slice() else {
            anyhow::bail!("{} of 8 won", winners.len())
        };
        bench
            .holds(&container, &blob, &format!("racer {winner}"))
            .await?;
    }
    Ok(())
}
