//! Databases whose newest backups failed.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::FailingDatabase;
use crate::caller::Caller;
use crate::input::{Filters, FromQuery};

/// How many failures make an alert.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FailingQuery {
    /// Failures, one after the other; 2 when absent.
    #[param(value_type = Option<u64>, minimum = 1)]
    pub(crate) consecutive_failures: u64,
}

impl FromQuery for FailingQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let number = filters.number("consecutive_failures", 1..=u64::from(u32::MAX));
        Some(Self {
            consecutive_failures: number.unwrap_or(2),
        })
    }
}

/// Databases whose newest backups failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupAlerts {
    /// Latest failure first.
    alerts: Vec<BackupAlert>,
    /// How many.
    count: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct BackupAlert {
    database_id: String,
    database_name: String,
    #[schema(example = "postgresql")]
    database_type: &'static str,
    /// Backups that failed, or were never tried, since the newest one that was made.
    consecutive_failures: u64,
    last_failure_at: String,
    /// Why the newest one failed; for viewers in general words.
    last_error: String,
}

impl BackupAlerts {
    /// Those databases, as the caller may see them: what servers say may name accounts.
    pub(crate) fn new(failing: Vec<FailingDatabase>, caller: &Caller) -> Self {
        let told = |reason: String| {
            if caller.sees_accounts() {
                reason
            } else {
                "the backup failed; its line in the history says how".to_owned()
            }
        };
        let alert = |database: FailingDatabase| BackupAlert {
            database_id: database.database.id.to_string(),
            database_name: database.database.label.to_string(),
            database_type: database.engine_type.as_str(),
            consecutive_failures: database.failures,
            last_failure_at: database.latest.at.to_string(),
            last_error: told(database.latest.reason),
        };
        Self {
            count: failing.len(),
            alerts: failing.into_iter().map(alert).collect(),
        }
    }
}
