//! An installation as every service sees it: settings, stores, repositories, clock.

mod clock_watch;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::access::Access;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Settings;
use crate::custody::Custody;
use crate::dispatch::Dispatcher;
use crate::entra::Tokens;
use crate::error::{Error, Result};
use crate::model::InstallationId;
use crate::random::{SharedRandom, SystemRandom};
use crate::repository::{Repositories, TableNames};
use crate::schedule::system_policies;
use crate::storage::{
    self, Condition, Entity, EntityKey, Profile, RetryPolicy, Storage, StorageErrorKind,
    StorageResult, TableOperation,
};

/// How far the machine's clock may be from the store's before nothing is decided any more.
pub(crate) const LONGEST_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What every service works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Settings.
    pub settings: Arc<Settings>,
    /// The stores.
    pub storage: Storage,
    /// Typed access to the tables.
    pub repositories: Repositories,
    /// Books jobs and rings for them.
    pub dispatcher: Dispatcher,
    /// Tokens for database servers.
    pub tokens: Tokens,
    /// Time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: SharedRandom,
}

impl Installation {
    /// Opens the stores that the settings name, by the machine's clock.
    pub fn open(settings: Settings, profile: Profile) -> StorageResult<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let random: SharedRandom = Arc::new(SystemRandom);
        let storage = storage::open(&settings, profile, &clock, &random)?;
        let tokens = Tokens::new(&settings.entra, profile.policy(), random.clone());
        let installation = Self::new(Arc::new(settings), storage, clock, random);
        Ok(installation.with_tokens(tokens))
    }

    /// An installation over opened stores, whose tokens come from the settings' identities and are
    /// waited for no longer than a person would.
    pub fn new(
        settings: Arc<Settings>,
        storage: Storage,
        clock: SharedClock,
        random: SharedRandom,
    ) -> Self {
        let names = TableNames {
            databases: settings.config_table.clone(),
            history: settings.history_table.clone(),
        };
        let (tables, secrets) = (storage.tables.clone(), storage.secrets.clone());
        let repositories = Repositories::new(tables, secrets, random.clone(), &names);
        let dispatcher = Dispatcher::new(
            &repositories,
            settings.limits,
            storage.queues.clone(),
            settings.queue.clone(),
            clock.clone(),
        );
        let tokens = Tokens::new(&settings.entra, RetryPolicy::interactive(), random.clone());
        Self {
            settings,
            storage,
            repositories,
            dispatcher,
            tokens,
            clock,
            random,
        }
    }

    /// The same with tokens from elsewhere.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// What opens engines and databases.
    pub fn access(&self) -> Access<'_> {
        Access::new(&*self.storage.secrets, &self.tokens)
    }

    /// Custody of the secrets of engines and databases.
    pub fn custody(&self) -> Custody {
        Custody::new(self.clone())
    }

    /// Makes sure that tables, queue, container and the seeded policies exist. Every service does
    /// this at its start, so that none depends on another having run; doing it again changes
    /// nothing, least of all a policy that somebody edited.
    pub async fn prepare(&self) -> Result<()> {
        self.repositories.create_tables().await?;
        self.storage
            .queues
            .create_queue(&self.settings.queue)
            .await?;
        self.storage
            .blobs
            .create_container(&self.settings.container)
            .await?;
        let policies = system_policies(self.clock.now())
            .map_err(|error| Error::internal("seed the policies", error))?;
        for policy in policies {
            match self.repositories.policies.insert(policy).await {
                Ok(_) => {}
                Err(error) if error.kind() == StorageErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What tells this installation from others; made when it is asked for the first time. Processes
    /// that ask at the same time get the same.
    pub async fn id(&self) -> Result<InstallationId> {
        let rows = &self.repositories.installation;
        if let Some(id) = rows.id().await? {
            return Ok(id);
        }
        rows.propose_id(&InstallationId::random(&*self.random))
            .await?;
        rows.id()
            .await?
            .ok_or_else(|| Error::Conflict("the id of the installation vanished".to_owned()))
    }

    /// An error when this machine's clock is far from the store's, and so from those of others who
    /// work on it. An embedded store has no clock but this machine's, and nobody to disagree with:
    /// there it is noted what the clock shows, so that a jump is noticed before anything expires.
    pub async fn check_clock(&self) -> Result<()> {
        if self.storage.embedded.is_some() {
            return Ok(self.watch_clock().await?);
        }
        let before = self.clock.now();
        let stored = self.storage_time().await?;
        // The row was written in between, however long the store took to answer.
        let after = self.clock.now();
        let (is_ahead, off) = if before > stored {
            (true, before.duration_since(stored))
        } else {
            (false, stored.duration_since(after))
        };
        if off <= LONGEST_SKEW {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "the clock of this machine is {} s {} that of the store; nothing is planned here until \
             they agree to within {} s: set the clock, and keep it by NTP",
            off.as_secs(),
            if is_ahead { "ahead of" } else { "behind" },
            LONGEST_SKEW.as_secs()
        )))
    }

    /// What time it is by the store's clock, told by a row that is written for it. The versions of an
    /// embedded store only ever grow, so after a clock was set forward and back they are ahead of
    /// it: they are versions then, and its time is the clock's.
    pub async fn storage_time(&self) -> Result<Timestamp> {
        let table = self.repositories.settings.table();
        let key = EntityKey::new("clock", "probe");
        let probe = TableOperation::Replace(Entity::new(key.clone()), Condition::None);
        self.storage.tables.write(table, probe).await?;
        let row = self.storage.tables.get(table, &key).await?;
        let written = row
            .map(|row| row.timestamp)
            .ok_or_else(|| Error::Conflict("the probe row vanished".to_owned()))?;
        Ok(match self.storage.embedded {
            Some(_) => written.min(self.clock.now()),
            None => written,
        })
    }
}
