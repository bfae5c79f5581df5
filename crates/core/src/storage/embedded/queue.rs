//! The queue port over SQLite.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::EmbeddedStore;
use super::codec;
use super::database::Durability::Durable;
use super::fault::Fault;
use super::schema::Holder;
use crate::storage::{
    MessageId, QueueName, QueueStore, Receipt, ReceivedMessage, SendOptions, StorageErrorKind,
    StorageResult, TimeToLive,
};

const TICKS_A_SECOND: i64 = 10_000_000;

fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs())
        .unwrap_or(i64::MAX)
        .saturating_mul(TICKS_A_SECOND)
}

#[async_trait]
impl QueueStore for EmbeddedStore {
    async fn create_queue(&self, queue: &QueueName) -> StorageResult<()> {
        let name = queue.as_str().to_owned();
        let created = self
            .inner
            .database
            .write(Durable, move |tx| Holder::Queue.create(tx, &name));
        created
            .await
            .map_err(|fault| self.inner.error("create queue", fault))
    }

    async fn send(
        &self,
        queue: &QueueName,
        text: &str,
        options: SendOptions,
    ) -> StorageResult<MessageId> {
        let (name, body, now) = (queue.as_str().to_owned(), text.to_owned(), self.inner.now());
        let id = self.inner.fresh_id();
        let sent = self.inner.database.write(Durable, move |tx| {
            let queue = Holder::Queue.id(tx, &name)?;
            let expires_at = match options.time_to_live {
                TimeToLive::Forever => i64::MAX,
                TimeToLive::Seconds(life) => now.saturating_add(i64::from(life) * TICKS_A_SECOND),
            };
            let mut statement = tx.prepare_cached(
                "INSERT INTO messages (queue_id, id, receipt, body, inserted_at, visible_at,
                 expires_at, dequeue_count) VALUES (?1, ?2, '', ?3, ?4, ?5, ?6, 0)",
            )?;
            let visible_at = now.saturating_add(span(options.delay));
            statement.execute(params![queue, id, body, now, visible_at, expires_at])?;
            Ok(MessageId(id))
        });
        sent.await
            .map_err(|fault| self.inner.error("send message", fault))
    }

    async fn receive(
        &self,
        queue: &QueueName,
        most: u32,
        visibility: Duration,
    ) -> StorageResult<Vec<ReceivedMessage>> {
        const OPERATION: &str = "receive messages";
        // Most polls find nothing; they need not wait for writers.
        if self.texts(queue, 1, OPERATION).await?.is_empty() {
            return Ok(Vec::new());
        }
        let (name, now) = (queue.as_str().to_owned(), self.inner.now());
        let until = now.saturating_add(span(visibility));
        let receipt = self.inner.fresh_id();
        let received = self.inner.database.write(Durable, move |tx| {
            let queue = Holder::Queue.id(tx, &name)?;
            let waiting = waiting(tx, queue, most, now)?;
            let taken = waiting
                .into_iter()
                .map(|sequence| take(tx, sequence, &receipt, until));
            taken.collect()
        });
        received
            .await
            .map_err(|fault| self.inner.error(OPERATION, fault))
    }

    async fn peek(&self, queue: &QueueName, most: u32) -> StorageResult<Vec<String>> {
        self.texts(queue, most, "peek messages").await
    }

    async fn renew(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
        visibility: Duration,
    ) -> StorageResult<Receipt> {
        let (name, id, old) = (queue.as_str().to_owned(), id.0.clone(), receipt.0.clone());
        let now = self.inner.now();
        let fresh = self.inner.fresh_id();
        let renewed = self.inner.database.write(Durable, move |tx| {
            let queue = Holder::Queue.id(tx, &name)?;
            let mut statement = tx.prepare_cached(
                "UPDATE messages SET receipt = ?1, visible_at = ?2 WHERE queue_id = ?3
                 AND id = ?4 AND receipt = ?5 AND dequeue_count > 0 AND expires_at > ?6",
            )?;
            let until = now.saturating_add(span(visibility));
            let renewed = statement.execute(params![fresh, until, queue, id, old, now])?;
            held(renewed).map(|()| Receipt(fresh))
        });
        renewed
            .await
            .map_err(|fault| self.inner.error("renew message", fault))
    }

    async fn delete(
        &self,
        queue: &QueueName,
        id: &MessageId,
        receipt: &Receipt,
    ) -> StorageResult<()> {
        let (name, id, receipt) = (queue.as_str().to_owned(), id.0.clone(), receipt.0.clone());
        let now = self.inner.now();
        let deleted = self.inner.database.write(Durable, move |tx| {
            let queue = Holder::Queue.id(tx, &name)?;
            let mut statement = tx.prepare_cached(
                "DELETE FROM messages WHERE queue_id = ?1 AND id = ?2 AND receipt = ?3
                 AND dequeue_count > 0 AND expires_at > ?4",
            )?;
            held(statement.execute(params![queue, id, receipt, now])?)
        });
        deleted
            .await
            .map_err(|fault| self.inner.error("delete message", fault))
    }

    async fn approximate_count(&self, queue: &QueueName) -> StorageResult<u64> {
        let (name, now) = (queue.as_str().to_owned(), self.inner.now());
        let counted = self.inner.database.read(move |connection| {
            let queue = Holder::Queue.id(connection, &name)?;
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM messages WHERE queue_id = ?1 AND expires_at > ?2",
            )?;
            let count: i64 = statement.query_row([queue, now], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        });
        counted
            .await
            .map_err(|fault| self.inner.error("count messages", fault))
    }

    async fn clear(&self, queue: &QueueName) -> StorageResult<()> {
        let name = queue.as_str().to_owned();
        let cleared = self.inner.database.write(Durable, move |tx| {
            let queue = Holder::Queue.id(tx, &name)?;
            tx.prepare_cached("DELETE FROM messages WHERE queue_id = ?1")?
                .execute([queue])?;
            Ok(())
        });
        cleared
            .await
            .map_err(|fault| self.inner.error("clear queue", fault))
    }
}

impl EmbeddedStore {
    /// Texts of visible messages.
    async fn texts(
        &self,
        queue: &QueueName,
        most: u32,
        operation: &'static str,
    ) -> StorageResult<Vec<String>> {
        let (name, now) = (queue.as_str().to_owned(), self.inner.now());
        let texts = self.inner.database.read(move |connection| {
            let queue = Holder::Queue.id(connection, &name)?;
            let sequences = waiting(connection, queue, most, now)?;
            let mut statement =
                connection.prepare_cached("SELECT body FROM messages WHERE sequence = ?1")?;
            let texts = sequences
                .into_iter()
                .map(|sequence| Ok(statement.query_row([sequence], |row| row.get(0))?));
            texts.collect()
        });
        texts
            .await
            .map_err(|fault| self.inner.error(operation, fault))
    }
}

/// Visible messages, in the order in which they became so.
fn waiting(connection: &Connection, queue: i64, most: u32, now: i64) -> Result<Vec<i64>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM messages WHERE queue_id = ?1 AND visible_at <= ?2
         AND expires_at > ?2 ORDER BY visible_at, sequence LIMIT ?3",
    )?;
    let sequences = statement.query_map(params![queue, now, most], |row| row.get(0))?;
    Ok(sequences.collect::<Result<_, _>>()?)
}

fn take(
    tx: &Transaction<'_>,
    sequence: i64,
    receipt: &str,
    until: i64,
) -> Result<ReceivedMessage, Fault> {
    let mut statement = tx.prepare_cached(
        "UPDATE messages SET receipt = ?2 || '-' || sequence, visible_at = ?3,
         dequeue_count = dequeue_count + 1 WHERE sequence = ?1
         RETURNING id, receipt, body, dequeue_count, inserted_at",
    )?;
    let taken = statement
        .query_row(params![sequence, receipt, until], |row| {
            let message = ReceivedMessage {
                id: MessageId(row.get(0)?),
                receipt: Receipt(row.get(1)?),
                text: row.get(2)?,
                dequeue_count: row.get(3)?,
                inserted_at: Timestamp::UNIX_EPOCH,
            };
            Ok((message, row.get::<_, i64>(4)?))
        })
        .optional()?;
    let (message, inserted) = taken.ok_or_else(|| Fault::corrupt("a message vanished"))?;
    let to_the_second = inserted - inserted.rem_euclid(TICKS_A_SECOND);
    Ok(ReceivedMessage {
        inserted_at: codec::instant(to_the_second)?,
        ..message
    })
}

fn held(changed: usize) -> Result<(), Fault> {
    if changed == 1 {
        Ok(())
    } else {
        Err(Fault::refused(
            StorageErrorKind::PreconditionFailed,
            "the message is not held with this receipt any more",
        ))
    }
}
