//! What the scheduler owes while it is being killed: a first backup of every database that is
//! registered meanwhile, and one for a slot of its own.

use std::num::NonZeroU32;

use dilux_core::clock::{Clock as _, SystemClock};
use dilux_core::installation::Installation;
use dilux_core::model::{Trigger, Work};
use dilux_journeys::{Client, Holdings, Sample, text};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Longest from a slot to its decision, while everything lives.
pub(crate) const PATIENCE: SignedDuration = SignedDuration::from_mins(3);

/// A database, and the one slot that it has within the hour.
#[derive(Debug)]
pub(crate) struct Planned {
    id: String,
    /// When its second backup is due.
    pub(crate) slot: Timestamp,
}

impl Planned {
    /// Makes the `number`th database, under a policy with a slot in one or two minutes.
    pub(crate) async fn make(
        client: &Client,
        sample: &Sample,
        engine: &str,
        number: usize,
    ) -> Self {
        let name = format!("shop_{number}");
        sample.create_database(&name).unwrap();
        let seconds = SystemClock.now().as_second() + 80;
        let slot = Timestamp::from_second(seconds - seconds % 60).unwrap();
        let minute = seconds / 60 % 60;
        let policy = json!({
            "name": format!("Soon {number}"),
            "hourly": {"enabled": true, "keep_count": 24, "cron": format!("{minute} * * * *")},
        });
        let made = client.post("/backup-policies", &policy).await.unwrap();
        let database = json!({
            "engine_id": engine,
            "database": {
                "name": name, "alias": name, "use_engine_credentials": true, "enabled": true,
                "policy_id": text(&made, "/policy/id").unwrap(),
            },
        });
        let made = client.post("/databases", &database).await.unwrap();
        Self {
            id: text(&made, "/database/id").unwrap(),
            slot,
        }
    }

    /// What the scheduler did wrong, a sentence each.
    pub(crate) async fn violations(
        &self,
        holdings: &Holdings,
        installation: &Installation,
    ) -> Vec<String> {
        let manifests = holdings.manifests.values();
        let mut slots: Vec<_> = manifests
            .filter(|it| it.database_id.as_str() == self.id && it.trigger == Trigger::Scheduler)
            .map(|it| it.slot)
            .collect();
        slots.sort();
        let mut broken = Vec::new();
        if slots.iter().all(|slot| *slot == Some(self.slot)) {
            broken.push(format!("{} has no first backup: {slots:?}", self.id));
        }
        if slots.windows(2).any(|pair| pair[0] == pair[1]) {
            broken.push(format!("{} has two backups of a slot: {slots:?}", self.id));
        }
        if slots.len() > 2 {
            broken.push(format!(
                "{} has backups that nobody owed: {slots:?}",
                self.id
            ));
        }
        if !slots.contains(&Some(self.slot)) && !self.is_missed(installation).await {
            let jobs = holdings.jobs.iter().filter(|job| {
                job.database_id.as_str() == self.id && matches!(job.work, Work::Backup(_))
            });
            let jobs: Vec<_> = jobs.collect();
            broken.push(format!("{} lost slot {}: {jobs:#?}", self.id, self.slot));
        }
        broken
    }

    /// Whether the slot was given up, and a reason recorded.
    async fn is_missed(&self, installation: &Installation) -> bool {
        let id = self.id.parse().unwrap();
        let states = &installation.repositories.schedule;
        let misses = states.misses(&id, NonZeroU32::new(100).unwrap()).await;
        misses.unwrap().iter().any(|miss| {
            let slots = &miss.slots;
            slots.first <= self.slot && self.slot <= slots.last && !slots.reason.is_empty()
        })
    }
}
