//! Data and manifests that are gone or cut, and data that nobody names.

use dilux_core::clock::Clock as _;
use dilux_core::model::{BackupStatus, JobState, Manifest, Tier};
use dilux_core::storage::{BlobName, PutOptions};
use jiff::SignedDuration;

use crate::world::{World, line};

#[tokio::test]
async fn lost_data_is_reported_once_and_the_line_says_so_until_it_is_back() {
    let world = World::new().await;
    let lost = world.backup(0, &[Tier::Daily]).await;
    world.backup(1, &[Tier::Daily]).await;
    world.lose_data(&lost).await;
    assert_eq!(world.run().await.damaged, 1);
    let shown = world.line(&lost).await;
    assert_eq!(shown.status, BackupStatus::Damaged);
    assert!(
        shown
            .marks
            .sentence
            .unwrap()
            .contains("is not in container")
    );
    assert_eq!(world.run().await.damaged, 0);

    let container = world.installation.settings.container.clone();
    world.put_data(&container, &lost.data.blob).await;
    assert_eq!(world.run().await.damaged, 0);
    let shown = world.line(&lost).await;
    assert_eq!(shown.status, BackupStatus::Completed);
    assert_eq!(shown.marks.sentence, None);
}

#[tokio::test]
async fn lost_manifest_is_reported_and_its_data_stays() {
    let world = World::new().await;
    let lost = world.backup(3, &[Tier::Daily]).await;
    world.backup(4, &[Tier::Daily]).await;
    world.lose_manifest(&lost).await;
    assert_eq!(world.run().await.damaged, 1);
    assert_eq!(world.line(&lost).await.status, BackupStatus::Damaged);
    assert_eq!(world.run().await.damaged, 0);
    world.pass_days(60);
    assert_eq!(world.run().await.orphans, 0);
    assert!(world.has_data(&lost).await, "the manifest may come back");
    world.put_manifest(&lost).await;
    world.run().await;
    assert_eq!(world.line(&lost).await.status, BackupStatus::Completed);
}

#[tokio::test]
async fn line_that_a_crash_left_out_is_written() {
    let world = World::new().await;
    let backup = world.backup(3, &[Tier::Daily]).await;
    let mut started = line(&backup);
    started.status = BackupStatus::InProgress;
    started.blob_name = None;
    let backups = &world.installation.repositories.backups;
    backups.put(&started).await.unwrap();
    world.run().await;
    assert_eq!(world.line(&backup).await, line(&backup));
}

/// Puts data of an attempt beside the backups of `db-1`, as old as now.
async fn orphan(world: &World, number: u32) -> String {
    let container = world.installation.settings.container.clone();
    let name = format!("postgresql/db-1/20260301_020000-1-{number:016x}.sql");
    world.put_data(&container, &name).await;
    name
}

#[tokio::test]
async fn data_that_no_backup_names_goes_when_it_is_old_and_its_job_is_over() {
    let world = World::new().await;
    let mut backup = world.backup(0, &[Tier::Daily]).await;
    let name = orphan(&world, 1).await;
    assert_eq!(world.run().await.orphans, 0, "too young");
    world.clock.advance(SignedDuration::from_hours(48));
    assert_eq!(world.run().await.orphans, 0, "not quite old enough");

    // A job that was booked before the data was written may still want it.
    backup.job_id = dilux_core::model::JobId::derive(&backup.database_id, "another");
    world.book(&backup, JobState::Pending).await;
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(world.run().await.orphans, 0, "its job is not over");
    let jobs = &world.installation.repositories.jobs;
    let job = jobs.get(&backup.job_id).await.unwrap().unwrap();
    let over = job.value.complete(world.clock.now()).unwrap();
    jobs.update(over, &job.version).await.unwrap();

    assert_eq!(world.run().await.orphans, 1);
    assert!(!world.has_blob("backups", &name).await);
}

#[tokio::test]
async fn data_that_is_not_ours_stays() {
    let world = World::new().await;
    world.backup(0, &[Tier::Daily]).await;
    let container = world.installation.settings.container.clone();
    let old = "postgresql/db-1/20260101_020000.sql.gz";
    world.put_data(&container, old).await;
    let foreign = "postgresql/db-1/20260301_020000-1-00000000000000aa.sql";
    let name = BlobName::new(foreign).unwrap();
    let bytes = bytes::Bytes::from_static(b"without our metadata");
    world
        .installation
        .storage
        .blobs
        .put(&container, &name, bytes, PutOptions::default())
        .await
        .unwrap();
    world.pass_days(90);
    assert_eq!(world.run().await.orphans, 0);
    assert!(world.has_blob("backups", old).await);
    assert!(world.has_blob("backups", foreign).await);
}

#[tokio::test]
async fn unreadable_manifest_stops_the_retention_of_its_database_only() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |storage| storage).await;
    world.register("db-2").await;
    let container = world.installation.settings.container.clone();
    for days_ago in 0..9 {
        world.backup(days_ago, &[Tier::Daily]).await;
        world
            .backup_in("db-2", &container, days_ago, &[Tier::Daily])
            .await;
    }
    let broken = world.backup(20, &[Tier::Daily]).await;
    let name = BlobName::new(Manifest::blob_name(&broken.job_id)).unwrap();
    let options = PutOptions::default();
    let bytes = bytes::Bytes::from_static(b"{");
    let blobs = &world.installation.storage.blobs;
    blobs.put(&container, &name, bytes, options).await.unwrap();
    let report = world.expiry().run().await.unwrap();
    assert_eq!((report.databases, report.failed), (2, 1));
    assert_eq!(report.deleted, 2, "those of the other database");
}
