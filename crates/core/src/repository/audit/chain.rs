//! The chains of the audit log: one a day, each entry linked to the one before it, and one of the
//! days themselves, the ledger.
//!
//! Entry and head of a chain stand in one partition and are written in one transaction, so that a
//! crash leaves both or neither and writers in several processes follow each other.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::LEDGER;
use super::finding::AuditCheckpoint;
use super::seal::{KeyRing, SEAL, SealKey};
use super::walk::AFTER_ENTRIES;
use crate::repository::rows::Rows;
use crate::repository::timeline::Timeline;
use crate::storage::{
    Comparison, Condition, ETag, Entity, EntityKey, Filter, Property, Query, StorageError,
    StorageErrorKind, StorageResult, TableOperation, TableStore, Value,
};

/// The place of an entry in its chain, from 1; in a head, of the newest entry.
pub(super) const SEQUENCE: &str = "chain_sequence";

/// The seal of the entry before; in a head, of the newest entry.
pub(super) const PREVIOUS: &str = "chain_previous";

/// In a head: how many rows without a seal the partition held when the chain began.
const OLDER_ROWS: &str = "older_rows";

/// In a head: a digest of those rows.
const OLDER_SEAL: &str = "older_seal";

/// In an entry of the ledger: where the days before it ended when it was opened, as checkpoints.
/// Entries that earlier versions wrote have none.
pub(super) const ENDS: &str = "ended_days";

/// Days whose ends are noted when another one is opened: of the last one some entries may come late.
const DAYS_NOTED: usize = 2;

/// What stands for the entry before the first.
pub(super) const START: &str = "start";

/// What stands for the entry before one that was appended to a head which somebody had tampered
/// with. Nothing makes a chain whole again.
pub(super) const BROKEN: &str = "broken";

/// The row of a chain that holds its end. It sorts after all entries.
const HEAD: &str = "~head";

/// Attempts to append where others append too.
const RACES: usize = 64;

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Entries in the chain.
    pub(super) sequence: u64,
    /// Seal of the newest one.
    pub(super) last: String,
    /// Rows that were there before.
    pub(super) older: Older,
}

/// The rows of a partition that have no seal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Older {
    /// How many.
    pub(super) rows: u64,
    /// Seal over all of them.
    pub(super) seal: String,
}

/// A head as read.
#[derive(Debug)]
pub(super) struct StoredHead {
    pub(super) head: Head,
    /// Whether its seal is right.
    pub(super) is_genuine: bool,
    etag: ETag,
}

/// Appends to the chains.
#[derive(Debug, Clone)]
pub(super) struct Chains {
    pub(super) tables: Arc<dyn TableStore>,
    pub(super) log: Timeline,
    pub(super) keys: KeyRing,
    /// Writers of one process wait for each other instead of racing.
    turn: Arc<Mutex<()>>,
}

impl Chains {
    pub(super) fn new(tables: Arc<dyn TableStore>, log: Timeline, keys: KeyRing) -> Self {
        Self {
            tables,
            log,
            keys,
            turn: Arc::default(),
        }
    }

    /// Appends an entry to the chain of its partition, a day. One that stands there already is left.
    pub(super) async fn append(&self, entry: Entity) -> StorageResult<()> {
        let _turn = self.turn.lock().await;
        let key = self.keys.key().await?;
        let day = entry.key.partition.clone();
        let head = self.head(&key, &day).await?;
        let begun = head.filter(|stored| stored.head.sequence > 0);
        if begun.is_none() {
            self.open(&key, &day).await?;
        }
        self.link(&key, entry, begun).await
    }

    /// Opens a day: its marker, its head, its entry in the ledger, in this order, and its first
    /// entry after all of them. A day of the ledger without a head was tampered with.
    async fn open(&self, key: &SealKey, day: &str) -> StorageResult<()> {
        self.log.mark_day(day).await?;
        let entry = EntityKey::new(LEDGER, day);
        let is_known = self.tables.get(&self.log.table, &entry).await?.is_some();
        if self.head(key, day).await?.is_none() {
            let last = if is_known { BROKEN } else { START };
            let older = self.older(key, day).await?;
            self.begin(key, day, (last, older)).await?;
        }
        if is_known {
            return Ok(());
        }
        if self.head(key, LEDGER).await?.is_none() {
            // It came with the key, so somebody took it away.
            self.begin(key, LEDGER, (BROKEN, Older::default())).await?;
        }
        let ends = Value::String(self.ends_before(key, day).await?);
        self.link(key, Entity::new(entry).with(ENDS, ends), None)
            .await
    }

    /// Where the days before `day` end. Whoever puts an older head of one of them back afterwards
    /// contradicts this.
    async fn ends_before(&self, key: &SealKey, day: &str) -> StorageResult<String> {
        let mut days = VecDeque::new();
        let mut rows = Rows::new(&*self.tables, &self.log.table, entries_of(LEDGER));
        while let Some(row) = rows.next().await? {
            let earlier = row.entity.key.row;
            if earlier.as_str() >= day {
                break;
            }
            days.truncate(DAYS_NOTED - 1);
            days.push_front(earlier);
        }
        let mut ends = Vec::new();
        for day in days {
            let head = self.head(key, &day).await?;
            let head = head.filter(|stored| stored.is_genuine && stored.head.sequence > 0);
            ends.extend(head.map(|StoredHead { head, .. }| {
                let end = AuditCheckpoint {
                    day,
                    sequence: head.sequence,
                    seal: head.last,
                };
                end.to_string()
            }));
        }
        Ok(ends.join(" "))
    }

    /// Links an entry to the end of the chain of its partition, whose head is there and perhaps at
    /// hand.
    async fn link(
        &self,
        key: &SealKey,
        entry: Entity,
        mut at_hand: Option<StoredHead>,
    ) -> StorageResult<()> {
        for _ in 0..RACES {
            let stored = match at_hand.take() {
                Some(stored) => Some(stored),
                None => self.head(key, &entry.key.partition).await?,
            };
            let Some(stored) = stored else {
                return Err(failed("the head of its chain vanished"));
            };
            let previous = if stored.is_genuine {
                stored.head.last.clone()
            } else {
                BROKEN.to_owned()
            };
            let sequence = stored.head.sequence.saturating_add(1);
            let row = key.sealed(
                entry
                    .clone()
                    .with(SEQUENCE, number(sequence))
                    .with(PREVIOUS, Value::String(previous)),
            );
            let head = Head {
                sequence,
                last: text(&row, SEAL),
                older: stored.head.older,
            };
            let head = head.row(key, &entry.key.partition);
            let batch = vec![
                TableOperation::Insert(row),
                TableOperation::Replace(head, Condition::Matches(stored.etag)),
            ];
            match self.tables.write_batch(&self.log.table, batch).await {
                Ok(_) => return Ok(()),
                Err(error) if is_refusal(error.kind()) => {
                    // An earlier try, or an earlier life, may have appended it.
                    let present = self.tables.get(&self.log.table, &entry.key).await?;
                    if present.is_some() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed("others append faster"))
    }

    /// Writes the head of a chain without entries, unless there is one.
    async fn begin(
        &self,
        key: &SealKey,
        partition: &str,
        (last, older): (&str, Older),
    ) -> StorageResult<()> {
        let head = Head {
            sequence: 0,
            last: last.to_owned(),
            older,
        };
        let insert = TableOperation::Insert(head.row(key, partition));
        match self.tables.write(&self.log.table, insert).await {
            Err(error) if error.kind() != StorageErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// The head of a chain.
    pub(super) async fn head(
        &self,
        key: &SealKey,
        partition: &str,
    ) -> StorageResult<Option<StoredHead>> {
        let row = EntityKey::new(partition, HEAD);
        let Some(row) = self.tables.get(&self.log.table, &row).await? else {
            return Ok(None);
        };
        let head = Head {
            sequence: sequence(&row.entity).unwrap_or(0),
            last: text(&row.entity, PREVIOUS),
            older: Older {
                rows: whole(&row.entity, OLDER_ROWS).unwrap_or(0),
                seal: text(&row.entity, OLDER_SEAL),
            },
        };
        Ok(Some(StoredHead {
            head,
            is_genuine: key.is_genuine(&row.entity),
            etag: row.etag,
        }))
    }

    /// What a partition holds of rows without a seal.
    async fn older(&self, key: &SealKey, partition: &str) -> StorageResult<Older> {
        let mut older = OlderRows::default();
        let mut rows = Rows::new(&*self.tables, &self.log.table, entries_of(partition));
        while let Some(row) = rows.next().await? {
            if !is_linked(&row.entity) {
                older.add(key, &row.entity);
            }
        }
        Ok(older.finish())
    }
}

/// Counts rows without a seal, and digests them in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct OlderRows(Older);

impl OlderRows {
    pub(super) fn add(&mut self, key: &SealKey, row: &Entity) {
        let seals = Entity::new(row.key.clone())
            .with("before", Value::String(std::mem::take(&mut self.0.seal)))
            .with("row", Value::String(key.seal(row)));
        self.0.rows += 1;
        self.0.seal = key.seal(&seals);
    }

    pub(super) fn finish(self) -> Older {
        self.0
    }
}

/// The entries of a partition, newest first, without its head.
pub(super) fn entries_of(partition: &str) -> Query {
    let before_head = Value::String(AFTER_ENTRIES.to_owned());
    let filter = Filter::partition(partition).and(Filter::compare(
        Property::RowKey,
        Comparison::Less,
        before_head,
    ));
    Query {
        filter: Some(filter),
        ..Query::default()
    }
}

/// Whether a row has, or had, a place in a chain.
pub(super) fn is_linked(row: &Entity) -> bool {
    [SEQUENCE, PREVIOUS, SEAL]
        .iter()
        .any(|name| row.properties.contains_key(*name))
}

/// The head of a chain that has no entries and whose partition has none.
pub(super) fn first_head(key: &SealKey, partition: &str) -> Entity {
    let head = Head {
        sequence: 0,
        last: START.to_owned(),
        older: Older::default(),
    };
    head.row(key, partition)
}

impl Head {
    fn row(&self, key: &SealKey, partition: &str) -> Entity {
        let row = Entity::new(EntityKey::new(partition, HEAD))
            .with(SEQUENCE, number(self.sequence))
            .with(PREVIOUS, Value::String(self.last.clone()))
            .with(OLDER_ROWS, number(self.older.rows))
            .with(OLDER_SEAL, Value::String(self.older.seal.clone()));
        key.sealed(row)
    }
}

fn number(number: u64) -> Value {
    Value::I64(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The place of a row in its chain.
pub(super) fn sequence(row: &Entity) -> Option<u64> {
    whole(row, SEQUENCE)
}

fn whole(row: &Entity, name: &str) -> Option<u64> {
    match row.properties.get(name)? {
        Value::I64(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// A text of a row; empty when it has none.
pub(super) fn text(row: &Entity, name: &str) -> String {
    match row.properties.get(name) {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    }
}

fn is_refusal(kind: StorageErrorKind) -> bool {
    matches!(
        kind,
        StorageErrorKind::AlreadyExists
            | StorageErrorKind::PreconditionFailed
            | StorageErrorKind::NotFound
    )
}

fn failed(why: &str) -> StorageError {
    StorageError::new(StorageErrorKind::Unavailable, "append audit entry", why)
}
