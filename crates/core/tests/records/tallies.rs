//! Tallies say what a naive count of the history says, whatever happened while it was written.

use std::collections::BTreeMap;

use dilux_core::model::{
    Backup, BackupId, BackupMarks, BackupStatus, Damage, DatabaseId, EngineType, JobId, Tally,
    Trigger, Turnout,
};
use dilux_core::repository::{Recount, Repositories, Stretch};
use dilux_core::transfer::{Failure, FailureKind};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::world::{Life, World};

const NOW: &str = "2026-01-31T12:34:56Z";
const CASES: u32 = 48;

/// One write of a line.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) database: usize,
    /// Which job; its age follows from it.
    pub(crate) job: i64,
    pub(crate) epoch: u64,
    pub(crate) status: BackupStatus,
    /// After how many operations the writer dies, and whether the last has its effect.
    pub(crate) death: Option<(i64, bool)>,
}

/// Writes by processes that may die.
fn write() -> impl Strategy<Value = Write> {
    use BackupStatus::{Cancelled, Completed, Damaged, Deleted, Failed, InProgress, Missed};
    let status = prop_oneof![
        3 => Just(InProgress),
        4 => Just(Completed),
        4 => Just(Failed),
        1 => Just(Missed),
        1 => Just(Cancelled),
        1 => Just(Damaged),
        2 => Just(Deleted),
    ];
    let death = prop_oneof![
        3 => Just(None),
        1 => (0_i64..12, any::<bool>()).prop_map(Some),
    ];
    (0_usize..2, 0_i64..14, 1_u64..4, status, death).prop_map(
        |(database, job, epoch, status, death)| Write {
            database,
            job,
            epoch,
            status,
            death,
        },
    )
}

/// Writes that damage most backups of one database, and find some whole again.
fn damaging_write() -> impl Strategy<Value = Write> {
    use BackupStatus::{Completed, Damaged, Deleted};
    let status = prop_oneof![6 => Just(Damaged), 1 => Just(Completed), 1 => Just(Deleted)];
    (0_i64..14, status).prop_map(|(job, status)| Write {
        database: 0,
        job,
        epoch: 1,
        status,
        death: None,
    })
}

pub(crate) fn database(number: usize) -> DatabaseId {
    format!("db-{number}").parse().unwrap()
}

/// When a job was booked: hours, days and months ago, two at the same time.
fn booked(job: i64) -> Timestamp {
    let minutes = [
        5, 5, 50, 700, 1439, 1500, 2900, 9000, 11_000, 43_000, 46_000, 50_000, 90_000, 600,
    ];
    let now: Timestamp = NOW.parse().unwrap();
    now - SignedDuration::from_mins(minutes[usize::try_from(job).unwrap()])
}

pub(crate) fn line(write: &Write) -> Backup {
    let database_id = database(write.database);
    let job_id = JobId::derive(&database_id, &write.job.to_string());
    let created_at = booked(write.job);
    let was_made = write.status.was_completed();
    let failed = matches!(write.status, BackupStatus::Failed | BackupStatus::Missed);
    Backup {
        id: BackupId::from(&job_id),
        job_id,
        database_id,
        database_label: format!("Label {}", write.job).parse().unwrap(),
        engine_id: None,
        engine_type: EngineType::MySql,
        status: write.status,
        created_at,
        started_at: Some(created_at),
        completed_at: (was_made || failed).then_some(created_at),
        container: Some(format!("container-{}", write.job % 3)),
        blob_name: None,
        stored_bytes: was_made.then(|| 1000 + u64::try_from(write.job).unwrap()),
        plain_bytes: None,
        stored_sha256: None,
        format: None,
        failure: failed.then(|| {
            let message = format!("failure of claim {}", write.epoch);
            Failure::new(FailureKind::ToolFailed, message)
        }),
        retry_count: 0,
        trigger: Trigger::Scheduler,
        tiers: Vec::new(),
        marks: BackupMarks {
            damaged_since: (write.status == BackupStatus::Damaged).then_some(created_at),
            ..BackupMarks::default()
        },
        epoch: write.epoch,
    }
}

/// What matters of a tally.
#[derive(Debug, PartialEq, Default)]
struct Numbers {
    standing: (u64, u64),
    present: (u64, u64),
    /// Ever, of 24 hours, of today, of 7 and of 30 days.
    turnouts: [Turnout; 5],
    failures: u64,
    latest: Option<(Timestamp, String)>,
    first: Option<Timestamp>,
    /// How many, and the newest of them.
    damaged: (u64, Vec<BackupId>),
    label: Option<String>,
}

fn numbers(tally: &Tally) -> Numbers {
    let now = NOW.parse().unwrap();
    Numbers {
        standing: (tally.standing, tally.standing_bytes),
        present: (tally.present, tally.present_bytes),
        turnouts: [
            tally.ever,
            tally.of_last_hours(24, now),
            tally.of_last_days(0, now),
            tally.of_last_days(7, now),
            tally.of_last_days(30, now),
        ],
        failures: tally.streak.failures,
        latest: tally
            .streak
            .latest
            .as_ref()
            .map(|latest| (latest.at, latest.reason.clone())),
        first: tally.streak.first.as_ref().map(|first| first.at),
        damaged: (
            tally.damage.count,
            tally
                .damage
                .newest
                .values()
                .map(|it| it.id.clone())
                .collect(),
        ),
        label: tally.label.as_ref().map(ToString::to_string),
    }
}

/// The same, by looking at every line.
async fn counted(repositories: &Repositories, database: &DatabaseId) -> Numbers {
    let mut lines = Vec::new();
    let backups = &repositories.backups;
    let walk = backups.walk_database(database, Stretch::WHOLE, |line, _| {
        lines.push(line);
        true
    });
    walk.await.unwrap();
    let now: Timestamp = NOW.parse().unwrap();
    let hour: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
    let midnight: Timestamp = "2026-01-31T00:00:00Z".parse().unwrap();
    let hours = SignedDuration::from_hours;
    let is_failed = |line: &Backup| line.status.documented() == BackupStatus::Failed;
    let since = |start: Timestamp| {
        let of_it = lines.iter().filter(|line| line.created_at >= start);
        let mut turnout = Turnout::default();
        for line in of_it {
            turnout.lines += 1;
            turnout.completed += u64::from(line.status.was_completed());
            turnout.failed += u64::from(is_failed(line));
        }
        turnout
    };
    let sum = |keep: &dyn Fn(&Backup) -> bool| {
        let kept = lines.iter().filter(|line| keep(line));
        let bytes = kept.clone().filter_map(|line| line.stored_bytes).sum();
        (kept.count() as u64, bytes)
    };
    let since_good = lines.iter().take_while(|line| !line.status.was_completed());
    let failures: Vec<&Backup> = since_good.filter(|line| is_failed(line)).collect();
    assert!(lines.iter().all(|line| line.created_at <= now));
    Numbers {
        standing: sum(&|line| line.status != BackupStatus::Deleted),
        present: sum(&|line| line.status == BackupStatus::Completed),
        turnouts: [
            since(Timestamp::MIN),
            since(hour - hours(24)),
            since(midnight),
            since(midnight - hours(24 * 7)),
            since(midnight - hours(24 * 30)),
        ],
        failures: failures.len() as u64,
        latest: failures.first().map(|line| {
            let reason = line.failure.as_ref().unwrap().message.clone();
            (line.completed_at.unwrap(), reason)
        }),
        first: failures.last().map(|line| line.completed_at.unwrap()),
        damaged: damaged(&lines),
        label: lines.first().map(|line| line.database_label.to_string()),
    }
}

fn damaged(lines: &[Backup]) -> (u64, Vec<BackupId>) {
    let damaged = lines
        .iter()
        .filter(|line| line.status == BackupStatus::Damaged);
    let newest = damaged.clone().take(Damage::MOST_NAMED);
    let newest = newest.map(|line| line.id.clone()).collect();
    (damaged.count() as u64, newest)
}

/// What the copies say.
async fn told(repositories: &Repositories) -> BTreeMap<DatabaseId, Numbers> {
    let all = repositories.backups.tallies.list().await.unwrap().items;
    all.iter()
        .map(|tally| (tally.value.database_id.clone(), numbers(&tally.value)))
        .collect()
}

pub(crate) async fn agree(world: &World) -> Result<(), TestCaseError> {
    let mut told = told(&world.repositories).await;
    for number in 0..2 {
        let id = database(number);
        let naive = counted(&world.repositories, &id).await;
        prop_assert_eq!(told.remove(&id).unwrap_or_default(), naive);
    }
    Ok(())
}

fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn the_newest_damaged_backups_are_named_and_the_others_counted() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let histories = prop::collection::vec(damaging_write(), 20..70);
    let most = std::cell::Cell::new(0);
    let outcome = runner(CASES / 4).run(&histories, |writes| {
        runtime.block_on(async {
            let world = World::new().await;
            for write in &writes {
                world.repositories.backups.put(&line(write)).await.unwrap();
                agree(&world).await?;
                let counted = counted(&world.repositories, &database(0)).await;
                most.set(most.get().max(counted.damaged.0));
            }
            let recount = world.repositories.backups.recount(&database(0)).await;
            prop_assert_eq!(recount.unwrap(), Recount::Right);
            Ok(())
        })
    });
    outcome.unwrap();
    assert!(most.get() > Damage::MOST_NAMED as u64, "{}", most.get());
}

#[test]
fn tallies_agree_with_a_count_of_the_lines_after_whatever_happened() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = runner(CASES);
    let histories = prop::collection::vec(write(), 1..30);
    let outcome = runner.run(&histories, |writes| {
        runtime.block_on(async {
            let world = World::new().await;
            for write in &writes {
                let backup = line(write);
                if let Some((operations, ends_after_effect)) = write.death {
                    let life = Life::of(operations, ends_after_effect);
                    // Whether it lived long enough does not matter here.
                    drop(world.mortal(&life).backups.put(&backup).await);
                    // The reconciler finds what the dead one left; what it mended stays so.
                    let backups = &world.repositories.backups;
                    backups.recount(&backup.database_id).await.unwrap();
                    let again = backups.recount(&backup.database_id).await.unwrap();
                    prop_assert_eq!(again, Recount::Right);
                } else {
                    world.repositories.backups.put(&backup).await.unwrap();
                }
                agree(&world).await?;
            }
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_line_whose_writer_died_is_counted_once_when_the_next_writes_it_again() {
    for ends_after_effect in [false, true] {
        for operations in 0..14 {
            let world = World::new().await;
            let write = Write {
                database: 0,
                job: 3,
                epoch: 1,
                status: BackupStatus::Completed,
                death: None,
            };
            let life = Life::of(operations, ends_after_effect);
            drop(world.mortal(&life).backups.put(&line(&write)).await);
            world.repositories.backups.put(&line(&write)).await.unwrap();
            agree(&world).await.unwrap();
        }
    }
}

#[tokio::test]
async fn workers_that_write_at_the_same_time_lose_no_count() {
    let world = World::new().await;
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..4_i64 {
        let repositories = world.process();
        workers.spawn(async move {
            for job in 0..7 {
                let is_good = (job + worker) % 3 == 0;
                let write = Write {
                    database: usize::try_from(job % 2).unwrap(),
                    job: (job * 2 + worker) % 14,
                    epoch: 1 + u64::try_from(worker).unwrap(),
                    status: if is_good {
                        BackupStatus::Completed
                    } else {
                        BackupStatus::Failed
                    },
                    death: None,
                };
                let line = line(&write);
                // A line that changes too fast is written again, as workers do.
                while repositories.backups.put(&line).await.is_err() {}
            }
        });
    }
    workers.join_all().await;
    agree(&world).await.unwrap();
}
