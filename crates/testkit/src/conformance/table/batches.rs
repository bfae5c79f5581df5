//! Batches: atomic, one partition, the failing write named.

use dilux_core::storage::StorageErrorKind::{
    self, AlreadyExists, Invalid, NotFound, PreconditionFailed,
};
use dilux_core::storage::{
    Condition, ETag, Entity, Query, StorageError, TableName, TableOperation, Value,
};

use super::{Bench, key, named, text};
use crate::conformance::{Report, refused, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            batch_carries_out_every_kind_of_write,
            batch_of_100_writes_succeeds,
            failing_write_undoes_the_batch_and_is_named,
            batch_in_two_partitions_is_refused,
            batch_naming_a_row_twice_is_refused,
            batch_of_none_or_over_100_is_refused,
            batch_over_4_mebibytes_is_refused,
        ]
    );
}

async fn batch_carries_out_every_kind_of_write(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let replaced = bench.insert(&table, named("p", "replaced", "old")).await?;
    bench.insert(&table, named("p", "merged", "kept")).await?;
    bench.insert(&table, named("p", "deleted", "old")).await?;
    let merge = Entity::new(key("p", "merged")).with("more", Value::I32(1));
    let answers = bench
        .store
        .write_batch(
            &table,
            vec![
                TableOperation::Insert(named("p", "inserted", "new")),
                TableOperation::Replace(
                    named("p", "replaced", "new"),
                    Condition::Matches(replaced),
                ),
                TableOperation::Merge(merge, Condition::Exists),
                TableOperation::Delete(key("p", "deleted"), Condition::Exists),
                TableOperation::Merge(named("p", "upserted", "new"), Condition::None),
            ],
        )
        .await?;
    let expected = [
        Some(named("p", "inserted", "new")),
        Some(named("p", "replaced", "new")),
        Some(named("p", "merged", "kept").with("more", Value::I32(1))),
        None,
        Some(named("p", "upserted", "new")),
    ];
    anyhow::ensure!(
        answers.len() == expected.len(),
        "{} answers came",
        answers.len()
    );
    for (answer, entity) in answers.into_iter().zip(expected) {
        check_answer(bench, &table, answer, entity).await?;
    }
    anyhow::ensure!(
        bench
            .store
            .get(&table, &key("p", "deleted"))
            .await?
            .is_none(),
        "not deleted"
    );
    Ok(())
}

async fn check_answer(
    bench: &Bench,
    table: &TableName,
    answer: Option<ETag>,
    expected: Option<Entity>,
) -> anyhow::Result<()> {
    let Some(expected) = expected else {
        anyhow::ensure!(answer.is_none(), "a delete gave {answer:?}");
        return Ok(());
    };
    let row = bench.row(table, &expected.key).await?;
    anyhow::ensure!(row.entity == expected, "the row is {row:?}");
    anyhow::ensure!(
        answer.as_ref() == Some(&row.etag),
        "{answer:?} is not the version {}",
        row.etag
    );
    let rewrite = TableOperation::Replace(expected, Condition::Matches(row.etag));
    bench.store.write(table, rewrite).await?;
    Ok(())
}

async fn batch_of_100_writes_succeeds(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let rows: Vec<_> = (0..100)
        .map(|n| named("p", &format!("{n:02}"), "ü'<&>"))
        .collect();
    let inserts = rows.iter().cloned().map(TableOperation::Insert).collect();
    let answers = bench.store.write_batch(&table, inserts).await?;
    let stored = bench.all(&table, &Query::default()).await?;
    let (entities, etags): (Vec<_>, Vec<_>) = stored
        .into_iter()
        .map(|row| (row.entity, Some(row.etag)))
        .unzip();
    anyhow::ensure!(entities == rows, "{} rows came", entities.len());
    anyhow::ensure!(
        etags == answers,
        "the answers are not the versions of the rows"
    );
    Ok(())
}

async fn failing_write_undoes_the_batch_and_is_named(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let stale = bench.insert(&table, named("p", "present", "old")).await?;
    let exists = TableOperation::Replace(named("p", "present", "current"), Condition::Exists);
    bench.store.write(&table, exists).await?;
    let before = bench.all(&table, &Query::default()).await?;
    let cases: [(TableOperation, StorageErrorKind); 4] = [
        (
            TableOperation::Insert(named("p", "present", "x")),
            AlreadyExists,
        ),
        (
            TableOperation::Merge(
                named("p", "present", "x"),
                Condition::Matches(stale.clone()),
            ),
            PreconditionFailed,
        ),
        (
            TableOperation::Delete(key("p", "present"), Condition::Matches(stale)),
            PreconditionFailed,
        ),
        (
            TableOperation::Replace(named("p", "absent", "x"), Condition::Exists),
            NotFound,
        ),
    ];
    for (failing, kind) in cases {
        for index in [0, 3] {
            let mut batch: Vec<_> = (0..5)
                .map(|n| TableOperation::Insert(named("p", &format!("new{n}"), "x")))
                .collect();
            batch[index] = failing.clone();
            let outcome = bench.store.write_batch(&table, batch).await;
            let named = outcome.as_ref().err().and_then(StorageError::batch_index);
            refused(outcome, kind)?;
            anyhow::ensure!(
                named == Some(index),
                "write {index} failed, {named:?} was named"
            );
            let after = bench.all(&table, &Query::default()).await?;
            anyhow::ensure!(after == before, "the failed batch left {after:?}");
        }
    }
    Ok(())
}

async fn refused_whole(bench: &Bench, batch: Vec<TableOperation>) -> anyhow::Result<()> {
    let table = bench.table().await?;
    refused(bench.store.write_batch(&table, batch).await, Invalid)?;
    let rows = bench.all(&table, &Query::default()).await?;
    anyhow::ensure!(
        rows.is_empty(),
        "the refused batch left {} rows",
        rows.len()
    );
    Ok(())
}

async fn batch_in_two_partitions_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let batch = ["p", "q"].map(|partition| TableOperation::Insert(named(partition, "r", "x")));
    refused_whole(bench, batch.to_vec()).await
}

async fn batch_naming_a_row_twice_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let upsert = || TableOperation::Replace(named("p", "r", "x"), Condition::None);
    refused_whole(bench, vec![upsert(), upsert()]).await
}

async fn batch_of_none_or_over_100_is_refused(bench: &Bench) -> anyhow::Result<()> {
    refused_whole(bench, Vec::new()).await?;
    let many = (0..101).map(|n| TableOperation::Insert(named("p", &n.to_string(), "x")));
    refused_whole(bench, many.collect()).await
}

async fn batch_over_4_mebibytes_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let wide = "x".repeat(32 * 1024);
    let rows = (0..20).map(|n| {
        let row = Entity::new(key("p", &n.to_string()));
        let row = (0..8).fold(row, |row, n| row.with(format!("wide{n}"), text(&wide)));
        TableOperation::Insert(row)
    });
    refused_whole(bench, rows.collect()).await
}
