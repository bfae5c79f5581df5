//! Signing in through the identity provider, and which ways to sign in there are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{AppendHeaders, IntoResponse, Response};
use dilux_core::Error;
use utoipa_axum::routes;

use crate::addressing::Addressing;
use crate::app::App;
use crate::envelope::OPEN_WARNING;
use crate::input::Query;
use crate::permission::Permission;
use crate::problem::{Answer, Problem};
use crate::registration::Routes;
use crate::session_cookie::{attempt_in, give, give_attempt, take_back_attempt};
use crate::web::explain;
use crate::wire::provider::{ProviderCallback, ProviderStart, SignInMethods};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::Public, routes!(list_methods))
        .route(Permission::Public, routes!(begin))
        .route(Permission::Public, routes!(finish))
}

/// The ways to sign in that a dashboard may offer, or that nobody needs to.
#[utoipa::path(
    get, path = "/api/auth/methods", tag = "access",
    responses((status = 200, body = SignInMethods))
)]
async fn list_methods(State(app): State<App>) -> Json<SignInMethods> {
    if app.trusts_everybody() {
        Json(SignInMethods::none(OPEN_WARNING))
    } else {
        Json(SignInMethods::new(app.issuer()))
    }
}

/// Sends the browser to the identity provider.
#[utoipa::path(
    get, path = "/api/auth/oidc/start", tag = "access", params(ProviderStart),
    responses((status = 303, description = "To the identity provider"))
)]
async fn begin(
    State(app): State<App>,
    Query(start): Query<ProviderStart>,
) -> Answer<impl IntoResponse> {
    let (url, attempt) = app.begin_provider_sign_in(start.return_to).await?;
    redirect(url.as_str(), vec![give_attempt(&attempt)])
}

/// Where the identity provider sends the browser back to. The session comes as a cookie; a failure as a
/// page where the browser takes one.
#[utoipa::path(
    get, path = "/api/auth/oidc/callback", tag = "access", params(ProviderCallback),
    responses((status = 303, description = "To the page that was asked for at the beginning"))
)]
async fn finish(
    State(app): State<App>,
    addressing: Addressing,
    headers: HeaderMap,
    Query(callback): Query<ProviderCallback>,
) -> Answer<Response> {
    let attempt = attempt_in(&headers);
    let address = addressing.client();
    let ended = app.finish_provider_sign_in(callback.into(), attempt, address);
    match ended.await.map_err(Problem::from) {
        Ok((session, path)) => {
            let cookies = vec![give(&session), take_back_attempt()];
            Ok(redirect(path.as_str(), cookies)?.into_response())
        }
        Err(problem) => explain(&problem, &headers).ok_or(problem),
    }
}

fn redirect(to: &str, cookies: Vec<(HeaderName, String)>) -> Answer<impl IntoResponse + use<>> {
    let mut headers = vec![(header::LOCATION, to.to_owned())];
    headers.extend(cookies);
    let headers = headers.into_iter().map(|(name, text)| {
        let value = HeaderValue::try_from(text);
        let value = value.map_err(|error| Error::internal("make the redirect", error))?;
        Ok((name, value))
    });
    let headers: Vec<(HeaderName, HeaderValue)> = headers.collect::<Answer<_>>()?;
    Ok((StatusCode::SEE_OTHER, AppendHeaders(headers)))
}
