//! Has whatever changes something announced in the log of intents before it runs, and answered for in
//! the audit log afterwards, so that no change is without a trace: not one that was refused, and not
//! one whose process died half-way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::{Method, request};
use axum::middleware::Next;
use axum::response::Response;
use dilux_core::Error;
use dilux_core::model::AuditId;

use crate::app::App;
use crate::caller::Caller;
use crate::deed::{Announcement, Deed};
use crate::problem::{Answer, Problem};

/// Longest part of a path that is noted; ids are shorter.
const LONGEST_ID: usize = 200;

/// The id of a request, as in the answer and in the log of the service.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// What was announced. Entries that tell of its result name it.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    /// Its id in the log of intents.
    pub(crate) id: AuditId,
    is_taken_up: Arc<AtomicBool>,
    has_failed: Arc<AtomicBool>,
}

impl Intent {
    /// An intent that nothing has answered yet.
    pub(crate) fn new(id: AuditId) -> Self {
        Self {
            id,
            is_taken_up: Arc::default(),
            has_failed: Arc::default(),
        }
    }

    /// Notes that the use case has told of a result, whether or not the entry could be written.
    pub(crate) fn take_up(&self, is_failure: bool) {
        self.is_taken_up.store(true, Ordering::Relaxed);
        self.has_failed.fetch_or(is_failure, Ordering::Relaxed);
    }

    fn is_taken_up(&self) -> bool {
        self.is_taken_up.load(Ordering::Relaxed)
    }

    fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

/// What is known of a change before it runs.
#[derive(Debug)]
pub(crate) struct Announced {
    /// What is to be done.
    pub(crate) deed: Deed,
    /// To which thing, as the path names it; empty when it names none.
    pub(crate) resource_id: String,
    /// Method and route, for people.
    pub(crate) request: String,
    /// Which request it is.
    pub(crate) request_id: Option<String>,
}

/// Runs a request of somebody who may make it. A change runs only when its intent could be noted.
/// A failure that the use case told nothing of gets an entry; where it told of nothing at all, the
/// intent is closed.
pub(crate) async fn attest(request: Request, next: Next) -> Answer<Response> {
    let (mut parts, body) = request.into_parts();
    let Some((app, announced)) = announced(&mut parts).await? else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let mut caller = caller_of(&parts)?;
    let intent = app.intend(&caller, &announced).await?;
    caller.intent = Some(intent.clone());
    parts.extensions.insert(caller.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    match failure(&response) {
        // What was done before it failed has entries of its own.
        Some(reason) if !intent.has_failed() => {
            app.record_refusal(&caller, &announced, reason).await;
        }
        None if !intent.is_taken_up() => app.close_intent(&caller, &announced).await,
        _ => {}
    }
    Ok(response)
}

/// Notes that somebody was not allowed to make this change.
pub(crate) async fn note_denial(parts: &mut request::Parts, reason: &Error) {
    if let Ok(Some((app, announced))) = announced(parts).await
        && let Ok(caller) = caller_of(parts)
    {
        let reason = reason.to_string();
        app.record_refusal(&caller, &announced, reason).await;
    }
}

/// What a request is about to do; `None` for one that changes nothing.
async fn announced(parts: &mut request::Parts) -> Answer<Option<(App, Announced)>> {
    let path = parts.extensions.get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    let deed = match Announcement::of(&parts.method, path) {
        Announcement::None => return Ok(None),
        Announcement::Of(deed) => deed,
        Announcement::Unknown => return Err(undescribed(&parts.method, path)),
    };
    let app = parts.extensions.get::<App>().cloned();
    let app = app.ok_or(Error::Unauthenticated)?;
    let request_id = parts.extensions.get::<RequestId>();
    let request_id = request_id.map(|RequestId(id)| id.clone());
    let named = RawPathParams::from_request_parts(parts, &()).await.ok();
    let named = named.as_ref().and_then(|named| named.iter().next());
    let named = named.map(|(_, text)| text.chars().take(LONGEST_ID).collect());
    let announced = Announced {
        deed,
        resource_id: named.unwrap_or_default(),
        request: format!("{} {path}", parts.method),
        request_id,
    };
    Ok(Some((app, announced)))
}

fn caller_of(parts: &request::Parts) -> Answer<Caller> {
    let caller = parts.extensions.get::<Caller>().cloned();
    caller.ok_or_else(|| Error::Unauthenticated.into())
}

/// A route that the table of deeds does not have runs for nobody.
fn undescribed(method: &Method, path: &str) -> Problem {
    let defect = anyhow::anyhow!("{method} {path} is not in the table of deeds");
    Error::internal("note what is about to be done", defect).into()
}

/// Why a request failed, in the words of its answer; `None` when it did not.
fn failure(response: &Response) -> Option<String> {
    let status = response.status();
    if status.is_success() || status.is_redirection() {
        return None;
    }
    let problem = response.extensions().get::<Problem>();
    let told = problem.map(|problem| problem.detail().to_owned());
    Some(told.unwrap_or_else(|| format!("answered with {status}")))
}
