//! Dilux in simulated days: the real services over stores that fail, delay, repeat and forget, in
//! processes that die at any request, all from one seed.
//!
//! Time is the paused time of a runtime of one thread, and every number comes from the seed, so a
//! run that breaks a rule can be replayed to the last request.

mod clock;
mod connection;
mod copies;
mod defect;
mod event_log;
mod fault;
mod network;
mod observer;
mod process;
mod random;
mod source;
mod verdict;
mod world;

pub mod campaign;
mod memory;

/// A third of a run is allocating the rows that a store in memory hands out.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use defect::Defect;
pub use event_log::SimulatedTime;
pub use memory::Memory;
pub use world::{Outcome, run};
