//! Retention: `/api/retention`, and the wishes about single backups.

use axum::Json;
use axum::extract::State;
use dilux_core::expiry::Wish;
use dilux_core::model::BackupId;
use dilux_core::repository::Version;
use utoipa_axum::routes;

use super::reply::{Tagged, tagged};
use crate::app::{App, BackupView};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::{Id, OptionalBody};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::backup::Backup;
use crate::wire::retention::{
    BackupKept, DryRun, DryRunBody, Note, RetentionPreview, RetentionRuns,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(dry_run))
        .route(Permission::View, routes!(list_runs))
        .route(Permission::RunBackups, routes!(pin_backup, unpin_backup))
        .route(Permission::RunBackups, routes!(hold_backup))
        .route(Permission::DeleteData, routes!(release_backup))
        .route(Permission::RunBackups, routes!(undelete_backup))
}

/// What retention would keep and delete, each with its reasons: of one database, of those that
/// follow a policy, or of all; also as if the policy had other tiers. Changes nothing.
#[utoipa::path(
    post, path = "/api/retention/dry-run", tag = "retention",
    request_body = Option<DryRunBody>,
    responses((status = 200, body = RetentionPreview))
)]
async fn dry_run(
    State(app): State<App>,
    OptionalBody(wish): OptionalBody<DryRun>,
) -> Answer<Json<RetentionPreview>> {
    let databases = app.preview_retention(&wish).await?;
    Ok(Json(RetentionPreview::from(databases)))
}

/// The newest runs of retention: what each announced, deleted and left alone, and why.
#[utoipa::path(
    get, path = "/api/retention/runs", tag = "retention",
    responses((status = 200, body = RetentionRuns))
)]
async fn list_runs(State(app): State<App>) -> Answer<Json<RetentionRuns>> {
    Ok(Json(app.view_retention_timer().await?.into()))
}

/// Pins a backup: retention keeps it until it is unpinned. An announced deletion is taken back.
#[utoipa::path(
    post, path = "/api/backups/{backup_id}/pin", tag = "retention",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = Option<Note>,
    responses((status = 200, body = BackupKept))
)]
async fn pin_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    if_match: IfMatch,
    OptionalBody(Note { note }): OptionalBody<Note>,
) -> Answer<Tagged<BackupKept>> {
    let wish = Wish::Pin(app.mark(note, &caller));
    Ok(kept(
        app.wish(&id, wish, &if_match, &caller).await?,
        &caller,
    ))
}

/// Takes the pin off a backup.
#[utoipa::path(
    delete, path = "/api/backups/{backup_id}/pin", tag = "retention",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = BackupKept))
)]
async fn unpin_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    if_match: IfMatch,
) -> Answer<Tagged<BackupKept>> {
    let wish = Wish::Unpin;
    Ok(kept(
        app.wish(&id, wish, &if_match, &caller).await?,
        &caller,
    ))
}

/// Holds a backup: it stays until the hold is released. An announced deletion is taken back.
#[utoipa::path(
    post, path = "/api/backups/{backup_id}/hold", tag = "retention",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = Option<Note>,
    responses((status = 200, body = BackupKept))
)]
async fn hold_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    if_match: IfMatch,
    OptionalBody(Note { note }): OptionalBody<Note>,
) -> Answer<Tagged<BackupKept>> {
    let wish = Wish::Hold(app.mark(note, &caller));
    Ok(kept(
        app.wish(&id, wish, &if_match, &caller).await?,
        &caller,
    ))
}

/// Releases the hold on a backup.
#[utoipa::path(
    delete, path = "/api/backups/{backup_id}/hold", tag = "retention",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = BackupKept))
)]
async fn release_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    if_match: IfMatch,
) -> Answer<Tagged<BackupKept>> {
    let wish = Wish::Release;
    Ok(kept(
        app.wish(&id, wish, &if_match, &caller).await?,
        &caller,
    ))
}

/// Takes an announced deletion back, and pins the backup, or the next run would announce it again.
#[utoipa::path(
    post, path = "/api/backups/{backup_id}/undelete", tag = "retention",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = Option<Note>,
    responses((status = 200, body = BackupKept))
)]
async fn undelete_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    if_match: IfMatch,
    OptionalBody(Note { note }): OptionalBody<Note>,
) -> Answer<Tagged<BackupKept>> {
    let wish = Wish::Undelete(app.mark(note, &caller));
    Ok(kept(
        app.wish(&id, wish, &if_match, &caller).await?,
        &caller,
    ))
}

fn kept((view, version): (BackupView, Version), caller: &Caller) -> Tagged<BackupKept> {
    let backup = Backup::new(&view, caller);
    tagged(&version, BackupKept { backup })
}
