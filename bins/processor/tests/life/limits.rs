//! Who goes first, and how many at once.

use dilux_core::model::{Job, JobState, RestoreWork, Trigger, Work};

use crate::played::PlayedServer;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_never_bears_more_jobs_than_its_limit_and_all_of_them_end() {
    let server = PlayedServer::new(true);
    let world = World::new(server.clone(), Some(1), &[("DILUX_WORKERS", "4")]).await;
    let mut jobs = Vec::new();
    for number in 0..12 {
        let name = format!("db{number}");
        world.register(&name).await;
        let job = world.backup(&name, "slot", Trigger::Scheduler);
        world.dispatch(&job).await;
        jobs.push(job.id);
    }
    let processors = [world.start(), world.start()];
    for job in &jobs {
        let ended = world.ended(job).await;
        assert!(matches!(ended.state, JobState::Completed { .. }));
        assert_eq!(ended.attempts, 1, "waiting for a place costs no attempt");
    }
    assert_eq!(server.most(), 1);
    assert_eq!(server.started().len(), 12, "nothing was dumped twice");
    for processor in processors {
        processor.stop().await;
    }
    let places = &world.installation.repositories.places;
    let (places, _) = places.load().await.unwrap();
    let places = places.unwrap();
    assert_eq!((places.taken(), places.waiting()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_and_a_manual_backup_pass_a_long_line_of_scheduled_backups() {
    let server = PlayedServer::new(false);
    let world = World::new(server.clone(), None, &[("DILUX_WORKERS", "1")]).await;
    world.register("first").await;
    let first = world.backup("first", "slot", Trigger::Scheduler);
    world.dispatch(&first).await;
    let processor = world.start();
    world
        .until(&first.id, |job| {
            matches!(job.state, JobState::Running { .. })
        })
        .await;
    let mut line: Vec<Job> = Vec::new();
    for number in 0..10 {
        let name = format!("db{number}");
        world.register(&name).await;
        line.push(world.backup(&name, "slot", Trigger::Scheduler));
    }
    line.push(world.backup("db5", "by hand", Trigger::Manual));
    let restore = Work::Restore(RestoreWork {
        backup_id: "none.xxxxxxxxxxxxxxxxxxxxxxxxxx".parse().unwrap(),
        target_engine: "engine-1".parse().unwrap(),
        target_database: "copy".parse().unwrap(),
        compare_with_source: false,
    });
    line.push(world.job("db7", "restore", Trigger::Manual, restore));
    for job in &line {
        world.dispatch(job).await;
    }
    server.open();
    let mut starts = Vec::new();
    for job in &line {
        starts.push(world.ended(&job.id).await.log[0].started_at);
    }
    let (scheduled, urgent) = starts.split_at(10);
    let earliest = scheduled.iter().min().unwrap();
    assert!(urgent[1] < urgent[0], "the restore goes first");
    assert!(urgent[0] < *earliest, "then what somebody asked for");
    processor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_04_a_backup_longer_than_three_ticks_is_not_booked_twice() {
    let server = PlayedServer::new(false);
    let world = World::new(server.clone(), None, &[("DILUX_WORKERS", "4")]).await;
    world.register("shop").await;
    let job = world.backup("shop", "slot|2026-03-01T02:00:00Z", Trigger::Scheduler);
    world.dispatch(&job).await;
    let processors = [world.start(), world.start()];
    world
        .until(&job.id, |job| matches!(job.state, JobState::Running { .. }))
        .await;
    let dispatcher = &world.installation.dispatcher;
    for _tick in 0..4 {
        let again = dispatcher.dispatch(job.clone()).await.unwrap();
        assert!(!again.is_new);
        let jobs = &world.installation.repositories.jobs;
        let stored = jobs.get(&job.id).await.unwrap().unwrap();
        dispatcher.ring(&stored).await.unwrap();
    }
    let since = world
        .stored(&job.id)
        .await
        .live_lease(job.created_at)
        .cloned();
    world
        .until(&job.id, |job| {
            job.live_lease(job.created_at).map(|lease| lease.until)
                > since.as_ref().map(|lease| lease.until)
        })
        .await;
    server.open();
    let ended = world.ended(&job.id).await;
    assert!(matches!(ended.state, JobState::Completed { .. }));
    assert_eq!((ended.epoch, ended.attempts), (1, 1));
    assert_eq!(server.started(), ["shop"]);
    for processor in processors {
        processor.stop().await;
    }
    let backups = &world.installation.repositories.backups;
    let lines = backups.newest_of(&job.database_id, 10).await.unwrap();
    assert_eq!(lines.len(), 1);
}
