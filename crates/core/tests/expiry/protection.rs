//! Pins, holds, undelete, and the leases of readers.

use dilux_core::Error;
use dilux_core::clock::Clock as _;
use dilux_core::model::{
    BackupStatus, Finding, JobId, JobState, Manifest, Mark, RestoreWork, Tier, Work,
};
use jiff::SignedDuration;

use crate::world::{World, days, id, line};

fn mark(world: &World) -> Mark {
    Mark {
        at: world.clock.now(),
        by: "anna@example.org".to_owned(),
        note: Some("before the migration".to_owned()),
    }
}

/// Seven daily backups, and one too many.
async fn crowded(world: &World) -> Manifest {
    for days_ago in 0..7 {
        world.backup(days_ago, &[Tier::Daily]).await;
    }
    world.backup(8, &[Tier::Daily]).await
}

#[tokio::test]
async fn pinned_and_held_backups_outlive_every_run_until_they_are_let_go() {
    for is_hold in [false, true] {
        let world = World::new().await;
        let old = crowded(&world).await;
        let expiry = world.expiry();
        let shown = if is_hold {
            expiry.hold(&line(&old), &mark(&world)).await.unwrap()
        } else {
            expiry.pin(&line(&old), &mark(&world)).await.unwrap()
        };
        assert_eq!(
            (shown.marks.is_pinned, shown.marks.is_held),
            (!is_hold, is_hold)
        );
        assert_eq!(shown, world.line(&old).await);
        for _ in 0..3 {
            world.pass_days(7);
            assert_eq!(world.run().await.deleted, 0);
        }
        let shown = if is_hold {
            expiry.release(&line(&old)).await.unwrap()
        } else {
            expiry.unpin(&line(&old)).await.unwrap()
        };
        assert!(!shown.marks.is_pinned && !shown.marks.is_held);
        world.run().await;
        world.pass_days(7);
        world.run().await;
        assert!(!world.is_restorable(&old).await);
    }
}

#[tokio::test]
async fn undelete_takes_an_announced_deletion_back_for_good() {
    let world = World::new().await;
    let old = crowded(&world).await;
    let expiry = world.expiry();
    let refused = expiry.undelete(&line(&old), &mark(&world)).await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    world.run().await;
    let shown = expiry.undelete(&line(&old), &mark(&world)).await.unwrap();
    assert!(shown.marks.is_pinned);
    assert_eq!(shown.marks.deletes_after, None);
    world.pass_days(30);
    world.run().await;
    assert!(world.is_restorable(&old).await);
}

#[tokio::test]
async fn nothing_is_undeleted_once_the_deletion_has_begun() {
    let world = World::new().await;
    let old = crowded(&world).await;
    world.run().await;
    world.pass_days(7);
    world.run().await;
    let expiry = world.expiry();
    for refused in [
        expiry.undelete(&line(&old), &mark(&world)).await,
        expiry.pin(&line(&old), &mark(&world)).await,
        expiry.hold(&line(&old), &mark(&world)).await,
    ] {
        assert!(matches!(refused, Err(Error::Refused(reason)) if reason.contains("is deleted")));
    }
}

#[tokio::test]
async fn download_in_its_time_blocks_the_deletion() {
    let world = World::new().await;
    let old = crowded(&world).await;
    world.run().await;
    world.pass_days(7);
    let until = world.clock.now() + SignedDuration::from_mins(15);
    let expiry = world.expiry();
    expiry
        .lease_download(&old.database_id, &id(&old), until)
        .await
        .unwrap();
    assert_eq!(world.run().await.blocked, 1);
    assert!(world.is_restorable(&old).await);
    world.clock.advance(SignedDuration::from_mins(16));
    assert_eq!(world.run().await.deleted, 1);
    let old_id = id(&old);
    let late = expiry.lease_download(&old.database_id, &old_id, until + days(1));
    assert!(matches!(late.await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn restore_in_flight_blocks_the_deletion_until_its_job_is_over() {
    let world = World::new().await;
    let old = crowded(&world).await;
    world.run().await;
    world.pass_days(7);
    let mut restore = old.clone();
    restore.job_id = JobId::derive(&old.database_id, "restore|1");
    let expiry = world.expiry();
    expiry
        .lease_restore(&old.database_id, &id(&old), &restore.job_id)
        .await
        .unwrap();
    assert_eq!(
        world.run().await.blocked,
        1,
        "its job is about to be booked"
    );
    world.book(&restore, JobState::Pending).await;
    let jobs = &world.installation.repositories.jobs;
    let job = jobs.get(&restore.job_id).await.unwrap().unwrap();
    let mut restoring = job.value.clone();
    restoring.work = Work::Restore(RestoreWork {
        backup_id: id(&old),
        target_engine: "engine-1".parse().unwrap(),
        target_database: "copy".parse().unwrap(),
        compare_with_source: false,
    });
    let job = jobs.update(restoring, &job.version).await.unwrap();
    world.pass_days(3);
    assert_eq!(world.run().await.blocked, 1);
    let over = job.value.complete(world.clock.now()).unwrap();
    jobs.update(over, &job.version).await.unwrap();
    assert_eq!(world.run().await.deleted, 1);
    let (old_id, another) = (id(&old), JobId::derive(&old.database_id, "2"));
    let late = expiry.lease_restore(&old.database_id, &old_id, &another);
    assert!(matches!(late.await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn restore_that_was_never_booked_blocks_for_an_hour_only() {
    let world = World::new().await;
    let old = crowded(&world).await;
    world.run().await;
    world.pass_days(7);
    let job = JobId::derive(&old.database_id, "restore|never");
    let expiry = world.expiry();
    expiry
        .lease_restore(&old.database_id, &id(&old), &job)
        .await
        .unwrap();
    assert_eq!(world.run().await.blocked, 1);
    world.clock.advance(SignedDuration::from_mins(61));
    assert_eq!(world.run().await.deleted, 1);
}

#[tokio::test]
async fn what_a_verification_found_is_shown_and_counted() {
    let world = World::new().await;
    let old = crowded(&world).await;
    let finding = Finding::Verified {
        at: world.clock.now(),
    };
    let shown = world
        .expiry()
        .note_verification(&line(&old), &finding, None)
        .await
        .unwrap();
    assert_eq!(shown.status, BackupStatus::Completed);
    assert_eq!(shown.marks.verified_at, Some(world.clock.now()));
    assert_eq!(world.run().await.tombstoned, 0, "it is the newest verified");
}
