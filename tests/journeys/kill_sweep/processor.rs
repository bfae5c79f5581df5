//! The processor dies at each point between the message and the last line of bookkeeping. After a
//! restart there is exactly one committed backup, and nothing is stuck.

use std::sync::Arc;

use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::crash::POINTS;
use dilux_core::expiry::Expiry;
use dilux_core::installation::Installation;
use dilux_core::model::JobId;
use dilux_core::storage::{self, Profile};
use dilux_journeys::{Client, Holdings, Home, Sample, Service, StoreKind, in_lanes, until_idle};
use jiff::SignedDuration;
use serde_json::json;

/// Installations at a time; their cases mostly wait for leases.
const LANES: usize = 2;

struct Lane {
    home: Home,
    client: Client,
    installation: Installation,
    database: String,
    _services: [Service; 2],
}

impl Lane {
    async fn start(kind: StoreKind, sample: &Sample) -> Self {
        let home = Home::new(kind).unwrap();
        let (api, client) = home.start_api().await.unwrap();
        let scheduler = home.start("dilux-scheduler").unwrap();
        let engine = sample.register(&client).await.unwrap();
        let database = sample.register_database(&client, &engine, "shop").await;
        Self {
            installation: home.look_inside().unwrap(),
            home,
            client,
            database: database.unwrap(),
            _services: [api, scheduler],
        }
    }

    /// Runs one backup with a processor that dies at `point`, then with one that does not.
    async fn survive(&self, point: &str) {
        let before = Holdings::read(&self.installation).await.unwrap();
        let job = self.client.back_up(&self.database).await.unwrap();
        let crash = [("DILUX_CRASH_AT", point.to_owned())];
        let mut doomed = self.home.start_with("dilux-processor", &crash).unwrap();
        let ended = doomed.until_ended().await;
        ended.unwrap_or_else(|error| panic!("{point} was never reached: {error}"));
        let mut healthy = self.home.start("dilux-processor").unwrap();
        let finished = self.client.completed(&job).await;
        finished.unwrap_or_else(|error| panic!("{point}: {error}\n{}", healthy.log()));
        let idle = until_idle(&self.installation).await;
        idle.unwrap_or_else(|error| panic!("{point}: {error}\n{}", healthy.log()));
        assert_eq!(healthy.stopped().await.unwrap().code(), Some(0), "{point}");

        let after = Holdings::read(&self.installation).await.unwrap();
        let violations = after.violations(&self.installation).await.unwrap();
        assert!(violations.is_empty(), "{point}: {violations:#?}");
        let count = after.manifests.len();
        assert_eq!(
            count,
            before.manifests.len() + 1,
            "{point}: one backup more"
        );
        let job: JobId = job.parse().unwrap();
        assert!(after.manifests.contains_key(job.as_str()), "{point}");
        let lines = after.lines.iter().filter(|line| line.job_id == job);
        assert_eq!(lines.count(), 1, "{point}: one line of history");
        let stored = self.installation.repositories.jobs.get(&job).await;
        let stored = stored.unwrap().unwrap().value;
        assert!(stored.epoch <= 2, "{point}: retried once, {stored:?}");
        let left = after.orphans().len();
        assert!(left <= before.orphans().len() + 1, "{point}: {left} left");
    }

    /// Lets the period of the sweep pass, after which nothing is left of attempts that died.
    async fn tidy(&self) {
        let (settings, random) = (&self.installation.settings, &self.installation.random);
        let hours = i64::from(settings.retention.orphan_hours) + 1;
        let later = self.installation.clock.now() + SignedDuration::from_hours(hours);
        let later: SharedClock = Arc::new(ManualClock::new(later));
        let storage = storage::open(settings, Profile::Worker, &later, random).unwrap();
        let then = Installation::new(settings.clone(), storage, later, random.clone());
        Expiry::new(then).run().await.unwrap();
        let holdings = Holdings::read(&self.installation).await.unwrap();
        assert_eq!(holdings.orphans(), Vec::<&String>::new());
    }

    /// Restores the newest backup and compares.
    async fn restore(&self, target: &str) {
        let holdings = Holdings::read(&self.installation).await.unwrap();
        let manifests = holdings.manifests.values();
        let newest = manifests.max_by_key(|found| found.committed_at).unwrap();
        let restore = self.client.restore(newest.job_id.as_str(), target).await;
        let mut processor = self.home.start("dilux-processor").unwrap();
        let restored = self.client.completed(&restore.unwrap()).await.unwrap();
        let is_equal = &restored["restore"]["comparison"]["equal"];
        assert_eq!(is_equal, &json!(true), "{restored}");
        assert_eq!(processor.stopped().await.unwrap().code(), Some(0));
    }
}

async fn sweep(kind: StoreKind, sample: Sample) {
    in_lanes(LANES, POINTS, async |next| {
        let lane = Lane::start(kind, &sample).await;
        let mut last = None;
        while let Some(point) = next() {
            lane.survive(point).await;
            last = Some(point);
        }
        if let Some(point) = last {
            lane.restore(&format!("shop_{point}")).await;
            if kind == StoreKind::Embedded {
                // The other store has a clock of its own, which goes on as it does.
                lane.tidy().await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_09_a_processor_killed_at_any_point_leaves_one_backup_on_the_embedded_store() {
    sweep(StoreKind::Embedded, Sample::postgresql().unwrap()).await;
}

#[tokio::test]
async fn a_09_a_processor_killed_at_any_point_leaves_one_backup_on_azurite() {
    sweep(StoreKind::Azurite, Sample::mariadb().unwrap()).await;
}
