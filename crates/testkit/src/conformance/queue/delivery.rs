//! What is sent comes, whole, in time, and to one receiver at a time.

use std::collections::HashSet;
use std::time::Duration;

use dilux_core::storage::StorageErrorKind::{NotFound, PreconditionFailed};
use dilux_core::storage::{QueueName, SendOptions, TimeToLive};
use tokio::task::JoinSet;

use super::{Bench, LONG};
use crate::conformance::{Gaps, Report, refused, run_checks, unique};

const SOON: Duration = Duration::from_secs(2);

pub(super) async fn run(bench: &Bench, gaps: &Gaps, report: &mut Report) {
    run_checks!(
        report,
        bench,
        [
            creating_a_queue_again_keeps_its_messages,
            missing_queue_gives_not_found,
            texts_survive,
            sent_message_comes_with_its_particulars,
            received_message_is_hidden_until_its_visibility_ends,
            delayed_message_comes_after_its_delay,
            message_dies_at_the_end_of_its_life,
            messages_come_in_the_order_of_their_visibility,
            receive_gives_at_most_what_was_asked,
            peek_takes_nothing,
            count_includes_hidden_messages,
            clear_deletes_hidden_messages_too,
            queues_do_not_mix,
            concurrent_receivers_get_each_message_once,
        ]
    );
    report.record_unless(
        gaps.carriage_return_changes,
        "carriage_return_survives",
        text_survives(bench, "one\r\ntwo\rthree").await,
    );
    report.record_unless(
        gaps.receive_shares_receipts,
        "messages_received_together_have_their_own_receipts",
        messages_received_together_have_their_own_receipts(bench).await,
    );
}

async fn creating_a_queue_again_keeps_its_messages(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "kept").await?;
    bench.store.create_queue(&queue).await?;
    let message = bench.receive(&queue, LONG).await?;
    anyhow::ensure!(message.text == "kept", "it became {message:?}");
    Ok(())
}

async fn missing_queue_gives_not_found(bench: &Bench) -> anyhow::Result<()> {
    let queue = QueueName::new(unique("missing-"))?;
    refused(
        bench.store.send(&queue, "x", SendOptions::default()).await,
        NotFound,
    )?;
    refused(bench.store.receive(&queue, 1, LONG).await, NotFound)?;
    refused(bench.store.peek(&queue, 1).await, NotFound)?;
    refused(bench.store.approximate_count(&queue).await, NotFound)?;
    refused(bench.store.clear(&queue).await, NotFound)
}

async fn texts_survive(bench: &Bench) -> anyhow::Result<()> {
    let full = "é".repeat(32 * 1024);
    for text in [
        "x",
        r#"{"v":1,"job_id":"a\"b"}"#,
        "<message a='1'>&amp; ]]> <!-- --></message>",
        "naïve 数据 🗄️ \u{10ffff} e\u{301}",
        "  two blanks around  ",
        "a\tb\nc\n",
        "%41+%20",
        "eyJ2IjoxfQ==",
        &full,
    ] {
        let outcome = text_survives(bench, text).await;
        let start: String = text.chars().take(40).collect();
        outcome.map_err(|error| error.context(format!("the text {start:?}")))?;
    }
    Ok(())
}

async fn text_survives(bench: &Bench, text: &str) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, text).await?;
    let peeked = bench.store.peek(&queue, 1).await?;
    anyhow::ensure!(peeked == [text], "peek gave another text");
    let message = bench.receive(&queue, LONG).await?;
    anyhow::ensure!(message.text == text, "receive gave another text");
    Ok(())
}

async fn sent_message_comes_with_its_particulars(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    let id = bench
        .store
        .send(&queue, "x", SendOptions::default())
        .await?;
    let message = bench.receive(&queue, LONG).await?;
    anyhow::ensure!(
        message.id == id,
        "send gave {id:?}, receive gave {:?}",
        message.id
    );
    anyhow::ensure!(
        message.dequeue_count == 1,
        "the count is {}",
        message.dequeue_count
    );
    let inserted = message.inserted_at;
    anyhow::ensure!(
        inserted.subsec_nanosecond() == 0,
        "{inserted} is not to the second"
    );
    anyhow::ensure!(
        inserted.as_second() > 1_577_836_800,
        "{inserted} is before 2020"
    );
    Ok(())
}

async fn received_message_is_hidden_until_its_visibility_ends(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "x").await?;
    let first = bench.receive(&queue, SOON).await?;
    anyhow::ensure!(
        !bench.is_visible(&queue).await?,
        "it is visible while it is held"
    );
    bench.nothing_comes(&queue).await?;
    bench
        .time
        .until(SOON, async || bench.is_visible(&queue).await)
        .await?;
    let second = bench.receive(&queue, LONG).await?;
    anyhow::ensure!(
        second.id == first.id && second.text == "x",
        "{second:?} came"
    );
    anyhow::ensure!(
        second.dequeue_count == 2,
        "the count is {}",
        second.dequeue_count
    );
    anyhow::ensure!(
        second.receipt != first.receipt,
        "the receipt did not change"
    );
    anyhow::ensure!(
        second.inserted_at == first.inserted_at,
        "the insertion time changed"
    );
    Ok(())
}

async fn delayed_message_comes_after_its_delay(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    let options = SendOptions {
        delay: SOON,
        ..SendOptions::default()
    };
    bench.store.send(&queue, "late", options).await?;
    bench.nothing_comes(&queue).await?;
    bench
        .time
        .until(SOON, async || bench.is_visible(&queue).await)
        .await?;
    let message = bench.receive(&queue, LONG).await?;
    anyhow::ensure!(
        message.text == "late" && message.dequeue_count == 1,
        "{message:?} came"
    );
    Ok(())
}

async fn message_dies_at_the_end_of_its_life(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    let mortal = SendOptions {
        time_to_live: TimeToLive::Seconds(2),
        ..SendOptions::default()
    };
    bench.store.send(&queue, "mortal", mortal).await?;
    anyhow::ensure!(bench.is_visible(&queue).await?, "it is not there at first");
    bench
        .time
        .until(SOON, async || Ok(!bench.is_visible(&queue).await?))
        .await?;
    bench.send(&queue, "immortal").await?;
    let message = bench.receive(&queue, LONG).await?;
    anyhow::ensure!(message.text == "immortal", "{message:?} came");
    bench.nothing_comes(&queue).await
}

async fn messages_come_in_the_order_of_their_visibility(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    let delayed = SendOptions {
        delay: SOON,
        ..SendOptions::default()
    };
    bench.store.send(&queue, "last", delayed).await?;
    for text in ["1", "2", "3"] {
        bench.send(&queue, text).await?;
    }
    let everything = async || Ok(bench.store.peek(&queue, 32).await?.len() == 4);
    bench.time.until(SOON, everything).await?;
    let peeked = bench.store.peek(&queue, 32).await?.join(" ");
    anyhow::ensure!(peeked == "1 2 3 last", "peek gave '{peeked}'");
    let received = bench.store.receive(&queue, 32, LONG).await?;
    let texts: Vec<_> = received.into_iter().map(|message| message.text).collect();
    anyhow::ensure!(texts == ["1", "2", "3", "last"], "receive gave {texts:?}");
    Ok(())
}

async fn receive_gives_at_most_what_was_asked(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.nothing_comes(&queue).await?;
    for number in 0..40 {
        bench.send(&queue, &number.to_string()).await?;
    }
    let mut seen = HashSet::new();
    for (most, expected) in [(1, 1), (5, 5), (32, 32), (32, 2)] {
        let messages = bench.store.receive(&queue, most, LONG).await?;
        anyhow::ensure!(
            messages.len() == expected,
            "{} came, not {expected}",
            messages.len()
        );
        seen.extend(messages.into_iter().map(|message| message.text));
    }
    anyhow::ensure!(seen.len() == 40, "{} different messages came", seen.len());
    bench.nothing_comes(&queue).await
}

async fn messages_received_together_have_their_own_receipts(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    for number in 0..5 {
        bench.send(&queue, &number.to_string()).await?;
    }
    let messages = bench.store.receive(&queue, 5, LONG).await?;
    let receipts: HashSet<_> = messages.iter().map(|message| &message.receipt.0).collect();
    anyhow::ensure!(
        receipts.len() == 5,
        "{} receipts for 5 messages",
        receipts.len()
    );
    Ok(())
}

async fn peek_takes_nothing(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    for number in 0..5 {
        bench.send(&queue, &number.to_string()).await?;
    }
    for _ in 0..2 {
        let texts = bench.store.peek(&queue, 3).await?;
        anyhow::ensure!(texts.len() == 3, "{} texts came, not 3", texts.len());
    }
    let messages = bench.store.receive(&queue, 32, LONG).await?;
    anyhow::ensure!(messages.len() == 5, "{} messages are left", messages.len());
    anyhow::ensure!(
        messages.iter().all(|message| message.dequeue_count == 1),
        "peeks were counted"
    );
    Ok(())
}

async fn count_includes_hidden_messages(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    anyhow::ensure!(
        bench.store.approximate_count(&queue).await? == 0,
        "a new queue is not empty"
    );
    for number in 0..5 {
        bench.send(&queue, &number.to_string()).await?;
    }
    let message = bench.receive(&queue, LONG).await?;
    let count = bench.store.approximate_count(&queue).await?;
    anyhow::ensure!(count == 5, "with one of five hidden the count is {count}");
    bench
        .store
        .delete(&queue, &message.id, &message.receipt)
        .await?;
    let count = bench.store.approximate_count(&queue).await?;
    anyhow::ensure!(count == 4, "after a delete the count is {count}");
    Ok(())
}

async fn clear_deletes_hidden_messages_too(bench: &Bench) -> anyhow::Result<()> {
    let queue = bench.queue().await?;
    bench.send(&queue, "hidden").await?;
    let hidden = bench.receive(&queue, SOON).await?;
    bench.send(&queue, "visible").await?;
    bench.store.clear(&queue).await?;
    bench.nothing_comes(&queue).await?;
    let count = bench.store.approximate_count(&queue).await?;
    anyhow::ensure!(count == 0, "the count is {count}");
    let delete = bench
        .store
        .delete(&queue, &hidden.id, &hidden.receipt)
        .await;
    refused(delete, PreconditionFailed)?;
    bench.send(&queue, "new").await?;
    anyhow::ensure!(
        bench.receive(&queue, LONG).await?.text == "new",
        "the queue is unusable"
    );
    Ok(())
}

async fn queues_do_not_mix(bench: &Bench) -> anyhow::Result<()> {
    let (one, other) = (bench.queue().await?, bench.queue().await?);
    bench.send(&one, "one").await?;
    bench.nothing_comes(&other).await?;
    bench.send(&other, "other").await?;
    bench.store.clear(&other).await?;
    let message = bench.receive(&one, LONG).await?;
    let foreign = bench
        .store
        .delete(&other, &message.id, &message.receipt)
        .await;
    refused(foreign, PreconditionFailed)?;
    bench
        .store
        .delete(&one, &message.id, &message.receipt)
        .await?;
    Ok(())
}

async fn concurrent_receivers_get_each_message_once(bench: &Bench) -> anyhow::Result<()> {
    const MESSAGES: usize = 120;
    let queue = bench.queue().await?;
    let mut senders = JoinSet::new();
    for number in 0..MESSAGES {
        let (store, queue) = (bench.store.clone(), queue.clone());
        senders.spawn(async move {
            store
                .send(&queue, &number.to_string(), SendOptions::default())
                .await
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    let mut receivers = JoinSet::new();
    for _ in 0..8 {
        receivers.spawn(drain(
            Bench {
                store: bench.store.clone(),
                time: bench.time.clone(),
            },
            queue.clone(),
        ));
    }
    let mut seen = Vec::new();
    while let Some(receiver) = receivers.join_next().await {
        seen.extend(receiver??);
    }
    let different: HashSet<_> = seen.iter().collect();
    anyhow::ensure!(
        seen.len() == MESSAGES && different.len() == MESSAGES,
        "{MESSAGES} were sent, {} came, {} of them different",
        seen.len(),
        different.len()
    );
    Ok(())
}

async fn drain(bench: Bench, queue: QueueName) -> anyhow::Result<Vec<String>> {
    let mut seen = Vec::new();
    loop {
        let messages = bench.store.receive(&queue, 3, LONG).await?;
        if messages.is_empty() {
            return Ok(seen);
        }
        for message in messages {
            bench
                .store
                .delete(&queue, &message.id, &message.receipt)
                .await?;
            seen.push(message.text);
        }
    }
}
