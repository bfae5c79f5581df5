//! Policies: `/api/backup-policies`.

use axum::Json;
use axum::extract::State;
use dilux_core::model::PolicyId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::reply::{Tagged, tagged};
use crate::app::App;
use crate::input::Id;
use crate::problem::Answer;
use crate::wire::policy::{OnePolicy, Policy, PolicyList};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list_policies))
        .routes(routes!(get_policy))
}

/// All policies, those of the product first.
#[utoipa::path(
    get, path = "/api/backup-policies", tag = "policies",
    responses((status = 200, body = PolicyList))
)]
async fn list_policies(State(app): State<App>) -> Answer<Json<PolicyList>> {
    Ok(Json(app.list_policies().await?.into()))
}

/// One policy, and how many databases follow it.
#[utoipa::path(
    get, path = "/api/backup-policies/{policy_id}", tag = "policies",
    params(("policy_id" = String, Path, description = "Id of the policy")),
    responses((status = 200, body = OnePolicy))
)]
async fn get_policy(State(app): State<App>, Id(id): Id<PolicyId>) -> Answer<Tagged<OnePolicy>> {
    let (policy, usage_count) = app.view_policy(&id).await?;
    let body = OnePolicy {
        policy: Policy::from(&policy.value),
        usage_count,
    };
    Ok(tagged(&policy.version, body))
}
