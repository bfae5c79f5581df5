//! The recovery point follows what becomes of the backups, and a rebuilt catalogue hides nothing.

use dilux_core::catalog::Rebuild;
use dilux_core::clock::Clock as _;
use dilux_core::model::{
    BackupId, BackupStatus, DamageKind, Finding, Manifest, Mark, RetentionState, Tier,
};
use jiff::SignedDuration;

use crate::world::{World, id, line};

const REASON: &str = "its hash is another than the manifest's";

fn damaged(world: &World) -> Finding {
    Finding::Damaged {
        at: world.clock.now(),
        kind: DamageKind::VerificationFailed,
        reason: REASON.to_owned(),
    }
}

fn verified(world: &World) -> Finding {
    Finding::Verified {
        at: world.clock.now(),
    }
}

/// The backup that `db-1` can go back to now.
async fn recovery_point(world: &World) -> Option<BackupId> {
    let states = &world.installation.repositories.states;
    let state = states.get(&"db-1".parse().unwrap()).await.unwrap().unwrap();
    Some(state.value.recovery_point?.backup_id)
}

async fn note(world: &World, backup: &Manifest, finding: &Finding) {
    let known = known(world, backup).await;
    note_knowing(world, backup, finding, known.as_ref()).await;
}

async fn known(world: &World, backup: &Manifest) -> Option<Finding> {
    let expiry = world.expiry();
    let known = expiry.finding(&backup.database_id, &id(backup)).await;
    known.unwrap()
}

async fn note_knowing(
    world: &World,
    backup: &Manifest,
    finding: &Finding,
    known: Option<&Finding>,
) {
    let expiry = world.expiry();
    let line = line(backup);
    let noted = expiry.note_verification(&line, finding, known).await;
    noted.unwrap();
}

#[tokio::test]
async fn damaged_backup_is_no_recovery_point_until_it_is_found_whole() {
    let world = World::new().await;
    let older = world.backup(1, &[Tier::Daily]).await;
    let newest = world.backup(0, &[Tier::Daily]).await;
    assert_eq!(recovery_point(&world).await, Some(id(&newest)));
    note(&world, &newest, &damaged(&world)).await;
    assert_eq!(recovery_point(&world).await, Some(id(&older)));
    world.run().await;
    assert_eq!(recovery_point(&world).await, Some(id(&older)));
    world.clock.advance(SignedDuration::from_mins(1));
    note(&world, &newest, &verified(&world)).await;
    assert_eq!(recovery_point(&world).await, Some(id(&newest)));
    note(&world, &older, &damaged(&world)).await;
    assert_eq!(recovery_point(&world).await, Some(id(&newest)));
}

#[tokio::test]
async fn no_recovery_point_is_left_when_the_only_backup_is_damaged() {
    let world = World::new().await;
    let only = world.backup(0, &[Tier::Daily]).await;
    note(&world, &only, &damaged(&world)).await;
    assert_eq!(recovery_point(&world).await, None);
}

#[tokio::test]
async fn lost_data_and_lost_manifests_move_the_recovery_point_back_and_forth() {
    for loses_manifest in [false, true] {
        let world = World::new().await;
        let older = world.backup(1, &[Tier::Daily]).await;
        let newest = world.backup(0, &[Tier::Daily]).await;
        if loses_manifest {
            world.lose_manifest(&newest).await;
        } else {
            world.lose_data(&newest).await;
        }
        world.run().await;
        assert_eq!(recovery_point(&world).await, Some(id(&older)));
        if loses_manifest {
            world.put_manifest(&newest).await;
        } else {
            let container = world.installation.settings.container.clone();
            world.put_data(&container, &newest.data.blob).await;
        }
        world.run().await;
        assert_eq!(recovery_point(&world).await, Some(id(&newest)));
    }
}

#[tokio::test]
async fn what_a_crash_left_undone_is_done_by_the_next_run() {
    let world = World::new().await;
    let older = world.backup(1, &[Tier::Daily]).await;
    let newest = world.backup(0, &[Tier::Daily]).await;
    // The worker that found it died after it had noted it and before anything else.
    let states = &world.installation.repositories.retention;
    let state = RetentionState::untouched(newest.database_id.clone(), id(&newest));
    let state = state.found(Some(damaged(&world)));
    states.put(state, None).await.unwrap();
    world.run().await;
    assert_eq!(recovery_point(&world).await, Some(id(&older)));
    assert_eq!(world.line(&newest).await.status, BackupStatus::Damaged);
}

#[tokio::test]
async fn deleted_backup_is_no_recovery_point() {
    let settings = [("DILUX_RETENTION_GRACE_DAYS", "0")];
    let world = World::with(&settings, |storage| storage).await;
    let mut backups = Vec::new();
    for days_ago in (0..4).rev() {
        backups.push(world.backup(days_ago, &[Tier::Daily]).await);
    }
    let newest = backups.pop().unwrap();
    let expiry = world.expiry();
    let mark = Mark {
        at: world.clock.now(),
        by: "anna@example.org".to_owned(),
        note: None,
    };
    let lines = [line(&newest)];
    let wish = expiry.request_deletions(&newest.database_id, &lines, &mark);
    wish.await.unwrap().remove(0).1.unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(world.run().await.deleted, 1);
    assert_eq!(recovery_point(&world).await, Some(id(&backups[2])));
}

#[tokio::test]
async fn look_that_saw_nothing_wrong_does_not_replace_damage_that_was_found_meanwhile() {
    let world = World::new().await;
    let backup = world.backup(0, &[Tier::Daily]).await;
    let at_its_beginning = known(&world, &backup).await;
    note(&world, &backup, &damaged(&world)).await;
    // Whatever its clock says.
    world.clock.advance(SignedDuration::from_mins(1));
    let whole = verified(&world);
    note_knowing(&world, &backup, &whole, at_its_beginning.as_ref()).await;
    assert_eq!(world.line(&backup).await.status, BackupStatus::Damaged);
    note(&world, &backup, &whole).await;
    assert_eq!(world.line(&backup).await.status, BackupStatus::Completed);
}

#[tokio::test]
async fn rebuilt_catalogue_shows_what_retention_and_people_noted() {
    let world = World::new().await;
    let older = world.backup(1, &[Tier::Daily]).await;
    let newest = world.backup(0, &[Tier::Daily]).await;
    note(&world, &newest, &damaged(&world)).await;
    note(&world, &older, &verified(&world)).await;
    let before = (world.line(&older).await, world.line(&newest).await);
    // What is there stays as it is.
    let again = world.installation.rebuild_catalog(Rebuild::Write).await;
    assert_eq!(again.unwrap().lines, 0);
    let now = (world.line(&older).await, world.line(&newest).await);
    assert_eq!(now, before);
    // What is lost comes back with its marks.
    for table in ["backuphistory", "backupindex", "databasestates"] {
        world.lose_rows(table).await;
    }
    let rebuilt = world.installation.rebuild_catalog(Rebuild::Write).await;
    assert_eq!(rebuilt.unwrap().lines, 2);
    let now = (world.line(&older).await, world.line(&newest).await);
    assert_eq!(now, before);
    assert_eq!(recovery_point(&world).await, Some(id(&older)));
}
