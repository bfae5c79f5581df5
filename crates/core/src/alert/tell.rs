//! From state to alerts. Pure.

use jiff::Timestamp;

use super::{Alert, AlertDatabase, AlertKind, Severity, Subject, SubjectKind};
use crate::model::{
    AlertId, Damage, DamagedBackup, Database, DeadLetter, JobId, LatestFailure, Streak,
};
use crate::rpo::{Rpo, RpoState};
use crate::timer::{Timer, TimerState};

/// The alert of a registered database, by the backups that failed since its newest one and by how
/// it stands against its objective. There is one at most: that backups fail is why the newest good
/// one is old.
pub fn of_database(database: &Database, streak: &Streak, rpo: &Rpo) -> Option<Alert> {
    let is_breached = rpo.state == RpoState::Breached;
    match &streak.latest {
        Some(latest) if streak.failures > 0 => {
            Some(of_failures(database, streak, latest, is_breached))
        }
        _ if is_breached => Some(of_breach(database, rpo)),
        _ => None,
    }
}

fn of_failures(
    database: &Database,
    streak: &Streak,
    latest: &LatestFailure,
    is_breached: bool,
) -> Alert {
    let count = streak.failures;
    let at = seconds(latest.at);
    let failed = if count == 1 {
        format!("the last backup failed at {at}")
    } else {
        format!("the last {count} backups failed, the newest at {at}")
    };
    let told = |reason: &str| {
        let mut message = failed.clone();
        if !reason.is_empty() {
            message = format!("{message}: {reason}");
        }
        if is_breached {
            message.push_str("; its newest good backup is older than agreed by now");
        }
        message.push_str("; mend the cause, and start a backup to see that it is gone");
        message
    };
    // Since the same backup, it is the same trouble.
    let onset = streak.good.as_deref().unwrap_or("never");
    Alert {
        severity: if is_breached {
            Severity::Critical
        } else {
            Severity::Warning
        },
        message: told(&latest.reason),
        public_message: Some(told("")),
        since: streak.first.as_ref().map_or(latest.at, |first| first.at),
        seen_at: Some(latest.at),
        count,
        ..about(AlertKind::BackupFailing, database, onset)
    }
}

fn of_breach(database: &Database, rpo: &Rpo) -> Alert {
    let point = rpo.recovery_point.map(|at| at.to_string());
    let since = rpo.breached_from.unwrap_or(database.created_at);
    Alert {
        severity: Severity::Critical,
        message: format!(
            "{}; see that a scheduler and a processor run, or start a backup",
            rpo.reason
        ),
        since,
        ..about(
            AlertKind::RpoBreached,
            database,
            point.as_deref().unwrap_or("never"),
        )
    }
}

/// An alert about a database, whose message and times are still to be told.
fn about(kind: AlertKind, database: &Database, onset: &str) -> Alert {
    Alert {
        id: AlertId::derive(kind.as_str(), database.id.as_str(), onset),
        kind,
        severity: Severity::Warning,
        subject: Subject {
            kind: SubjectKind::Database,
            id: database.id.to_string(),
            label: database.label.to_string(),
        },
        database: Some(AlertDatabase {
            id: database.id.clone(),
            label: Some(database.label.to_string()),
            engine_id: Some(database.engine_id.clone()),
        }),
        message: String::new(),
        public_message: None,
        since: database.created_at,
        seen_at: None,
        count: 1,
    }
}

/// An alert for each damaged backup of a database that is named; the others are counted in them.
pub fn of_damage(damage: &Damage, database: &AlertDatabase) -> Vec<Alert> {
    let named = damage.newest.values();
    named
        .map(|backup| of_damaged(backup, damage, database))
        .collect()
}

fn of_damaged(backup: &DamagedBackup, damage: &Damage, database: &AlertDatabase) -> Alert {
    let kind = AlertKind::BackupDamaged;
    let label = database.label.as_deref().unwrap_or(database.id.as_str());
    let wrong = if backup.reason.is_empty() {
        "it is damaged"
    } else {
        backup.reason.as_str()
    };
    let mut message = format!(
        "{wrong}; it counts as no backup any more: start a new one, and look at what happened to \
         the store"
    );
    if damage.count > 1 {
        let count = damage.count;
        message = format!("{message}; {count} backups of this database are damaged");
    }
    Alert {
        id: AlertId::derive(kind.as_str(), backup.id.as_str(), &backup.at.to_string()),
        kind,
        severity: Severity::Critical,
        subject: Subject {
            kind: SubjectKind::Backup,
            id: backup.id.to_string(),
            label: format!("backup of {label}"),
        },
        database: Some(database.clone()),
        message,
        public_message: None,
        since: backup.at,
        seen_at: None,
        count: 1,
    }
}

/// The alerts of timers that are late at `now`: one when no scheduler plans, whatever else is late
/// then; else one each.
pub fn of_timers(timers: &[TimerState], now: Timestamp) -> Vec<Alert> {
    let late = || timers.iter().filter(|timer| timer.is_late(now));
    let planning = late().find(|timer| timer.timer == Timer::Planning);
    match planning {
        Some(planning) => vec![of_timer(planning)],
        None => late().map(of_timer).collect(),
    }
}

fn of_timer(state: &TimerState) -> Alert {
    let (kind, severity, label) = match state.timer {
        Timer::Planning => (
            AlertKind::SchedulerSilent,
            Severity::Critical,
            "planning of backups",
        ),
        Timer::Retention => (AlertKind::TimerLate, Severity::Warning, "retention"),
        Timer::Health => (AlertKind::TimerLate, Severity::Warning, "health monitor"),
    };
    let last = state.last.as_ref().map_or_else(
        || "it has not run yet".to_owned(),
        |run| {
            let (at, outcome) = (seconds(run.ended_at), run.outcome.as_str());
            format!("its last run ended at {at} ({outcome}: {})", run.message)
        },
    );
    // A timer that is late has a time at which it is due.
    let since = state.next.unwrap_or(Timestamp::UNIX_EPOCH);
    let message = match state.timer {
        Timer::Planning => {
            "no scheduler plans backups: see that one runs, reaches the storage, and has the right \
             time"
        }
        Timer::Retention => "expired backups are not deleted: look into the schedulers' logs",
        Timer::Health => "nobody looks at the health: look into the schedulers' logs",
    };
    Alert {
        id: AlertId::derive(kind.as_str(), state.timer.as_str(), &since.to_string()),
        kind,
        severity,
        subject: Subject {
            kind: SubjectKind::Timer,
            id: state.timer.to_string(),
            label: label.to_owned(),
        },
        database: None,
        message: format!("{message}; {last}"),
        public_message: None,
        since,
        seen_at: None,
        count: 1,
    }
}

/// The alert of a dead letter.
pub fn of_dead_letter(letter: &DeadLetter) -> Alert {
    let kind = AlertKind::DeadLetter;
    let job = letter.job_id.as_ref();
    let label = job.map_or_else(|| letter.id.to_string(), JobId::to_string);
    Alert {
        id: AlertId::derive(kind.as_str(), letter.id.as_str(), &letter.at.to_string()),
        kind,
        severity: Severity::Warning,
        subject: Subject {
            kind: SubjectKind::DeadLetter,
            id: letter.id.to_string(),
            label,
        },
        database: job.and_then(JobId::database).map(|id| AlertDatabase {
            id,
            label: None,
            engine_id: None,
        }),
        message: letter.reason.explanation().to_owned(),
        public_message: None,
        since: letter.at,
        seen_at: None,
        count: 1,
    }
}

fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}
