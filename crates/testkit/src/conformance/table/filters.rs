//! Typed filters and `select`.

use dilux_core::storage::Comparison::{
    self, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual,
};
use dilux_core::storage::{Entity, Filter, Property, Query, TableName, Value};

use super::{Bench, compare, key, named, text};
use crate::conformance::{Report, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            and_and_or_nest,
            empty_and_holds_and_empty_or_does_not,
            keys_can_be_ranged_over,
            strings_compare_by_ordinal_order,
            caller_text_never_becomes_syntax,
            select_gives_the_named_properties_and_the_keys,
        ]
    );
}

fn row(comparison: Comparison, row: &str) -> Filter {
    Filter::compare(Property::RowKey, comparison, text(row))
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
        (
            Filter::Or(vec![
                Filter::partition("2026-01-03").and(row(Less, "2026-01-03_2")),
                Filter::partition("2026-01-01").and(row(Greater, "2026-01-01_2")),
            ]),
            "2026-01-01_3 2026-01-03_1",
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
