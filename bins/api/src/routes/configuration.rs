//! The configuration as a document: `/api/configuration`.

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::input::{Body, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::configuration::{
    Configuration, ConfigurationBody, ConfigurationImport, ConfigurationImported,
    ConfigurationQuery,
};

/// Longest document: some thirty thousand databases.
const DOCUMENT_LIMIT: usize = 16 * 1024 * 1024;

pub(super) fn routes() -> Routes {
    let (schemas, paths, methods) = routes!(import_configuration);
    let methods = methods.layer(DefaultBodyLimit::max(DOCUMENT_LIMIT));
    Routes::default()
        .costly_route(Permission::Administer, routes!(export_configuration))
        .costly_route(Permission::Administer, (schemas, paths, methods))
}

/// Settings, policies, engines and databases as one document, without any secret.
#[utoipa::path(
    get, path = "/api/configuration/export", tag = "system",
    responses((status = 200, body = Configuration))
)]
async fn export_configuration(State(app): State<App>) -> Answer<Json<Configuration>> {
    let view = app.export_configuration().await?;
    Ok(Json(Configuration::from(&view)))
}

/// Brings about what such a document says, or tells what that would change. Nothing is deleted; and
/// nothing is changed at all when one entry cannot be brought about. Imported again it changes
/// nothing.
#[utoipa::path(
    post, path = "/api/configuration/import", tag = "system",
    params(ConfigurationQuery), request_body = ConfigurationBody,
    responses((status = 200, body = ConfigurationImported))
)]
async fn import_configuration(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ConfigurationQuery>,
    Body(import): Body<ConfigurationImport>,
) -> Answer<Json<ConfigurationImported>> {
    let plan = app
        .import_configuration(&import, query.dry_run, &caller)
        .await?;
    Ok(Json(ConfigurationImported::new(&plan, query.dry_run)))
}
