//! Racing writers of one row.

use std::sync::Arc;

use dilux_core::storage::StorageErrorKind::{self, AlreadyExists, PreconditionFailed};
use dilux_core::storage::{Condition, ETag, Entity, TableName, TableOperation, Value};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Bench, key, named};
use crate::conformance::{Report, refused, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            one_of_many_racing_inserts_wins,
            one_of_many_racing_writers_of_a_version_wins,
            no_racing_increment_is_lost,
        ]
    );
}

/// Runs the writes at once and gives the winners' numbers; the others must fail with `loss`.
async fn race(
    bench: &Bench,
    table: &TableName,
    writes: Vec<TableOperation>,
    loss: StorageErrorKind,
) -> anyhow::Result<Vec<(usize, Option<ETag>)>> {
    let barrier = Arc::new(Barrier::new(writes.len()));
    let mut racers = JoinSet::new();
    for (number, operation) in writes.into_iter().enumerate() {
        let (store, table, barrier) = (bench.store.clone(), table.clone(), barrier.clone());
        racers.spawn(async move {
            barrier.wait().await;
            (number, store.write(&table, operation).await)
        });
    }
    let mut winners = Vec::new();
    while let Some(racer) = racers.join_next().await {
        match racer? {
            (number, Ok(etag)) => winners.push((number, etag)),
            (_, outcome) => refused(outcome, loss)?,
        }
    }
    Ok(winners)
}

async fn one_of_many_racing_inserts_wins(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    for round in 0..5 {
        let row = format!("{round}");
        let entity = |racer: usize| named("p", &row, &format!("racer {racer}"));
        let inserts = (0..16)
            .map(|racer| TableOperation::Insert(entity(racer)))
            .collect();
        let winners = race(bench, &table, inserts, AlreadyExists).await?;
        let [(winner, etag)] = winners.as_slice() else {
            anyhow::bail!("{} of 16 inserts won", winners.len());
        };
        let stored = bench.row(&table, &key("p", &row)).await?;
        anyhow::ensure!(
            stored.entity == entity(*winner),
            "{winner} won, the row is {stored:?}"
        );
        anyhow::ensure!(Some(stored.etag) == *etag, "the winner got another version");
    }
    Ok(())
}

async fn one_of_many_racing_writers_of_a_version_wins(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let mut etag = bench.insert(&table, named("p", "r", "start")).await?;
    for _ in 0..5 {
        let entity = |racer: usize| named("p", "r", &format!("racer {racer}"));
        let writes = (0..16)
            .map(|racer| TableOperation::Replace(entity(racer), Condition::Matches(etag.clone())));
        let winners = race(bench, &table, writes.collect(), PreconditionFailed).await?;
        let [(winner, Some(next))] = winners.as_slice() else {
            anyhow::bail!("{} of 16 writers won", winners.len());
        };
        let stored = bench.row(&table, &key("p", "r")).await?;
        anyhow::ensure!(
            stored.entity == entity(*winner),
            "{winner} won, the row is {stored:?}"
        );
        etag = next.clone();
    }
    Ok(())
}

async fn no_racing_increment_is_lost(bench: &Bench) -> anyhow::Result<()> {
    const WRITERS: i64 = 8;
    const ROUNDS: i64 = 10;
    let table = bench.table().await?;
    let counter = |value| Entity::new(key("p", "counter")).with("value", Value::I64(value));
    bench.insert(&table, counter(0)).await?;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (bench, table) = (
            Bench {
                store: bench.store.clone(),
            },
            table.clone(),
        );
        writers.spawn(async move {
            let mut done = 0;
            while done < ROUNDS {
                let row = bench.row(&table, &key("p", "counter")).await?;
                let Some(Value::I64(value)) = row.entity.properties.get("value") else {
                    anyhow::bail!("the counter is {row:?}");
                };
                let write =
                    TableOperation::Replace(counter(value + 1), Condition::Matches(row.etag));
                match bench.store.write(&table, write).await {
                    Ok(_) => done += 1,
                    lost => refused(lost, PreconditionFailed)?,
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    let end = bench.row(&table, &key("p", "counter")).await?.entity;
    anyhow::ensure!(
        end == counter(WRITERS * ROUNDS),
        "the counter ended as {end:?}"
    );
    Ok(())
}
