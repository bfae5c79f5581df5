//! Live events: what happens in the stores is told to everybody who listens, while they may. Time
//! stands still but for those who wait for it.

mod listeners;
mod told;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, Response};
use futures::StreamExt as _;
use serde_json::Value;

use crate::world::{TOKEN, World};

/// An event as a browser sees it.
#[derive(Debug, Default, Clone, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

/// A stream under reading.
struct Stream {
    body: BodyDataStream,
    text: String,
    /// Comments so far.
    heartbeats: usize,
}

impl Stream {
    fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers["content-type"], "text/event-stream");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-accel-buffering"], "no");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
            heartbeats: 0,
        }
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                match parse(&block) {
                    Some(event) => return Some(event),
                    None => self.heartbeats += 1,
                }
                continue;
            }
            let bytes = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event, which must have this name.
    async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await.expect("the stream goes on");
        assert_eq!(event.name, name, "{event:?}");
        event
    }
}

/// `None` for a comment.
fn parse(block: &str) -> Option<Event> {
    let mut event = Event::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap();
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => value.clone_into(&mut event.id),
            "data" => event.data = serde_json::from_str(value).unwrap(),
            "retry" => assert_eq!(value, "3000"),
            "" => assert_eq!(value, ""),
            _ => panic!("no field is called '{field}'"),
        }
    }
    (event != Event::default()).then_some(event)
}

async fn ask(world: &World, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder()
        .uri("/api/events")
        .header("host", "localhost:7071");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.open(request.body(Body::empty()).unwrap()).await
}

async fn listen_as(world: &World, token: &str) -> Stream {
    let bearer = format!("Bearer {token}");
    Stream::of(ask(world, &[("authorization", &bearer)]).await)
}

/// A stream of the admin, whose reset has been read.
async fn listen(world: &World) -> Stream {
    let mut stream = listen_as(world, TOKEN).await;
    stream.expect("reset").await;
    stream
}

async fn listen_after(world: &World, last: &str) -> Stream {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("last-event-id", last)];
    Stream::of(ask(world, &headers).await)
}
