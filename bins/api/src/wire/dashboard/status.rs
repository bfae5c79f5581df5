//! The state of everything, in numbers.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::size::size;
use crate::app::{Period, Status};
use crate::input::{Filters, FromQuery};

/// Which period.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusQuery {
    /// `1d`, `7d`, `30d` or `all`; `1d` when absent.
    #[param(value_type = Option<String>, example = "7d")]
    pub(crate) period: Period,
}

impl FromQuery for StatusQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        Some(Self {
            period: filters.parsed("period").unwrap_or_default(),
        })
    }
}

/// The state of everything.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SystemStatus {
    /// Now.
    timestamp: String,
    /// Backups that are there.
    storage: StorageTotal,
    /// Backups of the period.
    backups: BackupsOfPeriod,
    /// What works.
    services: Services,
}

#[derive(Debug, Serialize, ToSchema)]
struct StorageTotal {
    /// Stored bytes.
    total_size_bytes: u64,
    /// The same for people.
    #[schema(example = "58.24 KB")]
    total_size_formatted: String,
    /// Backups that are there.
    backup_count: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct BackupsOfPeriod {
    /// As asked.
    #[schema(example = "1d")]
    period: &'static str,
    /// Lines of the history that were booked today (UTC), however they ended.
    today: u64,
    /// Backups that were made.
    completed: u64,
    /// Backups that failed or were never tried.
    failed: u64,
    /// Per cent, one decimal; `null` without backups.
    success_rate: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Services {
    api: Service,
    storage: Service,
    databases: DatabasesService,
}

#[derive(Debug, Serialize, ToSchema)]
struct Service {
    /// `healthy` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// Why, for people.
    message: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct DatabasesService {
    /// `healthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// For people.
    #[schema(example = "4 enabled / 5 total")]
    message: String,
    /// Registered databases.
    total: usize,
    /// Those that are backed up.
    enabled: usize,
}

impl SystemStatus {
    /// The answer for a period.
    pub(crate) fn new(status: &Status, period: Period) -> Self {
        let turnout = status.turnout;
        let storage = status.silent_store.as_ref();
        Self {
            timestamp: status.now.to_string(),
            storage: StorageTotal {
                total_size_bytes: status.bytes,
                total_size_formatted: size(status.bytes),
                backup_count: status.backups,
            },
            backups: BackupsOfPeriod {
                period: period.as_str(),
                today: status.today,
                completed: turnout.completed,
                failed: turnout.failed,
                success_rate: success_rate(turnout.completed, turnout.failed),
            },
            services: Services {
                api: Service {
                    status: "healthy",
                    message: "Running".to_owned(),
                },
                storage: Service {
                    status: if storage.is_none() {
                        "healthy"
                    } else {
                        "unhealthy"
                    },
                    message: storage.cloned().unwrap_or_else(|| "Connected".to_owned()),
                },
                databases: DatabasesService {
                    status: "healthy",
                    message: format!("{} enabled / {} total", status.enabled, status.databases),
                    total: status.databases,
                    enabled: status.enabled,
                },
            },
        }
    }
}

/// Per cent with one decimal.
#[expect(
    clippy::cast_precision_loss,
    reason = "a quotient for people; counts stay far below 2^52"
)]
fn success_rate(completed: u64, failed: u64) -> Option<f64> {
    let all = completed + failed;
    (all > 0).then(|| (completed as f64 * 1000.0 / all as f64).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_success_rate_has_one_decimal_and_is_none_without_backups() {
        assert_eq!(success_rate(8, 4), Some(66.7));
        assert_eq!(success_rate(0, 0), None);
    }
}
