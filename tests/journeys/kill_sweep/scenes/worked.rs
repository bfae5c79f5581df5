//! What a processor works off.

use std::sync::Arc;

use dilux_core::model::{BackupWork, Job, JobId, JobState};
use dilux_core::storage::SendOptions;
use dilux_core::transfer::FailureKind;
use dilux_journeys::{Sample, eventually};

use super::asked::one_backup_of_each;
use crate::stage::Stage;

async fn asked(stage: &Stage, database: &str) -> JobId {
    let job = stage.client.back_up(database).await.unwrap();
    job.parse().unwrap()
}

pub(super) async fn backups(stage: &Stage) {
    let databases = stage.databases().await;
    let mut processor = stage.actor("dilux-processor");
    for database in &databases {
        let job = asked(stage, database.id.as_str()).await;
        processor.until_over(&[job]).await;
    }
    processor.retire().await;
    stage.work_off().await;
    one_backup_of_each(stage, &databases).await;
}

/// Databases that are not there.
pub(super) async fn failures(stage: &Stage) {
    let mut processor = stage.actor("dilux-processor");
    let mut jobs = Vec::new();
    for number in 0..stage.times {
        let database = stage.database(&format!("missing_{number}")).await;
        let job = asked(stage, database.id.as_str()).await;
        jobs.push(job);
        processor.until_over(&jobs).await;
    }
    processor.retire().await;
    stage.work_off().await;
    for job in &jobs {
        let job = stage.job(job).await;
        let JobState::Failed { failure, .. } = &job.state else {
            panic!("{}: {job:#?}", stage.case());
        };
        assert_eq!(failure.kind, FailureKind::UnknownDatabase);
    }
    let holdings = stage.is_sound().await;
    assert_eq!(holdings.manifests.len(), 0, "{}", stage.case());
    assert_eq!(holdings.lines.len(), jobs.len(), "{}", stage.case());
}

/// A dump that waits for a lock when its processor is asked to stop.
pub(super) async fn given_back(stage: &Stage) {
    let database = stage.database("locked").await;
    let name = format!("locked_{}", stage.home.path().display()).replace('/', "_");
    stage.sample.create_database(&name).unwrap();
    let databases = &stage.installation.repositories.databases;
    let stored = databases.get(&database.id).await.unwrap().unwrap();
    let mut renamed = stored.value;
    renamed.database_name = name.parse().unwrap();
    databases.replace(renamed, &stored.version).await.unwrap();
    let lock = Lock::hold(stage.sample.clone(), name).await;
    let processor = stage.actor("dilux-processor");
    let job = asked(stage, database.id.as_str()).await;
    let waits = eventually("the dump waits for the lock", async || lock.is_wanted()).await;
    waits.unwrap_or_else(|error| panic!("{error}\n{}", processor.log()));
    processor.end().await;
    let job_row = stage.job(&job).await;
    assert!(matches!(job_row.state, JobState::Pending), "{job_row:#?}");
    lock.release();
    stage.work_off().await;
    one_backup_of_each(stage, &[database]).await;
}

/// A table that nobody may read.
struct Lock {
    sample: Arc<Sample>,
    database: String,
    holder: std::thread::JoinHandle<()>,
}

impl Lock {
    async fn hold(sample: Arc<Sample>, database: String) -> Self {
        sample.execute(&database, "CREATE TABLE slow ()").unwrap();
        let (server, name) = (sample.clone(), database.clone());
        let holder = std::thread::spawn(move || {
            let sql = "BEGIN; LOCK TABLE slow; SELECT pg_sleep(600);";
            // It ends by force, with an error.
            drop(server.execute(&name, sql));
        });
        let lock = Self {
            sample,
            database,
            holder,
        };
        let is_held = async || lock.has("granted");
        eventually("the lock is held", is_held).await.unwrap();
        lock
    }

    fn has(&self, which: &str) -> anyhow::Result<bool> {
        let sql =
            format!("SELECT count(*) FROM pg_locks WHERE relation = 'slow'::regclass AND {which}");
        Ok(self.sample.execute(&self.database, &sql)? != "0")
    }

    fn is_wanted(&self) -> anyhow::Result<bool> {
        self.has("NOT granted")
    }

    fn release(self) {
        let sql =
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'slow'::regclass";
        self.sample.execute(&self.database, sql).unwrap();
        self.holder.join().unwrap();
    }
}

/// Databases that were disabled after their backup was booked.
pub(super) async fn misses(stage: &Stage) {
    let mut processor = stage.actor("dilux-processor");
    let mut jobs = Vec::new();
    for database in stage.databases().await {
        let work = BackupWork {
            needs_enabled: true,
            ..BackupWork::default()
        };
        let job = stage.scheduled(&database, "late", work);
        jobs.push(stage.dispatch(job).await);
        processor.until_over(&jobs).await;
    }
    processor.retire().await;
    stage.work_off().await;
    for job in &jobs {
        let job = stage.job(job).await;
        let is_missed = matches!(job.state, JobState::Missed { .. });
        assert!(is_missed, "{}: {job:#?}", stage.case());
    }
    let holdings = stage.is_sound().await;
    assert_eq!(holdings.manifests.len(), 0, "{}", stage.case());
    assert_eq!(holdings.lines.len(), jobs.len(), "{}", stage.case());
}

/// Restores, each into a database of its own. One whose processor died half-way says so, and is
/// never taken for a good one.
pub(super) async fn restores(stage: &Stage) {
    let database = stage.database("shop").await;
    let backup = asked(stage, database.id.as_str()).await;
    stage.process().await;
    let mut processor = stage.actor("dilux-processor");
    let mut jobs = Vec::new();
    for number in 0..stage.times {
        let target = format!("copy_{number}_{}", database.id);
        let restore = stage.client.restore(backup.as_str(), &target).await;
        let job: JobId = restore.unwrap().parse().unwrap();
        processor.until_over(std::slice::from_ref(&job)).await;
        jobs.push((job, target));
    }
    processor.retire().await;
    stage.work_off().await;
    let mut failed = 0;
    for (job, target) in &jobs {
        let job = stage.job(job).await;
        assert!(stage.sample.has_database(target).unwrap());
        failed += usize::from(!is_restored(&job, stage));
    }
    let is_cut_off = stage.dies_at(&["after-restore-created", "after-restore-written"]);
    assert_eq!(failed, usize::from(is_cut_off), "{}", stage.case());
    let holdings = stage.is_sound().await;
    assert!(holdings.manifests.contains_key(backup.as_str()));
}

fn is_restored(job: &Job, stage: &Stage) -> bool {
    match &job.state {
        JobState::Completed { .. } => {
            let compared = job.comparison.as_ref().unwrap();
            assert!(compared.differences.is_empty(), "{compared:?}");
            assert!(compared.rows > 0, "{compared:?}");
            true
        }
        JobState::Failed { failure, .. } if failure.kind == FailureKind::TargetExists => false,
        other => panic!("{}: {other:?}", stage.case()),
    }
}

/// Messages that name no job.
pub(super) async fn letters(stage: &Stage) {
    let (queues, queue) = (
        &stage.installation.storage.queues,
        &stage.installation.settings.queue,
    );
    let letters = &stage.installation.repositories.dead_letters;
    let mut processor = stage.actor("dilux-processor");
    for number in 0..stage.times {
        let text = format!("letter {number}");
        let options = SendOptions::default();
        queues.send(queue, &text, options).await.unwrap();
        processor
            .until(
                "the letter is set aside, and its message gone",
                async || {
                    let is_empty = queues.approximate_count(queue).await? == 0;
                    Ok(is_empty && letters.list().await?.items.len() == number + 1)
                },
            )
            .await;
    }
    processor.retire().await;
    stage.work_off().await;
    assert_eq!(letters.list().await.unwrap().items.len(), stage.times);
    stage.is_sound().await;
}
