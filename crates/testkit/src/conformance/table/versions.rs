//! Rewriting rows: replace, merge, conditions, versions.

use dilux_core::storage::StorageErrorKind::{NotFound, PreconditionFailed};
use dilux_core::storage::{Condition, Entity, Query, TableOperation, Value};
use jiff::Timestamp;

use super::{Bench, key, named, text};
use crate::conformance::{Report, refused, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            replace_drops_what_it_does_not_name,
            merge_keeps_what_it_does_not_name,
            unconditional_write_creates_a_missing_row,
            conditional_write_needs_the_row,
            write_with_the_current_version_succeeds,
            stale_version_is_refused_and_changes_nothing,
            each_write_gives_a_new_version,
            timestamps_do_not_run_backwards,
            deleted_row_is_gone_and_can_return,
        ]
    );
}

async fn replace_drops_what_it_does_not_name(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench
        .insert(&table, named("p", "r", "x").with("other", Value::I32(1)))
        .await?;
    let replacement = Entity::new(key("p", "r")).with("third", Value::I64(3));
    let replace = TableOperation::Replace(replacement.clone(), Condition::Exists);
    bench.store.write(&table, replace).await?;
    let row = bench.row(&table, &key("p", "r")).await?;
    anyhow::ensure!(row.entity == replacement, "the row is {row:?}");
    Ok(())
}

async fn merge_keeps_what_it_does_not_name(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench
        .insert(&table, named("p", "r", "x").with("other", Value::I32(1)))
        .await?;
    let merge = Entity::new(key("p", "r"))
        .with("other", text("now text"))
        .with("third", Value::I64(3));
    bench
        .store
        .write(&table, TableOperation::Merge(merge, Condition::Exists))
        .await?;
    let row = bench.row(&table, &key("p", "r")).await?;
    let expected = named("p", "r", "x")
        .with("other", text("now text"))
        .with("third", Value::I64(3));
    anyhow::ensure!(row.entity == expected, "the row is {row:?}");
    Ok(())
}

async fn unconditional_write_creates_a_missing_row(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    for (row, operation) in [
        (
            "replace",
            TableOperation::Replace(named("p", "replace", "x"), Condition::None),
        ),
        (
            "merge",
            TableOperation::Merge(named("p", "merge", "x"), Condition::None),
        ),
    ] {
        let etag = bench.store.write(&table, operation.clone()).await?;
        let stored = bench.row(&table, &key("p", row)).await?;
        anyhow::ensure!(
            stored.entity == named("p", row, "x"),
            "the row is {stored:?}"
        );
        anyhow::ensure!(
            etag == Some(stored.etag),
            "{row} gave another version than the row has"
        );
        bench.store.write(&table, operation).await?;
    }
    Ok(())
}

async fn conditional_write_needs_the_row(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let etag = bench.insert(&table, named("p", "gone", "x")).await?;
    let gone = key("p", "gone");
    bench
        .store
        .write(
            &table,
            TableOperation::Delete(gone.clone(), Condition::Exists),
        )
        .await?;
    for condition in [Condition::Exists, Condition::Matches(etag)] {
        let replace = TableOperation::Replace(named("p", "gone", "y"), condition.clone());
        let merge = TableOperation::Merge(named("p", "gone", "y"), condition.clone());
        let delete = TableOperation::Delete(gone.clone(), condition);
        for operation in [replace, merge, delete] {
            let outcome = bench.store.write(&table, operation.clone()).await;
            refused(outcome, NotFound).map_err(|error| error.context(format!("{operation:?}")))?;
        }
    }
    anyhow::ensure!(
        bench.store.get(&table, &gone).await?.is_none(),
        "the row came back"
    );
    Ok(())
}

async fn write_with_the_current_version_succeeds(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let mut etag = bench.insert(&table, named("p", "r", "0")).await?;
    for round in 1..=3 {
        let entity = named("p", "r", &round.to_string());
        let replace = TableOperation::Replace(entity, Condition::Matches(etag));
        let Some(next) = bench.store.write(&table, replace).await? else {
            anyhow::bail!("a replace gave no ETag");
        };
        etag = next;
    }
    let delete = TableOperation::Delete(key("p", "r"), Condition::Matches(etag));
    let outcome = bench.store.write(&table, delete).await?;
    anyhow::ensure!(outcome.is_none(), "a delete gave the ETag {outcome:?}");
    Ok(())
}

async fn stale_version_is_refused_and_changes_nothing(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let stale = bench.insert(&table, named("p", "r", "old")).await?;
    let replace = TableOperation::Replace(named("p", "r", "new"), Condition::Exists);
    bench.store.write(&table, replace).await?;
    let before = bench.row(&table, &key("p", "r")).await?;
    for operation in [
        TableOperation::Replace(named("p", "r", "lost"), Condition::Matches(stale.clone())),
        TableOperation::Merge(named("p", "r", "lost"), Condition::Matches(stale.clone())),
        TableOperation::Delete(key("p", "r"), Condition::Matches(stale)),
    ] {
        refused(
            bench.store.write(&table, operation).await,
            PreconditionFailed,
        )?;
        let after = bench.row(&table, &key("p", "r")).await?;
        anyhow::ensure!(after == before, "the row became {after:?}");
    }
    Ok(())
}

async fn each_write_gives_a_new_version(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let mut seen = vec![bench.insert(&table, named("p", "r", "same")).await?];
    for _ in 0..20 {
        let same = TableOperation::Replace(named("p", "r", "same"), Condition::None);
        let Some(etag) = bench.store.write(&table, same).await? else {
            anyhow::bail!("a replace gave no ETag");
        };
        anyhow::ensure!(!seen.contains(&etag), "the version {etag} came twice");
        seen.push(etag);
    }
    Ok(())
}

async fn timestamps_do_not_run_backwards(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let mut last = Timestamp::MIN;
    for _ in 0..5 {
        let write = TableOperation::Replace(named("p", "r", "x"), Condition::None);
        bench.store.write(&table, write).await?;
        let written = bench.row(&table, &key("p", "r")).await?.timestamp;
        anyhow::ensure!(written >= last, "{written} came after {last}");
        last = written;
    }
    Ok(())
}

async fn deleted_row_is_gone_and_can_return(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let first = bench.insert(&table, named("p", "r", "x")).await?;
    bench
        .store
        .write(
            &table,
            TableOperation::Delete(key("p", "r"), Condition::Exists),
        )
        .await?;
    anyhow::ensure!(
        bench.all(&table, &Query::default()).await?.is_empty(),
        "it is still listed"
    );
    let second = bench.insert(&table, named("p", "r", "x")).await?;
    anyhow::ensure!(
        first != second,
        "the new row has the version of the deleted one"
    );
    let stale = TableOperation::Delete(key("p", "r"), Condition::Matches(first));
    refused(bench.store.write(&table, stale).await, PreconditionFailed)
}
