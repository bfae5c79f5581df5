//! Deletions that a person asks for.

use dilux_core::clock::Clock as _;
use dilux_core::model::{Backup, BackupStatus, Finding, Manifest, Mark, Tier};

use crate::world::{World, line};

fn mark(world: &World) -> Mark {
    Mark {
        at: world.clock.now(),
        by: "anna@example.org".to_owned(),
        note: None,
    }
}

/// Asks for the deletion of these; gives what became of each.
async fn ask(world: &World, backups: &[&Manifest]) -> Vec<Result<Backup, String>> {
    let lines: Vec<Backup> = backups.iter().map(|manifest| line(manifest)).collect();
    let database = &lines[0].database_id;
    let asked = world
        .expiry()
        .request_deletions(database, &lines, &mark(world))
        .await
        .unwrap();
    asked
        .into_iter()
        .map(|(_, outcome)| outcome.map_err(|error| error.to_string()))
        .collect()
}

#[tokio::test]
async fn unwanted_backup_goes_after_the_grace_period_although_the_policy_keeps_it() {
    let world = World::new().await;
    let old = world.backup(1, &[Tier::Daily]).await;
    let new = world.backup(0, &[Tier::Daily]).await;
    let shown = ask(&world, &[&new]).await.remove(0).unwrap();
    assert_eq!(shown.status, BackupStatus::Completed);
    assert_eq!(shown.marks.reason.as_deref(), Some("requested"));
    assert_eq!(
        shown.marks.sentence.as_deref(),
        Some("anna@example.org asked for its deletion")
    );
    let report = world.run().await;
    assert_eq!(
        (report.waiting, report.deleted, report.withdrawn),
        (1, 0, 0)
    );
    assert!(world.is_restorable(&new).await, "it may be taken back");
    world.pass_days(7);
    assert_eq!(world.run().await.deleted, 1);
    assert!(!world.is_restorable(&new).await);
    assert!(!world.has_data(&new).await);
    assert!(world.is_restorable(&old).await);
    let line = world.line(&new).await;
    assert_eq!(line.status, BackupStatus::Deleted);
    assert_eq!(world.audited().await, [line.id.as_str()]);
    assert_eq!(world.run().await.damaged, 0);
}

#[tokio::test]
async fn unwanted_backup_takes_no_place_of_a_tier() {
    let world = World::new().await;
    let mut backups = Vec::new();
    for days_ago in 0..8 {
        backups.push(world.backup(days_ago, &[Tier::Daily]).await);
    }
    ask(&world, &[&backups[0]]).await.remove(0).unwrap();
    let report = world.run().await;
    assert_eq!((report.kept, report.tombstoned), (7, 0));
}

#[tokio::test]
async fn last_good_copy_cannot_be_asked_away() {
    let world = World::new().await;
    let first = world.backup(2, &[Tier::Daily]).await;
    let second = world.backup(1, &[Tier::Daily]).await;
    let damaged = world.backup(0, &[Tier::Daily]).await;
    world.lose_data(&damaged).await;
    let outcomes = ask(&world, &[&second, &first, &damaged]).await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    let refused = outcomes[1].as_ref().unwrap_err();
    assert!(refused.contains("the last good backup"), "{refused}");
    let again = ask(&world, &[&first]).await.remove(0).unwrap_err();
    assert_eq!(&again, refused);
    world.pass_days(7);
    assert_eq!(world.run().await.deleted, 2);
    assert!(world.is_restorable(&first).await);
}

#[tokio::test]
async fn only_verified_copy_cannot_be_asked_away() {
    let world = World::new().await;
    let verified = world.backup(1, &[Tier::Daily]).await;
    let newer = world.backup(0, &[Tier::Daily]).await;
    let finding = Finding::Verified {
        at: world.clock.now(),
    };
    let expiry = world.expiry();
    expiry
        .note_verification(&line(&verified), &finding, None)
        .await
        .unwrap();
    let refused = ask(&world, &[&verified]).await.remove(0).unwrap_err();
    assert!(refused.contains("only verified"), "{refused}");
    expiry
        .note_verification(&line(&newer), &finding, None)
        .await
        .unwrap();
    ask(&world, &[&verified]).await.remove(0).unwrap();
}

#[tokio::test]
async fn unwanted_backup_that_became_the_last_good_copy_stays() {
    let world = World::new().await;
    let unwanted = world.backup(1, &[Tier::Daily]).await;
    let other = world.backup(0, &[Tier::Daily]).await;
    ask(&world, &[&unwanted]).await.remove(0).unwrap();
    world.lose_data(&other).await;
    world.pass_days(7);
    let report = world.run().await;
    assert_eq!((report.withdrawn, report.deleted), (1, 0));
    assert!(world.is_restorable(&unwanted).await);
    assert_eq!(world.line(&unwanted).await.marks.deletes_after, None);
}

#[tokio::test]
async fn pinned_and_held_backups_cannot_be_asked_away_and_a_wish_can_be_taken_back() {
    let world = World::new().await;
    let backup = world.backup(1, &[Tier::Daily]).await;
    world.backup(0, &[Tier::Daily]).await;
    let expiry = world.expiry();
    expiry.pin(&line(&backup), &mark(&world)).await.unwrap();
    let refused = ask(&world, &[&backup]).await.remove(0).unwrap_err();
    assert_eq!(refused, "it is pinned; unpin it first");
    expiry.unpin(&line(&backup)).await.unwrap();
    expiry.hold(&line(&backup), &mark(&world)).await.unwrap();
    let refused = ask(&world, &[&backup]).await.remove(0).unwrap_err();
    assert_eq!(refused, "it is held; release it first");
    expiry.release(&line(&backup)).await.unwrap();

    let asked = ask(&world, &[&backup]).await.remove(0).unwrap();
    world.pass_days(1);
    let again = ask(&world, &[&backup]).await.remove(0).unwrap();
    assert_eq!(asked.marks, again.marks, "asking twice changes nothing");
    expiry
        .undelete(&line(&backup), &mark(&world))
        .await
        .unwrap();
    world.pass_days(30);
    world.run().await;
    assert!(world.is_restorable(&backup).await);
}

#[tokio::test]
async fn budget_bounds_the_deletions_of_unwanted_backups_without_manifest_too() {
    let settings = [("DILUX_RETENTION_DELETE_BUDGET", "1")];
    let world = World::with(&settings, |storage| storage).await;
    let mut broken = Vec::new();
    for days_ago in 1..3 {
        broken.push(world.backup(days_ago, &[Tier::Daily]).await);
    }
    world.backup(0, &[Tier::Daily]).await;
    for backup in &broken {
        world.lose_manifest(backup).await;
    }
    world.run().await;
    for asked in ask(&world, &broken.iter().collect::<Vec<_>>()).await {
        asked.unwrap();
    }
    world.pass_days(7);
    for left in [1, 0] {
        let report = world.run().await;
        assert_eq!((report.deleted, report.over_budget), (1, left));
    }
    assert_eq!(world.run().await.deleted, 0);
}

#[tokio::test]
async fn unwanted_backup_without_manifest_goes_with_its_data() {
    let world = World::new().await;
    let broken = world.backup(1, &[Tier::Daily]).await;
    let good = world.backup(0, &[Tier::Daily]).await;
    world.lose_manifest(&broken).await;
    world.run().await;
    assert_eq!(world.line(&broken).await.status, BackupStatus::Damaged);
    ask(&world, &[&broken]).await.remove(0).unwrap();
    assert_eq!(world.run().await.waiting, 1);
    world.pass_days(7);
    assert_eq!(world.run().await.deleted, 1);
    assert!(!world.has_data(&broken).await);
    assert_eq!(world.line(&broken).await.status, BackupStatus::Deleted);
    assert!(world.is_restorable(&good).await);
}
