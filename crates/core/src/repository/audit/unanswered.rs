//! Intents that no entry answers: what was begun, and of whose end nothing is known. Answers stand in
//! the audit log, or beside the intents when there was nothing to do.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::AuditRepository;
use super::filter::AuditFilter;
use crate::model::{AuditEntry, AuditId, AuditStatus};
use crate::storage::StorageResult;

/// An intent younger than this may be at work. Longer than any request takes, but for an import of
/// thousands of things.
const AT_WORK: SignedDuration = SignedDuration::from_mins(15);

/// Results are looked for so long before and after the day of their intents: a result comes soon
/// after its intent, and clocks are set.
const MARGIN: SignedDuration = SignedDuration::from_hours(2);

/// Intents are compared a day at a time, so that no more than a day's are in memory.
const STRIDE: SignedDuration = SignedDuration::from_hours(24);

impl AuditRepository {
    /// The entries of this log of intents, written from `since` until shortly before `now`, that no
    /// entry of `results` answers, nor one of this log. Newest first.
    pub async fn unanswered_in(
        &self,
        results: &Self,
        since: Timestamp,
        now: Timestamp,
    ) -> StorageResult<Vec<AuditEntry>> {
        let mut unanswered = Vec::new();
        let mut until = now.saturating_sub(AT_WORK).unwrap_or(since);
        while until > since {
            let from = until.saturating_sub(STRIDE).unwrap_or(since).max(since);
            let mut open = self.intents_between(from, until).await?;
            if !open.is_empty() {
                self.strike_answered(&mut open, from, until).await?;
                results.strike_answered(&mut open, from, until).await?;
            }
            let mut left: Vec<AuditEntry> = open.into_values().collect();
            left.sort_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
            unanswered.extend(left);
            until = from;
        }
        Ok(unanswered)
    }

    async fn intents_between(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> StorageResult<HashMap<AuditId, AuditEntry>> {
        let mut found = HashMap::new();
        let visit = |entry: AuditEntry, _| {
            found.insert(entry.id.clone(), entry);
            true
        };
        let intended = AuditFilter {
            status: Some(AuditStatus::Intended),
            ..between(from, until)
        };
        self.walk(None, &intended, visit).await?;
        Ok(found)
    }

    async fn strike_answered(
        &self,
        open: &mut HashMap<AuditId, AuditEntry>,
        from: Timestamp,
        until: Timestamp,
    ) -> StorageResult<()> {
        let from = from.saturating_sub(MARGIN).unwrap_or(from);
        let until = until.saturating_add(MARGIN).unwrap_or(until);
        let visit = |entry: AuditEntry, _| {
            if let Some(id) = &entry.intent_id {
                open.remove(id);
            }
            !open.is_empty()
        };
        self.walk(None, &between(from, until), visit).await?;
        Ok(())
    }
}

fn between(from: Timestamp, until: Timestamp) -> AuditFilter {
    AuditFilter {
        from: Some(from),
        until: Some(until),
        ..AuditFilter::default()
    }
}
