//! Policies: `/api/backup-policies`.

use axum::Json;
use axum::extract::State;
use dilux_core::model::PolicyId;
use utoipa_axum::routes;

use super::reply::{Created, Tagged, created, tagged};
use crate::app::App;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::{Body, Id, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::Done;
use crate::wire::page::PageWish;
use crate::wire::policy::{
    NewPolicy, NewPolicyBody, OnePolicy, Policy, PolicyChange, PolicyChangeBody, PolicyList,
    PolicySaved,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(list_policies))
        .route(Permission::ManageDatabases, routes!(create_policy))
        .route(Permission::View, routes!(get_policy))
        .route(
            Permission::ManageDatabases,
            routes!(update_policy, delete_policy),
        )
}

/// Policies, those of the product first, then by name.
#[utoipa::path(
    get, path = "/api/backup-policies", tag = "policies", params(PageWish),
    responses((status = 200, body = PolicyList))
)]
async fn list_policies(
    State(app): State<App>,
    Query(wish): Query<PageWish>,
) -> Answer<Json<PolicyList>> {
    Ok(Json(app.list_policies(&wish).await?.into()))
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

/// Makes a policy. Its id is made of its name; a name whose id is taken, or that another policy has,
/// is answered with 409.
#[utoipa::path(
    post, path = "/api/backup-policies", tag = "policies", request_body = NewPolicyBody,
    responses((status = 201, body = PolicySaved))
)]
async fn create_policy(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewPolicy>,
) -> Answer<Created<PolicySaved>> {
    let policy = app.create_policy(new, &caller).await?;
    let saved = PolicySaved {
        message: "Backup policy created".to_owned(),
        policy: Policy::from(&policy.value),
    };
    Ok(created(&policy.version, saved))
}

/// Changes a policy, also one that came with the product. Absent fields stay as they are; a tier
/// that is sent is replaced as a whole. The next tick plans by the new schedule. What the next
/// retention run would delete is answered by `POST /api/retention/dry-run`.
#[utoipa::path(
    put, path = "/api/backup-policies/{policy_id}", tag = "policies",
    params(
        ("policy_id" = String, Path, description = "Id of the policy"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = PolicyChangeBody,
    responses((status = 200, body = PolicySaved))
)]
async fn update_policy(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<PolicyId>,
    if_match: IfMatch,
    Body(change): Body<PolicyChange>,
) -> Answer<Tagged<PolicySaved>> {
    let policy = app.update_policy(&id, &change, &if_match, &caller).await?;
    let saved = PolicySaved {
        message: "Backup policy updated".to_owned(),
        policy: Policy::from(&policy.value),
    };
    Ok(tagged(&policy.version, saved))
}

/// Removes a policy. One that came with the product, or that a database or an engine follows, is
/// answered with 400.
#[utoipa::path(
    delete, path = "/api/backup-policies/{policy_id}", tag = "policies",
    params(
        ("policy_id" = String, Path, description = "Id of the policy"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = Done))
)]
async fn delete_policy(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<PolicyId>,
    if_match: IfMatch,
) -> Answer<Json<Done>> {
    app.delete_policy(&id, &if_match, &caller).await?;
    let message = format!("Policy '{id}' deleted");
    Ok(Json(Done { message }))
}
