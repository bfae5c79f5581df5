//! The HTTP service. Handlers extract, call one use case of `app`, and wrap its answer; `wire` holds
//! what clients see; `problem` alone knows which failure has which status code.

mod addressing;
mod app;
mod attempts;
mod attest;
mod caller;
mod connections;
mod context;
mod deed;
mod document;
mod envelope;
mod etag;
mod identity;
mod input;
mod limits;
mod password;
mod permission;
mod problem;
mod registration;
mod router;
mod routes;
mod server;
mod session_cookie;
mod traffic;
mod web;
mod wire;

pub use context::Context;
pub use document::openapi;
pub use router::router;
pub use server::{ForeignAddress, check_address, serve};
