//! Alerts: `/api/alerts`.

use axum::Json;
use axum::extract::State;
use dilux_core::model::AlertId;
use utoipa_axum::routes;

use super::reply::{Tagged, tagged};
use crate::app::App;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::{Id, OptionalBody, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::alert::{Alert, AlertFilter, AlertList};
use crate::wire::page::PageWish;
use crate::wire::retention::Note;

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(list_standing_alerts))
        .route(Permission::View, routes!(get_alert))
        .route(Permission::RunBackups, routes!(acknowledge_alert))
}

/// What somebody must act on now, the newest onset first. What is over is not listed.
#[utoipa::path(
    get, path = "/api/alerts", tag = "alerts", params(PageWish, AlertFilter),
    responses((status = 200, body = AlertList))
)]
async fn list_standing_alerts(
    State(app): State<App>,
    caller: Caller,
    Query(wish): Query<PageWish>,
    Query(filter): Query<AlertFilter>,
) -> Answer<Json<AlertList>> {
    let found = app.list_alerts(&filter, &wish).await?;
    Ok(Json(AlertList::new(found, &caller)))
}

/// One alert, while what it tells of lasts.
#[utoipa::path(
    get, path = "/api/alerts/{alert_id}", tag = "alerts",
    params(("alert_id" = String, Path, description = "Id of the alert")),
    responses((status = 200, body = Alert))
)]
async fn get_alert(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<AlertId>,
) -> Answer<Tagged<Alert>> {
    let view = app.view_alert(&id).await?;
    Ok(tagged(&view.version(), Alert::new(view, &caller)))
}

/// Says that somebody has taken note of an alert. Said again, who said so first stays noted.
#[utoipa::path(
    post, path = "/api/alerts/{alert_id}/acknowledge", tag = "alerts", request_body = Option<Note>,
    params(
        ("alert_id" = String, Path, description = "Id of the alert"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = Alert))
)]
async fn acknowledge_alert(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<AlertId>,
    if_match: IfMatch,
    OptionalBody(Note { note }): OptionalBody<Note>,
) -> Answer<Tagged<Alert>> {
    let view = app.acknowledge_alert(&id, note, &if_match, &caller).await?;
    Ok(tagged(&view.version(), Alert::new(view, &caller)))
}
