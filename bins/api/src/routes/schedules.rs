//! Schedules: what comes next, `/api/databases/{id}/schedule`, and what a policy will do,
//! `/api/backup-policies/{id}/preview`.

use axum::Json;
use axum::extract::State;
use dilux_core::model::{DatabaseId, PolicyId};
use utoipa_axum::routes;

use crate::app::App;
use crate::input::Id;
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::schedule::{Preview, Schedule};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(get_schedule))
        .route(Permission::View, routes!(get_preview))
}

/// When a database is backed up next, and what became of its last slots, each with the reason.
#[utoipa::path(
    get, path = "/api/databases/{database_id}/schedule", tag = "databases",
    params(("database_id" = String, Path, description = "Id of the database")),
    responses((status = 200, body = Schedule))
)]
async fn get_schedule(State(app): State<App>, Id(id): Id<DatabaseId>) -> Answer<Json<Schedule>> {
    Ok(Json(Schedule::from(&app.view_schedule(&id).await?)))
}

/// The next ten runs of a policy.
#[utoipa::path(
    get, path = "/api/backup-policies/{policy_id}/preview", tag = "policies",
    params(("policy_id" = String, Path, description = "Id of the policy")),
    responses((status = 200, body = Preview))
)]
async fn get_preview(State(app): State<App>, Id(id): Id<PolicyId>) -> Answer<Json<Preview>> {
    let (policy, runs) = app.preview_policy(&id).await?;
    Ok(Json(Preview::new(&policy.value, &runs)))
}
