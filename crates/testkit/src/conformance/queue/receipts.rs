//! Receipts: who holds a message, and how that ends.

use std::time::Duration;

use dilux_core::storage::StorageErrorKind::PreconditionFailed;
use dilux_core::storage::{MessageId, QueueName, Receipt};

use super::{Bench, LONG};
use crate::conformance::{Report, refused, run_checks};

const SOON: Duration = Duration::from_secs(2);

pub(super) async fn run(bench: &Bench, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            deleted_message_does_not_come_back,
            renewal_hides_the_message_longer_and_does_not_count,
            renewal_voids_the_old_receipt,
            renewal_for_no_time_shows_the_message_at_once,
            receipt_of_an_earlier_delivery_is_void,
            receipt_outlives_the_visibility_while_nobody_else_receives,
            invented_receipts_are_void,
        ]
    );
}

/// Neither renewal nor delete may succeed with this receipt.
async fn is_void(
    bench: &Bench,
    queue: &QueueName,
    id: &MessageId,
    receipt: &Receipt,
) -> anyhow::Result<()> {
    refused(
        bench.store.renew(queue, id, receipt, LONG).await,
        PreconditionFailed,
    )?;
    refused(
        bench.store.delete(queue, id, receipt).await,
        PreconditionFailed,
    )
}

async fn deleted_message_does_not_come_back(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    let message = bench.receive(&queue, LONG).await?;
    bench
        .store
        .delete(&queue, &message.id, &message.receipt)
        .await?;
    is_void(bench, &queue, &message.id, &message.receipt).await?;
    let count = bench.store.approximate_count(&queue).await?;
    anyhow::ensure!(count == 0, "the count is {count}");
    Ok(())
}

async fn renewal_hides_the_message_longer_and_does_not_count(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    let message = bench.receive(&queue, Duration::from_secs(1)).await?;
    let longer = Duration::from_secs(3);
    let receipt = bench
        .store
        .renew(&queue, &message.id, &message.receipt, longer)
        .await?;
    anyhow::ensure!(receipt != message.receipt, "the receipt did not change");
    bench
        .time
        .until(longer, async || bench.is_visible(&queue).await)
        .await?;
    let again = bench.receive(&queue, LONG).await?;
    anyhow::ensure!(
        again.dequeue_count == 2,
        "the count is {}",
        again.dequeue_count
    );
    Ok(())
}

async fn renewal_voids_the_old_receipt(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    let message = bench.receive(&queue, LONG).await?;
    let second = bench
        .store
        .renew(&queue, &message.id, &message.receipt, LONG)
        .await?;
    is_void(bench, &queue, &message.id, &message.receipt).await?;
    let third = bench
        .store
        .renew(&queue, &message.id, &second, LONG)
        .await?;
    is_void(bench, &queue, &message.id, &second).await?;
    bench.nothing_comes(&queue).await?;
    bench.store.delete(&queue, &message.id, &third).await?;
    Ok(())
}

async fn renewal_for_no_time_shows_the_message_at_once(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    let message = bench.receive(&queue, LONG).await?;
    bench
        .store
        .renew(&queue, &message.id, &message.receipt, Duration::ZERO)
        .await?;
    let again = bench.receive(&queue, LONG).await?;
    anyhow::ensure!(again.id == message.id, "{again:?} came");
    Ok(())
}

async fn receipt_of_an_earlier_delivery_is_void(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    let first = bench.receive(&queue, SOON).await?;
    bench
        .time
        .until(SOON, async || bench.is_visible(&queue).await)
        .await?;
    let second = bench.receive(&queue, LONG).await?;
    is_void(bench, &queue, &first.id, &first.receipt).await?;
    bench.nothing_comes(&queue).await?;
    bench
        .store
        .delete(&queue, &second.id, &second.receipt)
        .await?;
    Ok(())
}

async fn receipt_outlives_the_visibility_while_nobody_else_receives(
    bench: &Bench,
) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    let message = bench.receive(&queue, SOON).await?;
    bench
        .time
        .until(SOON, async || bench.is_visible(&queue).await)
        .await?;
    let receipt = bench
        .store
        .renew(&queue, &message.id, &message.receipt, LONG)
        .await?;
    bench.store.delete(&queue, &message.id, &receipt).await?;
    Ok(())
}

async fn invented_receipts_are_void(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "one").await?;
    bench.send(&queue, "other").await?;
    let one = bench.receive(&queue, LONG).await?;
    let other = bench.receive(&queue, LONG).await?;
    is_void(bench, &queue, &one.id, &other.receipt).await?;
    is_void(bench, &queue, &other.id, &one.receipt).await
}
