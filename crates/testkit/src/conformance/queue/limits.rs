//! The limits of the Queue service, which stand above every adapter.

use std::time::Duration;

use dilux_core::storage::StorageErrorKind::Invalid;
use dilux_core::storage::{SendOptions, TimeToLive};

use super::{Bench, LONG};
use crate::conformance::{Report, refused, run_checks};

const WEEK: Duration = Duration::from_hours(7 * 24);
const SECOND: Duration = Duration::from_secs(1);

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            unfit_texts_are_refused,
            unfit_delays_and_lives_are_refused,
            unfit_numbers_of_messages_are_refused,
            unfit_visibilities_are_refused,
            longest_spans_are_accepted,
        ]
    );
}

async fn unfit_texts_are_refused(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    let long = "x".repeat(64 * 1024 + 1);
    let long_in_utf8 = "é".repeat(32 * 1024 + 1);
    for text in [
        &long,
        &long_in_utf8,
        "a\0b",
        "a\u{1}b",
        "a\u{1f}b",
        "a\u{ffff}b",
    ] {
        refused(
            bench.store.send(&queue, text, SendOptions::default()).await,
            Invalid,
        )?;
    }
    bench.nothing_comes(&queue).await
}

async fn unfit_delays_and_lives_are_refused(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    let unfit = [
        (WEEK + SECOND, TimeToLive::Forever),
        (Duration::from_millis(1500), TimeToLive::Forever),
        (Duration::ZERO, TimeToLive::Seconds(0)),
        (Duration::from_secs(10), TimeToLive::Seconds(10)),
    ];
    for (delay, time_to_live) in unfit {
        let options = SendOptions {
            delay,
            time_to_live,
        };
        refused(bench.store.send(&queue, "x", options).await, Invalid)?;
    }
    let count = bench.store.approximate_count(&queue).await?;
    anyhow::ensure!(count == 0, "{count} messages were sent");
    Ok(())
}

async fn unfit_numbers_of_messages_are_refused(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    for most in [0, 33] {
        refused(bench.store.receive(&queue, most, LONG).await, Invalid)?;
        refused(bench.store.peek(&queue, most).await, Invalid)?;
    }
    bench.receive(&queue, LONG).await?;
    Ok(())
}

async fn unfit_visibilities_are_refused(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    for visibility in [Duration::ZERO, WEEK + SECOND, Duration::from_millis(1500)] {
        refused(bench.store.receive(&queue, 1, visibility).await, Invalid)?;
    }
    let message = bench.receive(&queue, LONG).await?;
    for visibility in [WEEK + SECOND, Duration::from_millis(500)] {
        let renewal = bench
            .store
            .renew(&queue, &message.id, &message.receipt, visibility)
            .await;
        refused(renewal, Invalid)?;
    }
    bench
        .store
        .delete(&queue, &message.id, &message.receipt)
        .await?;
    Ok(())
}

async fn longest_spans_are_accepted(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    let options = SendOptions {
        delay: WEEK,
        ..SendOptions::default()
    };
    bench.store.send(&queue, "in a week", options).await?;
    bench.send(&queue, "now").await?;
    let message = bench.receive(&queue, WEEK).await?;
    let receipt = bench
        .store
        .renew(&queue, &message.id, &message.receipt, WEEK)
        .await?;
    bench.nothing_comes(&queue).await?;
    bench.store.delete(&queue, &message.id, &receipt).await?;
    Ok(())
}
