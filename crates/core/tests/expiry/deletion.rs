//! From expired to deleted, step by step.

use dilux_core::clock::Clock as _;
use dilux_core::model::{BackupStatus, Fate, JobState, Tier};

use crate::world::{World, id};

#[tokio::test]
async fn expired_backup_is_announced_and_deleted_after_the_grace_period() {
    let world = World::new().await;
    let mut backups = Vec::new();
    for days_ago in 0..9 {
        backups.push(world.backup(days_ago, &[Tier::Daily]).await);
    }
    let report = world.run().await;
    assert_eq!((report.kept, report.tombstoned, report.deleted), (7, 2, 0));
    let line = world.line(&backups[7]).await;
    assert_eq!(line.status, BackupStatus::Completed);
    let grace = line
        .marks
        .deletes_after
        .unwrap()
        .duration_since(world.clock.now());
    assert_eq!(grace.as_hours(), 7 * 24);
    assert_eq!(line.marks.reason.as_deref(), Some("tier_full"));
    assert!(world.is_restorable(&backups[7]).await);

    let again = world.run().await;
    assert_eq!((again.tombstoned, again.deleted, again.waiting), (0, 0, 2));

    world.pass_days(7);
    let report = world.run().await;
    assert_eq!((report.kept, report.deleted), (7, 2));
    for (days_ago, backup) in backups.iter().enumerate() {
        assert_eq!(world.has_manifest(backup).await, days_ago < 7, "{days_ago}");
        assert_eq!(world.has_data(backup).await, days_ago < 7, "{days_ago}");
    }
    let line = world.line(&backups[8]).await;
    assert_eq!(line.status, BackupStatus::Deleted);
    assert!(line.marks.deleted_at >= Some(world.clock.now()));
    assert_eq!(
        line.marks.sentence.as_deref(),
        Some("7 newer daily backups are kept")
    );
    let mut gone = vec![id(&backups[7]).to_string(), id(&backups[8]).to_string()];
    gone.sort();
    assert_eq!(world.audited().await, gone);

    let idle = world.run().await;
    assert_eq!((idle.kept, idle.tombstoned, idle.deleted), (7, 0, 0));
    assert_eq!(world.audited().await, gone);
}

#[tokio::test]
async fn announcement_is_taken_back_when_the_policy_keeps_the_backup_again() {
    let world = World::new().await;
    let mut backups = Vec::new();
    for days_ago in 0..8 {
        backups.push(world.backup(days_ago, &[Tier::Daily]).await);
    }
    assert_eq!(world.run().await.tombstoned, 1);
    // Somebody loses a newer one by hand, so the announced one is wanted again.
    world.lose_data(&backups[0]).await;
    assert_eq!(world.run().await.withdrawn, 1);
    assert_eq!(world.line(&backups[7]).await.marks.deletes_after, None);
    world.pass_days(8);
    world.run().await;
    assert!(world.is_restorable(&backups[7]).await);
}

#[tokio::test]
async fn manual_backup_expires_after_the_days_of_the_settings() {
    let world = World::new().await;
    world.backup(0, &[Tier::Daily]).await;
    world.backup(1, &[Tier::Daily]).await;
    let young = world.backup(29, &[]).await;
    let old = world.backup(30, &[]).await;
    let report = world.run().await;
    assert_eq!((report.kept, report.tombstoned), (3, 1));
    assert_eq!(world.line(&young).await.marks.deletes_after, None);
    let line = world.line(&old).await;
    assert_eq!(line.marks.reason.as_deref(), Some("manual_too_old"));
}

#[tokio::test]
async fn budget_bounds_the_deletions_of_one_run() {
    let settings = [
        ("DILUX_RETENTION_DELETE_BUDGET", "2"),
        ("DILUX_RETENTION_GRACE_DAYS", "0"),
    ];
    let world = World::with(&settings, |storage| storage).await;
    let mut backups = Vec::new();
    for days_ago in 0..12 {
        backups.push(world.backup(days_ago, &[Tier::Daily]).await);
    }
    for (deleted, left) in [(2, 3), (2, 1), (1, 0), (0, 0)] {
        let report = world.run().await;
        assert_eq!((report.deleted, report.over_budget), (deleted, left));
    }
    // The oldest go first.
    assert_eq!(world.line(&backups[11]).await.status, BackupStatus::Deleted);
    assert!(world.is_restorable(&backups[6]).await);
}

#[tokio::test]
async fn two_schedulers_at_once_delete_each_backup_once() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |storage| storage).await;
    for days_ago in 0..17 {
        world.backup(days_ago, &[Tier::Daily]).await;
    }
    let (one, other) = (world.expiry(), world.expiry());
    let (one, other) = tokio::join!(one.run(), other.run());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.is_elsewhere != other.is_elsewhere, "{one:?} {other:?}");
    world.run().await;
    assert_eq!(world.audited().await.len(), 10);
}

#[tokio::test]
async fn backup_whose_job_is_not_over_is_not_deleted_yet() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |storage| storage).await;
    for days_ago in 0..7 {
        world.backup(days_ago, &[Tier::Daily]).await;
    }
    let old = world.backup(9, &[Tier::Daily]).await;
    let jobs = &world.installation.repositories.jobs;
    let job = jobs.get(&old.job_id).await.unwrap().unwrap();
    let mut running = job.value.clone();
    running.state = JobState::Pending;
    let job = jobs.update(running, &job.version).await.unwrap();
    assert_eq!(world.run().await.blocked, 1);
    assert!(world.is_restorable(&old).await);
    let over = job.value.complete(world.clock.now()).unwrap();
    jobs.update(over, &job.version).await.unwrap();
    assert_eq!(world.run().await.deleted, 1);
}

#[tokio::test]
async fn late_bookkeeper_does_not_bring_a_deleted_backup_back() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |storage| storage).await;
    for days_ago in 0..7 {
        world.backup(days_ago, &[Tier::Daily]).await;
    }
    let old = world.backup(9, &[Tier::Daily]).await;
    assert_eq!(world.run().await.deleted, 1);
    let backups = &world.installation.repositories.backups;
    backups.put(&crate::world::line(&old)).await.unwrap();
    let report = world.run().await;
    assert_eq!((report.damaged, report.deleted), (0, 0));
    assert_eq!(world.line(&old).await.status, BackupStatus::Deleted);
    let states = &world.installation.repositories.retention;
    let state = states.get(&old.database_id, &id(&old)).await.unwrap();
    assert!(matches!(state.unwrap().value.fate, Fate::Deleted(_)));
}

#[tokio::test]
async fn a_21_backups_of_a_database_that_is_gone_stay_for_the_grace_and_one_for_ever() {
    let world = World::new().await;
    let mut backups = Vec::new();
    for days_ago in 0..5 {
        backups.push(world.backup(days_ago * 100, &[Tier::Yearly]).await);
    }
    let databases = &world.installation.repositories.databases;
    let id = "db-1".parse().unwrap();
    let row = databases.get(&id).await.unwrap().unwrap();
    databases.delete(&id, &row.version).await.unwrap();
    assert_eq!(world.run().await.kept, 5);
    world.pass_days(89);
    assert_eq!(world.run().await.kept, 5);
    world.pass_days(1);
    assert_eq!(world.run().await.tombstoned, 3);
    world.pass_days(7);
    assert_eq!(world.run().await.deleted, 3);
    for (place, backup) in backups.iter().enumerate() {
        assert_eq!(world.is_restorable(backup).await, place < 2, "{place}");
    }
    // Registered again, it has a policy again, and the clock of its absence starts anew.
    world.register("db-1").await;
    world.run().await;
    let states = &world.installation.repositories.retention;
    assert!(states.unregistered().await.unwrap().is_empty());
}
