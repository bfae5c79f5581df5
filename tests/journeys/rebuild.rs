//! The tables are lost, the backups are not: the catalogue comes back from the manifests alone.
#![cfg(test)]

use std::collections::BTreeMap;

use dilux_core::catalog::Rebuild;
use dilux_core::installation::Installation;
use dilux_core::model::{BackupWork, DatabaseId, EngineType, Job, JobId, JobOwner, Tier};
use dilux_core::model::{Trigger, Work};
use dilux_core::storage::{Condition, EntityKey, Query, TableName, TableOperation, Value};
use dilux_journeys::{Home, Sample, StoreKind, text};
use serde_json::json;

/// What is rebuilt to the byte. Job rows come back as their manifests tell them.
const TABLES: [&str; 4] = [
    "backuphistory",
    "backupindex",
    "databasestates",
    "schedulestate",
];

type Rows = BTreeMap<EntityKey, BTreeMap<String, Value>>;

async fn rows(installation: &Installation, table: &str) -> Rows {
    let table = TableName::new(table).unwrap();
    let (mut rows, mut from) = (Rows::new(), None);
    loop {
        let tables = &installation.storage.tables;
        let page = tables.query(&table, &Query::default(), from.as_ref()).await;
        let page = page.unwrap();
        for row in page.entities {
            rows.insert(row.entity.key, row.entity.properties);
        }
        match page.next {
            Some(next) => from = Some(next),
            None => return rows,
        }
    }
}

async fn lose(installation: &Installation, table: &str, partition: Option<&str>) {
    let name = TableName::new(table).unwrap();
    for key in rows(installation, table).await.into_keys() {
        if partition.is_none_or(|wanted| wanted == key.partition) {
            let delete = TableOperation::Delete(key, Condition::Exists);
            let tables = &installation.storage.tables;
            tables.write(&name, delete).await.unwrap();
        }
    }
}

/// A job as the scheduler books one.
fn scheduled(installation: &Installation, database: &str) -> Job {
    let owner = JobOwner {
        database_id: database.parse().unwrap(),
        database_label: "Shop".parse().unwrap(),
        engine_type: EngineType::PostgreSql,
    };
    let now = installation.clock.now();
    let work = Work::Backup(BackupWork {
        tiers: vec![Tier::Hourly, Tier::Daily],
        slot: Some(now),
        ..BackupWork::default()
    });
    let id = JobId::derive(&owner.database_id, &format!("slot|{now}"));
    Job::new(id, owner, work, Trigger::Scheduler, now)
}

#[tokio::test]
async fn lost_tables_are_rebuilt_equal_and_the_backups_restore_equal() {
    let home = Home::new(StoreKind::Embedded).unwrap();
    let sample = Sample::postgresql().unwrap();
    let (_api, client) = home.start_api().await.unwrap();
    let processor = home.start("dilux-processor").unwrap();
    let engine = sample.register(&client).await.unwrap();
    let database = sample.register_database(&client, &engine, "shop").await;
    let database = database.unwrap();
    let installation = home.look_inside().unwrap();
    let mut newest = String::new();
    for round in 0..3 {
        newest = if round == 1 {
            let job = scheduled(&installation, &database);
            let id = job.id.to_string();
            installation.dispatcher.dispatch(job).await.unwrap();
            id
        } else {
            client.back_up(&database).await.unwrap()
        };
        client.completed(&newest).await.unwrap();
    }
    let id: DatabaseId = database.parse().unwrap();
    // What the scheduler would know of the tiers is only known after a first rebuild here.
    installation.rebuild_catalog(Rebuild::Write).await.unwrap();
    let mut before = Vec::new();
    for table in TABLES {
        before.push(rows(&installation, table).await);
    }
    let lines = client
        .get(&format!("/backups?database_id={database}"))
        .await;
    let jobs = client.get("/jobs").await.unwrap();

    for table in TABLES.iter().chain(&["jobs", "jobindex"]) {
        lose(&installation, table, None).await;
    }
    for partition in ["backuphistory", "jobindex"] {
        lose(&installation, "timelinedays", Some(partition)).await;
    }
    let dry = installation.rebuild_catalog(Rebuild::DryRun).await.unwrap();
    assert_eq!((dry.manifests, dry.lines, dry.jobs), (3, 3, 3));
    assert_eq!((dry.recovery_points, dry.slots), (1, 2));
    for table in TABLES {
        assert_eq!(rows(&installation, table).await, Rows::new(), "{table}");
    }
    let real = installation.rebuild_catalog(Rebuild::Write).await.unwrap();
    assert_eq!(real, dry);
    for (table, before) in TABLES.iter().zip(&before) {
        assert_eq!(&rows(&installation, table).await, before, "{table}");
    }
    let again = installation.rebuild_catalog(Rebuild::Write).await.unwrap();
    assert_eq!((again.lines, again.jobs), (0, 0));
    assert_eq!((again.recovery_points, again.slots), (0, 0));

    let rebuilt = client
        .get(&format!("/backups?database_id={database}"))
        .await;
    assert_eq!(rebuilt.unwrap(), lines.unwrap());
    let rebuilt = client.get("/jobs").await.unwrap();
    for (rebuilt, lost) in rebuilt["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .zip(jobs["jobs"].as_array().unwrap())
    {
        for field in [
            "id",
            "status",
            "backup_id",
            "tiers",
            "triggered_by",
            "created_at",
        ] {
            assert_eq!(rebuilt[field], lost[field], "{field}");
        }
    }
    let next = client.back_up(&database).await.unwrap();
    assert_ne!(next, newest, "the next backup is a new one");
    client.completed(&next).await.unwrap();
    let restore = client.restore(&newest, "shop_rebuilt").await.unwrap();
    let restore = client.completed(&restore).await.unwrap();
    assert_eq!(
        restore["restore"]["comparison"]["equal"],
        json!(true),
        "{restore}"
    );
    assert!(text(&restore, "/started_at").is_ok(), "{restore}");
    let states = &installation.repositories.states;
    assert!(states.get(&id).await.unwrap().is_some());
    processor.stop().unwrap();
}
