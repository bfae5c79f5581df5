//! People over the embedded store: what must hold however many ask at the same time.
#![cfg(test)]

mod arrivals;
mod people;
mod requests;
mod world;
