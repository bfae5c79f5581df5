//! Alerts on the wire.

use dilux_core::alert::{AlertKind, Severity};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Damaged;
use super::page::PageNotes;
use crate::app::{AlertView, Listed};
use crate::caller::Caller;
use crate::input::{Filters, FromQuery};

/// Whether somebody has taken note of it.
const STATUSES: [&str; 2] = ["open", "acknowledged"];

/// The thing that an alert is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertSubject {
    /// `database`, `backup`, `timer` or `dead_letter`.
    #[serde(rename = "type")]
    #[schema(example = "database")]
    kind: &'static str,
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
}

/// Something that a person must act on. It is listed while it lasts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alert {
    /// Id: the same while the condition lasts, another one when it comes again.
    id: String,
    /// `backup_failing`, `rpo_breached`, `backup_damaged`, `scheduler_silent`, `timer_late` or
    /// `dead_letter`.
    #[schema(example = "backup_failing")]
    kind: &'static str,
    /// `warning` or `critical`, as things are now.
    #[schema(example = "warning")]
    severity: &'static str,
    /// `open` or `acknowledged`.
    #[schema(example = "open")]
    status: &'static str,
    /// What it is about.
    subject: AlertSubject,
    /// The database that it concerns; `null` when it concerns all.
    database_id: Option<String>,
    /// Its label; `null` where it is not known.
    database_name: Option<String>,
    /// Its engine, while the database is registered.
    engine_id: Option<String>,
    /// What is wrong, and what to do.
    message: String,
    /// Since when.
    since: String,
    /// When it was last seen to be so; `null` where that is not noted.
    last_seen_at: Option<String>,
    /// How often it happened since.
    count: u64,
    /// When somebody took note of it.
    acknowledged_at: Option<String>,
    /// Who; `null` for viewers.
    acknowledged_by: Option<String>,
    /// What they had to say.
    note: Option<String>,
}

impl Alert {
    /// An alert as the caller may see it: viewers see no names of people and accounts.
    pub(crate) fn new(view: AlertView, caller: &Caller) -> Self {
        let status = view.status();
        let AlertView {
            alert,
            acknowledgement,
        } = view;
        let (acknowledged_at, acknowledged_by, note) = match acknowledgement {
            Some(it) => (Some(it.at.to_string()), Some(it.by), it.note),
            None => (None, None, None),
        };
        let (database_id, database_name, engine_id) = match alert.database {
            Some(it) => (Some(it.id.to_string()), it.label, it.engine_id),
            None => (None, None, None),
        };
        let message = match alert.public_message {
            Some(message) if !caller.sees_accounts() => message,
            _ => alert.message,
        };
        Self {
            id: alert.id.to_string(),
            kind: alert.kind.as_str(),
            severity: alert.severity.as_str(),
            status,
            subject: AlertSubject {
                kind: alert.subject.kind.as_str(),
                id: alert.subject.id,
                name: alert.subject.label,
            },
            database_id,
            database_name,
            engine_id: engine_id.map(String::from),
            message,
            since: alert.since.to_string(),
            last_seen_at: alert.seen_at.map(|at| at.to_string()),
            count: alert.count,
            acknowledged_at,
            acknowledged_by: acknowledged_by.filter(|_| caller.sees_accounts()),
            note,
        }
    }
}

impl AlertView {
    fn status(&self) -> &'static str {
        STATUSES[usize::from(self.acknowledgement.is_some())]
    }
}

/// The alerts that a filter finds, those of the newest onset first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertList {
    /// The alerts.
    alerts: Vec<Alert>,
    #[serde(flatten)]
    notes: PageNotes,
    /// Rows that cannot be read; of what they stand for no alert can be told.
    damaged: Vec<Damaged>,
}

impl AlertList {
    /// Those of a page, as the caller may see them.
    pub(crate) fn new(found: Listed<AlertView>, caller: &Caller) -> Self {
        let notes = PageNotes::from(&found.page);
        let views = found.page.items.into_iter();
        Self {
            alerts: views.map(|view| Alert::new(view, caller)).collect(),
            notes,
            damaged: found.damaged.iter().map(Damaged::from).collect(),
        }
    }
}

/// Which alerts to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertFilter {
    /// `open` or `acknowledged`.
    #[param(value_type = Option<String>)]
    status: Option<&'static str>,
    /// Of this kind.
    #[param(value_type = Option<String>)]
    kind: Option<AlertKind>,
    /// `warning` or `critical`.
    #[param(value_type = Option<String>)]
    severity: Option<Severity>,
    /// That concern this database.
    database_id: Option<String>,
    /// That concern a database of this engine.
    engine_id: Option<String>,
}

impl FromQuery for AlertFilter {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let status = filters.text("status").and_then(|text| {
            let found = STATUSES.into_iter().find(|status| *status == text);
            if found.is_none() {
                filters.problem("status", format!("must be one of {}", STATUSES.join(", ")));
            }
            found
        });
        Some(Self {
            status,
            kind: filters.parsed("kind"),
            severity: filters.parsed("severity"),
            database_id: filters.text("database_id").map(str::to_owned),
            engine_id: filters.text("engine_id").map(str::to_owned),
        })
    }
}

impl AlertFilter {
    /// Whether an alert is to be listed.
    pub(crate) fn matches(&self, view: &AlertView) -> bool {
        let database = view.alert.database.as_ref();
        let of_database = |id: &String| database.is_some_and(|it| it.id.as_str() == id);
        let engine = database.and_then(|database| database.engine_id.as_ref());
        let of_engine = |id: &String| engine.is_some_and(|it| it.as_str() == id);
        self.status.is_none_or(|status| status == view.status())
            && self.kind.is_none_or(|kind| kind == view.alert.kind)
            && self.severity.is_none_or(|it| it == view.alert.severity)
            && self.database_id.as_ref().is_none_or(of_database)
            && self.engine_id.as_ref().is_none_or(of_engine)
    }
}
