//! Credentials of engines: `/api/engines/{id}/credentials`.

use axum::Json;
use axum::extract::State;
use dilux_core::model::EngineId;
use utoipa_axum::routes;

use super::reply::{Tagged, tagged};
use crate::app::App;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::{Body, Id};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::engine::{
    CredentialChange, CredentialChangeBody, CredentialSelection, CredentialSelectionBody,
    CredentialsApplied, CredentialsChanged, EngineCredentials,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::ManageEngines, routes!(get_credentials))
        .costly_route(Permission::ManageEngines, routes!(update_credentials))
        .costly_route(Permission::ManageEngines, routes!(apply_credentials))
}

/// How an engine is signed in to, and which of its databases would follow a change of that.
#[utoipa::path(
    get, path = "/api/engines/{engine_id}/credentials", tag = "engines",
    params(("engine_id" = String, Path, description = "Id of the engine")),
    responses((status = 200, body = EngineCredentials))
)]
async fn get_credentials(
    State(app): State<App>,
    Id(id): Id<EngineId>,
) -> Answer<Tagged<EngineCredentials>> {
    let view = app.view_credentials(&id).await?;
    Ok(tagged(&view.engine.version, EngineCredentials::from(&view)))
}

/// Changes the credentials of an engine, after a sign-in with them; when that fails nothing is
/// changed. Host and port may change too, and then the password has to be sent. Databases with
/// credentials of their own keep them.
#[utoipa::path(
    put, path = "/api/engines/{engine_id}/credentials", tag = "engines",
    params(
        ("engine_id" = String, Path, description = "Id of the engine"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = CredentialChangeBody,
    responses((status = 200, body = CredentialsChanged))
)]
async fn update_credentials(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<EngineId>,
    if_match: IfMatch,
    Body(change): Body<CredentialChange>,
) -> Answer<Tagged<CredentialsChanged>> {
    let update = app
        .update_credentials(&id, &change, &if_match, &caller)
        .await?;
    let version = update.view.engine.version.clone();
    Ok(tagged(&version, CredentialsChanged::from(update)))
}

/// Makes chosen databases sign in as their engine does, each after a test; their own credentials are
/// deleted. Those that fail keep theirs.
#[utoipa::path(
    post, path = "/api/engines/{engine_id}/apply-credentials", tag = "engines",
    params(("engine_id" = String, Path, description = "Id of the engine")),
    request_body = CredentialSelectionBody,
    responses((status = 200, body = CredentialsApplied))
)]
async fn apply_credentials(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<EngineId>,
    Body(selection): Body<CredentialSelection>,
) -> Answer<Json<CredentialsApplied>> {
    let applied = app.apply_credentials(&id, &selection, &caller).await?;
    Ok(Json(applied.into()))
}
