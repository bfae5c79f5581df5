//! The API in process, over the embedded store, with a clock that stands still.
#![cfg(test)]

mod door;
mod engines;
mod faults;
mod seeds;
mod server;
mod world;
