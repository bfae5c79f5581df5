//! The acceptance scenarios that concern retention.

use dilux_core::alert::{Alert, AlertKind, find};
use dilux_core::clock::Clock as _;
use dilux_core::model::{BackupId, BackupStatus, DamageKind, Finding, Manifest, Tier};
use dilux_core::storage::{BlobName, ContainerName, PutOptions};

use crate::world::{World, line};

fn id_of(manifest: &Manifest) -> String {
    BackupId::from(&manifest.job_id).to_string()
}

/// The alerts of damaged backups.
async fn damage_alerts(world: &World) -> Vec<Alert> {
    let found = find(&world.installation, world.clock.now()).await.unwrap();
    assert_eq!(found.damaged, []);
    let mut alerts = found.alerts;
    alerts.retain(|alert| alert.kind == AlertKind::BackupDamaged);
    alerts
}

async fn note(world: &World, backup: &Manifest, finding: &Finding, known: Option<&Finding>) {
    let expiry = world.expiry();
    let line = line(backup);
    let noted = expiry.note_verification(&line, finding, known).await;
    noted.unwrap();
}

#[tokio::test]
async fn a_12_truncated_or_corrupted_artefact_raises_an_alert_and_is_not_counted_by_retention() {
    let world = World::new().await;
    let mut backups = Vec::new();
    for days_ago in 0..9 {
        backups.push(world.backup(days_ago, &[Tier::Daily]).await);
    }
    // The newest was cut short, the second does not hold what it should.
    world.lose_data(&backups[0]).await;
    let container = world.installation.settings.container.clone();
    let name = BlobName::new(backups[0].data.blob.as_str()).unwrap();
    let cut = bytes::Bytes::from_static(b"dat");
    let blobs = &world.installation.storage.blobs;
    blobs
        .put(&container, &name, cut, PutOptions::default())
        .await
        .unwrap();
    let finding = Finding::Damaged {
        at: world.clock.now(),
        kind: DamageKind::VerificationFailed,
        reason: "its hash is another than the manifest's".to_owned(),
    };
    note(&world, &backups[1], &finding, None).await;

    let report = world.run().await;
    assert_eq!((report.damaged, report.tombstoned, report.kept), (1, 0, 9));
    let alerts = damage_alerts(&world).await;
    let named: Vec<&str> = alerts.iter().map(|it| it.subject.id.as_str()).collect();
    let damaged: Vec<String> = backups[..2].iter().map(id_of).collect();
    assert_eq!(named.len(), 2, "one alert each");
    assert!(damaged.iter().all(|id| named.contains(&id.as_str())));
    for damaged in &backups[..2] {
        let shown = world.line(damaged).await;
        assert_eq!(shown.status, BackupStatus::Damaged);
        assert!(shown.marks.sentence.is_some());
    }
    world.pass_days(400);
    assert_eq!(
        world.run().await.tombstoned,
        0,
        "seven good ones, seven places"
    );
    // Looked at again, it is the same damage and the same alert.
    let again = Finding::Damaged {
        at: world.clock.now(),
        kind: DamageKind::VerificationFailed,
        reason: "its hash is another than the manifest's".to_owned(),
    };
    note(&world, &backups[1], &again, Some(&finding)).await;
    assert_eq!(damage_alerts(&world).await, alerts);
    // Found whole, it is no damage any more.
    let whole = Finding::Verified {
        at: world.clock.now(),
    };
    note(&world, &backups[1], &whole, Some(&again)).await;
    let left = damage_alerts(&world).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].subject.id, damaged[0]);
}

#[tokio::test]
async fn a_13_newest_copies_deleted_by_hand_leave_one_good_copy() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    for loses_manifests in [false, true] {
        let world = World::with(&settings, |storage| storage).await;
        let mut backups = Vec::new();
        for days_ago in 0..9 {
            backups.push(world.backup(days_ago, &[Tier::Daily]).await);
        }
        for newest in &backups[..8] {
            world.lose_data(newest).await;
            if loses_manifests {
                world.lose_manifest(newest).await;
            }
        }
        for _ in 0..5 {
            world.run().await;
            world.pass_days(30);
        }
        assert!(world.is_restorable(&backups[8]).await);
    }
}

#[tokio::test]
async fn a_22_backups_in_a_container_of_their_own_expire_and_are_tidied_there() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |storage| storage).await;
    let databases = &world.installation.repositories.databases;
    let id = "db-1".parse().unwrap();
    let mut row = databases.get(&id).await.unwrap().unwrap();
    row.value.destination = Some("finance-backups".parse().unwrap());
    databases.replace(row.value, &row.version).await.unwrap();

    let own = ContainerName::new("finance-backups").unwrap();
    let mut backups = Vec::new();
    for days_ago in 0..9 {
        backups.push(
            world
                .backup_in("db-1", &own, days_ago, &[Tier::Daily])
                .await,
        );
    }
    let orphan = "postgresql/db-1/20260301_020000-1-00000000000000bb.sql";
    world.put_data(&own, orphan).await;
    let report = world.run().await;
    assert_eq!((report.kept, report.deleted, report.damaged), (7, 2, 0));
    for (days_ago, backup) in backups.iter().enumerate() {
        assert_eq!(world.is_restorable(backup).await, days_ago < 7);
    }
    world.lose_data(&backups[0]).await;
    assert_eq!(world.run().await.damaged, 1);
    world.pass_days(3);
    assert_eq!(world.run().await.orphans, 1);
    assert!(!world.has_blob("finance-backups", orphan).await);
}
