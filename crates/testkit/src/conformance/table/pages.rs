//! Order and continuation of queries.

use std::num::NonZeroU32;

use dilux_core::storage::{
    Condition, Continuation, Filter, Nth, Query, Span, TableName, TableOperation, Value,
};

use super::{Bench, key, named};
use crate::conformance::{Report, run_checks};

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            rows_come_in_ordinal_order_of_both_keys,
            pages_hold_at_most_what_was_asked_and_cover_every_row_once,
            pages_end_exactly_at_the_last_row,
            more_than_1000_rows_come_in_several_pages,
            rare_matches_are_found_behind_many_other_rows,
            rows_written_or_deleted_between_pages_disturb_no_other,
            continuation_survives_odd_keys,
            rows_are_found_by_their_number,
        ]
    );
}

fn by(top: u32) -> Query {
    Query {
        top: NonZeroU32::new(top),
        ..Query::default()
    }
}

async fn rows_come_in_ordinal_order_of_both_keys(bench: &Bench) -> anyhow::Result<()> {
    let sorted = [
        "", " ", "-", "0", "00", "1", "10", "2", "A", "AA", "B", "_", "a", "aB", "b", "~", "é",
    ];
    let table = bench.table().await?;
    for partition in ["b", "é", "B", "a", "aa", "A"] {
        for row in sorted.iter().rev() {
            bench.insert(&table, named(partition, row, "x")).await?;
        }
    }
    let rows = bench.all(&table, &Query::default()).await?;
    let keys: Vec<_> = rows.into_iter().map(|row| row.entity.key).collect();
    let expected: Vec<_> = ["A", "B", "a", "aa", "b", "é"]
        .into_iter()
        .flat_map(|partition| sorted.iter().map(move |row| key(partition, row)))
        .collect();
    anyhow::ensure!(keys == expected, "the order was {keys:?}");
    Ok(())
}

async fn pages_hold_at_most_what_was_asked_and_cover_every_row_once(
    bench: &Bench,
) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let rows: Vec<_> = (0..40)
        .map(|n| named(&format!("p{}", n / 15), &format!("{n:02}"), "x"))
        .collect();
    bench.fill(&table, rows.clone()).await?;
    for top in [1, 7, 40, 1000] {
        let mut seen = Vec::new();
        let mut from: Option<Continuation> = None;
        loop {
            let page = bench.store.query(&table, &by(top), from.as_ref()).await?;
            anyhow::ensure!(
                page.entities.len() <= top as usize,
                "a page is longer than {top}"
            );
            seen.extend(page.entities.into_iter().map(|row| row.entity));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        anyhow::ensure!(seen == rows, "pages of {top} gave {} rows", seen.len());
    }
    Ok(())
}

async fn pages_end_exactly_at_the_last_row(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench
        .fill(
            &table,
            (0..6).map(|n| named("p", &n.to_string(), "x")).collect(),
        )
        .await?;
    let mut rows = 0;
    let mut pages = 0;
    let mut from = None;
    loop {
        let page = bench.store.query(&table, &by(3), from.as_ref()).await?;
        rows += page.entities.len();
        pages += 1;
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    // A store may end with an empty page, so three pages are right as well.
    anyhow::ensure!(rows == 6 && pages <= 3, "{rows} rows came in {pages} pages");
    Ok(())
}

async fn more_than_1000_rows_come_in_several_pages(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let rows: Vec<_> = (0..1_150)
        .map(|n| named("p", &format!("{n:05}"), "x"))
        .collect();
    bench.fill(&table, rows.clone()).await?;
    let first = bench.store.query(&table, &Query::default(), None).await?;
    anyhow::ensure!(
        first.entities.len() <= 1000,
        "a page holds {} rows",
        first.entities.len()
    );
    anyhow::ensure!(
        first.next.is_some(),
        "the first page says that it is the last"
    );
    let all = bench.all(&table, &Query::default()).await?;
    let all: Vec<_> = all.into_iter().map(|row| row.entity).collect();
    anyhow::ensure!(all == rows, "{} rows came", all.len());
    Ok(())
}

async fn rare_matches_are_found_behind_many_other_rows(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let rows = (0..6_000).map(|n| {
        let entity = named("p", &format!("{n:05}"), "hay");
        if n % 1_999 == 1_998 {
            entity.with("needle", Value::Bool(true))
        } else {
            entity
        }
    });
    bench.fill(&table, rows.collect()).await?;
    let found = bench
        .found(&table, Filter::equal("needle", Value::Bool(true)))
        .await?;
    anyhow::ensure!(found == "01998 03997 05996", "found '{found}'");
    let none = bench
        .found(&table, Filter::equal("needle", Value::Bool(false)))
        .await?;
    anyhow::ensure!(none.is_empty(), "found '{none}'");
    Ok(())
}

async fn rows_written_or_deleted_between_pages_disturb_no_other(
    bench: &Bench,
) -> anyhow::Result<()> {
    let table = bench.table().await?;
    bench
        .fill(
            &table,
            (0..10).map(|n| named("p", &format!("{n}0"), "x")).collect(),
        )
        .await?;
    let first = bench.store.query(&table, &by(4), None).await?;
    let mut seen: Vec<_> = first
        .entities
        .into_iter()
        .map(|row| row.entity.key.row)
        .collect();
    let delete = |row: &str| TableOperation::Delete(key("p", row), Condition::Exists);
    for row in ["00", "30", "40"] {
        bench.store.write(&table, delete(row)).await?;
    }
    bench
        .insert(&table, named("p", "05", "before the page"))
        .await?;
    bench
        .insert(&table, named("p", "65", "after the page"))
        .await?;
    let mut from = first.next;
    while let Some(next) = from {
        let page = bench.store.query(&table, &by(4), Some(&next)).await?;
        seen.extend(page.entities.into_iter().map(|row| row.entity.key.row));
        from = page.next;
    }
    let seen = seen.join(" ");
    anyhow::ensure!(
        seen == "00 10 20 30 50 60 65 70 80 90",
        "the pages gave '{seen}'"
    );
    Ok(())
}

async fn continuation_survives_odd_keys(bench: &Bench) -> anyhow::Result<()> {
    let odd = ["", " ", "'", "a b", "a&b=c", "a+b", "数据", "~"];
    let table = bench.table().await?;
    for partition in odd {
        for row in odd {
            bench.insert(&table, named(partition, row, "x")).await?;
        }
    }
    let rows = bench.all(&table, &by(1)).await?;
    anyhow::ensure!(
        rows.len() == odd.len() * odd.len(),
        "{} rows came",
        rows.len()
    );
    anyhow::ensure!(
        rows.is_sorted_by(|a, b| a.entity.key < b.entity.key),
        "a row came twice"
    );
    Ok(())
}

async fn rows_are_found_by_their_number(bench: &Bench) -> anyhow::Result<()> {
    let table = bench.table().await?;
    let rows = |partition: &'static str, most: u32| {
        (0..most).map(move |n| named(partition, &format!("{n:04}"), "x"))
    };
    let all = rows("a", 3).chain(rows("b", 1_203)).chain(rows("c", 2));
    bench.fill(&table, all.collect()).await?;
    let whole = Span::partition("b");
    for number in [1, 2, 1_000, 1_001, 1_203] {
        let key = format!("{:04}", number - 1);
        check_number(bench, &table, &whole, number, Nth::Row(key)).await?;
    }
    check_number(bench, &table, &whole, 1_204, Nth::Fewer(1_203)).await?;
    check_number(bench, &table, &whole, usize::MAX, Nth::Fewer(1_203)).await?;
    let part = Span {
        end: Some("1100".to_owned()),
        ..whole
    };
    check_number(bench, &table, &part, 1_100, Nth::Row("1099".to_owned())).await?;
    check_number(bench, &table, &part, 1_101, Nth::Fewer(1_100)).await?;
    let empty = Span::partition("bb");
    check_number(bench, &table, &empty, 1, Nth::Fewer(0)).await
}

async fn check_number(
    bench: &Bench,
    table: &TableName,
    span: &Span,
    number: usize,
    expected: Nth,
) -> anyhow::Result<()> {
    let found = bench.store.nth(table, span, number).await?;
    anyhow::ensure!(
        found == expected,
        "number {number} of {span:?} was {found:?}, not {expected:?}"
    );
    Ok(())
}
