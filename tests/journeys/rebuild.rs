//! The tables are lost, the backups are not: the catalogue comes back from the manifests alone.
#![cfg(test)]

use dilux_core::catalog::Rebuild;
use dilux_core::installation::Installation;
use dilux_core::model::{BackupWork, EngineType, Job, JobId, JobOwner, Tier, Trigger, Work};
use dilux_core::storage::{BlobName, PutOptions};
use dilux_journeys::{Client, Home, Rows, Sample, StoreKind, lose, rows, text};
use serde_json::{Value, json};

/// What is rebuilt to the byte. Job rows come back as their manifests tell them.
const TABLES: [&str; 4] = [
    "backuphistory",
    "backupindex",
    "databasestates",
    "schedulestate",
];

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

/// Two manual backups around a scheduled one; gives the id of the newest.
async fn three_backups(installation: &Installation, client: &Client, database: &str) -> String {
    let first = client.back_up(database).await.unwrap();
    client.completed(&first).await.unwrap();
    let job = scheduled(installation, database);
    let second = job.id.to_string();
    installation.dispatcher.dispatch(job).await.unwrap();
    client.completed(&second).await.unwrap();
    let third = client.back_up(database).await.unwrap();
    client.completed(&third).await.unwrap();
    third
}

async fn lose_everything(installation: &Installation) {
    for table in TABLES.iter().chain(&["jobs", "jobindex"]) {
        lose(installation, table, None).await.unwrap();
    }
    for partition in ["backuphistory", "jobindex"] {
        let days = lose(installation, "timelinedays", Some(partition)).await;
        days.unwrap();
    }
}

/// What the API says of the backups, and of the jobs as far as manifests tell it.
async fn shown(client: &Client, database: &str) -> (Value, Vec<Vec<Value>>) {
    const FIELDS: [&str; 6] = [
        "id",
        "status",
        "backup_id",
        "tiers",
        "triggered_by",
        "created_at",
    ];
    let backups = client
        .get(&format!("/backups?database_id={database}"))
        .await;
    let jobs = client.get("/jobs").await.unwrap();
    let jobs = jobs["jobs"].as_array().unwrap().iter();
    let jobs = jobs.map(|job| FIELDS.iter().map(|field| job[*field].clone()).collect());
    (backups.unwrap(), jobs.collect())
}

async fn rebuild_equal(installation: &Installation) {
    // What the scheduler would know of the tiers is only written by a first rebuild here.
    installation.rebuild_catalog(Rebuild::Write).await.unwrap();
    let mut before = Vec::new();
    for table in TABLES {
        before.push(rows(installation, table).await.unwrap());
    }
    lose_everything(installation).await;
    let dry = installation.rebuild_catalog(Rebuild::DryRun).await.unwrap();
    assert_eq!((dry.manifests, dry.lines, dry.jobs), (3, 3, 3));
    assert_eq!((dry.recovery_points, dry.slots), (1, 2));
    assert_eq!(dry.unusable, []);
    for table in TABLES {
        assert_eq!(
            rows(installation, table).await.unwrap(),
            Rows::new(),
            "{table}"
        );
    }
    let real = installation.rebuild_catalog(Rebuild::Write).await.unwrap();
    assert_eq!(real, dry);
    for (table, before) in TABLES.iter().zip(&before) {
        assert_eq!(&rows(installation, table).await.unwrap(), before, "{table}");
    }
    let again = installation.rebuild_catalog(Rebuild::Write).await.unwrap();
    assert_eq!((again.lines, again.jobs), (0, 0));
    assert_eq!((again.recovery_points, again.slots), (0, 0));
    bad_manifests_are_named_and_stop_nothing(installation).await;
}

async fn bad_manifests_are_named_and_stop_nothing(installation: &Installation) {
    let name = BlobName::new("manifests/a/unreadable.json").unwrap();
    let (blobs, container) = (
        &installation.storage.blobs,
        &installation.settings.container,
    );
    let options = PutOptions::default();
    let put = blobs.put(container, &name, "{}".into(), options).await;
    put.unwrap();
    let report = installation.rebuild_catalog(Rebuild::DryRun).await.unwrap();
    assert_eq!(report.manifests, 3);
    let unusable: Vec<&str> = report
        .unusable
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(unusable, [name.as_str()]);
    blobs.delete(container, &name, None).await.unwrap();
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
    let newest = three_backups(&installation, &client, &database).await;
    let before = shown(&client, &database).await;
    rebuild_equal(&installation).await;
    assert_eq!(shown(&client, &database).await, before);

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
    processor.stop().unwrap();
}
