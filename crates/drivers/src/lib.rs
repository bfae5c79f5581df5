//! One driver per engine type: probe, discover, dump, restore, fingerprint. A type that is not backed up
//! has a connector, for the first two.
//!
//! Drivers run the vendor's own client tools or speak its protocol; callers cannot tell. Only
//! `process` spawns.

mod created;
mod discover;
mod driver;
mod drivers;
mod explain;
mod guard;
mod mysql;
mod postgresql;
mod process;
mod restore;
mod sqlserver;
mod tools;

pub use driver::{
    Connector, DiscoveredDatabase, Driver, Probe, REHEARSAL_PREFIX, Renew, Renewal, RestorePlan,
    RunningDump, Target,
};
pub use drivers::{DriverSettings, Drivers};
pub use guard::{Resolver, SystemResolver};
pub use process::Deadlines;
pub use tools::{ToolReport, ToolSearch, Tools};
