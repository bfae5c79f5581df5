//! The typed repositories over the embedded store.
#![cfg(test)]

use std::collections::BTreeSet;
use std::sync::Arc;

use dilux_core::clock::{Clock as _, ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::dispatch::Doorbell;
use dilux_core::installation::Installation;
use dilux_core::model::{
    Backup, BackupId, BackupMarks, BackupStatus, BackupWork, DatabaseId, EngineType, Job, JobId,
    JobOwner, Trigger, Work, WorkerId,
};
use dilux_core::random::SystemRandom;
use dilux_core::repository::{Booking, Stretch};
use dilux_core::storage::{
    Condition, Entity, EntityKey, Profile, TableName, TableOperation, Value, open,
};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

struct World {
    installation: Installation,
    clock: Arc<ManualClock>,
    directory: TempDir,
}

async fn world() -> World {
    let directory = TempDir::new().unwrap();
    let (installation, clock) = installation(&directory);
    installation.prepare().await.unwrap();
    World {
        installation,
        clock,
        directory,
    }
}

/// The installation in a directory, as a process sees it.
fn installation(directory: &TempDir) -> (Installation, Arc<ManualClock>) {
    let store = format!("file://{}", directory.path().display());
    let settings =
        Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()));
    let clock = Arc::new(ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap()));
    let shared: SharedClock = clock.clone();
    let settings = settings.unwrap();
    let random: dilux_core::random::SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Interactive, &shared, &random).unwrap();
    let installation = Installation::new(Arc::new(settings), storage, shared, random);
    (installation, clock)
}

fn job(database: &str, key: &str, now: Timestamp) -> Job {
    let owner = JobOwner {
        database_id: database.parse().unwrap(),
        database_label: "Orders ☃ 'quoted'".parse().unwrap(),
        engine_type: EngineType::MySql,
    };
    let id = JobId::derive(&owner.database_id, key);
    let work = Work::Backup(BackupWork {
        tiers: vec![],
        slot: Some(now),
        needs_enabled: true,
        ..BackupWork::default()
    });
    Job::new(id, owner, work, Trigger::Scheduler, now)
}

fn backup(database: &str, number: i64) -> Backup {
    let database_id: DatabaseId = database.parse().unwrap();
    let created_at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let created_at = created_at + SignedDuration::from_hours(number * 7);
    let job_id = JobId::derive(&database_id, &number.to_string());
    Backup {
        id: BackupId::from(&job_id),
        job_id,
        database_id,
        database_label: "Orders".parse().unwrap(),
        engine_id: None,
        engine_type: EngineType::MySql,
        status: BackupStatus::Completed,
        created_at,
        started_at: Some(created_at),
        completed_at: Some(created_at + SignedDuration::from_secs(90)),
        container: Some("backups".to_owned()),
        blob_name: Some("mysql/x/y.sql.gz".to_owned()),
        stored_bytes: Some(3 << 32),
        plain_bytes: Some(u64::try_from(i64::MAX).unwrap()),
        stored_sha256: Some("00".to_owned()),
        format: Some("sql.gz".to_owned()),
        failure: None,
        retry_count: 0,
        trigger: Trigger::Scheduler,
        tiers: vec![],
        marks: BackupMarks::default(),
        epoch: 1,
    }
}

#[tokio::test]
async fn a_line_that_arrives_late_leaves_what_came_after_it_alone() {
    use BackupStatus::{Completed, Failed, InProgress};
    let world = world().await;
    let repositories = &world.installation.repositories;
    let completed = backup("db-1", 1);
    let line = |epoch, status| Backup {
        epoch,
        status,
        ..completed.clone()
    };
    let put = async |line: &Backup| {
        repositories.backups.put(line).await.unwrap();
        let key = (&line.job_id, line.created_at);
        let stored = repositories.backups.get(key.0, key.1).await.unwrap();
        let newest = repositories.backups.newest_of(&line.database_id, 9).await;
        let stored = stored.unwrap().value;
        assert_eq!(newest.unwrap(), std::slice::from_ref(&stored), "both agree");
        (stored.epoch, stored.status)
    };
    assert_eq!(put(&line(1, InProgress)).await, (1, InProgress));
    assert_eq!(put(&line(1, Failed)).await, (1, Failed));
    assert_eq!(put(&line(1, InProgress)).await, (1, Failed));
    assert_eq!(put(&line(2, InProgress)).await, (2, InProgress));
    assert_eq!(put(&line(1, Failed)).await, (2, InProgress));
    assert_eq!(put(&line(1, Completed)).await, (1, Completed));
    assert_eq!(put(&line(3, Failed)).await, (1, Completed));
}

#[tokio::test]
async fn a_start_seeds_the_three_policies_once_and_keeps_edits() {
    let world = world().await;
    let policies = &world.installation.repositories.policies;
    let listed = policies.list().await.unwrap();
    let ids: Vec<&str> = listed
        .items
        .iter()
        .map(|row| row.value.id.as_str())
        .collect();
    assert_eq!(
        ids,
        ["development", "production-critical", "production-standard"]
    );
    assert_eq!(listed.items[1].value.summary(), "24h/15d/8w/4m/2y");
    let mut edited = listed.items[0].clone();
    edited.value.rules.clear();
    policies
        .replace(edited.value.clone(), &edited.version)
        .await
        .unwrap();
    world.installation.prepare().await.unwrap();
    let again = policies.get(&edited.value.id).await.unwrap().unwrap();
    assert_eq!(again.value, edited.value);
}

#[tokio::test]
async fn jobs_are_listed_that_are_not_over_and_that_were_booked_lately_also_across_midnight() {
    let world = world().await;
    let jobs = &world.installation.repositories.jobs;
    let mut ids = Vec::new();
    for (key, at) in [
        ("open", "2026-02-26T12:00:00Z"),
        ("earlier", "2026-02-28T23:57:59Z"),
        ("exactly", "2026-02-28T23:58:00Z"),
        ("later", "2026-03-01T00:01:00Z"),
    ] {
        let job = job("db-1", key, at.parse().unwrap());
        ids.push(job.id.clone());
        let Booking::New(booked) = jobs.book(job).await.unwrap() else {
            panic!("{key} is new");
        };
        if key != "open" {
            let at = booked.value.created_at;
            let over = booked.value.complete(at).unwrap();
            jobs.update(over, &booked.version).await.unwrap();
        }
    }
    let [open, _, exactly, later] = &ids[..] else {
        panic!("there are four");
    };
    let since = "2026-02-28T23:58:00Z".parse().unwrap();
    let now = "2026-03-01T00:02:00Z".parse().unwrap();
    let listed = jobs.listed(since, now).await.unwrap();
    assert_eq!(listed.active, BTreeSet::from([open.clone()]));
    let recent = BTreeSet::from([exactly.clone(), later.clone()]);
    assert_eq!(listed.recent, recent);
    assert_eq!(ids.iter().filter(|id| listed.contains(id)).count(), 3);
}

#[tokio::test]
async fn the_same_debt_booked_by_many_at_once_is_one_job() {
    let world = world().await;
    let now = world.clock.now();
    let mut bookers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let jobs = world.installation.repositories.jobs.clone();
        bookers.spawn(async move { jobs.book(job("db-1", "slot|1", now)).await.unwrap() });
    }
    let outcomes = bookers.join_all().await;
    let new = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Booking::New(_)))
        .count();
    assert_eq!(new, 1);
    let active = world
        .installation
        .repositories
        .jobs
        .active(now)
        .await
        .unwrap();
    assert_eq!(active.len(), 1);
}

#[tokio::test]
async fn a_job_reads_back_as_it_was_written_in_every_state() {
    let world = world().await;
    let jobs = &world.installation.repositories.jobs;
    let now = world.clock.now();
    let Booking::New(booked) = jobs.book(job("db-1", "a", now)).await.unwrap() else {
        panic!("the job is new");
    };
    let worker: WorkerId = "worker-1".parse().unwrap();
    let lease = SignedDuration::from_secs(90);
    let claimed = booked.value.claim(worker, now, lease).unwrap();
    let claimed = jobs.update(claimed, &booked.version).await.unwrap();
    assert_eq!(jobs.get(&claimed.value.id).await.unwrap().unwrap(), claimed);
    let done = jobs
        .update(
            claimed.value.clone().complete(now).unwrap(),
            &claimed.version,
        )
        .await;
    let done = done.unwrap();
    assert_eq!(jobs.get(&done.value.id).await.unwrap().unwrap(), done);
    assert_eq!(jobs.active(now).await.unwrap(), vec![]);
    assert!(
        jobs.update(done.value.clone(), &claimed.version)
            .await
            .is_err(),
        "a stale version"
    );
}

#[tokio::test]
async fn dispatch_rings_once_and_the_sweeper_rings_for_what_nobody_heard() {
    let world = world().await;
    let now = world.clock.now();
    let dispatcher = &world.installation.dispatcher;
    let first = dispatcher.dispatch(job("db-1", "a", now)).await.unwrap();
    let second = dispatcher.dispatch(job("db-1", "a", now)).await.unwrap();
    assert!(first.is_new && first.message.is_some());
    assert!(!second.is_new && second.message.is_none());
    let queues = &world.installation.storage.queues;
    let queue = &world.installation.settings.queue;
    let texts = queues.peek(queue, 32).await.unwrap();
    assert_eq!(texts.len(), 1);
    assert_eq!(Doorbell::parse(&texts[0]).unwrap().job_id, first.job.id);

    queues.clear(queue).await.unwrap();
    let patience = std::time::Duration::from_mins(2);
    assert_eq!(dispatcher.sweep(patience).await.unwrap(), 0, "not yet");
    world.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(dispatcher.sweep(patience).await.unwrap(), 1);
    assert_eq!(queues.peek(queue, 32).await.unwrap().len(), 1);
}

#[tokio::test]
async fn history_is_newest_first_across_days_and_its_pages_join_without_gap_or_overlap() {
    let world = world().await;
    let backups = &world.installation.repositories.backups;
    let total = 120;
    for number in 0..total {
        backups
            .put(&backup("db-1", number * 37 % total))
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut from = None;
    loop {
        let mut last = None;
        let mut taken = 0;
        backups
            .walk(Stretch::newest(8).after(from.as_ref()), |found, cursor| {
                seen.push(found);
                last = Some(cursor);
                taken += 1;
                taken < 7
            })
            .await
            .unwrap();
        match last {
            Some(cursor) => from = Some(cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), usize::try_from(total).unwrap());
    assert!(seen.is_sorted_by(|a, b| a.created_at >= b.created_at));
    let ids: BTreeSet<String> = seen.iter().map(|found| found.id.to_string()).collect();
    assert_eq!(ids.len(), seen.len());
    assert_eq!(
        seen[0],
        backup("db-1", total - 1),
        "sizes above 32 bits survive"
    );
    let database = "db-1".parse().unwrap();
    let newest = backups.newest_of(&database, 3).await.unwrap();
    assert_eq!(newest, seen[..3]);
}

#[tokio::test]
async fn a_walk_from_the_nth_line_shows_the_lines_behind_it() {
    let world = world().await;
    let backups = &world.installation.repositories.backups;
    let lines: Vec<Backup> = (0..120)
        .rev()
        .map(|number| backup("db-1", number))
        .collect();
    for line in &lines {
        backups.put(line).await.unwrap();
    }
    let database = "db-1".parse().unwrap();
    for number in [1, 2, 7, 50, lines.len()] {
        let (mut of_all, mut of_one) = (Vec::new(), Vec::new());
        let from = backups.nth(Stretch::WHOLE, number).await.unwrap().unwrap();
        let walk = backups.walk(Stretch::newest(1).after(Some(&from)), |line, _| {
            of_all.push(line);
            true
        });
        walk.await.unwrap();
        let from = backups
            .nth_of_database(&database, number)
            .await
            .unwrap()
            .unwrap();
        let walk = backups.walk_database(
            &database,
            Stretch::newest(1).after(Some(&from)),
            |line, _| {
                of_one.push(line);
                true
            },
        );
        walk.await.unwrap();
        assert_eq!(of_all, lines[number..], "{number}");
        assert_eq!(of_one, lines[number..], "{number}");
    }
    let none = backups.nth(Stretch::WHOLE, lines.len() + 1).await.unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn a_row_that_cannot_be_decoded_is_reported_and_hides_no_other() {
    let world = world().await;
    let table = TableName::new("databaseconfigs").unwrap();
    let broken = Entity::new(EntityKey::new("database", "broken"))
        .with("name", Value::String("Broken".to_owned()))
        .with("port", Value::String("abc".to_owned()));
    let write = TableOperation::Replace(broken, Condition::None);
    world
        .installation
        .storage
        .tables
        .write(&table, write)
        .await
        .unwrap();
    let listing = world
        .installation
        .repositories
        .databases
        .list()
        .await
        .unwrap();
    assert_eq!(listing.items, vec![]);
    assert_eq!(listing.damaged.len(), 1);
    assert!(
        listing.damaged[0].reason.contains("engine_id"),
        "{:?}",
        listing.damaged
    );
}

#[tokio::test]
async fn what_is_kept_of_a_collection_follows_every_write_of_every_process() {
    let world = world().await;
    let here = &world.installation.repositories.policies;
    let (other, _) = installation(&world.directory);
    let there = &other.repositories.policies;
    let before = here.all().await.unwrap();
    let again = here.all().await.unwrap();
    assert!(Arc::ptr_eq(&before, &again), "nothing was read again");

    let mut policy = before.items[0].value.clone();
    policy.id = "of-another-process".parse().unwrap();
    let inserted = there.insert(policy.clone()).await.unwrap();
    assert!(here.all().await.unwrap().items.contains(&inserted));

    policy.name = "Renamed".parse().unwrap();
    let replaced = here.replace(policy, &inserted.version).await.unwrap();
    for policies in [here, there] {
        assert!(policies.all().await.unwrap().items.contains(&replaced));
    }

    let id = &replaced.value.id;
    there.delete(id, &replaced.version).await.unwrap();
    assert_eq!(here.all().await.unwrap(), before);
}
