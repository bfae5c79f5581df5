//! The embedded adapter: conformance, several processes, `kill -9`, a full disk, secrets.

#![cfg(test)]

#[path = "embedded/conformance.rs"]
mod conformance;
#[path = "embedded/support.rs"]
mod support;
