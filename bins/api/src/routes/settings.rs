//! Settings, `/api/settings`, and what else concerns the installation as a whole.

use axum::Json;
use axum::extract::State;
use utoipa_axum::routes;

use super::reply::{Tagged, tagged};
use crate::app::App;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::Body;
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::component::ComponentList;
use crate::wire::settings::{
    OneSettings, Settings, SettingsChange, SettingsChangeBody, SettingsSaved,
};
use crate::wire::system::VnetStatus;

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(get_settings))
        .route(Permission::Administer, routes!(update_settings))
        .route(Permission::View, routes!(get_components))
        .route(Permission::Administer, routes!(get_vnet_status))
}

/// The settings that users may change.
#[utoipa::path(
    get, path = "/api/settings", tag = "system",
    responses((status = 200, body = OneSettings))
)]
async fn get_settings(State(app): State<App>) -> Answer<Tagged<OneSettings>> {
    let (settings, version) = app.view_settings().await?;
    let settings = Settings::from(&settings);
    Ok(tagged(&version, OneSettings { settings }))
}

/// Changes settings. Absent fields stay as they are.
#[utoipa::path(
    put, path = "/api/settings", tag = "system",
    params(("If-Match" = Option<String>, Header, description = "ETag that must still hold")),
    request_body = SettingsChangeBody,
    responses((status = 200, body = SettingsSaved))
)]
async fn update_settings(
    State(app): State<App>,
    caller: Caller,
    if_match: IfMatch,
    Body(change): Body<SettingsChange>,
) -> Answer<Tagged<SettingsSaved>> {
    let changed = app.update_settings(&change, &if_match, &caller).await?;
    let (settings, version) = changed;
    let saved = SettingsSaved {
        message: "Settings updated",
        settings: Settings::from(&settings),
    };
    Ok(tagged(&version, saved))
}

/// The processes of the installation: which live, in which version, with which client tools.
#[utoipa::path(
    get, path = "/api/components", tag = "system",
    responses((status = 200, body = ComponentList))
)]
async fn get_components(State(app): State<App>) -> Answer<Json<ComponentList>> {
    let view = app.view_components().await?;
    Ok(Json(ComponentList::from(&view)))
}

/// How the services are connected to virtual networks of Azure. This version runs nowhere that
/// would have to be asked; where its stores are Azure's, `query_error` says that nobody asks.
#[utoipa::path(
    get, path = "/api/vnet-status", tag = "system",
    responses((status = 200, body = VnetStatus))
)]
async fn get_vnet_status(State(app): State<App>) -> Json<VnetStatus> {
    Json(VnetStatus::without_integration(app.is_embedded()))
}
