//! Holds the shape of the workspace: which crate may use which, what the pure modules may name,
//! and what `deny.toml` says of foreign crates.
#![cfg(test)]

mod arrows;
mod foreign;
mod purity;
mod workspace;
