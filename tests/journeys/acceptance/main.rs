//! Scenarios of acceptance that take the real binaries, real servers and real stores.
#![cfg(test)]

mod canary;
