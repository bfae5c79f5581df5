//! Typed filters and `select`.

use bytes::Bytes;
use dilux_core::storage::Comparison::{
    self, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual,
};
use dilux_core::storage::{Entity, Filter, Property, Query, TableName, Value};
use uuid::Uuid;

use super::{Bench, key, named, text};
use crate::conformance::{Gaps, Report, run_checks};

pub(super) async fn run(bench: &Bench, gaps: &Gaps, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            each_comparison_of_each_type_finds_its_rows,
            missing_property_matches_nothing,
            value_of_another_type_matches_nothing,
            and_and_or_nest,
            empty_and_holds_and_empty_or_does_not,
            keys_can_be_ranged_over,
            strings_compare_by_ordinal_order,
            caller_text_never_becomes_syntax,
            select_gives_the_named_properties_and_the_keys,
        ]
    );
    report.record_unless(
        gaps.integer_widths_match,
        "integers_of_the_other_width_match_nothing",
        integers_of_the_other_width_match_nothing(bench).await,
    );
    report.record_unless(
        gaps.long_matches_text,
        "long_does_not_match_a_text_of_its_digits",
        long_does_not_match_a_text_of_its_digits(bench).await,
    );
    report.record_unless(
        gaps.dates_compare_to_milliseconds,
        "dates_compare_to_100_nanoseconds",
        dates_compare_to_100_nanoseconds(bench).await,
    );
}

fn compare(name: &str, comparison: Comparison, value: Value) -> Filter {
    Filter::compare(Property::Named(name.to_owned()), comparison, value)
}

fn row(comparison: Comparison, row: &str) -> Filter {
    Filter::compare(Property::RowKey, comparison, text(row))
}

async fn each_comparison_of_each_type_finds_its_rows(bench: &Bench) -> anyhow::Result<()> {
    let orders: Vec<[Value; 3]> = vec![
        [text("a"), text("b"), text("b ")],
        [Value::I32(-5), Value::I32(0), Value::I32(i32::MAX)],
        [
            Value::I64(i64::MIN),
            Value::I64((1 << 53) + 1),
            Value::I64((1 << 53) + 2),
        ],
        [Value::F64(-0.5), Value::F64(0.1), Value::F64(1e300)],
        [
            date("1999-12-31T23:59:59.999Z")?,
            date("2026-01-01T00:00:00Z")?,
            date("2026-01-01T00:00:00.001Z")?,
        ],
    ];
    for values in orders {
        check_order(bench, &values).await?;
    }
    check_equality_only_types(bench).await
}

async fn dates_compare_to_100_nanoseconds(bench: &Bench) -> anyhow::Result<()> {
    let values = [
        date("1999-12-31T23:59:59.9999999Z")?,
        date("2026-01-01T00:00:00Z")?,
        date("2026-01-01T00:00:00.0000001Z")?,
    ];
    check_order(bench, &values).await
}

/// Compares three ascending values with the middle one.
async fn check_order(bench: &Bench, values: &[Value; 3]) -> anyhow::Result<()> {
    let table = bench.table().await?;
    for (index, value) in values.iter().enumerate() {
        let entity = Entity::new(key("p", &index.to_string())).with("value", value.clone());
        bench.insert(&table, entity).await?;
    }
    let middle = &values[1];
    for (comparison, expected) in [
        (Equal, "1"),
        (NotEqual, "0 2"),
        (Less, "0"),
        (LessOrEqual, "0 1"),
        (Greater, "2"),
        (GreaterOrEqual, "1 2"),
    ] {
        let found = bench
            .found(&table, compare("value", comparison, middle.clone()))
            .await?;
        anyhow::ensure!(
            found == expected,
            "{comparison:?} {middle:?} found rows '{found}'"
        );
    }
    Ok(())
}

async fn check_equality_only_types(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let pairs = [
        (Value::Bool(false), Value::Bool(true)),
        (
            Value::Guid(Uuid::from_u128(1)),
            Value::Guid(Uuid::from_u128(2)),
        ),
        (binary(&[0, 1]), binary(&[0, 2])),
    ];
    for (number, (one, other)) in pairs.into_iter().enumerate() {
        let name = format!("value{number}");
        let rows = [
            (format!("{number}one"), &one),
            (format!("{number}other"), &other),
        ];
        for (row, value) in rows {
            bench
                .insert(
                    &table,
                    Entity::new(key("p", &row)).with(&name, value.clone()),
                )
                .await?;
        }
        let equal = bench
            .found(&table, compare(&name, Equal, one.clone()))
            .await?;
        anyhow::ensure!(
            equal == format!("{number}one"),
            "Equal {one:?} found '{equal}'"
        );
        let unequal = bench
            .found(&table, compare(&name, NotEqual, one.clone()))
            .await?;
        anyhow::ensure!(
            unequal == format!("{number}other"),
            "NotEqual {one:?} found '{unequal}'"
        );
    }
    Ok(())
}

fn binary(bytes: &[u8]) -> Value {
    Value::Binary(Bytes::copy_from_slice(bytes))
}

fn date(instant: &str) -> anyhow::Result<Value> {
    Ok(Value::DateTime(instant.parse()?))
}

const ALL: [Comparison; 6] = [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual];

async fn missing_property_matches_nothing(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench.insert(&table, named("p", "without", "x")).await?;
    for comparison in ALL {
        let found = bench
            .found(&table, compare("absent", comparison, Value::I32(0)))
            .await?;
        anyhow::ensure!(found.is_empty(), "{comparison:?} found '{found}'");
    }
    Ok(())
}

async fn value_of_another_type_matches_nothing(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let one = Entity::new(key("p", "r"))
        .with("text", text("1"))
        .with("int", Value::I32(1))
        .with("yes", Value::Bool(true));
    bench.insert(&table, one).await?;
    let others = [
        ("text", Value::I32(1)),
        ("int", text("1")),
        ("int", Value::Bool(true)),
        ("yes", text("true")),
        ("yes", Value::I32(1)),
    ];
    for (name, value) in others {
        let found = bench
            .found(&table, compare(name, Equal, value.clone()))
            .await?;
        anyhow::ensure!(found.is_empty(), "'{name}' matched {value:?}");
    }
    Ok(())
}

async fn long_does_not_match_a_text_of_its_digits(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench.insert(&table, named("p", "r", "1")).await?;
    let found = bench
        .found(&table, compare("name", Equal, Value::I64(1)))
        .await?;
    anyhow::ensure!(found.is_empty(), "it matched");
    Ok(())
}

async fn integers_of_the_other_width_match_nothing(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let one = Entity::new(key("p", "r"))
        .with("int", Value::I32(1))
        .with("long", Value::I64(1));
    bench.insert(&table, one).await?;
    for (name, value) in [("int", Value::I64(1)), ("long", Value::I32(1))] {
        let found = bench
            .found(&table, compare(name, Equal, value.clone()))
            .await?;
        anyhow::ensure!(found.is_empty(), "'{name}' matched {value:?}");
    }
    Ok(())
}

/// Rows `a0 a1 b0 b1` in two partitions, with `letter` and `digit`.
async fn grid(bench: &Bench) -> anyhow::Result<TableName> {
    let table = bench.table().await?;
    for letter in ["a", "b"] {
        for digit in 0..2 {
            let entity = Entity::new(key(letter, &format!("{letter}{digit}")))
                .with("letter", text(letter))
                .with("digit", Value::I32(digit));
            bench.insert(&table, entity).await?;
        }
    }
    Ok(table)
}

async fn and_and_or_nest(bench: &Bench) -> anyhow::Result<()> {
    let table = grid(bench).await?;
    let letter = |value: &str| Filter::equal("letter", text(value));
    let digit = |value| Filter::equal("digit", Value::I32(value));
    let cases = [
        (letter("a").and(digit(1)), "a1"),
        (Filter::Or(vec![letter("a"), digit(1)]), "a0 a1 b1"),
        (
            Filter::Or(vec![letter("a").and(digit(0)), letter("b").and(digit(1))]),
            "a0 b1",
        ),
        (
            Filter::And(vec![Filter::Or(vec![letter("a"), letter("b")]), digit(0)]),
            "a0 b0",
        ),
        (Filter::partition("b").and(digit(0)), "b0"),
        (
            Filter::Or(vec![Filter::partition("b"), row(Equal, "a1")]),
            "a1 b0 b1",
        ),
        (Filter::partition("a").and(Filter::partition("b")), ""),
    ];
    for (filter, expected) in cases {
        let found = bench.found(&table, filter.clone()).await?;
        anyhow::ensure!(
            found == expected,
            "{filter:?} found '{found}', not '{expected}'"
        );
    }
    Ok(())
}

async fn empty_and_holds_and_empty_or_does_not(bench: &Bench) -> anyhow::Result<()> {
    let table = grid(bench).await?;
    let cases = [
        (Filter::And(vec![]), "a0 a1 b0 b1"),
        (Filter::Or(vec![]), ""),
        (Filter::partition("a").and(Filter::And(vec![])), "a0 a1"),
        (Filter::partition("a").and(Filter::Or(vec![])), ""),
        (
            Filter::Or(vec![Filter::partition("a"), Filter::Or(vec![])]),
            "a0 a1",
        ),
    ];
    for (filter, expected) in cases {
        let found = bench.found(&table, filter.clone()).await?;
        anyhow::ensure!(
            found == expected,
            "{filter:?} found '{found}', not '{expected}'"
        );
    }
    Ok(())
}

async fn keys_can_be_ranged_over(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    for partition in ["2026-01-01", "2026-01-02", "2026-01-03"] {
        for number in 1..=3 {
            bench
                .insert(
                    &table,
                    named(partition, &format!("{partition}_{number}"), "x"),
                )
                .await?;
        }
    }
    let partition =
        |comparison, value: &str| Filter::compare(Property::PartitionKey, comparison, text(value));
    let cases = [
        (
            Filter::partition("2026-01-02").and(row(GreaterOrEqual, "2026-01-02_2")),
            "2026-01-02_2 2026-01-02_3",
        ),
        (
            Filter::partition("2026-01-02")
                .and(row(Greater, "2026-01-02_1"))
                .and(row(Less, "2026-01-02_3")),
            "2026-01-02_2",
        ),
        (
            partition(Greater, "2026-01-01").and(partition(LessOrEqual, "2026-01-02")),
            "2026-01-02_1 2026-01-02_2 2026-01-02_3",
        ),
        (
            partition(NotEqual, "2026-01-02").and(row(LessOrEqual, "2026-01-03_1")),
            "2026-01-01_1 2026-01-01_2 2026-01-01_3 2026-01-03_1",
        ),
        (partition(Less, "2026-01-01"), ""),
    ];
    for (filter, expected) in cases {
        let found = bench.found(&table, filter.clone()).await?;
        anyhow::ensure!(
            found == expected,
            "{filter:?} found '{found}', not '{expected}'"
        );
    }
    Ok(())
}

async fn strings_compare_by_ordinal_order(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    for name in ["-", "0", "A", "B", "Z", "_", "a", "z", "~"] {
        bench.insert(&table, named("p", name, name)).await?;
    }
    let found = bench
        .found(&table, compare("name", Greater, text("Z")))
        .await?;
    anyhow::ensure!(found == "_ a z ~", "above 'Z' are '{found}'");
    let found = bench
        .found(&table, compare("name", Less, text("AA")))
        .await?;
    anyhow::ensure!(found == "- 0 A", "below 'AA' are '{found}'");
    Ok(())
}

async fn caller_text_never_becomes_syntax(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let hostile = [
        "' or 1 eq 1",
        "x' or RowKey ne '",
        "''",
        "'",
        "%27",
        "a&$top=1",
        "1 + 1",
        "\"; --",
        "é'🗄️",
    ];
    for (index, name) in hostile.iter().enumerate() {
        bench
            .insert(&table, named("p", &index.to_string(), name))
            .await?;
    }
    for (index, name) in hostile.iter().enumerate() {
        let found = bench
            .found(&table, Filter::equal("name", text(name)))
            .await?;
        anyhow::ensure!(
            found == index.to_string(),
            "{name:?} found '{found}', not '{index}'"
        );
    }
    Ok(())
}

async fn select_gives_the_named_properties_and_the_keys(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let entity = named("p", "r", "x")
        .with("number", Value::I32(1))
        .with("yes", Value::Bool(true));
    let etag = bench.insert(&table, entity).await?;
    let cases: [(&[&str], Entity); 3] = [
        (
            &["number"],
            Entity::new(key("p", "r")).with("number", Value::I32(1)),
        ),
        (&["name", "absent"], named("p", "r", "x")),
        (&[], Entity::new(key("p", "r"))),
    ];
    for (names, expected) in cases {
        let query = Query {
            filter: Some(Filter::equal("yes", Value::Bool(true))),
            select: Some(names.iter().map(|&name| name.to_owned()).collect()),
            top: None,
        };
        let rows = bench.all(&table, &query).await?;
        let [row] = rows.as_slice() else {
            anyhow::bail!("{} rows came", rows.len())
        };
        anyhow::ensure!(
            row.entity == expected,
            "selecting {names:?} gave {:?}",
            row.entity
        );
        anyhow::ensure!(
            row.etag == etag,
            "selecting {names:?} gave the version {}",
            row.etag
        );
    }
    Ok(())
}
