//! What must not decide anything: a wrong clock, storage that is silent, rows that cannot be read.

use std::sync::Arc;

use dilux_core::Error;
use dilux_core::clock::ManualClock;
use dilux_core::model::Tier;
use dilux_core::random::SystemRandom;
use dilux_core::storage::embedded::EmbeddedStore;
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation, Value};
use tempfile::TempDir;

use crate::world::{START, World};

#[tokio::test]
async fn nothing_expires_while_the_clocks_disagree() {
    // Tables of a store whose clock is six minutes behind.
    let directory = TempDir::new().unwrap();
    let behind = START.parse::<jiff::Timestamp>().unwrap() - jiff::SignedDuration::from_mins(6);
    let clock = Arc::new(ManualClock::new(behind));
    let store = EmbeddedStore::open(directory.path(), clock.clone(), Arc::new(SystemRandom));
    let store = Arc::new(store.unwrap());
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |mut storage| {
        storage.tables = store;
        storage
    })
    .await;
    for days_ago in 0..9 {
        world.backup(days_ago, &[Tier::Daily]).await;
    }
    let refused = world.expiry().run().await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(reason) if reason.contains(" s apart")));
    clock.advance(jiff::SignedDuration::from_mins(2));
    assert_eq!(world.run().await.deleted, 2);
}

#[tokio::test]
async fn unreadable_policy_database_and_engine_lose_nothing() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    for (table, partition, row) in [
        ("backuppolicies", "backup_policy", "development"),
        ("databaseconfigs", "database", "db-1"),
    ] {
        let world = World::with(&settings, |storage| storage).await;
        for days_ago in 0..9 {
            world.backup(days_ago * 40, &[Tier::Daily]).await;
        }
        let broken = Entity::new(EntityKey::new(partition, row))
            .with("daily_enabled", Value::String("perhaps".to_owned()));
        let table = TableName::new(table).unwrap();
        let replace = TableOperation::Replace(broken, Condition::None);
        let tables = &world.installation.storage.tables;
        tables.write(&table, replace).await.unwrap();
        let report = world.expiry().run().await.unwrap();
        assert_eq!(
            (report.failed, report.deleted, report.tombstoned),
            (1, 0, 0)
        );
    }
}

#[tokio::test]
async fn unreadable_retention_state_keeps_its_backup() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |storage| storage).await;
    for days_ago in 0..7 {
        world.backup(days_ago, &[Tier::Daily]).await;
    }
    let old = world.backup(9, &[Tier::Daily]).await;
    let key = EntityKey::new("db-1", old.job_id.as_str());
    let broken = Entity::new(key)
        .with("fate", Value::String("kept".to_owned()))
        .with("pin", Value::String("{".to_owned()));
    let table = TableName::new("retentionstate").unwrap();
    let replace = TableOperation::Replace(broken, Condition::None);
    let tables = &world.installation.storage.tables;
    tables.write(&table, replace).await.unwrap();
    assert_eq!(world.run().await.deleted, 0);
    world.pass_days(100);
    assert_eq!(world.run().await.deleted, 0);
    assert!(world.is_restorable(&old).await);
}
