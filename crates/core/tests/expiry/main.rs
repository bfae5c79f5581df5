//! Retention carried out over the embedded store, with a clock that the tests move.
#![cfg(test)]

mod acceptance;
mod clock_jumps;
mod crashes;
mod damage;
mod deletion;
mod guards;
mod protection;
mod recovery;
mod refusals;
mod wishes;
mod world;
