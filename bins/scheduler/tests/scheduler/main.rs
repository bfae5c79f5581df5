//! The scheduler over the embedded store, with a clock that the tests move.
#![cfg(test)]

mod acceptance;
mod audit;
mod changes;
mod clocks;
mod damage;
mod faults;
mod overtaken;
mod repeats;
mod secrets;
mod tick;
mod timers;
mod world;
