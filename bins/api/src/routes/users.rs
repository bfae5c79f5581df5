//! People: `/api/users`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use dilux_core::accounts::{NewUser, Preferences, UserChange};
use dilux_core::model::UserId;
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
use crate::wire::user::{
    Me, NewUserBody, OneUser, PreferencesBody, User, UserChangeBody, UserFilter, UserInvited,
    UserList, UserSaved,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::Administer, routes!(list_users, create_user))
        .route(Permission::OwnAccount, routes!(get_me))
        .route(Permission::OwnAccount, routes!(set_preferences))
        .route(Permission::OwnAccount, routes!(get_user))
        .route(Permission::Administer, routes!(update_user, delete_user))
        .route(Permission::Administer, routes!(invite_again))
}

/// People by e-mail.
#[utoipa::path(
    get, path = "/api/users", tag = "access", params(UserFilter),
    responses((status = 200, body = UserList))
)]
async fn list_users(
    State(app): State<App>,
    Query(filter): Query<UserFilter>,
) -> Answer<Json<UserList>> {
    let page = app.list_users(&filter).await?;
    Ok(Json(UserList::new(&page, &filter)))
}

/// Registers somebody. The answer holds an invitation, with which they choose a password.
#[utoipa::path(
    post, path = "/api/users", tag = "access", request_body = NewUserBody,
    responses((status = 201, body = UserInvited))
)]
async fn create_user(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewUser>,
) -> Answer<Created<UserInvited>> {
    let (user, text) = app.invite(new, &caller).await?;
    Ok(created(&user.version, UserInvited::new(&user.value, &text)))
}

/// Who calls. A token is shown in the shape of a person.
#[utoipa::path(
    get, path = "/api/users/me", tag = "access",
    responses((status = 200, body = Me))
)]
async fn get_me(State(app): State<App>, caller: Caller) -> Answer<Response> {
    let is_first_run = app.is_first_run().await?;
    let Some(person) = &caller.person else {
        let user = User::of_program(&caller, &app.installation.clock.now().to_string());
        return Ok(Json(Me { user, is_first_run }).into_response());
    };
    let found = app.view_user(&person.id, &caller).await?;
    let user = User::from(&found.value);
    Ok(tagged(&found.version, Me { user, is_first_run }).into_response())
}

/// Sets own preferences.
#[utoipa::path(
    put, path = "/api/users/me/preferences", tag = "access", request_body = PreferencesBody,
    params(("If-Match" = Option<String>, Header, description = "ETag that must still hold")),
    responses((status = 200, body = UserSaved))
)]
async fn set_preferences(
    State(app): State<App>,
    caller: Caller,
    if_match: IfMatch,
    Body(preferences): Body<Preferences>,
) -> Answer<Tagged<UserSaved>> {
    let user = app.prefer(preferences, &if_match, &caller).await?;
    let saved = UserSaved {
        message: "Preferences updated".to_owned(),
        user: User::from(&user.value),
    };
    Ok(tagged(&user.version, saved))
}

/// One person: oneself, or for admins anybody.
#[utoipa::path(
    get, path = "/api/users/{user_id}", tag = "access",
    params(("user_id" = String, Path, description = "Id of the person")),
    responses((status = 200, body = OneUser))
)]
async fn get_user(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
) -> Answer<Tagged<OneUser>> {
    let found = app.view_user(&id, &caller).await?;
    let user = User::from(&found.value);
    Ok(tagged(&found.version, OneUser { user }))
}

/// Changes somebody. Another role, other grants, or being disabled ends their sessions at once.
#[utoipa::path(
    put, path = "/api/users/{user_id}", tag = "access",
    params(
        ("user_id" = String, Path, description = "Id of the person"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = UserChangeBody,
    responses((status = 200, body = UserSaved))
)]
async fn update_user(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    if_match: IfMatch,
    Body(change): Body<UserChange>,
) -> Answer<Tagged<UserSaved>> {
    let user = app.update_user(&id, &change, &if_match, &caller).await?;
    let saved = UserSaved {
        message: "User updated".to_owned(),
        user: User::from(&user.value),
    };
    Ok(tagged(&user.version, saved))
}

/// Removes somebody; their sessions end at once. One admin who can sign in always stays.
#[utoipa::path(
    delete, path = "/api/users/{user_id}", tag = "access",
    params(
        ("user_id" = String, Path, description = "Id of the person"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = Done))
)]
async fn delete_user(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    if_match: IfMatch,
) -> Answer<Json<Done>> {
    app.delete_user(&id, &if_match, &caller).await?;
    let message = format!("User '{id}' deleted");
    Ok(Json(Done { message }))
}

/// Gives somebody a new invitation, for a first password or a forgotten one. An earlier one is void.
#[utoipa::path(
    post, path = "/api/users/{user_id}/invitation", tag = "access",
    params(("user_id" = String, Path, description = "Id of the person")),
    responses((status = 201, body = UserInvited))
)]
async fn invite_again(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
) -> Answer<Created<UserInvited>> {
    let (user, text) = app.invite_again(&id, &caller).await?;
    Ok(created(&user.version, UserInvited::new(&user.value, &text)))
}
