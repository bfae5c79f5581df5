//! API tokens: `/api/tokens`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dilux_core::model::ApiTokenId;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::input::{Body, Id, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::Done;
use crate::wire::page::PageWish;
use crate::wire::token::{NewToken, TokenCreated, TokenList};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::Administer, routes!(list_tokens, create_token))
        .route(Permission::Administer, routes!(delete_token))
}

/// API tokens, newest first, without their secrets.
#[utoipa::path(
    get, path = "/api/tokens", tag = "access", params(PageWish),
    responses((status = 200, body = TokenList))
)]
async fn list_tokens(
    State(app): State<App>,
    Query(wish): Query<PageWish>,
) -> Answer<Json<TokenList>> {
    Ok(Json(app.list_tokens(&wish).await?.into()))
}

/// Makes an API token for a program. Its secret is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/api/tokens", tag = "access", request_body = NewToken,
    responses((status = 201, body = TokenCreated))
)]
async fn create_token(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewToken>,
) -> Answer<(StatusCode, Json<TokenCreated>)> {
    let (token, text) = app.create_token(new.into(), &caller).await?;
    Ok((StatusCode::CREATED, Json(TokenCreated::new(&token, &text))))
}

/// Revokes an API token at once.
#[utoipa::path(
    delete, path = "/api/tokens/{token_id}", tag = "access",
    params(("token_id" = String, Path, description = "Id of the token")),
    responses((status = 200, body = Done))
)]
async fn delete_token(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ApiTokenId>,
) -> Answer<Json<Done>> {
    app.delete_token(&id, &caller).await?;
    let message = format!("Token '{id}' deleted");
    Ok(Json(Done { message }))
}
