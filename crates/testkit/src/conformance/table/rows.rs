//! Single rows: what is written reads back, under any key and of any type.

use bytes::Bytes;
use dilux_core::storage::StorageErrorKind::{AlreadyExists, NotFound};
use dilux_core::storage::{Condition, Entity, Filter, Query, TableName, TableOperation, Value};
use jiff::Timestamp;

use super::{Bench, key, named, text};
use crate::conformance::{Report, refused, run_checks, unique};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            creating_a_table_again_keeps_its_rows,
            missing_table_gives_not_found,
            missing_row_reads_as_none,
            inserted_row_reads_back,
            second_insert_is_refused_and_changes_nothing,
            every_type_of_value_survives,
            dates_are_cut_to_100_nanoseconds,
            odd_keys_survive_every_operation,
            keys_differ_by_case,
        ]
    );
}

async fn creating_a_table_again_keeps_its_rows(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench.insert(&table, named("p", "r", "kept")).await?;
    bench.store.create_table(&table).await?;
    let row = bench.row(&table, &key("p", "r")).await?;
    anyhow::ensure!(
        row.entity == named("p", "r", "kept"),
        "the row became {row:?}"
    );
    Ok(())
}

async fn missing_table_gives_not_found(bench: &Bench) -> anyhow::Result<()> {
    let table = TableName::new(unique("missing"))?;
    let insert = || TableOperation::Insert(named("p", "r", "x"));
    refused(bench.store.get(&table, &key("p", "r")).await, NotFound)?;
    refused(
        bench.store.query(&table, &Query::default(), None).await,
        NotFound,
    )?;
    refused(bench.store.write(&table, insert()).await, NotFound)?;
    refused(
        bench.store.write_batch(&table, vec![insert()]).await,
        NotFound,
    )
}

async fn missing_row_reads_as_none(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench.insert(&table, named("p", "r", "x")).await?;
    for absent in [key("p", "other"), key("other", "r"), key("p", "")] {
        let row = bench.store.get(&table, &absent).await?;
        anyhow::ensure!(row.is_none(), "{absent:?} gave {row:?}");
    }
    Ok(())
}

async fn inserted_row_reads_back(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let etag = bench.insert(&table, named("p", "r", "x")).await?;
    let row = bench.row(&table, &key("p", "r")).await?;
    anyhow::ensure!(row.entity == named("p", "r", "x"), "the row is {row:?}");
    anyhow::ensure!(
        row.etag == etag,
        "the insert gave {etag}, the row has {}",
        row.etag
    );
    let listed = bench.all(&table, &Query::default()).await?;
    anyhow::ensure!(listed == [row], "the listing is {listed:?}");
    Ok(())
}

async fn second_insert_is_refused_and_changes_nothing(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let etag = bench.insert(&table, named("p", "r", "first")).await?;
    let second = TableOperation::Insert(named("p", "r", "second"));
    refused(bench.store.write(&table, second).await, AlreadyExists)?;
    let row = bench.row(&table, &key("p", "r")).await?;
    anyhow::ensure!(row.entity == named("p", "r", "first"), "the row is {row:?}");
    anyhow::ensure!(row.etag == etag, "the version changed");
    Ok(())
}

fn entity_of_every_type() -> Entity {
    let mut entity = Entity::new(key("p", "r"))
        .with("textEmpty", text(""))
        .with("textUnicode", text("naïve 数据 🗄️ \u{10ffff} e\u{301}"))
        .with("textMarkup", text("<a href='x'>\"&amp;\\ %41 + \t\r\n</a>"))
        .with("textBlanks", text("  two blanks around  "))
        .with("textLikeDate", text("2026-02-30T00:00:00Z"))
        .with("textLikeNumber", text("007"))
        .with("textLong", text(&"\u{e9}".repeat(32 * 1024)))
        .with("yes", Value::Bool(true))
        .with("no", Value::Bool(false))
        .with(
            "guid",
            Value::Guid(uuid::Uuid::from_u128(
                0x0123_4567_89ab_cdef_0011_2233_4455_6677,
            )),
        )
        .with("binaryEmpty", Value::Binary(Bytes::new()))
        .with("binary", Value::Binary((0..=255_u8).collect()))
        .with("binaryLong", Value::Binary(Bytes::from(vec![7; 64 * 1024])));
    for (index, number) in [0, 1, -1, i32::MAX, i32::MIN].into_iter().enumerate() {
        entity = entity.with(format!("int{index}"), Value::I32(number));
    }
    for (index, number) in [0, -1, i64::MAX, i64::MIN, (1 << 53) + 1]
        .into_iter()
        .enumerate()
    {
        entity = entity.with(format!("long{index}"), Value::I64(number));
    }
    let doubles = [
        0.0,
        1.0,
        -2.5,
        0.1,
        1e300,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        1.0 / 3.0,
    ];
    for (index, number) in doubles.into_iter().enumerate() {
        entity = entity.with(format!("double{index}"), Value::F64(number));
    }
    entity
}

async fn every_type_of_value_survives(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let entity = entity_of_every_type();
    bench.insert(&table, entity.clone()).await?;
    let row = bench.row(&table, &key("p", "r")).await?.entity;
    for (name, sent) in &entity.properties {
        let read = row.properties.get(name);
        anyhow::ensure!(read == Some(sent), "'{name}' did not come back as it went");
    }
    anyhow::ensure!(
        row.properties.len() == entity.properties.len(),
        "properties were added"
    );
    let listed = bench.all(&table, &Query::default()).await?;
    anyhow::ensure!(
        listed.first().map(|row| &row.entity) == Some(&entity),
        "a listing differs"
    );
    Ok(())
}

async fn dates_are_cut_to_100_nanoseconds(bench: &Bench) -> anyhow::Result<()> {
    let cases = [
        (
            "2026-11-21T03:04:05.123456789Z",
            "2026-11-21T03:04:05.1234567Z",
        ),
        (
            "2026-11-21T03:04:05.9999999Z",
            "2026-11-21T03:04:05.9999999Z",
        ),
        ("2026-11-21T03:04:05Z", "2026-11-21T03:04:05Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"),
        ("1601-01-01T00:00:00Z", "1601-01-01T00:00:00Z"),
        ("9999-12-30T22:00:00.25Z", "9999-12-30T22:00:00.25Z"),
    ];
    let table = bench.table().await?;
    for (index, (sent, read)) in cases.into_iter().enumerate() {
        let row = format!("{index}");
        let entity = Entity::new(key("p", &row)).with("at", Value::DateTime(sent.parse()?));
        bench.insert(&table, entity).await?;
        let stored = bench.row(&table, &key("p", &row)).await?;
        let expected = Value::DateTime(read.parse::<Timestamp>()?);
        let found = stored.entity.properties.get("at");
        anyhow::ensure!(found == Some(&expected), "{sent} came back as {found:?}");
    }
    Ok(())
}

async fn odd_keys_survive_every_operation(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let odd = [
        "",
        " ",
        " a b ",
        "'",
        "it''s",
        "a+b",
        "a&b=c",
        "(x)",
        "~",
        "\"quoted\"",
        "a|b",
        "{}",
        "[0]",
        ";--",
        "a,b",
        "$filter",
        "@",
        "!",
        "*",
        "<>",
        "`",
        "^",
        ".",
        "..",
        "ü",
        "数据",
        "🗄️",
        "e\u{301}",
        "A:B",
        "=",
        "-",
    ];
    for each in odd {
        check_odd_key(bench, &table, each)
            .await
            .map_err(|error| error.context(format!("with {each:?} as partition and row key")))?;
    }
    Ok(())
}

async fn check_odd_key(bench: &Bench, table: &TableName, odd: &str) -> anyhow::Result<()> {
    let here = key(odd, odd);
    let etag = bench.insert(table, named(odd, odd, "first")).await?;
    anyhow::ensure!(
        bench.row(table, &here).await?.entity.key == here,
        "get gave other keys"
    );
    let found = bench.found(table, Filter::partition(odd)).await?;
    anyhow::ensure!(found == odd, "the filter found {found:?}");
    let merge = Entity::new(here.clone()).with("more", Value::I32(1));
    bench
        .store
        .write(
            table,
            TableOperation::Merge(merge, Condition::Matches(etag)),
        )
        .await?;
    let replace = TableOperation::Replace(named(odd, odd, "second"), Condition::Exists);
    bench.store.write_batch(table, vec![replace]).await?;
    let row = bench.row(table, &here).await?;
    anyhow::ensure!(
        row.entity == named(odd, odd, "second"),
        "the row became {row:?}"
    );
    bench
        .store
        .write(
            table,
            TableOperation::Delete(here.clone(), Condition::Matches(row.etag)),
        )
        .await?;
    anyhow::ensure!(
        bench.store.get(table, &here).await?.is_none(),
        "delete left the row"
    );
    Ok(())
}

async fn keys_differ_by_case(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    for (partition, row) in [("a", "b"), ("A", "b"), ("a", "B")] {
        bench
            .insert(&table, named(partition, row, &format!("{partition}{row}")))
            .await?;
    }
    let row = bench.row(&table, &key("A", "b")).await?;
    anyhow::ensure!(row.entity == named("A", "b", "Ab"), "the row is {row:?}");
    Ok(())
}
