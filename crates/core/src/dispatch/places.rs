//! Places: how many jobs run at once, in all and per engine, and who is next. Pure.
//!
//! A place has no heartbeat of its own. It is held until `until` at least, and after that as long
//! as its job's lease lives, so the place of a dead worker ends with the dead worker's lease.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{EngineId, Job, JobId, Urgency};

/// How long somebody who waits and is not seen keeps a place in the line: three looks.
const STALE: SignedDuration = SignedDuration::from_secs(90);

/// How old a sighting may be before it is noted again.
const SIGHTING: SignedDuration = SignedDuration::from_secs(20);

/// Who stands in the line at most; the rest waits without a number. The row must hold them all.
const LONGEST_LINE: usize = 64;

/// A job that wants to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicant {
    /// The job.
    pub job: JobId,
    /// The claim that it is for.
    pub epoch: u64,
    /// The engine that it would load; `None` when nobody knows it any more.
    pub engine: Option<EngineId>,
    /// How many jobs that engine bears at once.
    pub engine_limit: u32,
    /// How pressing it is.
    pub urgency: Urgency,
    /// Since when it has been due; the older goes first.
    pub since: Timestamp,
}

impl Applicant {
    /// The next claim of `job` on `engine`.
    pub fn of(job: &Job, engine: Option<EngineId>, engine_limit: u32) -> Self {
        Self {
            job: job.id.clone(),
            epoch: job.epoch + 1,
            engine,
            engine_limit,
            urgency: job.urgency(),
            since: job.not_before,
        }
    }
}

/// A place that is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    job: JobId,
    epoch: u64,
    engine: Option<EngineId>,
    until: Timestamp,
}

/// Somebody in the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    job: JobId,
    engine: Option<EngineId>,
    engine_limit: u32,
    urgency: Urgency,
    since: Timestamp,
    seen: Timestamp,
}

/// All places of an installation and the line before them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    taken: Vec<Taken>,
    line: Vec<Waiting>,
}

/// The limits that apply to an admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceRule {
    /// Jobs at once in all.
    pub total: u32,
    /// How long a place is held without a look at its job.
    pub hold: SignedDuration,
}

impl Places {
    /// Gives `applicant` a place, or a number in the line. Somebody in the line goes before
    /// whoever is less urgent or came later, unless only the engine of the former is full.
    pub fn admit(&mut self, applicant: &Applicant, rule: PlaceRule, now: Timestamp) -> bool {
        let until = now.saturating_add(rule.hold).unwrap_or(now);
        let is_same = |job: &JobId| *job == applicant.job;
        if let Some(taken) = self.taken.iter_mut().find(|taken| is_same(&taken.job)) {
            taken.epoch = taken.epoch.max(applicant.epoch);
            taken.until = taken.until.max(until);
            self.line.retain(|waiting| waiting.job != applicant.job);
            return true;
        }
        let seen = self.line.iter().find(|waiting| is_same(&waiting.job));
        let seen = seen.map(|waiting| waiting.seen);
        self.line
            .retain(|other| !is_same(&other.job) && now.duration_since(other.seen) <= STALE);
        self.line.push(Waiting {
            job: applicant.job.clone(),
            engine: applicant.engine.clone(),
            engine_limit: applicant.engine_limit,
            urgency: applicant.urgency,
            since: applicant.since,
            seen: seen
                .filter(|seen| now.duration_since(*seen) <= SIGHTING)
                .unwrap_or(now),
        });
        self.line
            .sort_by(|a, b| (a.urgency, a.since, &a.job).cmp(&(b.urgency, b.since, &b.job)));
        let is_admitted = self.next(rule.total).contains(&applicant.job);
        if is_admitted {
            self.line.retain(|waiting| !is_same(&waiting.job));
            self.taken.push(Taken {
                job: applicant.job.clone(),
                epoch: applicant.epoch,
                engine: applicant.engine.clone(),
                until,
            });
        }
        self.line.truncate(LONGEST_LINE);
        is_admitted
    }

    /// Who in the line could start now, in their order.
    pub fn next(&self, total: u32) -> Vec<JobId> {
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let mut free = total.saturating_sub(self.taken.len());
        let mut used: HashMap<&EngineId, u32> = HashMap::new();
        for engine in self.taken.iter().filter_map(|taken| taken.engine.as_ref()) {
            *used.entry(engine).or_default() += 1;
        }
        let mut next = Vec::new();
        for waiting in &self.line {
            if free == 0 {
                break;
            }
            if let Some(engine) = &waiting.engine {
                let used = used.entry(engine).or_default();
                if *used >= waiting.engine_limit {
                    continue;
                }
                *used += 1;
            }
            free -= 1;
            next.push(waiting.job.clone());
        }
        next
    }

    /// Gives the place of a claim back. A place that a later claim of the job has is left alone.
    pub fn release(&mut self, job: &JobId, epoch: u64) {
        self.taken
            .retain(|taken| taken.job != *job || taken.epoch > epoch);
    }

    /// The jobs whose places only their own leases can still justify.
    pub fn doubtful(&self, now: Timestamp) -> Vec<JobId> {
        let overdue = self.taken.iter().filter(|taken| taken.until <= now);
        overdue.map(|taken| taken.job.clone()).collect()
    }

    /// What a look at a doubtful job found: its live lease, or none.
    pub fn settle(&mut self, job: &JobId, lease_until: Option<Timestamp>) {
        match lease_until {
            Some(until) => {
                for taken in self.taken.iter_mut().filter(|taken| taken.job == *job) {
                    taken.until = taken.until.max(until);
                }
            }
            None => self.taken.retain(|taken| taken.job != *job),
        }
    }

    /// The places of these running jobs, for a row that got lost. Their engines are found out when
    /// they are claimed next.
    pub(crate) fn of_running<'a>(jobs: impl Iterator<Item = &'a Job>, now: Timestamp) -> Self {
        let taken = jobs.filter_map(|job| {
            Some(Taken {
                job: job.id.clone(),
                epoch: job.epoch,
                engine: None,
                until: job.live_lease(now)?.until,
            })
        });
        Self {
            taken: taken.collect(),
            line: Vec::new(),
        }
    }

    /// Reads the two texts of the row.
    pub(crate) fn from_texts(taken: &str, line: &str) -> Result<Self, serde_json::Error> {
        Ok(Self {
            taken: serde_json::from_str(taken)?,
            line: serde_json::from_str(line)?,
        })
    }

    /// The two texts of the row.
    pub(crate) fn to_texts(&self) -> (String, String) {
        (
            serde_json::json!(self.taken).to_string(),
            serde_json::json!(self.line).to_string(),
        )
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.taken.len()
    }

    /// How many wait with a number.
    pub fn waiting(&self) -> usize {
        self.line.len()
    }
}

#[cfg(test)]
mod tests;
