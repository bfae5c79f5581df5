//! Lists of backups on the wire.

use dilux_core::model::{BackupStatus, EngineType, Trigger};
use dilux_core::repository::Cursor;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Backup;
use crate::app::{BackupPage, Paging};
use crate::caller::Caller;
use crate::input::{Filters, FromQuery};

/// Which page of the backups.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BackupPageQuery {
    /// Most backups in the answer, 25 when absent; more than 100 counts as 100.
    #[param(value_type = Option<u64>, minimum = 1)]
    pub(crate) page_size: usize,
    /// Page, from 1; or `cursor` instead, which costs the same however far one reads.
    #[param(inline, rename = "page", value_type = Option<u64>)]
    pub(crate) start: Paging,
}

impl FromQuery for BackupPageQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let most = u64::from(u32::MAX);
        let page_size = filters.number("page_size", 1..=most).unwrap_or(25).min(100);
        let page = filters.number("page", 0..=most).unwrap_or(1).max(1);
        Some(Self {
            page_size: usize::try_from(page_size).ok()?,
            start: match read_cursor(filters) {
                Some(cursor) => Paging::After(cursor),
                None => Paging::Page(usize::try_from(page).ok()?),
            },
        })
    }
}

/// Which backups.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BackupSelection {
    /// Of this database.
    pub(crate) database_id: Option<String>,
    /// Of the databases of this engine.
    pub(crate) engine_id: Option<String>,
    /// In this state.
    #[param(value_type = Option<String>)]
    pub(crate) status: Option<BackupStatus>,
    /// `manual` or `scheduler`.
    #[param(value_type = Option<String>)]
    pub(crate) triggered_by: Option<Trigger>,
    /// Of this type.
    #[param(value_type = Option<String>)]
    pub(crate) database_type: Option<EngineType>,
    /// Booked on this day (UTC) or later.
    #[param(value_type = Option<String>, example = "2026-01-01")]
    pub(crate) start_date: Option<Date>,
    /// Booked on this day (UTC) or earlier.
    #[param(value_type = Option<String>, example = "2026-01-31")]
    pub(crate) end_date: Option<Date>,
}

impl BackupSelection {
    /// Whether it filters by days.
    pub(crate) fn has_days(&self) -> bool {
        self.start_date.is_some() || self.end_date.is_some()
    }

    /// Whether it filters by more than the database and days.
    fn has_traits(&self) -> bool {
        self.engine_id.is_some()
            || self.status.is_some()
            || self.triggered_by.is_some()
            || self.database_type.is_some()
    }

    /// Whether it filters by more than the database.
    pub(crate) fn has_other_filters(&self) -> bool {
        self.has_traits() || self.has_days()
    }

    /// Whether it filters by days at most.
    pub(crate) fn is_of_days(&self) -> bool {
        self.database_id.is_none() && !self.has_traits()
    }

    /// Whether it filters by what tallies tell apart at most: databases, their types and states of
    /// backups.
    pub(crate) fn is_of_tallies(&self) -> bool {
        self.engine_id.is_none() && self.triggered_by.is_none() && !self.has_days()
    }
}

impl FromQuery for BackupSelection {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        Some(Self {
            database_id: filters.text("database_id").map(str::to_owned),
            engine_id: filters.text("engine_id").map(str::to_owned),
            status: filters.parsed("status"),
            triggered_by: filters.parsed("triggered_by"),
            database_type: filters.parsed("database_type"),
            start_date: filters.day("start_date"),
            end_date: filters.day("end_date"),
        })
    }
}

/// A page of backups, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupList {
    /// The backups.
    backups: Vec<Backup>,
    /// Backups in this answer.
    count: usize,
    /// Backups that match, on all pages; `null` when a cursor was sent.
    total_count: Option<usize>,
    /// Page, from 1; `null` when a cursor was sent.
    page: Option<usize>,
    /// As asked, at most 100.
    page_size: usize,
    /// Whether more follow.
    has_more: bool,
    /// Where the next page starts.
    next_cursor: Option<String>,
}

impl BackupList {
    /// The answer to `query` of the caller.
    pub(crate) fn new(page: &BackupPage, query: &BackupPageQuery, caller: &Caller) -> Self {
        let items = page.items.iter();
        Self {
            backups: items.map(|view| Backup::new(view, caller)).collect(),
            count: page.items.len(),
            total_count: page.total,
            page: match query.start {
                Paging::Page(number) => Some(number),
                Paging::After(_) => None,
            },
            page_size: query.page_size,
            has_more: page.next.is_some(),
            next_cursor: page.next.as_ref().map(Cursor::to_text),
        }
    }
}

/// Reads the parameter `cursor`.
pub(in crate::wire) fn read_cursor(filters: &Filters<'_>) -> Option<Cursor> {
    match Cursor::parse(filters.text("cursor")?) {
        Ok(cursor) => Some(cursor),
        Err(error) => {
            filters.problem("cursor", error.to_string());
            None
        }
    }
}
