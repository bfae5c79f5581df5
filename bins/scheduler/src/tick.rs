//! One tick: every enabled database is looked at, a page at a time; one bad row never stops the
//! others. A page costs one read of databases and a few of their states, however many there are.

use std::collections::HashMap;
use std::fmt;

use dilux_core::Result;
use dilux_core::model::{Database, DatabaseId};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::storage::{Continuation, StorageError, StorageErrorKind};
use dilux_core::timer::TimerOutcome;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};

use crate::Scheduler;
use crate::catalogue::Catalogue;
use crate::plan::States;

/// Databases that are booked at once.
const AT_ONCE: usize = 16;

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TickReport {
    /// Enabled databases looked at.
    pub databases: usize,
    /// Jobs booked.
    pub booked: usize,
    /// Databases that could not be planned; each is logged with the reason.
    pub failed: usize,
    /// Rows that could not be decoded.
    pub damaged: usize,
}

impl TickReport {
    /// How a timer's run ends that did this.
    pub(crate) fn outcome(&self) -> TimerOutcome {
        if self.failed + self.damaged == 0 {
            TimerOutcome::Done
        } else {
            TimerOutcome::Partial
        }
    }
}

impl fmt::Display for TickReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} databases looked at, {} jobs booked, {} databases cannot be planned, {} rows \
             damaged",
            self.databases, self.booked, self.failed, self.damaged
        )
    }
}

/// Databases that are planned in one go.
struct Chunk {
    /// The enabled ones of a page.
    databases: Listing<Versioned<Database>>,
    /// What is known of them.
    states: HashMap<DatabaseId, States>,
    /// Where the next page starts.
    next: Option<Continuation>,
}

impl Scheduler {
    /// Books what is owed now, and what falls due before the next tick. An error means that storage
    /// did not answer: what was booked until then stands, everything else is undecided; or that
    /// this machine's clock is wrong, and nothing was decided.
    pub async fn tick(&self) -> Result<TickReport> {
        self.installation.check_clock().await?;
        let repositories = &self.installation.repositories;
        let engines = repositories.engines.list().await?;
        let policies = repositories.policies.list().await?;
        let now = self.installation.clock.now();
        let catalogue = Catalogue::new(&engines, &policies, now, self.horizon(now));
        let mut report = TickReport {
            damaged: engines.damaged.len() + policies.damaged.len(),
            ..TickReport::default()
        };
        let mut chunk = self.read_chunk(None).await?;
        loop {
            // The next ones are read while these are planned.
            let next = chunk.next.take();
            let read_next = async {
                match &next {
                    Some(from) => self.read_chunk(Some(from)).await.map(Some),
                    None => Ok(None),
                }
            };
            let plan = self.plan_chunk(chunk, &catalogue, &mut report);
            let (planned, read) = tokio::join!(plan, read_next);
            planned?;
            match read? {
                Some(read) => chunk = read,
                None => return Ok(report),
            }
        }
    }

    async fn read_chunk(&self, from: Option<&Continuation>) -> Result<Chunk> {
        let databases = &self.installation.repositories.databases;
        let (mut page, next) = databases.page(from).await?;
        page.items.retain(|row| row.value.enabled);
        let states = match (page.items.first(), page.items.last()) {
            (Some(first), Some(last)) => {
                self.states_between(&first.value.id, &last.value.id).await?
            }
            _ => HashMap::new(),
        };
        Ok(Chunk {
            databases: page,
            states,
            next,
        })
    }

    async fn plan_chunk(
        &self,
        mut chunk: Chunk,
        catalogue: &Catalogue<'_>,
        report: &mut TickReport,
    ) -> Result<()> {
        report.damaged += chunk.databases.damaged.len();
        let databases = chunk.databases.items.iter().map(|row| &row.value);
        let work = databases.map(|database| {
            let states = chunk.states.remove(&database.id).unwrap_or_default();
            async move { (database, self.plan_one(database, catalogue, states).await) }
        });
        let work: Vec<_> = work.collect();
        let mut outcomes = futures::stream::iter(work).buffer_unordered(AT_ONCE);
        while let Some((database, outcome)) = outcomes.next().await {
            report.databases += 1;
            match outcome {
                Ok(booked) => report.booked += booked,
                Err(Fault::Storage(error)) if stops_everything(&error) => return Err(error.into()),
                Err(fault) => {
                    report.failed += 1;
                    tracing::error!(database.id = %database.id, database = %database.label, reason = %fault, "database cannot be planned");
                }
            }
        }
        Ok(())
    }

    async fn plan_one(
        &self,
        database: &Database,
        catalogue: &Catalogue<'_>,
        states: States,
    ) -> std::result::Result<usize, Fault> {
        let subject = catalogue.subject(database).map_err(Fault::Configuration)?;
        Ok(self.plan_database(&subject, states).await?)
    }

    /// The states of the databases of a page, by database.
    async fn states_between(
        &self,
        first: &DatabaseId,
        last: &DatabaseId,
    ) -> Result<HashMap<DatabaseId, States>> {
        let repository = &self.installation.repositories.schedule;
        let listing = repository.between(first, last).await?;
        let mut all: HashMap<DatabaseId, States> = HashMap::new();
        for row in listing.items {
            let states = all.entry(row.value.database_id.clone()).or_default();
            states.items.push(row);
        }
        for row in listing.damaged {
            if let Ok(id) = row.key.partition.parse::<DatabaseId>() {
                all.entry(id).or_default().damaged.push(row);
            }
        }
        Ok(all)
    }

    fn horizon(&self, now: Timestamp) -> Timestamp {
        let tick = SignedDuration::try_from(self.installation.settings.tick);
        now.saturating_add(tick.unwrap_or(SignedDuration::ZERO))
            .unwrap_or(now)
    }
}

/// Why a database could not be planned.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// Something that it refers to is missing.
    #[error("{0}")]
    Configuration(String),
    /// A row of it cannot be used, or storage does not answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Whether an error tells of the store and not of one row.
fn stops_everything(error: &StorageError) -> bool {
    !matches!(
        error.kind(),
        StorageErrorKind::Corrupt | StorageErrorKind::Invalid
    )
}
