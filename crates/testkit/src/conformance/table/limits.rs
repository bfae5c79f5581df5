//! The limits of the Table service, which stand above every adapter.

use std::num::NonZeroU32;

use bytes::Bytes;
use dilux_core::storage::StorageErrorKind::Invalid;
use dilux_core::storage::{Condition, Entity, Filter, Query, TableOperation, Value};

use super::{Bench, key, named, text};
use crate::conformance::{Report, refused, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            keys_that_azure_refuses_are_refused,
            longest_keys_are_accepted,
            oversized_rows_are_refused,
            row_of_252_properties_is_accepted,
            property_names_must_be_identifiers,
            delete_without_a_condition_is_refused,
            page_of_more_than_1000_rows_is_refused,
            filter_of_more_than_15_comparisons_is_refused,
        ]
    );
}

async fn refuses(bench: &Bench, entity: Entity) -> anyhow::Result<()> {
    let table = bench.table().await?;
    refused(
        bench
            .store
            .write(&table, TableOperation::Insert(entity.clone()))
            .await,
        Invalid,
    )?;
    let upsert = TableOperation::Merge(entity, Condition::None);
    refused(bench.store.write_batch(&table, vec![upsert]).await, Invalid)?;
    anyhow::ensure!(
        bench.all(&table, &Query::default()).await?.is_empty(),
        "it was written"
    );
    Ok(())
}

async fn keys_that_azure_refuses_are_refused(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    for bad in [
        "a/b", "a\\b", "a#b", "a?b", "a%b", "a\tb", "a\nb", "a\u{7f}b", "a\u{85}b", "\0",
    ] {
        for key in [key(bad, "r"), key("p", bad)] {
            let outcome = refuses(bench, Entity::new(key.clone())).await;
            outcome.map_err(|error| error.context(format!("{key:?}")))?;
            refused(bench.store.get(&table, &key).await, Invalid)?;
        }
    }
    let long = "k".repeat(1025);
    refuses(bench, named(&long, "r", "x")).await?;
    refuses(bench, named("p", &long, "x")).await
}

async fn longest_keys_are_accepted(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let long = "k".repeat(512);
    bench.insert(&table, named(&long, &long, "x")).await?;
    bench.row(&table, &key(&long, &long)).await?;
    Ok(())
}

async fn oversized_rows_are_refused(bench: &Bench) -> anyhow::Result<()> {
    let row = || Entity::new(key("p", "r"));
    refuses(bench, row().with("long", text(&"x".repeat(32 * 1024 + 1)))).await?;
    refuses(bench, row().with("long", text(&"🗄".repeat(16 * 1024 + 1)))).await?;
    refuses(
        bench,
        row().with("long", Value::Binary(Bytes::from(vec![0; 64 * 1024 + 1]))),
    )
    .await?;
    let wide = "x".repeat(32 * 1024);
    refuses(
        bench,
        (0..17).fold(row(), |row, n| row.with(format!("w{n}"), text(&wide))),
    )
    .await?;
    refuses(
        bench,
        (0..253).fold(row(), |row, n| row.with(format!("n{n}"), Value::I32(n))),
    )
    .await?;
    refuses(
        bench,
        row().with("date", Value::DateTime("1600-12-31T23:59:59Z".parse()?)),
    )
    .await?;
    refuses(bench, row().with("nan", Value::F64(f64::NAN))).await
}

async fn row_of_252_properties_is_accepted(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let row = Entity::new(key("p", "r"));
    let row = (0..252).fold(row, |row, n| row.with(format!("n{n}"), Value::I32(n)));
    bench.insert(&table, row.clone()).await?;
    let stored = bench.row(&table, &key("p", "r")).await?;
    anyhow::ensure!(
        stored.entity == row,
        "{} properties came",
        stored.entity.properties.len()
    );
    Ok(())
}

async fn property_names_must_be_identifiers(bench: &Bench) -> anyhow::Result<()> {
    let long = "n".repeat(256);
    for name in [
        "",
        "a-b",
        "a b",
        "1a",
        "a.b",
        "a'b",
        "PartitionKey",
        "RowKey",
        "Timestamp",
        &long,
    ] {
        let outcome = refuses(bench, Entity::new(key("p", "r")).with(name, Value::I32(1))).await;
        outcome.map_err(|error| error.context(format!("{name:?}")))?;
    }
    let table = bench.table().await?;
    let filter = Some(Filter::equal("a eq 1 or b", Value::I32(1)));
    let query = Query {
        filter,
        ..Query::default()
    };
    refused(bench.store.query(&table, &query, None).await, Invalid)?;
    let query = Query {
        select: Some(vec!["a,b".to_owned()]),
        ..Query::default()
    };
    refused(bench.store.query(&table, &query, None).await, Invalid)?;
    bench
        .insert(
            &table,
            named("p", "r", "x").with("_under_score9", Value::I32(1)),
        )
        .await?;
    Ok(())
}

async fn delete_without_a_condition_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench.insert(&table, named("p", "r", "x")).await?;
    let delete = TableOperation::Delete(key("p", "r"), Condition::None);
    refused(bench.store.write(&table, delete.clone()).await, Invalid)?;
    refused(bench.store.write_batch(&table, vec![delete]).await, Invalid)?;
    bench.row(&table, &key("p", "r")).await?;
    Ok(())
}

async fn page_of_more_than_1000_rows_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let query = Query {
        top: NonZeroU32::new(1001),
        ..Query::default()
    };
    refused(bench.store.query(&table, &query, None).await, Invalid)
}

async fn filter_of_more_than_15_comparisons_is_refused(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench.insert(&table, named("p", "r", "7")).await?;
    let any_of = |count: i32| {
        let names = (0..count).map(|n| Filter::equal("name", text(&n.to_string())));
        Query {
            filter: Some(Filter::Or(names.collect())),
            ..Query::default()
        }
    };
    anyhow::ensure!(
        bench.all(&table, &any_of(15)).await?.len() == 1,
        "15 comparisons find it"
    );
    refused(bench.store.query(&table, &any_of(16), None).await, Invalid)
}
