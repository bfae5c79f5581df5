//! Puts the routes together, closed by default: every route stands behind the door, and so does the
//! answer for paths that no route serves; only what the permission table calls public, and the
//! documentation, do not.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};

use crate::addressing::receive;
use crate::app::{App, Application};
use crate::caller::authenticate;
use crate::context::Context;
use crate::document;
use crate::envelope::envelop;
use crate::limits::{admit_stranger, admit_to_crowd};
use crate::problem::{method_not_allowed, no_such_route};
use crate::routes;

/// Longest request body.
const BODY_LIMIT: usize = 1024 * 1024;

/// The whole API over `context`.
pub fn router(context: Context) -> Router {
    router_of(Arc::new(Application::new(context)))
}

/// The whole API over an application.
pub(crate) fn router_of(app: App) -> Router {
    let (open, closed) = routes::all().into_routers();
    let closed = closed
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), authenticate));
    let open = open
        .merge(document::user_interface())
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), admit_stranger));
    Router::new()
        .merge(closed)
        .merge(open)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(app.clone(), receive))
        .layer(middleware::from_fn_with_state(app.clone(), admit_to_crowd))
        .layer(middleware::from_fn_with_state(app.clone(), envelop))
        .with_state(app)
}
