//! Backups: `/api/backups`. Their bytes are in `data`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dilux_core::model::BackupId;
use utoipa_axum::routes;

use super::data::Origin;
use super::reply::accepted;
use crate::app::App;
use crate::caller::Caller;
use crate::input::{Id, IdempotencyKey, OptionalBody, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::backup::{
    Backup, BackupList, BackupQuery, DownloadLink, DownloadQuery, ManifestFacts, OneBackup,
    RestoreQueued, RestoreWish,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(list_backups))
        .route(Permission::ReadData, routes!(link_by_blob_name))
        .route(Permission::View, routes!(get_backup))
        .route(Permission::ReadData, routes!(link_backup))
        .route(Permission::ReadData, routes!(restore_backup))
}

/// The history of backups, newest first.
#[utoipa::path(
    get, path = "/api/backups", tag = "backups", params(BackupQuery),
    responses((status = 200, body = BackupList))
)]
async fn list_backups(
    State(app): State<App>,
    Query(query): Query<BackupQuery>,
) -> Answer<Json<BackupList>> {
    let page = app.list_backups(&query).await?;
    Ok(Json(BackupList::new(&page, &query)))
}

/// A link to the data of a backup, by the name of its blob.
#[utoipa::path(
    get, path = "/api/backups/download", tag = "backups", params(DownloadQuery),
    responses((status = 200, body = DownloadLink))
)]
async fn link_by_blob_name(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Query(query): Query<DownloadQuery>,
) -> Answer<Json<DownloadLink>> {
    let link = app.link_by_blob(&query, &caller).await?;
    Ok(Json(DownloadLink::new(link, &origin.0)))
}

/// One backup, with what its manifest says.
#[utoipa::path(
    get, path = "/api/backups/{backup_id}", tag = "backups",
    params(("backup_id" = String, Path, description = "Id of the backup")),
    responses((status = 200, body = OneBackup))
)]
async fn get_backup(State(app): State<App>, Id(id): Id<BackupId>) -> Answer<Json<OneBackup>> {
    let (view, manifest) = app.view_backup(&id).await?;
    Ok(Json(OneBackup {
        backup: Backup::from(&view),
        manifest: manifest.as_ref().map(ManifestFacts::from),
    }))
}

/// A link to the data of a backup: of the store where it makes links, else of this API.
#[utoipa::path(
    get, path = "/api/backups/{backup_id}/download", tag = "backups",
    params(("backup_id" = String, Path, description = "Id of the backup")),
    responses((status = 200, body = DownloadLink))
)]
async fn link_backup(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Id(id): Id<BackupId>,
) -> Answer<Json<DownloadLink>> {
    let link = app.link(&id, &caller).await?;
    Ok(Json(DownloadLink::new(link, &origin.0)))
}

/// Asks for a restore into a new database.
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
