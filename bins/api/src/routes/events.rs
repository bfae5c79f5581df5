//! Live events: `/api/events`.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use utoipa_axum::routes;

use crate::app::{App, Change, Event, EventId, EventStream};
use crate::caller::{Caller, Proof};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::event::EventData;

/// Longest silence: a comment is sent then, so that both sides notice when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// After how long a browser connects again.
const RECONNECT_AFTER: Duration = Duration::from_secs(3);

/// Has proxies that gather answers pass this one on at once.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a stream looks like.
const EXAMPLE: &str = "retry: 3000\nevent: reset\nid: 9d2c-41\ndata: {\"message\":\"read everything \
                       anew: what happened before this is not told\"}\n\n";

pub(super) fn routes() -> Routes {
    Routes::default().route(Permission::View, routes!(stream_events))
}

/// What happens from now on: jobs (`job`), new backups (`backup`), alerts (`alert`, `alert_over`).
/// After `reset` read what you show anew, since what happened before it is not told: it comes first,
/// unless `Last-Event-ID` names an event that is still known, and when you read too slowly.
#[utoipa::path(
    get, path = "/api/events", tag = "jobs",
    params((
        "Last-Event-ID" = Option<String>, Header,
        description = "Go on after this event; browsers send it when they connect again"
    )),
    responses((
        status = 200, content((String = "text/event-stream", example = json!(EXAMPLE))),
        description = "Events; `data` of each is JSON, an `EventData`. A comment at least every 15 s"
    ))
)]
async fn stream_events(
    State(app): State<App>,
    caller: Caller,
    proof: Proof,
    LastEvent(last): LastEvent,
) -> Answer<Response> {
    let events = app.listen(last, caller, proof).await?;
    let events = stream::try_unfold(events, |mut events| async {
        let Some(event) = events.next().await else {
            return Ok(None);
        };
        let shown = show(&event, &events)?;
        Ok::<_, serde_json::Error>(Some((shown, events)))
    });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    let headers = [(CACHE_CONTROL, "no-store"), (NO_BUFFERING, "no")];
    Ok((headers, Sse::new(events).keep_alive(heartbeat)).into_response())
}

fn show(event: &Event, stream: &EventStream) -> Result<sse::Event, serde_json::Error> {
    let (name, data) = EventData::of(&event.change, stream.caller());
    let shown = sse::Event::default();
    let shown = match event.change {
        Change::Reset => shown.retry(RECONNECT_AFTER),
        _ => shown,
    };
    let data = serde_json::to_string(&data)?;
    Ok(shown.event(name).id(event.id.to_string()).data(data))
}

/// The last event that a client got; none when it names one that is not ours.
struct LastEvent(Option<EventId>);

impl<S: Send + Sync> FromRequestParts<S> for LastEvent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let value = parts.headers.get("last-event-id");
        let text = value.and_then(|value: &HeaderValue| value.to_str().ok());
        Ok(Self(text.and_then(|text| text.parse().ok())))
    }
}
