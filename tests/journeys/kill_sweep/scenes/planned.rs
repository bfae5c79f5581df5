//! What the scheduler books by itself.

use dilux_core::model::PolicySource;

use super::asked::one_backup_of_each;
use crate::stage::Stage;

/// New databases, each of which owes its first backup and nothing else for months.
pub(super) async fn plans(stage: &Stage) {
    let policy = stage.yearly_policy().await;
    let databases = stage.databases().await;
    for database in &databases {
        let repository = &stage.installation.repositories.databases;
        let stored = repository.get(&database.id).await.unwrap().unwrap();
        let mut enabled = stored.value;
        enabled.enabled = true;
        enabled.policy = PolicySource::Own(policy.clone());
        repository.replace(enabled, &stored.version).await.unwrap();
    }
    let mut processor = stage.home.start("dilux-processor").unwrap();
    let mut scheduler = stage.actor("dilux-scheduler");
    let jobs = &stage.installation.repositories.jobs;
    scheduler
        .until("every database is backed up", async || {
            let (jobs, _) = jobs.newest(None, 100).await?;
            let done = jobs.iter().filter(|job| job.is_terminal());
            Ok(done.count() >= databases.len())
        })
        .await;
    scheduler.retire().await;
    assert_eq!(processor.stopped().await.unwrap().code(), Some(0));
    stage.work_off().await;
    one_backup_of_each(stage, &databases).await;
}
