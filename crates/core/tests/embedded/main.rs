//! The embedded adapter: conformance, several processes, `kill -9`, a full disk, damage, secrets.

#![cfg(test)]

mod blobs;
mod conformance;
mod full;
mod kill;
mod processes;
mod secrets;
mod support;
mod sweep;
mod tables;
