//! The suite for [`QueueStore`].

mod delivery;
mod limits;
mod receipts;

use std::sync::Arc;
use std::time::Duration;

use dilux_core::storage::{QueueName, QueueStore, ReceivedMessage, SendOptions};

use super::{Gaps, Report, Time, unique};

/// Long enough that nothing becomes visible again while a check on a real clock runs.
const LONG: Duration = Duration::from_mins(10);

/// Runs every check of the queue port on `store`.
pub async fn queue_store(store: Arc<dyn QueueStore>, gaps: &Gaps) -> anyhow::Result<()> {
    let bench = Bench {
        store,
        time: gaps.time.clone(),
    };
    let mut report = Report::new("queue_store");
    delivery::run(&bench, gaps, &mut report).await;
    receipts::run(&bench, &mut report).await;
    limits::run(&bench, &mut report).await;
    report.finish()
}

struct Bench {
    store: Arc<dyn QueueStore>,
    time: Time,
}

impl Bench {
    async fn queue(&self) -> anyhow::Result<QueueName> {
        let queue = QueueName::new(unique("conformance-"))?;
        self.store.create_queue(&queue).await?;
        Ok(queue)
    }

    async fn send(&self, queue: &QueueName, text: &str) -> anyhow::Result<()> {
        self.store.send(queue, text, SendOptions::default()).await?;
        Ok(())
    }

    /// Receives exactly one message.
    async fn receive(
        &self,
        queue: &QueueName,
        visibility: Duration,
    ) -> anyhow::Result<ReceivedMessage> {
        let mut messages = self.store.receive(queue, 1, visibility).await?;
        anyhow::ensure!(
            messages.len() == 1,
            "{} messages came, not 1",
            messages.len()
        );
        Ok(messages.remove(0))
    }

    /// Whether a message is visible.
    async fn is_visible(&self, queue: &QueueName) -> anyhow::Result<bool> {
        Ok(!self.store.peek(queue, 1).await?.is_empty())
    }

    async fn nothing_comes(&self, queue: &QueueName) -> anyhow::Result<()> {
        let messages = self.store.receive(queue, 32, LONG).await?;
        anyhow::ensure!(messages.is_empty(), "these came: {messages:?}");
        Ok(())
    }
}
