//! Which backups of a database are kept and which may go, each with its reason. Pure.
//!
//! The rules stand in `docs/retention.md`; what follows from a plan is done by `expiry`.

mod candidate;
mod plan;
mod reason;
mod rules;

pub use candidate::{Candidate, Soundness};
pub use plan::{Decision, Plan, Verdict, plan};
pub use reason::{ExpireReason, KeepReason};
pub use rules::{Rules, Standing, TierKeep};
