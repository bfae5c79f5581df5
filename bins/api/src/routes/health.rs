//! The service itself: alive, ready, which version; and the health of the installation.

use axum::Json;
use axum::extract::State;
use utoipa_axum::routes;

use crate::app::App;
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::health::HealthOverview;
use crate::wire::system::{Health, Ready, Version};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::Public, routes!(get_health))
        .route(Permission::View, routes!(get_version))
        .route(Permission::View, routes!(get_readiness))
        .route(Permission::View, routes!(get_health_report))
}

/// Whether the process lives. Open to everybody.
#[utoipa::path(
    get, path = "/api/health", tag = "system",
    responses((status = 200, body = Health))
)]
async fn get_health(State(app): State<App>) -> Json<Health> {
    Json(Health {
        status: "healthy",
        service: "dilux-backup-api",
        version: VERSION,
        timestamp: app.installation.clock.now().to_string(),
    })
}

/// What is installed.
#[utoipa::path(
    get, path = "/api/version", tag = "system",
    responses((status = 200, body = Version))
)]
async fn get_version(State(app): State<App>) -> Answer<Json<Version>> {
    Ok(Json(Version {
        version: VERSION,
        installation_id: app.installation_id().await?.to_string(),
        environment: app.installation.settings.environment.clone(),
    }))
}

/// Whether the stores answer.
#[utoipa::path(
    get, path = "/api/ready", tag = "system",
    responses((status = 200, body = Ready))
)]
async fn get_readiness(State(app): State<App>) -> Answer<Json<Ready>> {
    app.check_stores().await?;
    Ok(Json(Ready { status: "ready" }))
}

/// The health of the installation, as the health monitor last saw it, and whether schedulers live.
#[utoipa::path(
    get, path = "/api/health/report", tag = "system",
    responses((status = 200, body = HealthOverview))
)]
async fn get_health_report(State(app): State<App>) -> Answer<Json<HealthOverview>> {
    Ok(Json(HealthOverview::from(&app.view_health().await?)))
}
