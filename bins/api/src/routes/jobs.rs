//! Jobs: `/api/jobs`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dilux_core::model::JobId;
use utoipa_axum::routes;

use super::reply::{Tagged, accepted, tagged};
use crate::app::App;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::{Id, IdempotencyKey, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::job::{Job, JobCancelled, JobFilter, JobList, JobRetried};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(list_jobs))
        .route(Permission::View, routes!(get_job))
        .route(Permission::RunBackups, routes!(cancel_job))
        .costly_route(Permission::RunBackups, routes!(retry_job))
}

/// Jobs, newest first. A filter that few jobs pass may give a short or empty page with a cursor.
#[utoipa::path(
    get, path = "/api/jobs", tag = "jobs", params(JobFilter),
    responses((status = 200, body = JobList))
)]
async fn list_jobs(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<JobFilter>,
) -> Answer<Json<JobList>> {
    let page = app.list_jobs(&filter).await?;
    Ok(Json(JobList::new(page, &caller)))
}

/// One job: where it stands and how far it is.
#[utoipa::path(
    get, path = "/api/jobs/{job_id}", tag = "jobs",
    params(("job_id" = String, Path, description = "Id of the job")),
    responses((status = 200, body = Job))
)]
async fn get_job(State(app): State<App>, caller: Caller, Id(id): Id<JobId>) -> Answer<Tagged<Job>> {
    let (job, line) = app.view_job(&id).await?;
    let body = Job::new(&job.value, line.as_ref(), &caller);
    Ok(tagged(&job.version, body))
}

/// Stops a job: at once while no worker has it, else at the worker's next heartbeat. Asked again it
/// answers the same; a job that is over otherwise is answered with 409.
#[utoipa::path(
    post, path = "/api/jobs/{job_id}/cancel", tag = "jobs",
    params(
        ("job_id" = String, Path, description = "Id of the job"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = JobCancelled))
)]
async fn cancel_job(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<JobId>,
    if_match: IfMatch,
) -> Answer<Tagged<JobCancelled>> {
    let job = app.cancel_job(&id, &if_match, &caller).await?;
    let body = JobCancelled::new(&job.value, &caller);
    Ok(tagged(&job.version, body))
}

/// Books the work of a job anew that failed, was cancelled or missed. Asked again it gives the same
/// job, until that one has ended without success too. A job that is done or not over is answered
/// with 409.
#[utoipa::path(
    post, path = "/api/jobs/{job_id}/retry", tag = "jobs",
    params(
        ("job_id" = String, Path, description = "Id of the job"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same job"),
    ),
    responses((status = 202, body = JobRetried))
)]
async fn retry_job(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<JobId>,
    IdempotencyKey(key): IdempotencyKey,
) -> Answer<(StatusCode, Json<JobRetried>)> {
    let started = app.retry_job(&id, key.as_deref(), &caller).await?;
    Ok(accepted(JobRetried::new(&started, &caller)))
}
