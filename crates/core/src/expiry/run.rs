//! One run of retention over all databases: one at a time, so memory does not grow with their
//! number; one that cannot be looked at never stops the others.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::holdings::{Holding, Holdings, MANIFESTS};
use super::registry::{Followed, Registry};
use super::{Expiry, orphans};
use crate::error::{Error, Result};
use crate::model::{DatabaseId, Fate, Work};
use crate::random::uuid_text;
use crate::retention::{Candidate, Standing, plan};
use crate::storage::StorageErrorKind;

/// How long a scheduler that carries out retention may be silent before another takes over.
const RUN_LIFE: SignedDuration = SignedDuration::from_mins(2);

/// How often it speaks. Two calls may fail before it is taken for dead.
const RENEWAL: Duration = Duration::from_secs(30);

/// Manifest names asked for at once.
const PAGE: u32 = 5000;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct ExpiryReport {
    /// Whether another scheduler was at it, and this one did nothing.
    pub is_elsewhere: bool,
    /// Databases looked at.
    pub databases: u64,
    /// Databases that could not be; each is logged with the reason, and lost nothing.
    pub failed: u64,
    /// Backups that stay.
    pub kept: u64,
    /// Backups whose deletion was announced.
    pub tombstoned: u64,
    /// Announcements that were taken back.
    pub withdrawn: u64,
    /// Announced ones whose time has not come.
    pub waiting: u64,
    /// Deleted backups.
    pub deleted: u64,
    /// Due ones that a restore, a download or their own job keeps for now.
    pub blocked: u64,
    /// Due ones that wait for the next run because the budget is used up.
    pub over_budget: u64,
    /// Backups newly found damaged.
    pub damaged: u64,
    /// Data without backup that was removed.
    pub orphans: u64,
}

/// A run under way.
#[derive(Debug)]
pub(super) struct Run {
    /// The time by the store's clock when it began.
    pub(super) now: Timestamp,
    pub(super) registry: Registry,
    /// When the oldest job that is not over was booked, by database.
    pub(super) oldest_active: HashMap<DatabaseId, Timestamp>,
    pub(super) report: ExpiryReport,
}

impl Expiry {
    /// Carries out retention for every database. An error means that storage did not answer, or
    /// that a clock is wrong; what was decided before stands.
    pub async fn run(&self) -> Result<ExpiryReport> {
        let never = CancellationToken::new();
        let report = self.run_until(&never).await?;
        Ok(report.unwrap_or_default())
    }

    /// The same, but ended by `stop`, wherever it is: the next run goes on from there, and may
    /// begin at once. Gives no report then.
    pub async fn run_until(&self, stop: &CancellationToken) -> Result<Option<ExpiryReport>> {
        let now = self.trusted_time().await?;
        if let Some(doubt) = self.installation.clock_doubt().await? {
            return Err(Error::Refused(doubt));
        }
        let ahead = now.duration_since(self.installation.clock.now());
        let elsewhere = ExpiryReport {
            is_elsewhere: true,
            ..ExpiryReport::default()
        };
        let runner = uuid_text(&*self.installation.random);
        let states = &self.installation.repositories.retention;
        if !states.take_run(&runner, now, RUN_LIFE).await? {
            return Ok(Some(elsewhere));
        }
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(None),
            // On the heap: a run holds a lot, and its callers would hold it as well.
            outcome = Box::pin(self.run_as(now)) => outcome.map(Some),
            () = self.keep_run(&runner, ahead) => return Ok(Some(elsewhere)),
        };
        if let Err(error) = states.end_run(&runner, self.store_time(ahead)).await {
            tracing::warn!(%error, "the next run of retention has to wait two minutes");
        }
        outcome
    }

    /// Says every half minute that `runner` is at work. Ends when another has taken the run over.
    async fn keep_run(&self, runner: &str, ahead: SignedDuration) {
        let states = &self.installation.repositories.retention;
        loop {
            tokio::time::sleep(RENEWAL).await;
            let now = self.store_time(ahead);
            match states.take_run(runner, now, RUN_LIFE).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!("another scheduler took retention over");
                    return;
                }
                Err(error) => tracing::warn!(%error, "the run of retention cannot be renewed"),
            }
        }
    }

    /// The time by the store's clock, which was `ahead` of the machine's when the run began.
    fn store_time(&self, ahead: SignedDuration) -> Timestamp {
        let now = self.installation.clock.now();
        now.saturating_add(ahead).unwrap_or(now)
    }

    async fn run_as(&self, now: Timestamp) -> Result<ExpiryReport> {
        let repositories = &self.installation.repositories;
        let registry = Registry::read(repositories).await?;
        let mut run = Run {
            now,
            oldest_active: self.oldest_active(now).await?,
            registry,
            report: ExpiryReport::default(),
        };
        self.welcome_back(&run.registry).await?;
        let ids = self.known_databases(&run.registry).await?;
        for id in ids {
            run.report.databases += 1;
            match self.expire_database(&mut run, &id).await {
                Ok(()) => {}
                Err(error @ Error::Unavailable { .. }) => return Err(error),
                Err(error) => {
                    run.report.failed += 1;
                    tracing::error!(database.id = %id, %error, "nothing of this database expires");
                }
            }
        }
        self.sweep_embedded().await;
        if run.report.over_budget > 0 {
            tracing::warn!(
                waiting = run.report.over_budget,
                "more backups are due than one run may delete; see DILUX_RETENTION_DELETE_BUDGET"
            );
        }
        Ok(run.report)
    }

    async fn oldest_active(&self, now: Timestamp) -> Result<HashMap<DatabaseId, Timestamp>> {
        let mut oldest: HashMap<DatabaseId, Timestamp> = HashMap::new();
        for job in self.installation.repositories.jobs.active(now).await? {
            if let Work::Backup(_) = job.value.work {
                let booked = job.value.created_at;
                let entry = oldest.entry(job.value.database_id).or_insert(booked);
                *entry = booked.min(*entry);
            }
        }
        Ok(oldest)
    }

    /// A database that came back is no longer noted as gone.
    async fn welcome_back(&self, registry: &Registry) -> Result<()> {
        let states = &self.installation.repositories.retention;
        for id in states.unregistered().await? {
            if registry.is_registered(&id) {
                states.registered_again(&id).await?;
            }
        }
        Ok(())
    }

    /// Those that are registered, that were, and that have manifests.
    pub(super) async fn known_databases(
        &self,
        registry: &Registry,
    ) -> Result<BTreeSet<DatabaseId>> {
        let mut ids: BTreeSet<DatabaseId> = registry.ids().cloned().collect();
        let states = &self.installation.repositories.retention;
        ids.extend(states.unregistered().await?);
        let (blobs, container) = (
            &self.installation.storage.blobs,
            &self.installation.settings.container,
        );
        let mut from = None;
        loop {
            let page = blobs
                .list(container, MANIFESTS, PAGE, from.as_ref())
                .await?;
            for blob in page.blobs {
                let folder = blob.name.as_str().split('/').nth(1);
                if let Some(Ok(id)) = folder.map(str::parse) {
                    ids.insert(id);
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(ids),
            }
        }
    }

    async fn expire_database(&self, run: &mut Run, id: &DatabaseId) -> Result<()> {
        let followed = run.registry.followed(id).map_err(Error::Refused)?;
        let standing = self.standing(&followed, id, run.now).await?;
        let mut holdings = self.holdings(id, followed.database).await?;
        let named = orphans::named(&holdings);
        for state in std::mem::take(&mut holdings.loose_states) {
            match state.value.fate {
                Fate::Deleting(_) => self.finish_deletion(run, state, None).await?,
                Fate::Tombstoned(_) => {
                    self.grant_wish_without_manifest(run, state, &holdings.loose_lines)
                        .await?;
                }
                Fate::Kept | Fate::Deleted(_) => {}
            }
        }
        self.note_findings(run, &mut holdings).await?;
        self.expire(run, &mut holdings, standing).await?;
        for holding in &mut holdings.backups {
            self.show(holding).await?;
        }
        self.settle_recovery_point(&holdings).await?;
        self.remove_orphans(run, &holdings, &named).await
    }

    async fn expire(
        &self,
        run: &mut Run,
        holdings: &mut Holdings,
        standing: Standing,
    ) -> Result<()> {
        let is_going = |fate: &Fate| matches!(fate, Fate::Deleting(_) | Fate::Deleted(_));
        let (going, staying): (Vec<_>, Vec<_>) = std::mem::take(&mut holdings.backups)
            .into_iter()
            .partition(|one| is_going(&one.state.fate));
        let (mut unwanted, staying): (Vec<_>, Vec<_>) =
            staying.into_iter().partition(|one| one.state.is_unwanted());
        holdings.backups = staying;
        for holding in going {
            if let Some(version) = holding.version {
                let begun = crate::repository::Versioned {
                    value: holding.state,
                    version,
                };
                let manifest = Some(&holding.manifest);
                self.finish_deletion(run, begun, manifest).await?;
            }
        }
        let candidates: Vec<Candidate> = holdings.backups.iter().map(Holding::candidate).collect();
        let minimum = self.installation.settings.retention.minimum;
        let plan = plan(&candidates, &run.registry.rules(standing, minimum), run.now);
        // Oldest first, so that what the budget leaves over is the younger part.
        for decision in plan.decisions.iter().rev() {
            let holding = holdings
                .backups
                .iter_mut()
                .find(|one| one.id == decision.id && !one.is_obscure);
            if let Some(holding) = holding {
                self.carry_out(run, holding, &decision.verdict).await?;
            }
        }
        self.grant_wishes(run, &mut unwanted, &candidates).await?;
        holdings.backups.append(&mut unwanted);
        Ok(())
    }

    async fn standing(
        &self,
        followed: &Followed<'_>,
        id: &DatabaseId,
        now: Timestamp,
    ) -> Result<Standing> {
        if let Some(standing) = followed.standing() {
            return Ok(standing);
        }
        let repositories = &self.installation.repositories;
        match repositories.databases.get(id).await {
            Ok(None) => {}
            Ok(Some(_)) => {
                let reason = "it was registered a moment ago; the next run looks at it";
                return Err(Error::Refused(reason.to_owned()));
            }
            Err(error) if error.kind() == StorageErrorKind::Corrupt => {
                return Err(Error::Refused("its row cannot be read".to_owned()));
            }
            Err(error) => return Err(error.into()),
        }
        let since = repositories.retention.unregistered_since(id, now).await?;
        Ok(self.unregistered(since))
    }

    /// The standing of a database that is registered no more since `since`.
    pub(super) fn unregistered(&self, since: Timestamp) -> Standing {
        let days = i64::from(self.installation.settings.retention.unregistered_grace_days);
        let grace = SignedDuration::from_hours(24 * days);
        Standing::Unregistered {
            grace_until: since.saturating_add(grace).unwrap_or(Timestamp::MAX),
        }
    }

    async fn sweep_embedded(&self) {
        let Some(store) = &self.installation.storage.embedded else {
            return;
        };
        let hours = i64::from(self.installation.settings.retention.orphan_hours);
        match store.sweep(SignedDuration::from_hours(hours)).await {
            Ok(swept) => tracing::info!(
                uploads = swept.stagings,
                files = swept.files,
                bytes = swept.bytes,
                messages = swept.messages,
                "the embedded store is swept"
            ),
            Err(error) => tracing::error!(%error, "the embedded store cannot be swept"),
        }
    }
}
