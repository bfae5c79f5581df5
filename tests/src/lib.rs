//! The harness of the journeys: services as processes, stores to run them on, and the API as a
//! user calls it.

mod browser;
mod client;
mod disk;
mod events;
mod invariants;
mod lanes;
mod patience;
mod servers;
mod service;
mod store;
mod tables;
mod watch;

pub use browser::Browser;
pub use client::{Client, text};
pub use disk::SmallDisk;
pub use events::{LiveEvent, LiveEvents};
pub use invariants::Holdings;
pub use lanes::{in_lanes, proves_all};
pub use patience::{eventually, until_idle};
pub use servers::Sample;
pub use service::{Service, binary, signal};
pub use store::{Home, StoreKind};
pub use tables::{Rows, audited, lose, rows};
pub use watch::{RecordingTools, Seen, Watch};
