//! Figures for monitoring: `/metrics`, and `/api/metrics` where only `/api` is passed on.

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use utoipa_axum::routes;

use crate::app::App;
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::metrics::{self, EXAMPLE, FORMAT};

type Exposition = ([(HeaderName, &'static str); 1], String);

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(get_metrics))
        .route(Permission::View, routes!(get_metrics_under_api))
}

/// The state of the installation, and the requests that this process answered, as Prometheus reads
/// them.
#[utoipa::path(
    get, path = "/metrics", tag = "system",
    responses((status = 200, body = String, content_type = FORMAT, example = json!(EXAMPLE)))
)]
async fn get_metrics(State(app): State<App>) -> Answer<Exposition> {
    exposition(&app).await
}

/// The same as `/metrics`.
#[utoipa::path(
    get, path = "/api/metrics", tag = "system",
    responses((status = 200, body = String, content_type = FORMAT, example = json!(EXAMPLE)))
)]
async fn get_metrics_under_api(State(app): State<App>) -> Answer<Exposition> {
    exposition(&app).await
}

async fn exposition(app: &App) -> Answer<Exposition> {
    let figures = app.figures().await?;
    let text = metrics::exposition(&figures, &app.traffic)?;
    Ok(([(CONTENT_TYPE, FORMAT)], text))
}
