//! A store with an audit log, as several processes see it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use dilux_core::clock::{SharedClock, SystemClock};
use dilux_core::config::Settings;
use dilux_core::model::{AuditAction, AuditEntry, AuditResourceType, AuditStatus};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::repository::{AuditFilter, AuditVerdict, Repositories, TableNames};
use dilux_core::storage::{
    Condition, Continuation, ETag, Entity, EntityKey, Page, Profile, Query, StorageError,
    StorageErrorKind, StorageResult, StoredEntity, TableName, TableOperation, TableStore, open,
};
use jiff::Timestamp;
use tempfile::TempDir;

pub(crate) struct World {
    directory: TempDir,
    pub(crate) repositories: Repositories,
    pub(crate) tables: Arc<dyn TableStore>,
}

/// Operations that a process may still carry out.
#[derive(Debug)]
pub(crate) struct Life {
    left: AtomicI64,
    /// Whether the last one has its effect.
    ends_after_effect: AtomicBool,
}

impl Life {
    pub(crate) fn of(operations: i64, ends_after_effect: bool) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicI64::new(operations),
            ends_after_effect: AtomicBool::new(ends_after_effect),
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    async fn run<T>(&self, operation: impl Future<Output = StorageResult<T>>) -> StorageResult<T> {
        let dead = StorageError::new(StorageErrorKind::Unavailable, "die", "the process died");
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            left if left > 0 => operation.await,
            0 if self.ends_after_effect.load(Ordering::SeqCst) => {
                // What it answers is never heard.
                drop(operation.await);
                Err(dead)
            }
            _ => Err(dead),
        }
    }
}

/// Tables until the end of a life.
#[derive(Debug)]
struct MortalTables {
    inner: Arc<dyn TableStore>,
    life: Arc<Life>,
}

#[async_trait]
impl TableStore for MortalTables {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        self.inner.create_table(table).await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        self.life.run(self.inner.get(table, key)).await
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        self.life.run(self.inner.query(table, query, from)).await
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        self.life.run(self.inner.write(table, operation)).await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        self.life
            .run(self.inner.write_batch(table, operations))
            .await
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let (repositories, tables) = process(directory.path(), None);
        repositories.create_tables().await.unwrap();
        Self {
            directory,
            repositories,
            tables,
        }
    }

    /// Another process over the same store.
    pub(crate) fn process(&self) -> Repositories {
        process(self.directory.path(), None).0
    }

    /// Another process, which ends.
    pub(crate) fn mortal(&self, life: &Arc<Life>) -> Repositories {
        process(self.directory.path(), Some(life)).0
    }

    /// Every row of the log.
    pub(crate) async fn rows(&self) -> Vec<Entity> {
        let (mut rows, mut from) = (Vec::new(), None);
        loop {
            let page = self
                .tables
                .query(&log(), &Query::default(), from.as_ref())
                .await
                .unwrap();
            rows.extend(page.entities.into_iter().map(|row| row.entity));
            match page.next {
                Some(next) => from = Some(next),
                None => return rows,
            }
        }
    }

    /// Writes a row past the repository.
    pub(crate) async fn put(&self, row: Entity) {
        let write = TableOperation::Replace(row, Condition::None);
        self.tables.write(&log(), write).await.unwrap();
    }

    /// Deletes a row past the repository.
    pub(crate) async fn lose(&self, key: &EntityKey) {
        let delete = TableOperation::Delete(key.clone(), Condition::Exists);
        self.tables.write(&log(), delete).await.unwrap();
    }

    /// The ids that the log lists, newest first.
    pub(crate) async fn listed(&self) -> Vec<String> {
        let mut ids = Vec::new();
        let audit = &self.repositories.audit;
        let damaged = audit
            .walk(None, &AuditFilter::default(), |entry, _| {
                ids.push(entry.id.to_string());
                true
            })
            .await
            .unwrap();
        assert_eq!(damaged, []);
        ids
    }

    /// Fails unless a verification finds so many sound entries and nothing else.
    pub(crate) async fn is_sound(&self, sound: u64) -> AuditVerdict {
        let verdict = self.repositories.audit.verify(None).await.unwrap();
        assert_eq!(verdict.findings, []);
        assert_eq!(verdict.sound, sound);
        verdict
    }
}

fn process(directory: &Path, life: Option<&Arc<Life>>) -> (Repositories, Arc<dyn TableStore>) {
    let store = format!("file://{}", directory.display());
    let settings =
        Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()));
    let settings = settings.unwrap();
    let clock: SharedClock = Arc::new(SystemClock);
    let random: SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Interactive, &clock, &random).unwrap();
    let names = TableNames {
        databases: settings.config_table.clone(),
        history: settings.history_table.clone(),
    };
    let tables: Arc<dyn TableStore> = match life {
        None => storage.tables,
        Some(life) => Arc::new(MortalTables {
            inner: storage.tables,
            life: life.clone(),
        }),
    };
    let repositories = Repositories::new(tables.clone(), storage.secrets, random, &names);
    (repositories, tables)
}

pub(crate) fn log() -> TableName {
    TableName::new("auditlogs").unwrap()
}

/// An entry with this id.
pub(crate) fn entry(id: &str, at: &str) -> AuditEntry {
    let at: Timestamp = at.parse().unwrap();
    AuditEntry {
        id: id.parse().unwrap(),
        at,
        user_id: "user-1".to_owned(),
        user_email: "alice@example.com".to_owned(),
        action: AuditAction::DatabaseUpdated,
        resource_type: AuditResourceType::Database,
        resource_id: "db-1".to_owned(),
        resource_name: "Shop".to_owned(),
        details: serde_json::json!({"number": 1})
            .as_object()
            .unwrap()
            .clone(),
        status: AuditStatus::Success,
        error_message: None,
        ip_address: Some("203.0.113.7".parse().unwrap()),
        intent_id: None,
    }
}
