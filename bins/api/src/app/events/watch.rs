//! The look at the stores, again and again, and what differs from the last one. What it costs
//! depends on the work under way, and not on the length of the history or the number of listeners.

use std::collections::HashMap;
use std::time::Duration;

use dilux_core::Result;
use dilux_core::model::{AlertId, BackupStatus, Job, JobId, JobState, Work};
use dilux_core::repository::ListedJobs;
use dilux_core::storage::StorageErrorKind;
use jiff::{SignedDuration, Timestamp};

use super::Change;
use super::feed::Feed;
use crate::app::{AlertView, Application, BackupView};

/// Time between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One look in so many is at the alerts too: it costs a row or two a database.
const ALERTS_EVERY: u64 = 5;

/// How far the clocks of the processes that book jobs may be apart: a job that was booked and ended
/// between two looks is found by the time at which it was booked.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// How long after its last look a watch can go on from what it saw.
const MEMORY: SignedDuration = SignedDuration::from_mins(5);

/// Jobs that are read in one look: so many that are at work or new, and as many that wait.
const READ_AT_ONCE: usize = 100;

/// What is known from earlier looks.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When the last look began that succeeded.
    looked_at: Option<Timestamp>,
    looks: u64,
    jobs: HashMap<JobId, Seen>,
    alerts: HashMap<AlertId, AlertView>,
}

/// What was seen of a job.
#[derive(Debug, Default)]
struct Seen {
    /// The look that read it last.
    look: u64,
    state: SeenState,
}

#[derive(Debug, Default)]
enum SeenState {
    /// It was listed and not read yet.
    #[default]
    Unread,
    /// It was not over.
    Open(Box<Job>),
    /// It was over, or cannot be read. Nothing more is told of it.
    Settled,
}

impl Watch {
    /// Whether what was seen is so young that what happened since can be told from it.
    pub(super) fn can_go_on(&self, now: Timestamp) -> bool {
        let age = self.looked_at.map(|at| now.duration_since(at));
        age.is_some_and(|age| !age.is_negative() && age <= MEMORY)
    }

    /// Looks, and tells what differs from the last look. After a failure the next look tells the
    /// rest. The first one finds out how things are, and tells nothing of it.
    pub(super) async fn look(&mut self, app: &Application, feed: &Feed) -> Result<()> {
        let now = app.installation.clock.now();
        let is_first = self.looked_at.is_none();
        self.look_at_jobs(app, now, feed).await?;
        if self.looks.is_multiple_of(ALERTS_EVERY) {
            self.look_at_alerts(app, is_first, feed).await?;
        }
        self.looks += 1;
        self.looked_at = Some(now);
        Ok(())
    }

    async fn look_at_jobs(&mut self, app: &Application, now: Timestamp, feed: &Feed) -> Result<()> {
        let is_first = self.looked_at.is_none();
        let since = self.looked_at.unwrap_or(now).saturating_sub(CLOCKS_APART);
        let jobs = &app.installation.repositories.jobs;
        let listed = jobs.listed(since.unwrap_or(now), now).await?;
        for id in listed.active.iter().chain(&listed.recent) {
            if !self.jobs.contains_key(id) {
                self.jobs.insert(id.clone(), Seen::default());
            }
        }
        for id in self.worth_reading(&listed) {
            match read(app, &id, !is_first).await? {
                // It is being booked.
                Found::Nothing if listed.contains(&id) => {}
                Found::Nothing => {
                    self.jobs.remove(&id);
                }
                found => self.note(id, found, !is_first, feed),
            }
        }
        // What is listed no more, and was open when it was read last, is read again.
        self.jobs
            .retain(|id, seen| listed.contains(id) || !matches!(seen.state, SeenState::Settled));
        Ok(())
    }

    /// The jobs to read in this look, those first that were not read for the longest time.
    fn worth_reading(&self, listed: &ListedJobs) -> Vec<JobId> {
        let (mut waiting, mut others) = (Vec::new(), Vec::new());
        for (id, seen) in &self.jobs {
            match &seen.state {
                SeenState::Settled => {}
                SeenState::Open(job)
                    if !matches!(job.state, JobState::Running { .. })
                        && listed.active.contains(id) =>
                {
                    waiting.push((seen.look, id));
                }
                SeenState::Unread | SeenState::Open(_) => others.push((seen.look, id)),
            }
        }
        let longest = |mut ids: Vec<(u64, &JobId)>| {
            ids.sort();
            let ids = ids.into_iter().take(READ_AT_ONCE);
            ids.map(|(_, id)| id.clone()).collect::<Vec<JobId>>()
        };
        [longest(others), longest(waiting)].concat()
    }

    /// Compares what was read with what was seen, and tells what is another.
    fn note(&mut self, id: JobId, found: Found, is_told: bool, feed: &Feed) {
        let seen = self.jobs.entry(id).or_default();
        seen.look = self.looks;
        let Found::Job(job, backup) = found else {
            seen.state = SeenState::Settled;
            return;
        };
        let is_same = matches!(&seen.state, SeenState::Open(before) if *before == job);
        seen.state = if job.is_terminal() {
            SeenState::Settled
        } else {
            SeenState::Open(job.clone())
        };
        if is_told && !is_same {
            feed.publish(Change::Job(job));
            if let Some(backup) = backup {
                feed.publish(Change::Backup(backup));
            }
        }
    }

    async fn look_at_alerts(
        &mut self,
        app: &Application,
        is_first: bool,
        feed: &Feed,
    ) -> Result<()> {
        let found = app.alerts().await?.items;
        let mut present = HashMap::new();
        for view in found {
            let before = self.alerts.remove(&view.alert.id);
            if !is_first && before.as_ref() != Some(&view) {
                feed.publish(Change::Alert(Box::new(view.clone())));
            }
            present.insert(view.alert.id.clone(), view);
        }
        for id in std::mem::replace(&mut self.alerts, present).into_keys() {
            feed.publish(Change::AlertOver(id));
        }
        Ok(())
    }
}

/// What is at the place of a job.
enum Found {
    Nothing,
    Unreadable,
    /// The job, and the backup that it made.
    Job(Box<Job>, Option<Box<BackupView>>),
}

/// Looks for the backup only when it is to be told.
async fn read(app: &Application, id: &JobId, is_told: bool) -> Result<Found> {
    let job = match app.installation.repositories.jobs.get(id).await {
        Ok(None) => return Ok(Found::Nothing),
        Ok(Some(job)) => job.value,
        Err(error) if error.kind() == StorageErrorKind::Corrupt => return Ok(Found::Unreadable),
        Err(error) => return Err(error.into()),
    };
    let is_made = matches!(
        (&job.work, &job.state),
        (Work::Backup(_), JobState::Completed { .. })
    );
    let backup = if is_made && is_told {
        made_by(app, &job).await?
    } else {
        None
    };
    Ok(Found::Job(Box::new(as_told(job)), backup.map(Box::new)))
}

/// The backup that a job made, unless it is gone already.
async fn made_by(app: &Application, job: &Job) -> Result<Option<BackupView>> {
    let repositories = &app.installation.repositories;
    let line = match repositories.backups.get(&job.id, job.created_at).await {
        Ok(line) => line.map(|line| line.value),
        Err(error) if error.kind() == StorageErrorKind::Corrupt => None,
        Err(error) => return Err(error.into()),
    };
    match line.filter(|line| line.status == BackupStatus::Completed) {
        Some(backup) => app.with_engine(backup).await.map(Some),
        None => Ok(None),
    }
}

/// A job without what nobody is told and what changes with each heartbeat.
fn as_told(mut job: Job) -> Job {
    job.rung_at = None;
    if let JobState::Running { lease, .. } = &mut job.state {
        lease.until = job.created_at;
    }
    job
}
