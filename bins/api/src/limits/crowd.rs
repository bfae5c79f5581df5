//! How many requests are answered at the same time, and how many backups are sent at the same time,
//! each of which takes some blocks of memory. Whoever comes beyond is turned away at once.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::is_probe;
use crate::app::App;
use crate::problem::{Answer, Refusal};

/// The route that sends the data of a backup.
const SENDING: &str = "/api/backups/{backup_id}/data";

/// The places of requests, and those of backups that are sent; without limit when absent.
#[derive(Debug)]
pub(super) struct Crowd {
    requests: Option<Arc<Semaphore>>,
    sending: Option<Arc<Semaphore>>,
}

impl Crowd {
    pub(super) fn new(requests: Option<NonZeroU32>, sending: Option<NonZeroU32>) -> Self {
        let places = |limit: NonZeroU32| {
            Arc::new(Semaphore::new(
                usize::try_from(limit.get()).unwrap_or(Semaphore::MAX_PERMITS),
            ))
        };
        Self {
            requests: requests.map(places),
            sending: sending.map(places),
        }
    }
}

fn enter(places: Option<&Arc<Semaphore>>) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
    let entered = places.map(|places| places.clone().try_acquire_owned());
    entered.transpose().map_err(|_| Refusal::Crowded)
}

/// Lets a request in where there is a place for it. Its place is free again when the answer begins,
/// that of a backup that is sent when the last byte has gone.
pub(crate) async fn admit_to_crowd(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Answer<Response> {
    if is_probe(&request) {
        return Ok(next.run(request).await);
    }
    let crowd = &app.limits.crowd;
    let path = request.extensions().get::<MatchedPath>();
    let is_sending = path.is_some_and(|path| path.as_str() == SENDING);
    let sending = is_sending.then_some(crowd.sending.as_ref()).flatten();
    let place = enter(crowd.requests.as_ref())?;
    let sender = enter(sending)?;
    let response = next.run(request).await;
    drop(place);
    Ok(match sender {
        None => response,
        Some(place) => response.map(|body| hold(place, body)),
    })
}

/// A body that keeps a place until it is sent or given up.
fn hold(place: OwnedSemaphorePermit, body: Body) -> Body {
    let bytes = body.into_data_stream().map(move |bytes| {
        let _held = &place;
        bytes
    });
    Body::from_stream(bytes)
}
