//! The scenes: pieces of an installation's life that together pass every crash point. Each does a
//! thing several times, and knows what must be there afterwards whoever died.

mod asked;
mod catalogue;
mod planned;
mod removed;
mod verified;
mod worked;

use std::sync::Arc;

use dilux_core::crash::{EXPIRY_POINTS, POINTS};
use dilux_journeys::Sample;

use crate::stage::{Fate, Stage};

/// A scene by what is done in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    /// A processor backs up.
    Backups,
    /// The API books backups.
    Bookings,
    /// The API cancels jobs.
    Cancellations,
    /// The scheduler plans new databases.
    Plans,
    /// A processor fails to back up.
    Failures,
    /// A processor is asked to stop in the middle of a dump.
    GivenBack,
    /// A processor finds that a job is wanted no more.
    Misses,
    /// A processor restores.
    Restores,
    /// A processor verifies.
    Verifications,
    /// A processor finds messages that name no job.
    Letters,
    /// The API gives dead letters another chance.
    Requeues,
    /// The API removes an engine with its databases.
    Removals,
    /// A command rebuilds the catalogue.
    Rebuilds,
    /// A command deletes what has expired.
    Expiries,
}

impl Scene {
    pub(crate) const ALL: [Self; 14] = [
        Self::Backups,
        Self::Bookings,
        Self::Cancellations,
        Self::Plans,
        Self::Failures,
        Self::GivenBack,
        Self::Misses,
        Self::Restores,
        Self::Verifications,
        Self::Letters,
        Self::Requeues,
        Self::Removals,
        Self::Rebuilds,
        Self::Expiries,
    ];

    /// The points at which its actor is to die.
    pub(crate) fn points(self) -> &'static [&'static str] {
        match self {
            Self::Backups => POINTS,
            Self::Bookings | Self::Plans => &["after-index-entries", "after-booking", "after-bell"],
            Self::Cancellations => &["after-cancel"],
            Self::Failures => &["after-failure-recorded", "after-attempt-failed"],
            Self::GivenBack => &["after-release"],
            Self::Misses => &["after-miss"],
            Self::Restores => &[
                "after-restore-created",
                "after-restore-written",
                "after-restore-completed",
            ],
            Self::Verifications => &[
                "after-rehearsal-created",
                "after-verification-read",
                "after-finding-stored",
                "after-finding-shown",
                "after-verification-completed",
            ],
            Self::Letters => &["after-dead-letter"],
            Self::Requeues => &["after-requeue"],
            Self::Removals => &[
                "before-removal",
                "after-removal-noted",
                "after-removal-jobs-cancelled",
                "after-removal-database",
                "after-removal-engine",
                "after-removal-audit",
            ],
            Self::Rebuilds => &["mid-rebuild", "after-rebuilt-points"],
            Self::Expiries => EXPIRY_POINTS,
        }
    }

    /// Plays it in a new installation, doing its thing so many times. Gives the points that the
    /// actor passed when it lives.
    pub(crate) async fn play(self, sample: Arc<Sample>, times: usize, fate: Fate) -> Vec<String> {
        let mut stage = Stage::new(sample, times, fate).await;
        match self {
            Self::Backups => worked::backups(&stage).await,
            Self::Bookings => asked::bookings(&mut stage).await,
            Self::Cancellations => asked::cancellations(&mut stage).await,
            Self::Plans => planned::plans(&stage).await,
            Self::Failures => worked::failures(&stage).await,
            Self::GivenBack => worked::given_back(&stage).await,
            Self::Misses => worked::misses(&stage).await,
            Self::Restores => worked::restores(&stage).await,
            Self::Verifications => verified::verifications(&stage).await,
            Self::Letters => worked::letters(&stage).await,
            Self::Requeues => asked::requeues(&mut stage).await,
            Self::Removals => removed::removals(&mut stage).await,
            Self::Rebuilds => catalogue::rebuilds(&stage).await,
            Self::Expiries => catalogue::expiries(&stage).await,
        }
        let notes = std::fs::read_to_string(stage.notes()).unwrap_or_default();
        notes.lines().map(str::to_owned).collect()
    }
}
