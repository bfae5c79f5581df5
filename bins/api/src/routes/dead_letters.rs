//! Dead letters: `/api/dead-letters`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dilux_core::model::DeadLetterId;
use utoipa_axum::routes;

use super::reply::accepted;
use crate::app::App;
use crate::caller::Caller;
use crate::input::{Id, IdempotencyKey, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::Done;
use crate::wire::dead_letter::{DeadLetterList, DeadLetterRequeued};
use crate::wire::page::PageWish;

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::Administer, routes!(list_dead_letters))
        .costly_route(Permission::Administer, routes!(requeue_dead_letter))
        .route(Permission::Administer, routes!(discard_dead_letter))
}

/// What the workers could not work off, newest first.
#[utoipa::path(
    get, path = "/api/dead-letters", tag = "jobs", params(PageWish),
    responses((status = 200, body = DeadLetterList))
)]
async fn list_dead_letters(
    State(app): State<App>,
    Query(wish): Query<PageWish>,
) -> Answer<Json<DeadLetterList>> {
    Ok(Json(app.list_dead_letters(&wish).await?.into()))
}

/// Gives a letter another chance: its message is rung again, or its failed job booked anew.
#[utoipa::path(
    post, path = "/api/dead-letters/{dead_letter_id}/requeue", tag = "jobs",
    params(
        ("dead_letter_id" = String, Path, description = "Id of the letter"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is the same requeue, \
            also when the letter is gone; it is remembered for at least a week"),
    ),
    responses((status = 202, body = DeadLetterRequeued))
)]
async fn requeue_dead_letter(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeadLetterId>,
    IdempotencyKey(key): IdempotencyKey,
) -> Answer<(StatusCode, Json<DeadLetterRequeued>)> {
    let (requeued, is_new) = app.requeue(&id, key.as_deref(), &caller).await?;
    Ok(accepted(DeadLetterRequeued::new(&requeued, is_new)))
}

/// Throws a letter away.
#[utoipa::path(
    delete, path = "/api/dead-letters/{dead_letter_id}", tag = "jobs",
    params(("dead_letter_id" = String, Path, description = "Id of the letter")),
    responses((status = 200, body = Done))
)]
async fn discard_dead_letter(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeadLetterId>,
) -> Answer<Json<Done>> {
    app.discard(&id, &caller).await?;
    let message = format!("Dead letter '{id}' discarded");
    Ok(Json(Done { message }))
}
