//! Reading the audit log: pages, counts, and all of it for an export.

use std::collections::BTreeMap;

use dilux_core::model::{AuditEntry, AuditStatus};
use dilux_core::repository::{AuditFilter, AuditRepository, Cursor, DamagedRow, Repositories};
use dilux_core::{Error, Result};
use jiff::SignedDuration;

use super::Application;
use super::export::{EXPORT_PART, ExportPart};

/// Where a page starts.
#[derive(Debug, Clone)]
pub(crate) enum AuditStart {
    /// After so many of the newest entries.
    Offset(usize),
    /// After the last entry of an earlier page.
    After(Cursor),
}

/// A page of entries.
#[derive(Debug)]
pub(crate) struct AuditPage {
    /// Newest first.
    pub(crate) entries: Vec<AuditEntry>,
    /// Those that match on all pages, unless a cursor was sent.
    pub(crate) total: Option<usize>,
    /// Whether more follow.
    pub(crate) has_more: bool,
    /// Where the next page starts, when there is one and this one has entries.
    pub(crate) next: Option<Cursor>,
    /// Rows on the way that cannot be read.
    pub(crate) damaged: Vec<DamagedRow>,
}

impl AuditPage {
    fn past_the_end(total: usize) -> Self {
        Self {
            entries: Vec::new(),
            total: Some(total),
            has_more: false,
            next: None,
            damaged: Vec::new(),
        }
    }
}

/// How many entries there are of each kind.
#[derive(Debug, Default)]
pub(crate) struct AuditSummary {
    /// All.
    pub(crate) total: usize,
    /// By action.
    pub(crate) actions: BTreeMap<&'static str, usize>,
    /// By type of resource.
    pub(crate) resource_types: BTreeMap<&'static str, usize>,
    /// By result.
    pub(crate) statuses: BTreeMap<&'static str, usize>,
}

impl Application {
    /// Where what `filter` finds stands: intents have a log of their own.
    fn log_of(&self, filter: &AuditFilter) -> &AuditRepository {
        let repositories = &self.installation.repositories;
        match filter.status {
            Some(AuditStatus::Intended) => &repositories.intents,
            Some(AuditStatus::Success | AuditStatus::Failed) | None => &repositories.audit,
        }
    }

    /// The intents of the last `days` of which no result is known, newest first. Those of the last
    /// minutes are left out: they may be at work.
    pub(crate) async fn list_unfinished(&self, days: u32) -> Result<Vec<AuditEntry>> {
        let now = self.installation.clock.now();
        let span = SignedDuration::from_hours(24 * i64::from(days));
        let since = now.checked_sub(span);
        let since = since.map_err(|error| Error::internal("go back in time", error))?;
        let Repositories { intents, audit, .. } = &self.installation.repositories;
        Ok(intents.unanswered_in(audit, since, now).await?)
    }

    /// The entries that pass `filter`, newest first. A page by offset that asks for more than days
    /// reads and counts all that pass, so it costs as much as the log is long between its dates; any
    /// other page costs what it shows.
    pub(crate) async fn list_audit(
        &self,
        filter: &AuditFilter,
        start: &AuditStart,
        limit: usize,
    ) -> Result<AuditPage> {
        let audit = self.log_of(filter);
        let place = match start {
            AuditStart::Offset(skip) => audit.place(filter, *skip).await?,
            AuditStart::After(_) => None,
        };
        let total = place.as_ref().map(|place| place.total);
        let (from, skip, counts_all) = match (start, &place) {
            (AuditStart::After(cursor), _) => (Some(cursor), 0, false),
            (AuditStart::Offset(skip), None) => (None, *skip, true),
            (AuditStart::Offset(skip), Some(place)) if *skip >= place.total => {
                return Ok(AuditPage::past_the_end(place.total));
            }
            (AuditStart::Offset(_), Some(place)) => (place.after.as_ref(), place.left, false),
        };
        let (mut matched, mut entries, mut next) = (0, Vec::new(), None);
        let damaged = audit
            .walk(from, filter, |entry, cursor| {
                matched += 1;
                if matched > skip && entries.len() < limit {
                    entries.push(entry);
                    next = Some(cursor);
                }
                counts_all || matched <= skip.saturating_add(limit)
            })
            .await?;
        let has_more = matched > skip.saturating_add(entries.len());
        Ok(AuditPage {
            entries,
            total: total.or(counts_all.then_some(matched)),
            has_more,
            next: next.filter(|_| has_more),
            damaged,
        })
    }

    /// The next entries of an export, newest first, from after `from`.
    pub(crate) async fn export_audit(
        &self,
        filter: &AuditFilter,
        from: Option<&Cursor>,
    ) -> Result<ExportPart<AuditEntry>> {
        let (mut items, mut last) = (Vec::new(), None);
        let audit = self.log_of(filter);
        audit
            .walk(from, filter, |entry, cursor| {
                items.push(entry);
                last = Some(cursor);
                items.len() < EXPORT_PART
            })
            .await?;
        let is_full = items.len() == EXPORT_PART;
        Ok(ExportPart {
            items,
            next: last.filter(|_| is_full),
        })
    }

    /// Counts the entries that pass `filter`.
    pub(crate) async fn count_audit(&self, filter: &AuditFilter) -> Result<AuditSummary> {
        let mut summary = AuditSummary::default();
        let audit = self.log_of(filter);
        audit
            .walk(None, filter, |entry, _| {
                summary.total += 1;
                let kinds = [
                    (&mut summary.actions, entry.action.as_str()),
                    (&mut summary.resource_types, entry.resource_type.as_str()),
                    (&mut summary.statuses, entry.status.as_str()),
                ];
                for (counts, name) in kinds {
                    *counts.entry(name).or_insert(0) += 1;
                }
                true
            })
            .await?;
        Ok(summary)
    }
}
