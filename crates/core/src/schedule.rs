//! Slots and the planner. Pure: policies, state and `now` in; owed jobs, missed slots and next
//! slots out, each with its reason. The rules: `docs/adr/2026-11-21-slots.md`.

mod civil;
mod mark;
mod outlook;
mod pause;
mod plan;
mod preview;
mod seed;
mod slot;
mod state;
mod timely;

pub use mark::ScheduleMark;
pub use outlook::{Outlook, TierOutlook};
pub use plan::{MissedSlots, Plan, PlannedJob, Situation, overtaken, plan};
pub use preview::{Run, next_runs};
pub use seed::{DEFAULT_POLICY, system_policies};
pub use slot::{Slots, opened};
pub use state::{SlotJob, SlotOutcome, TierState};
pub use timely::{Timeliness, timeliness};
