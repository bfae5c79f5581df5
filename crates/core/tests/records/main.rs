//! The audit log and the tallies over the embedded store, with processes that die and people who
//! tamper.
#![cfg(test)]

mod appending;
mod intents;
mod numbering;
mod older_heads;
mod tallies;
mod tallies_mended;
mod tampering;
mod world;
