//! The harness of the journeys: services as processes, stores to run them on, and the API as a
//! user calls it.

mod client;
mod disk;
mod invariants;
mod servers;
mod service;
mod store;

pub use client::{Client, text};
pub use disk::SmallDisk;
pub use invariants::Holdings;
pub use servers::Sample;
pub use service::{Service, binary, signal};
pub use store::{Home, StoreKind};
