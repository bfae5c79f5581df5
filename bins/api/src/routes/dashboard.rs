//! Numbers: `/api/system-status`, `/api/storage-stats`, `/api/backup-alerts`, and those of one
//! database.

use axum::Json;
use axum::extract::State;
use dilux_core::model::DatabaseId;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::input::{Id, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::dashboard::{
    BackupAlerts, BackupStats, FailingQuery, StatusQuery, StorageStats, SystemStatus,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(get_status))
        .route(Permission::View, routes!(get_storage_stats))
        .route(Permission::View, routes!(list_alerts))
        .route(Permission::View, routes!(get_backup_stats))
}

/// The state of everything, in numbers.
#[utoipa::path(
    get, path = "/api/system-status", tag = "system", params(StatusQuery),
    responses((status = 200, body = SystemStatus))
)]
async fn get_status(
    State(app): State<App>,
    Query(query): Query<StatusQuery>,
) -> Answer<Json<SystemStatus>> {
    let status = app.system_status(query.period).await?;
    Ok(Json(SystemStatus::new(&status, query.period)))
}

/// What backups take up, in every destination.
#[utoipa::path(
    get, path = "/api/storage-stats", tag = "backups",
    responses((status = 200, body = StorageStats))
)]
async fn get_storage_stats(State(app): State<App>) -> Answer<Json<StorageStats>> {
    Ok(Json(StorageStats::from(&app.storage_use().await?)))
}

/// Databases whose newest backups failed.
#[utoipa::path(
    get, path = "/api/backup-alerts", tag = "backups", params(FailingQuery),
    responses((status = 200, body = BackupAlerts))
)]
async fn list_alerts(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FailingQuery>,
) -> Answer<Json<BackupAlerts>> {
    let failing = app.failing_databases(query.consecutive_failures).await?;
    Ok(Json(BackupAlerts::new(failing, &caller)))
}

/// The history of one database, in numbers.
#[utoipa::path(
    get, path = "/api/databases/{database_id}/backup-stats", tag = "databases",
    params(("database_id" = String, Path, description = "Id of the database")),
    responses((status = 200, body = BackupStats))
)]
async fn get_backup_stats(
    State(app): State<App>,
    Id(id): Id<DatabaseId>,
) -> Answer<Json<BackupStats>> {
    Ok(Json(BackupStats::from(&app.backup_stats(&id).await?)))
}
