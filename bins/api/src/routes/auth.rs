//! Signing in and out: `/api/auth`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use dilux_core::Error;
use utoipa_axum::routes;

use crate::addressing::Addressing;
use crate::app::App;
use crate::caller::Caller;
use crate::input::Body;
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::session_cookie::{give, refuse_foreign_page, take_back};
use crate::wire::user::{
    AcceptedInvitation, AuthEvent, FirstAdmin, PasswordChange, SignIn, SignedIn, Success, User,
    UserSaved,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::MakeFirstAdmin, routes!(set_up))
        .route(Permission::Public, routes!(sign_in))
        .route(Permission::Public, routes!(accept_invitation))
        .route(Permission::OwnAccount, routes!(sign_out))
        .route(Permission::OwnAccount, routes!(change_password))
        .route(Permission::OwnAccount, routes!(record_event))
}

/// Makes the first admin, with the bootstrap token, which is spent by it, or an admin's API token.
/// Refused as soon as anybody is registered.
#[utoipa::path(
    post, path = "/api/auth/setup", tag = "access", request_body = FirstAdmin,
    responses((status = 201, body = UserSaved))
)]
async fn set_up(
    State(app): State<App>,
    caller: Caller,
    Body(first): Body<FirstAdmin>,
) -> Answer<(StatusCode, Json<UserSaved>)> {
    let (new, password) = first.into_parts();
    let user = app.create_first_admin(new, password, &caller).await?;
    let saved = UserSaved {
        message: "First admin created".to_owned(),
        user: User::from(&user),
    };
    Ok((StatusCode::CREATED, Json(saved)))
}

/// Signs in with e-mail and password. The session comes as a cookie.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "access", request_body = SignIn,
    responses((status = 200, body = SignedIn))
)]
async fn sign_in(
    State(app): State<App>,
    addressing: Addressing,
    headers: HeaderMap,
    Body(wanted): Body<SignIn>,
) -> Answer<impl IntoResponse> {
    refuse_foreign_page(&headers, &addressing)?;
    let SignIn { email, password } = wanted;
    let (user, text) = app.sign_in(&email, password, addressing.client()).await?;
    let signed_in = SignedIn {
        success: true,
        user: User::from(&user),
    };
    Ok(([cookie(give(&text))?], Json(signed_in)))
}

/// Chooses a password with an invitation, once. Every session of the person ends.
#[utoipa::path(
    post, path = "/api/auth/invitation", tag = "access", request_body = AcceptedInvitation,
    responses((status = 200, body = UserSaved))
)]
async fn accept_invitation(
    State(app): State<App>,
    addressing: Addressing,
    headers: HeaderMap,
    Body(accepted): Body<AcceptedInvitation>,
) -> Answer<Json<UserSaved>> {
    refuse_foreign_page(&headers, &addressing)?;
    let text = accepted.invitation.expose();
    let user = app
        .accept_invitation(&accepted.email, text, accepted.password.clone())
        .await?;
    Ok(Json(UserSaved {
        message: "Password set. You can sign in now.".to_owned(),
        user: User::from(&user),
    }))
}

/// Ends the session at once.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "access",
    responses((status = 200, body = Success))
)]
async fn sign_out(State(app): State<App>, caller: Caller) -> Answer<impl IntoResponse> {
    app.sign_out(&caller).await?;
    Ok(([take_back()], Json(Success { success: true })))
}

/// Changes the own password. Every session ends, and a new one begins for this browser.
#[utoipa::path(
    put, path = "/api/users/me/password", tag = "access", request_body = PasswordChange,
    responses((status = 200, body = Success))
)]
async fn change_password(
    State(app): State<App>,
    caller: Caller,
    Body(change): Body<PasswordChange>,
) -> Answer<impl IntoResponse> {
    let text = app
        .change_own_password(change.current_password, change.new_password, &caller)
        .await?;
    Ok(([cookie(give(&text))?], Json(Success { success: true })))
}

/// Notes in the audit log that a dashboard signed in or out.
#[utoipa::path(
    post, path = "/api/auth/events", tag = "access", request_body = AuthEvent,
    responses((status = 200, body = Success))
)]
async fn record_event(
    State(app): State<App>,
    caller: Caller,
    Body(noted): Body<AuthEvent>,
) -> Answer<Json<Success>> {
    let is_login = match noted.event.as_deref() {
        Some("login") => true,
        Some("logout") => false,
        _ => {
            let message = "Invalid event. Must be 'login' or 'logout'";
            return Err(Error::Refused(message.to_owned()).into());
        }
    };
    app.record_own_event(is_login, &caller).await?;
    Ok(Json(Success { success: true }))
}

fn cookie((name, text): (HeaderName, String)) -> Answer<(HeaderName, HeaderValue)> {
    let value = HeaderValue::try_from(text);
    let value = value.map_err(|error| Error::internal("make the cookie", error))?;
    Ok((name, value))
}
