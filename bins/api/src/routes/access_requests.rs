//! Requests for access: `/api/access-requests`.

use axum::Json;
use axum::extract::State;
use dilux_core::model::AccessRequestId;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::input::{Id, OptionalBody};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::Done;
use crate::wire::access_request::{AccessRequestList, Approval, Rejection};
use crate::wire::user::{User, UserSaved};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::Administer, routes!(list_access_requests))
        .route(Permission::Administer, routes!(approve_access_request))
        .route(Permission::Administer, routes!(reject_access_request))
}

/// Requests for access that nobody has decided, newest first.
#[utoipa::path(
    get, path = "/api/access-requests", tag = "access",
    responses((status = 200, body = AccessRequestList))
)]
async fn list_access_requests(State(app): State<App>) -> Answer<Json<AccessRequestList>> {
    Ok(Json(app.access_requests().await?.into()))
}

/// Lets somebody in, with a role.
#[utoipa::path(
    post, path = "/api/access-requests/{request_id}/approve", tag = "access",
    params(("request_id" = String, Path, description = "Id of the request")),
    request_body = Option<Approval>,
    responses((status = 200, body = UserSaved))
)]
async fn approve_access_request(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<AccessRequestId>,
    OptionalBody(approval): OptionalBody<Approval>,
) -> Answer<Json<UserSaved>> {
    let user = app.approve(&id, approval.role, &caller).await?;
    let (email, role) = (&user.email, user.role);
    Ok(Json(UserSaved {
        message: format!("Access request approved. User '{email}' created with role '{role}'"),
        user: User::from(&user),
    }))
}

/// Refuses somebody, with a reason. They may ask again after a week.
#[utoipa::path(
    post, path = "/api/access-requests/{request_id}/reject", tag = "access",
    params(("request_id" = String, Path, description = "Id of the request")),
    request_body = Option<Rejection>,
    responses((status = 200, body = Done))
)]
async fn reject_access_request(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<AccessRequestId>,
    OptionalBody(rejection): OptionalBody<Rejection>,
) -> Answer<Json<Done>> {
    let request = app.reject(&id, rejection.reason, &caller).await?;
    let message = format!("Access request for '{}' rejected", request.email);
    Ok(Json(Done { message }))
}
