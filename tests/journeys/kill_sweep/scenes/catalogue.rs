//! What the command line does with the backups that there are: tells the tables from them, and
//! deletes those that have expired.

use dilux_core::catalog::Rebuild;
use dilux_core::model::{BackupStatus, BackupWork, Database, JobId, PolicySource, Tier};
use dilux_journeys::{audited, lose, rows};

use crate::stage::Stage;

/// What is rebuilt to the byte.
const TABLES: [&str; 4] = [
    "backuphistory",
    "backupindex",
    "databasestates",
    "schedulestate",
];

/// So many scheduled backups of one database, the oldest first.
async fn back_up(stage: &Stage, database: &Database, count: usize) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for number in 0..count {
        let work = BackupWork {
            tiers: vec![Tier::Yearly],
            slot: Some(stage.installation.clock.now()),
            ..BackupWork::default()
        };
        let job = stage.scheduled(database, &format!("slot {number}"), work);
        jobs.push(stage.dispatch(job).await);
        stage.process().await;
    }
    jobs
}

pub(super) async fn rebuilds(stage: &Stage) {
    let installation = &stage.installation;
    let database = stage.database("shop").await;
    back_up(stage, &database, stage.times).await;
    // What the scheduler would know of the tiers is only written by a first rebuild here.
    installation.rebuild_catalog(Rebuild::Write).await.unwrap();
    let mut before = Vec::new();
    for table in TABLES {
        before.push(rows(installation, table).await.unwrap());
    }
    for table in TABLES.iter().chain(&["jobs", "jobindex"]) {
        lose(installation, table, None).await.unwrap();
    }
    for partition in ["backuphistory", "jobindex"] {
        let days = lose(installation, "timelinedays", Some(partition)).await;
        days.unwrap();
    }
    stage.run(&["rebuild-catalog"], async || {}).await;
    for (table, before) in TABLES.iter().zip(&before) {
        let after = rows(installation, table).await.unwrap();
        assert_eq!(&after, before, "{}: {table}", stage.case());
    }
    let holdings = stage.is_sound().await;
    assert_eq!(holdings.jobs.len(), stage.times, "{}", stage.case());
}

/// All backups but the newest expire.
pub(super) async fn expiries(stage: &Stage) {
    let installation = &stage.installation;
    let policy = stage.yearly_policy().await;
    let database = stage.database("shop").await;
    let databases = &installation.repositories.databases;
    let stored = databases.get(&database.id).await.unwrap().unwrap();
    let mut follower = stored.value;
    follower.policy = PolicySource::Own(policy);
    databases.replace(follower, &stored.version).await.unwrap();
    let jobs = back_up(stage, &database, stage.times + 1).await;
    let (newest, expired) = jobs.split_last().unwrap();
    stage
        .run(&["retention", "run"], async || {
            // As if the time of the run that died were over.
            let note = lose(installation, "retentionstate", Some("~run")).await;
            note.unwrap();
        })
        .await;
    let holdings = stage.is_sound().await;
    let left: Vec<&String> = holdings.manifests.keys().collect();
    assert_eq!(left, [newest.as_str()], "{}", stage.case());
    assert_eq!(
        holdings.orphans(),
        Vec::<&String>::new(),
        "{}",
        stage.case()
    );
    let audited = audited(installation).await.unwrap();
    for job in expired {
        let line = holdings.lines.iter().find(|line| line.job_id == *job);
        assert_eq!(line.unwrap().status, BackupStatus::Deleted);
        let deletion = ("backup_deleted_retention".to_owned(), job.to_string());
        assert_eq!(audited.get(&deletion), Some(&1), "{}", stage.case());
    }
}
