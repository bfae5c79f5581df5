//! Backups: `/api/backups`. Their bytes are in `data`, what is done with them in `restores`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use dilux_core::model::BackupId;
use dilux_core::repository::Cursor;
use utoipa_axum::routes;

use super::export::file;
use super::reply::{Tagged, tagged};
use crate::addressing::Addressing;
use crate::app::App;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::{Body, Id, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::backup::{
    Backup, BackupDeleted, BackupList, BackupPageQuery, BackupSelection, BulkDeleted, BulkDeletion,
    BulkDeletionBody, DeletionQuery, DownloadLink, DownloadQuery, FileList, FileQuery, Labels,
    LabelsBody, ManifestFacts, OneBackup,
};
use crate::wire::export::ExportQuery;
use crate::wire::retention::BackupKept;

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(list_backups))
        .costly_route(Permission::View, routes!(export_backups))
        .route(Permission::View, routes!(list_files))
        .route(Permission::ReadData, routes!(link_by_blob_name))
        .route(Permission::DeleteData, routes!(delete_by_blob_name))
        .route(Permission::DeleteData, routes!(delete_backups))
        .route(Permission::View, routes!(get_backup))
        .route(Permission::DeleteData, routes!(delete_backup))
        .route(Permission::RunBackups, routes!(label_backup))
        .route(Permission::ReadData, routes!(link_backup))
}

/// The history of backups, newest first.
#[utoipa::path(
    get, path = "/api/backups", tag = "backups",
    params(
        BackupPageQuery,
        ("cursor" = Option<String>, Query, description = "`next_cursor` of an earlier page"),
        BackupSelection,
    ),
    responses((status = 200, body = BackupList))
)]
async fn list_backups(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<BackupPageQuery>,
    Query(selection): Query<BackupSelection>,
) -> Answer<Json<BackupList>> {
    let page = app.list_backups(&selection, &query).await?;
    Ok(Json(BackupList::new(&page, &query, &caller)))
}

/// All backups that match, newest first, as a file. A file that could not be read to its end breaks
/// off with an error of the connection.
#[utoipa::path(
    get, path = "/api/backups/export", tag = "backups", params(ExportQuery, BackupSelection),
    responses((status = 200, content(
        (String = "application/x-ndjson"), (String = "text/csv")
    )))
)]
async fn export_backups(
    State(app): State<App>,
    caller: Caller,
    Query(ExportQuery { format }): Query<ExportQuery>,
    Query(selection): Query<BackupSelection>,
) -> Answer<Response> {
    let selection = Arc::new(selection);
    let read = move |from: Option<Cursor>| {
        let (app, selection, caller) = (app.clone(), selection.clone(), caller.clone());
        async move {
            let part = app.export_backups(&selection, from.as_ref()).await?;
            Ok(part.map(|view| Backup::new(&view, &caller)))
        }
    };
    file(format, read).await
}

/// The data of backups as files, by name. What the catalogue does not know of is not shown.
#[utoipa::path(
    get, path = "/api/backups/files", tag = "backups", params(FileQuery),
    responses((status = 200, body = FileList))
)]
async fn list_files(
    State(app): State<App>,
    Query(query): Query<FileQuery>,
) -> Answer<Json<FileList>> {
    Ok(Json(FileList::from(&app.list_files(&query).await?)))
}

/// Deletes the backup that has a blob: data and line together, after the grace period of retention.
/// A pinned or held backup, and the last good one of its database, stay.
#[utoipa::path(
    delete, path = "/api/backups/delete", tag = "backups", params(DeletionQuery),
    responses((status = 200, body = BackupDeleted))
)]
async fn delete_by_blob_name(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<DeletionQuery>,
) -> Answer<Json<BackupDeleted>> {
    let gone = app.delete_by_blob(&query.blob_name, &caller).await?;
    Ok(Json(BackupDeleted::from(&gone)))
}

/// Deletes several backups, named by their blobs or ids. Those that stay do not keep the others.
#[utoipa::path(
    post, path = "/api/backups/delete-bulk", tag = "backups", request_body = BulkDeletionBody,
    responses((status = 200, body = BulkDeleted))
)]
async fn delete_backups(
    State(app): State<App>,
    caller: Caller,
    Body(wish): Body<BulkDeletion>,
) -> Answer<Json<BulkDeleted>> {
    Ok(Json(app.delete_bulk(&wish, &caller).await?.into()))
}

/// A link to the data of a backup, by the name of its blob.
#[utoipa::path(
    get, path = "/api/backups/download", tag = "backups", params(DownloadQuery),
    responses((status = 200, body = DownloadLink))
)]
async fn link_by_blob_name(
    State(app): State<App>,
    caller: Caller,
    addressing: Addressing,
    Query(query): Query<DownloadQuery>,
) -> Answer<Json<DownloadLink>> {
    let link = app.link_by_blob(&query, &caller).await?;
    Ok(Json(DownloadLink::new(link, addressing.base())))
}

/// One backup, with what its manifest says.
#[utoipa::path(
    get, path = "/api/backups/{backup_id}", tag = "backups",
    params(("backup_id" = String, Path, description = "Id of the backup")),
    responses((status = 200, body = OneBackup))
)]
async fn get_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
) -> Answer<Tagged<OneBackup>> {
    let (view, manifest) = app.view_backup(&id).await?;
    let version = app.version_of(&view.backup).await?;
    let body = OneBackup {
        backup: Backup::new(&view, &caller),
        manifest: manifest.map(|manifest| ManifestFacts::new(&manifest, &caller)),
    };
    Ok(tagged(&version, body))
}

/// Deletes a backup: data and line together, after the grace period of retention. A pinned or held
/// backup, and the last good one of its database, stay. Of a backup that was never made the line is
/// removed at once; one that is being made is answered with 409.
#[utoipa::path(
    delete, path = "/api/backups/{backup_id}", tag = "backups",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = BackupDeleted))
)]
async fn delete_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    if_match: IfMatch,
) -> Answer<Json<BackupDeleted>> {
    let deleted = app.delete_backup(&id, &if_match, &caller).await?;
    Ok(Json(BackupDeleted::from(&deleted)))
}

/// Gives a backup labels in place of those that it has.
#[utoipa::path(
    put, path = "/api/backups/{backup_id}/labels", tag = "backups",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = LabelsBody,
    responses((status = 200, body = BackupKept))
)]
async fn label_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    if_match: IfMatch,
    Body(Labels(labels)): Body<Labels>,
) -> Answer<Tagged<BackupKept>> {
    let labelled = app.label_backup(&id, &labels, &if_match, &caller).await?;
    let (view, version) = labelled;
    let backup = Backup::new(&view, &caller);
    Ok(tagged(&version, BackupKept { backup }))
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
    addressing: Addressing,
    Id(id): Id<BackupId>,
) -> Answer<Json<DownloadLink>> {
    let link = app.link(&id, &caller).await?;
    Ok(Json(DownloadLink::new(link, addressing.base())))
}
