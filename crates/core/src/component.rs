//! The processes of an installation: each notes again and again that it lives, with its version and
//! what it can work with. What has fallen silent shows.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::installation::Installation;
use crate::model::{ComponentId, EngineType, InvalidName};
use crate::repository::Version;
use crate::storage::StorageResult;

/// Heartbeats that a process may miss before it counts as silent.
const MISSING: u32 = 3;

/// How long the row of a silent process stays.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// How long the end of a process may wait for a store that does not answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ComponentKind {
    /// It serves the API.
    Api,
    /// It plans.
    Scheduler,
    /// It works jobs off.
    Processor,
}

impl ComponentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Api, Self::Scheduler, Self::Processor];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Scheduler => "scheduler",
            Self::Processor => "processor",
        }
    }
}

impl fmt::Display for ComponentKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ComponentKind {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| InvalidName("must be api, scheduler or processor".to_owned()))
    }
}

/// A client tool that a process found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundTool {
    /// `pg_dump`, `mariadb`, ….
    pub name: String,
    /// As the tool says; `None` when it does not work.
    pub version: Option<String>,
    /// The version with fixes that it lacks.
    pub fixed_in: Option<String>,
    /// Why it does not work.
    pub problem: Option<String>,
}

/// A process of the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Tells processes apart.
    pub id: ComponentId,
    /// What it is.
    pub kind: ComponentKind,
    /// Version of the program.
    pub version: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// Its last heartbeat.
    pub seen_at: Timestamp,
    /// Jobs that it runs at once; `None` for a process that runs none.
    pub slots: Option<u32>,
    /// Engine types that it can work with.
    pub engine_types: Vec<EngineType>,
    /// Client tools that it found.
    pub tools: Vec<FoundTool>,
}

impl Component {
    /// A process of `installation` that starts now.
    pub fn starting(installation: &Installation, kind: ComponentKind, version: &str) -> Self {
        let now = installation.clock.now();
        Self {
            id: ComponentId::random(&*installation.random),
            kind,
            version: version.to_owned(),
            started_at: now,
            seen_at: now,
            slots: None,
            engine_types: Vec::new(),
            tools: Vec::new(),
        }
    }

    /// Whether it counts as alive at `now`, where there is a heartbeat each `heartbeat`.
    pub fn is_alive(&self, now: Timestamp, heartbeat: Duration) -> bool {
        let silence = now.duration_since(self.seen_at);
        Duration::try_from(silence).is_ok_and(|silence| silence <= heartbeat * MISSING)
            || silence.is_negative()
    }

    /// Notes its heartbeats until `stop`, then takes its row away. A store that does not answer
    /// costs a heartbeat and nothing else.
    pub async fn keep_alive(mut self, installation: &Installation, stop: &CancellationToken) {
        if let Err(error) = forget_the_dead(installation).await {
            tracing::warn!(%error, "rows of processes that ended long ago stay for now");
        }
        let mut last = None;
        loop {
            self.seen_at = installation.clock.now();
            last = match self.beat(installation, last).await {
                Ok(version) => Some(version),
                Err(error) => {
                    tracing::warn!(%error, "heartbeat is missing: storage does not answer");
                    None
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(installation.settings.heartbeat) => {}
            }
        }
        match tokio::time::timeout(FAREWELL, self.leave(installation)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("this process stays listed until it counts as silent");
            }
        }
    }

    /// Writes its row, whose version is known from the last heartbeat unless that one failed.
    async fn beat(
        &self,
        installation: &Installation,
        last: Option<Version>,
    ) -> StorageResult<Version> {
        let components = &installation.repositories.components;
        let version = match last {
            Some(version) => Some(version),
            None => components.get(&self.id).await?.map(|row| row.version),
        };
        let written = match version {
            None => components.insert(self.clone()).await?,
            Some(version) => components.replace(self.clone(), &version).await?,
        };
        Ok(written.version)
    }

    async fn leave(&self, installation: &Installation) -> StorageResult<()> {
        let components = &installation.repositories.components;
        match components.get(&self.id).await? {
            None => Ok(()),
            Some(row) => components.delete(&self.id, &row.version).await,
        }
    }
}

async fn forget_the_dead(installation: &Installation) -> StorageResult<()> {
    let components = &installation.repositories.components;
    let now = installation.clock.now();
    for row in components.list().await?.items {
        if now.duration_since(row.value.seen_at) > REMEMBERED {
            components.delete(&row.value.id, &row.version).await?;
        }
    }
    Ok(())
}
