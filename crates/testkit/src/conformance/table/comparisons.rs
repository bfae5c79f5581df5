//! Comparisons by type: each finds the rows that it should, and none of another type.

use bytes::Bytes;
use dilux_core::storage::Comparison::{
    self, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual,
};
use dilux_core::storage::{Entity, Value};
use uuid::Uuid;

use super::{Bench, compare, key, named, text};
use crate::conformance::{Gaps, Report, run_checks};

pub(super) async fn run(bench: &Bench, gaps: &Gaps, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            each_comparison_of_each_type_finds_its_rows,
            missing_property_matches_nothing,
            value_of_another_type_matches_nothing,
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
