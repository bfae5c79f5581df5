//! Slots and the due planner. Pure: policies, state and `now` in, owed jobs with reasons out.

mod due;
mod seed;
mod slot;

pub use due::{Due, due};
pub use seed::{DEFAULT_POLICY, system_policies};
pub use slot::latest_slot;
