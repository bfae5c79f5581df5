//! Restores and verifications: `/api/restores`, and the wishes at `/api/backups/{id}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dilux_core::model::{BackupId, JobId};
use utoipa_axum::routes;

use super::reply::{Tagged, accepted, tagged};
use crate::app::App;
use crate::caller::Caller;
use crate::input::{Body, Id, IdempotencyKey, OptionalBody, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::backup::{
    NewRestore, NewRestoreBody, RestoreFilter, RestoreList, RestoreQueued, RestoreWish,
    VerificationQueued, VerifyWish,
};
use crate::wire::job::Job;

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(list_restores))
        .costly_route(Permission::ReadData, routes!(create_restore))
        .route(Permission::View, routes!(get_restore))
        .costly_route(Permission::ReadData, routes!(restore_backup))
        .costly_route(Permission::RunBackups, routes!(verify_backup))
}

/// Restores, newest first. A filter that few pass may give a short or empty page with a cursor.
#[utoipa::path(
    get, path = "/api/restores", tag = "backups", params(RestoreFilter),
    responses((status = 200, body = RestoreList))
)]
async fn list_restores(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<RestoreFilter>,
) -> Answer<Json<RestoreList>> {
    let page = app.list_jobs(&filter.jobs()).await?;
    Ok(Json(RestoreList::new(page, &caller)))
}

/// Asks for a restore into a new database.
#[utoipa::path(
    post, path = "/api/restores", tag = "backups",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same job")),
    request_body = NewRestoreBody,
    responses((status = 202, body = RestoreQueued))
)]
async fn create_restore(
    State(app): State<App>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Body(new): Body<NewRestore>,
) -> Answer<(StatusCode, Json<RestoreQueued>)> {
    let asked = app.restore(&new.backup_id, new.wish, key.as_deref(), &caller);
    let (started, work) = asked.await?;
    Ok(accepted(RestoreQueued::new(&started, &work)))
}

/// One restore: where it stands, how far it is, and what the comparison with the source found.
#[utoipa::path(
    get, path = "/api/restores/{job_id}", tag = "backups",
    params(("job_id" = String, Path, description = "Id of the restore's job")),
    responses((status = 200, body = Job))
)]
async fn get_restore(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> Answer<Tagged<Job>> {
    let job = app.view_restore(&id).await?;
    let body = Job::new(&job.value, None, &caller);
    Ok(tagged(&job.version, body))
}

/// Asks for a restore of this backup into a new database.
#[utoipa::path(
    post, path = "/api/backups/{backup_id}/restore", tag = "backups",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same job"),
    ),
    request_body = Option<RestoreWish>,
    responses((status = 202, body = RestoreQueued))
)]
async fn restore_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    IdempotencyKey(key): IdempotencyKey,
    OptionalBody(wish): OptionalBody<RestoreWish>,
) -> Answer<(StatusCode, Json<RestoreQueued>)> {
    let (started, work) = app.restore(&id, wish, key.as_deref(), &caller).await?;
    Ok(accepted(RestoreQueued::new(&started, &work)))
}

/// Asks for a verification: a worker reads the data to its end and compares lengths and hashes with
/// the manifest; with `engine_id` it also restores the backup into a database that it drops again.
/// A backup that fails is `damaged`, and retention counts it no more.
#[utoipa::path(
    post, path = "/api/backups/{backup_id}/verify", tag = "backups",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same job"),
    ),
    request_body = Option<VerifyWish>,
    responses((status = 202, body = VerificationQueued))
)]
async fn verify_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    IdempotencyKey(key): IdempotencyKey,
    OptionalBody(wish): OptionalBody<VerifyWish>,
) -> Answer<(StatusCode, Json<VerificationQueued>)> {
    let started = app.verify_backup(&id, &wish, key.as_deref(), &caller);
    let started = started.await?;
    Ok(accepted(VerificationQueued::new(&started, &id)))
}
