//! An engine that goes with its databases.

use dilux_core::model::{JobId, JobState};
use reqwest::{Method, StatusCode};

use crate::stage::Stage;

pub(super) async fn removals(stage: &mut Stage) {
    let mut jobs: Vec<JobId> = Vec::new();
    let databases = stage.databases().await;
    for database in &databases {
        let job = stage.client.back_up(database.id.as_str()).await.unwrap();
        jobs.push(job.parse().unwrap());
    }
    stage.clear().await;
    let mut api = stage.api_actor().await;
    let path = format!("/engines/{}", stage.engine);
    let removal = format!("{path}?delete_databases=true");
    let (status, answer) = api.ask(Method::DELETE, &removal).await;
    // The start after a death may have finished what it began.
    let is_done = status.is_success() || status == StatusCode::NOT_FOUND;
    assert!(is_done, "{}: {answer}", stage.case());
    let (status, _) = api.ask(Method::GET, &path).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{}", stage.case());
    api.retire().await;
    stage.work_off().await;

    let repositories = &stage.installation.repositories;
    for (job, database) in jobs.iter().zip(&databases) {
        let job = stage.job(job).await;
        let is_cancelled = matches!(job.state, JobState::Cancelled { .. });
        assert!(is_cancelled, "{}: {job:#?}", stage.case());
        let found = repositories.databases.get(&database.id).await.unwrap();
        assert_eq!(found, None, "{}", stage.case());
    }
    assert_eq!(repositories.removals.list().await.unwrap().items, []);
    let secret = format!("dilux-engine-{}", stage.engine);
    let secrets = stage.installation.storage.secrets.list().await.unwrap();
    let stays = secrets.iter().any(|name| name.as_str() == secret);
    assert!(
        !stays,
        "{}: the password goes with the engine",
        stage.case()
    );
    stage.is_sound().await;
}
