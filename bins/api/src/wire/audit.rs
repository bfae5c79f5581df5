//! The audit log on the wire.

mod export;
mod unfinished;

use std::collections::BTreeMap;

use dilux_core::model::{AuditAction, AuditEntry, AuditResourceType, AuditStatus, EngineType};
use dilux_core::repository::{AuditFilter, Cursor};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Damaged;
use super::backup::read_cursor;
use crate::app::{AuditPage, AuditStart, AuditSummary};
use crate::input::{Filters, FromQuery};

pub(crate) use unfinished::{Unfinished, UnfinishedQuery};

/// Entries of a page when none are asked for, and at most.
const LIMIT: u64 = 50;
const MOST: u64 = 1000;

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entry {
    /// Id.
    id: String,
    /// When.
    timestamp: String,
    /// Id of the user, `system` for the services themselves.
    user_id: String,
    /// Their e-mail, or the name of the service.
    user_email: String,
    /// What was done.
    #[schema(example = "database_created")]
    action: &'static str,
    /// To what kind of thing.
    #[schema(example = "database")]
    resource_type: &'static str,
    /// To which.
    resource_id: String,
    /// Its label at the time.
    resource_name: String,
    /// Particulars by action.
    #[schema(value_type = Object)]
    details: serde_json::Map<String, serde_json::Value>,
    /// `success`, `failed`, or `intended` for what was about to be done.
    #[schema(example = "success")]
    status: &'static str,
    /// Why not.
    error_message: Option<String>,
    /// From where; `unknown` when it is not.
    ip_address: String,
    /// Id of the intent that it answers, which `status=intended` finds.
    intent_id: Option<String>,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let address = entry.ip_address.map(|address| address.to_string());
        Self {
            id: entry.id.to_string(),
            timestamp: entry.at.to_string(),
            user_id: entry.user_id,
            user_email: entry.user_email,
            action: entry.action.as_str(),
            resource_type: entry.resource_type.as_str(),
            resource_id: entry.resource_id,
            resource_name: entry.resource_name,
            details: entry.details,
            status: entry.status.as_str(),
            error_message: entry.error_message,
            ip_address: address.unwrap_or_else(|| "unknown".to_owned()),
            intent_id: entry.intent_id.map(String::from),
        }
    }
}

/// Which entries.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Selection {
    /// Written on this day (UTC) or later.
    #[param(value_type = Option<String>, example = "2026-01-01")]
    start_date: Option<Date>,
    /// Written on this day (UTC) or earlier.
    #[param(value_type = Option<String>, example = "2026-01-31")]
    end_date: Option<Date>,
    /// Of this user.
    user_id: Option<String>,
    /// One of those that `/api/audit/actions` lists.
    #[param(value_type = Option<String>)]
    action: Option<AuditAction>,
    /// One of those that `/api/audit/resource-types` lists.
    #[param(value_type = Option<String>)]
    resource_type: Option<AuditResourceType>,
    /// `success` or `failed`; `intended` finds what was about to be done instead, done or not.
    #[param(value_type = Option<String>)]
    status: Option<AuditStatus>,
    /// A text in the label or the id of the thing, or in the e-mail of the user.
    search: Option<String>,
    /// Whose details name this type of database.
    #[param(value_type = Option<String>)]
    database_type: Option<EngineType>,
    /// Whose details name this engine.
    engine_id: Option<String>,
    /// A text in the label of the thing.
    resource_name: Option<String>,
}

impl FromQuery for Selection {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let text = |name| filters.text(name).map(str::to_owned);
        Some(Self {
            start_date: filters.day("start_date"),
            end_date: filters.day("end_date"),
            user_id: text("user_id"),
            action: filters.parsed("action"),
            resource_type: filters.parsed("resource_type"),
            status: filters.parsed("status"),
            search: text("search"),
            database_type: read_type(filters),
            engine_id: text("engine_id"),
            resource_name: text("resource_name"),
        })
    }
}

/// The type of database, in any case, as the Python product took it.
fn read_type(filters: &Filters<'_>) -> Option<EngineType> {
    let text = filters.text("database_type")?;
    match text.to_ascii_lowercase().parse() {
        Ok(kind) => Some(kind),
        Err(error) => {
            filters.problem("database_type", format!("{error}"));
            None
        }
    }
}

impl Selection {
    /// The filter that it means.
    pub(crate) fn filter(&self) -> AuditFilter {
        let midnight = |day: Date| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp());
        AuditFilter {
            from: self.start_date.and_then(midnight),
            until: self
                .end_date
                .and_then(|day| day.tomorrow().ok())
                .and_then(midnight),
            user_id: self.user_id.clone(),
            action: self.action,
            resource_type: self.resource_type,
            status: self.status,
            search: self.search.clone(),
            database_type: self.database_type,
            engine_id: self.engine_id.clone(),
            resource_name: self.resource_name.clone(),
        }
    }
}

/// Which page of the entries.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Most entries in the answer, 50 when absent; more than 1000 count as 1000.
    #[param(value_type = Option<u64>)]
    pub(crate) limit: usize,
    /// Entries to pass over; or `cursor` instead, which costs the same however far one reads.
    #[param(inline, rename = "offset", value_type = Option<u64>)]
    pub(crate) start: AuditStart,
}

impl FromQuery for PageQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let most = u64::from(u32::MAX);
        let limit = filters.number("limit", 0..=most).unwrap_or(LIMIT).min(MOST);
        let offset = filters.number("offset", 0..=most).unwrap_or(0);
        Some(Self {
            limit: usize::try_from(limit).ok()?,
            start: match read_cursor(filters) {
                Some(cursor) => AuditStart::After(cursor),
                None => AuditStart::Offset(usize::try_from(offset).ok()?),
            },
        })
    }
}

/// A page of entries, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditList)]
pub(crate) struct List {
    /// The entries.
    logs: Vec<Entry>,
    /// Entries in this answer.
    count: usize,
    /// Entries that match, on all pages; `null` when a cursor was sent.
    total: Option<usize>,
    /// Whether more follow.
    has_more: bool,
    /// Where the next page starts.
    next_cursor: Option<String>,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl From<AuditPage> for List {
    fn from(page: AuditPage) -> Self {
        Self {
            count: page.entries.len(),
            logs: page.entries.into_iter().map(Entry::from).collect(),
            total: page.total,
            has_more: page.has_more,
            next_cursor: page.next.as_ref().map(Cursor::to_text),
            damaged: page.damaged.iter().map(Damaged::from).collect(),
        }
    }
}

/// How many entries there are of each kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditCounts)]
pub(crate) struct Counts {
    /// All.
    total: usize,
    /// By action.
    #[schema(value_type = BTreeMap<String, usize>)]
    by_action: BTreeMap<&'static str, usize>,
    /// By type of thing.
    #[schema(value_type = BTreeMap<String, usize>)]
    by_resource_type: BTreeMap<&'static str, usize>,
    /// By result.
    #[schema(value_type = BTreeMap<String, usize>)]
    by_status: BTreeMap<&'static str, usize>,
}

impl From<AuditSummary> for Counts {
    fn from(summary: AuditSummary) -> Self {
        Self {
            total: summary.total,
            by_action: summary.actions,
            by_resource_type: summary.resource_types,
            by_status: summary.statuses,
        }
    }
}

/// A value of a filter, and what people call it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Choice {
    /// For the filter.
    #[schema(example = "backup_deleted")]
    value: &'static str,
    /// For people.
    #[schema(example = "Backup Deleted")]
    label: String,
}

/// Every action.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActions)]
pub(crate) struct Actions {
    /// The actions.
    actions: Vec<Choice>,
}

impl Actions {
    /// All of them.
    pub(crate) fn all() -> Self {
        let choice = |action: &AuditAction| Choice {
            value: action.as_str(),
            label: action.label(),
        };
        Self {
            actions: AuditAction::ALL.iter().map(choice).collect(),
        }
    }
}

/// Every type of thing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditResourceTypes)]
pub(crate) struct ResourceTypes {
    /// The types.
    resource_types: Vec<Choice>,
}

impl ResourceTypes {
    /// All of them.
    pub(crate) fn all() -> Self {
        let choice = |kind: &AuditResourceType| Choice {
            value: kind.as_str(),
            label: kind.label(),
        };
        Self {
            resource_types: AuditResourceType::ALL.iter().map(choice).collect(),
        }
    }
}
