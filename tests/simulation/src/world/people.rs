//! What people do meanwhile: ask for backups, restores and verifications, cancel some, switch
//! databases off and on.

use std::sync::Arc;
use std::time::Duration;

use dilux_core::expiry::Expiry;
use dilux_core::installation::Installation;
use dilux_core::model::{
    BackupStatus, BackupWork, DatabaseId, EngineType, Job, JobId, JobOwner, JobState, RestoreWork,
    Trigger, VerifyWork, Work,
};
use dilux_core::storage::{RetryPolicy, StorageResult};
use jiff::SignedDuration;
use tokio::time::sleep;

use super::World;
use crate::process::Process;

/// Acts through the API's door until the world is calm.
pub(super) async fn act(world: Arc<World>) {
    let mut count = 0_u32;
    loop {
        let dice = &world.network.dice;
        let pause = dice.span(Duration::from_mins(30), Duration::from_hours(8));
        tokio::select! {
            biased;
            () = world.calm.cancelled() => return,
            () = sleep(pause) => {}
        }
        count += 1;
        let process = Arc::new(Process::new(format!("person.{count}")));
        let policy = RetryPolicy::interactive();
        let installation = world.installation(&process, policy, SignedDuration::ZERO);
        let mut task = tokio::spawn(once(world.clone(), installation, count));
        tokio::select! {
            biased;
            () = process.death() => task.abort(),
            _ = &mut task => {}
        }
    }
}

async fn once(world: Arc<World>, installation: Installation, count: u32) {
    let dice = &world.network.dice;
    let index = usize::try_from(dice.below(world.subjects.len() as u64)).unwrap_or(0);
    let Some(subject) = world.subjects.get(index) else {
        return;
    };
    let Ok(database) = subject.id.parse::<DatabaseId>() else {
        return;
    };
    let done = match dice.below(10) {
        0..=2 => ask(&installation, &database, subject.engine_type, count).await,
        3 | 4 => read(&installation, &database, &world, (Reading::Restore, count)).await,
        5 => read(&installation, &database, &world, (Reading::Verify, count)).await,
        6 | 7 => {
            let database = decayed(&world).unwrap_or(database);
            read(&installation, &database, &world, (Reading::Verify, count)).await
        }
        8 => cancel(&installation, dice.below(3)).await,
        _ if subject.is_toggled => toggle(&installation, &database).await,
        _ => Ok(()),
    };
    if let Err(error) = done {
        tracing::info!(%error, "the person is told that it failed");
    }
}

/// A database with a backup that decayed.
fn decayed(world: &World) -> Option<DatabaseId> {
    let content = world.network.memory.content();
    let count = u64::try_from(content.decayed.len()).unwrap_or(0);
    let pick = usize::try_from(world.network.dice.below(count)).unwrap_or(0);
    let blob = content.decayed.keys().nth(pick)?;
    blob.split('/').nth(1)?.parse().ok()
}

async fn ask(
    installation: &Installation,
    database: &DatabaseId,
    engine_type: EngineType,
    count: u32,
) -> StorageResult<()> {
    let Some(found) = installation.repositories.databases.get(database).await? else {
        return Ok(());
    };
    let id = JobId::derive(database, &format!("manual|{count}"));
    let owner = JobOwner {
        database_id: database.clone(),
        database_label: found.value.label,
        engine_type,
    };
    let work = Work::Backup(BackupWork {
        tiers: Vec::new(),
        slot: None,
        needs_enabled: false,
        ..BackupWork::default()
    });
    let now = installation.clock.now();
    let job = Job::new(id, owner, work, Trigger::Manual, now);
    installation.dispatcher.dispatch(job).await.map(drop)
}

/// Why a backup is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Restore,
    Verify,
}

/// Asks for a restore or a verification of one of the newest or oldest backups, or of one that
/// decayed, as the API does: the lease first.
async fn read(
    installation: &Installation,
    database: &DatabaseId,
    world: &World,
    (reading, count): (Reading, u32),
) -> StorageResult<()> {
    let dice = &world.network.dice;
    let backups = &installation.repositories.backups;
    let listing = backups.standing_of(database).await?;
    let standing: Vec<_> = listing.items.into_iter().map(|line| line.value).collect();
    let decayed = standing.iter().find(|backup| {
        let content = world.network.memory.content();
        let blob = backup.blob_name.as_deref();
        blob.is_some_and(|blob| content.decayed.contains_key(blob))
    });
    let wanted = match dice.below(4) {
        0 => standing.last(),
        1 => standing.first(),
        _ => decayed.or(standing.first()),
    };
    let Some(backup) = wanted else {
        return Ok(());
    };
    let Some(found) = installation.repositories.databases.get(database).await? else {
        return Ok(());
    };
    let id = JobId::derive(database, &format!("{reading:?}|{count}"));
    let engine = found.value.engine_id;
    let work = match reading {
        Reading::Restore => {
            let Ok(target_database) = format!("copy_{count}").parse() else {
                return Ok(());
            };
            Work::Restore(RestoreWork {
                backup_id: backup.id.clone(),
                target_engine: engine,
                target_database,
                compare_with_source: false,
            })
        }
        Reading::Verify => Work::Verify(VerifyWork {
            backup_id: backup.id.clone(),
            rehearse_on: (dice.below(3) == 0).then_some(engine),
        }),
    };
    let expiry = Expiry::new(installation.clone());
    let leased = expiry.lease_restore(database, &backup.id, &id).await;
    if let Err(error) = leased {
        tracing::info!(%error, "the wish is refused");
        return Ok(());
    }
    let now = installation.clock.now();
    let job = Job::new(id, backup.job_owner(), work, Trigger::Manual, now);
    installation.dispatcher.dispatch(job).await.map(drop)
}

/// Cancels an active job as the API does: history first.
async fn cancel(installation: &Installation, skip: u64) -> StorageResult<()> {
    let jobs = &installation.repositories.jobs;
    let now = installation.clock.now();
    let active = jobs.active(now).await?;
    let skip = usize::try_from(skip).unwrap_or(0);
    let Some(job) = active.into_iter().nth(skip) else {
        return Ok(());
    };
    let Ok(cancelled) = job.value.request_cancel(now) else {
        return Ok(());
    };
    let backups = &installation.repositories.backups;
    if matches!(cancelled.state, JobState::Cancelled { .. })
        && let Some(line) = backups.get(&cancelled.id, cancelled.created_at).await?
    {
        let mut line = line.value;
        line.status = BackupStatus::Cancelled;
        backups.put(&line).await?;
    }
    jobs.update(cancelled, &job.version).await.map(drop)
}

async fn toggle(installation: &Installation, database: &DatabaseId) -> StorageResult<()> {
    let databases = &installation.repositories.databases;
    let Some(mut found) = databases.get(database).await? else {
        return Ok(());
    };
    found.value.enabled = !found.value.enabled;
    databases
        .replace(found.value, &found.version)
        .await
        .map(drop)
}
