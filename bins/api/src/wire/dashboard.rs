//! Numbers for the dashboard, in the shapes of the Python product.

mod failing;
mod size;
mod status;
mod storage;

pub(crate) use failing::{BackupAlerts, FailingQuery};
pub(crate) use status::{StatusQuery, SystemStatus};
pub(crate) use storage::{BackupStats, StorageStats};
