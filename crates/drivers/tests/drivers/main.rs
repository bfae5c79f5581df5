//! The drivers against real servers, and against fake tools for what real ones do not do.
#![cfg(test)]

mod clear_password;
mod contracts;
mod endings;
mod failures;
mod faults;
mod fingerprints;
mod guard;
mod names;
mod restores;
mod round_trips;
mod secrets;
mod silence;
mod sql_server;
mod sql_server_tokens;
mod stripped;
mod stripper;
mod support;
mod tls;
mod tokens;
