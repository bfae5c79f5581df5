//! Numbers for the dashboard, in the shapes of the Python product.

use std::collections::HashMap;

use dilux_core::model::{EngineId, EngineType, Tally};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::{Alert, Period, Status, StorageUse};
use crate::input::{Filters, FromQuery};

const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];

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

/// What backups take up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StorageStats {
    /// Stored bytes of all backups that are there.
    total_size_bytes: u64,
    /// The same for people.
    total_size_formatted: String,
    /// Backups that are there.
    total_backup_count: u64,
    /// Databases that have backups, largest first, also those that are registered no more.
    by_database: Vec<DatabaseShare>,
    /// Engines whose databases have backups, largest first.
    by_engine: Vec<EngineShare>,
    /// By type of database; all types are there.
    by_type: Types,
}

#[derive(Debug, Serialize, ToSchema)]
struct DatabaseShare {
    database_id: String,
    database_name: String,
    #[schema(example = "postgresql")]
    database_type: Option<&'static str>,
    /// `null` when the database is registered no more.
    engine_id: Option<String>,
    size_bytes: u64,
    backup_count: u64,
    size_formatted: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct EngineShare {
    engine_id: String,
    engine_name: String,
    #[schema(example = "postgresql")]
    engine_type: &'static str,
    size_bytes: u64,
    backup_count: u64,
    /// Its databases that have backups.
    database_count: u64,
    size_formatted: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct Types {
    mysql: TypeShare,
    postgresql: TypeShare,
    sqlserver: TypeShare,
    /// A type of the Python product; always 0.
    azure_sql: TypeShare,
}

#[derive(Debug, Serialize, ToSchema)]
struct TypeShare {
    size_bytes: u64,
    size_formatted: String,
}

impl TypeShare {
    fn of(size_bytes: u64) -> Self {
        Self {
            size_bytes,
            size_formatted: size(size_bytes),
        }
    }
}

impl From<&StorageUse> for StorageStats {
    fn from(storage: &StorageUse) -> Self {
        let databases = &storage.databases;
        let of_type = |wanted: EngineType| {
            let of_it = databases.iter().filter(|it| it.engine_type == Some(wanted));
            TypeShare::of(of_it.map(|it| it.bytes).sum())
        };
        let total_size_bytes = databases.iter().map(|it| it.bytes).sum();
        Self {
            total_size_bytes,
            total_size_formatted: size(total_size_bytes),
            total_backup_count: databases.iter().map(|it| it.backups).sum(),
            by_database: databases
                .iter()
                .map(|it| DatabaseShare {
                    database_id: it.id.to_string(),
                    database_name: it.name.clone(),
                    database_type: it.engine_type.map(EngineType::as_str),
                    engine_id: it.engine_id.as_ref().map(ToString::to_string),
                    size_bytes: it.bytes,
                    backup_count: it.backups,
                    size_formatted: size(it.bytes),
                })
                .collect(),
            by_engine: shares_of_engines(storage),
            by_type: Types {
                mysql: of_type(EngineType::MySql),
                postgresql: of_type(EngineType::PostgreSql),
                sqlserver: of_type(EngineType::SqlServer),
                azure_sql: TypeShare::of(0),
            },
        }
    }
}

fn shares_of_engines(storage: &StorageUse) -> Vec<EngineShare> {
    let mut sums: HashMap<&EngineId, (u64, u64, u64)> = HashMap::new();
    for database in &storage.databases {
        if let Some(id) = &database.engine_id {
            let (bytes, backups, databases) = sums.entry(id).or_default();
            *bytes += database.bytes;
            *backups += database.backups;
            *databases += 1;
        }
    }
    let share = |(id, (size_bytes, backup_count, database_count)): (&EngineId, _)| {
        let engine = storage.engines.get(id)?;
        Some(EngineShare {
            engine_id: id.to_string(),
            engine_name: engine.name.to_string(),
            engine_type: engine.engine_type.as_str(),
            size_bytes,
            backup_count,
            database_count,
            size_formatted: size(size_bytes),
        })
    };
    let mut shares: Vec<EngineShare> = sums.into_iter().filter_map(share).collect();
    shares.sort_by(|one, other| {
        (other.size_bytes, &one.engine_id).cmp(&(one.size_bytes, &other.engine_id))
    });
    shares
}

/// How many failures make an alert.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertQuery {
    /// Failures, one after the other; 2 when absent.
    #[param(value_type = Option<u64>, minimum = 1)]
    pub(crate) consecutive_failures: u64,
}

impl FromQuery for AlertQuery {
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
    last_error: String,
}

impl From<Vec<Alert>> for BackupAlerts {
    fn from(alerts: Vec<Alert>) -> Self {
        let alert = |alert: Alert| BackupAlert {
            database_id: alert.database.id.to_string(),
            database_name: alert.database.label.to_string(),
            database_type: alert.engine_type.as_str(),
            consecutive_failures: alert.failures,
            last_failure_at: alert.latest.at.to_string(),
            last_error: alert.latest.reason,
        };
        Self {
            count: alerts.len(),
            alerts: alerts.into_iter().map(alert).collect(),
        }
    }
}

/// The history of one database in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupStats {
    /// Lines of the history, however they ended, without those of deleted backups.
    count: u64,
    /// Stored bytes of these.
    total_size_bytes: u64,
    /// The same for people.
    #[schema(example = "1.7 GB")]
    total_size_formatted: String,
}

impl From<&Tally> for BackupStats {
    fn from(tally: &Tally) -> Self {
        Self {
            count: tally.standing,
            total_size_bytes: tally.standing_bytes,
            total_size_formatted: short_size(tally.standing_bytes),
        }
    }
}

/// `0 B`, else two decimals: `1000.00 B`, `58.24 KB`.
fn size(bytes: u64) -> String {
    if bytes == 0 {
        return "0 B".to_owned();
    }
    let (number, unit) = scaled(bytes);
    format!("{number:.2} {unit}")
}

/// Whole bytes, else one decimal: `640 B`, `1.7 GB`.
fn short_size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (number, unit) = scaled(bytes);
    format!("{number:.1} {unit}")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "two decimals for people do not need 64 bits"
)]
fn scaled(bytes: u64) -> (f64, &'static str) {
    let mut number = bytes as f64;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if number < 1024.0 {
            break;
        }
        number /= 1024.0;
        unit = larger;
    }
    (number, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_the_python_product_wrote_them() {
        for (bytes, long, short) in [
            (0, "0 B", "0 B"),
            (640, "640.00 B", "640 B"),
            (1000, "1000.00 B", "1000 B"),
            (59_636, "58.24 KB", "58.2 KB"),
            (1_807_767_102, "1.68 GB", "1.7 GB"),
            (5 << 50, "5120.00 TB", "5120.0 TB"),
        ] {
            assert_eq!(
                (size(bytes), short_size(bytes)),
                (long.into(), short.into())
            );
        }
    }

    #[test]
    fn the_success_rate_has_one_decimal_and_is_none_without_backups() {
        assert_eq!(success_rate(8, 4), Some(66.7));
        assert_eq!(success_rate(0, 0), None);
    }
}
