//! Writes whose answer got lost, so that the store gets them twice.
#![cfg(test)]

use std::sync::Arc;

use async_trait::async_trait;
use dilux_core::clock::{SharedClock, SystemClock};
use dilux_core::config::Settings;
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::repository::{Repositories, TableNames};
use dilux_core::schedule::system_policies;
use dilux_core::storage::{
    Continuation, ETag, EntityKey, Page, Profile, Query, StorageErrorKind, StorageResult,
    StoredEntity, TableName, TableOperation, TableStore, open,
};
use tempfile::TempDir;

/// Carries every write out twice and gives the second answer, as a retry would.
#[derive(Debug)]
struct Repeating(Arc<dyn TableStore>);

#[async_trait]
impl TableStore for Repeating {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        self.0.create_table(table).await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        self.0.get(table, key).await
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        self.0.query(table, query, from).await
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        self.0.write(table, operation.clone()).await?;
        self.0.write(table, operation).await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        self.0.write_batch(table, operations.clone()).await?;
        self.0.write_batch(table, operations).await
    }
}

async fn repositories() -> (TempDir, Repositories) {
    let directory = TempDir::new().unwrap();
    let store = format!("file://{}", directory.path().display());
    let settings =
        Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()))
            .unwrap();
    let clock: SharedClock = Arc::new(SystemClock);
    let random: SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Interactive, &clock, &random).unwrap();
    let names = TableNames {
        databases: settings.config_table.clone(),
        history: settings.history_table.clone(),
    };
    let tables = Arc::new(Repeating(storage.tables));
    let repositories = Repositories::new(tables, storage.secrets, random, &names);
    repositories.create_tables().await.unwrap();
    (directory, repositories)
}

#[tokio::test]
async fn a_change_that_reaches_the_store_twice_is_no_conflict() {
    let (_directory, repositories) = repositories().await;
    let policies = &repositories.policies;
    let policy = system_policies("2026-01-01T00:00:00Z".parse().unwrap())
        .unwrap()
        .remove(0);
    let first = policies.insert(policy.clone()).await.unwrap();
    let mut renamed = policy.clone();
    renamed.name = "Another name".parse().unwrap();
    let second = policies.replace(renamed, &first.version).await.unwrap();
    assert_eq!(
        policies.get(&policy.id).await.unwrap().unwrap(),
        second,
        "the version given is the one stored"
    );
    policies.delete(&policy.id, &second.version).await.unwrap();
    assert_eq!(policies.get(&policy.id).await.unwrap(), None);
}

#[tokio::test]
async fn somebody_elses_change_stays_a_conflict() {
    let (_directory, repositories) = repositories().await;
    let policies = &repositories.policies;
    let policy = system_policies("2026-01-01T00:00:00Z".parse().unwrap())
        .unwrap()
        .remove(0);
    let first = policies.insert(policy.clone()).await.unwrap();
    let named = |name: &str| {
        let mut renamed = policy.clone();
        renamed.name = name.parse().unwrap();
        renamed
    };
    policies
        .replace(named("Theirs"), &first.version)
        .await
        .unwrap();
    let conflict = policies.replace(named("Ours"), &first.version).await;
    assert_eq!(
        conflict.unwrap_err().kind(),
        StorageErrorKind::PreconditionFailed
    );
    let taken = policies.insert(named("Ours")).await.unwrap_err();
    assert_eq!(taken.kind(), StorageErrorKind::AlreadyExists);
    let deleted = policies.delete(&policy.id, &first.version).await;
    assert_eq!(
        deleted.unwrap_err().kind(),
        StorageErrorKind::PreconditionFailed
    );
}
