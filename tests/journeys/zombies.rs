//! A processor stands still, as by `kill -STOP`, at each point between the message and the last
//! line of bookkeeping. Its lease passes, another one finishes the job, and it wakes up: by then
//! there is nothing left that it may change.
#![cfg(test)]

use dilux_core::crash::POINTS;
use dilux_core::installation::Installation;
use dilux_core::model::{Backup, Job, JobId, Manifest};
use dilux_core::storage::BlobName;
use dilux_journeys::{
    Client, Holdings, Home, Sample, Service, StoreKind, audited, eventually, in_lanes, until_idle,
};
use jiff::SignedDuration;
use rustix::process::Signal;

/// Installations at a time; their cases mostly wait for leases.
const LANES: usize = 3;

/// An installation in which one case follows another.
struct Lane {
    home: Home,
    client: Client,
    installation: Installation,
    _services: [Service; 2],
    /// What the jobs of the cases back up.
    database: String,
    /// What the zombie backs up afterwards.
    other: String,
}

/// All that a job leaves behind.
#[derive(Debug, PartialEq)]
struct Traces {
    manifest: Vec<u8>,
    job: Job,
    line: Backup,
}

impl Lane {
    async fn start(kind: StoreKind, sample: &Sample) -> Self {
        let mut home = Home::new(kind).unwrap();
        // A processor with one slot that works off another job is done with the one before.
        home.set("DILUX_WORKERS", "1");
        let (api, client) = home.start_api().await.unwrap();
        let scheduler = home.start("dilux-scheduler").unwrap();
        let engine = sample.register(&client).await.unwrap();
        let database = sample.register_database(&client, &engine, "shop").await;
        let other = sample.register_database(&client, &engine, "other").await;
        Self {
            installation: home.look_inside().unwrap(),
            home,
            client,
            _services: [api, scheduler],
            database: database.unwrap(),
            other: other.unwrap(),
        }
    }

    /// Plays one case.
    async fn wake_late(&self, point: &str) {
        let job: JobId = self.back_up(&self.database).await;
        let pause = [("DILUX_PAUSE_AT", point.to_owned())];
        let mut zombie = self.home.start_with("dilux-processor", &pause).unwrap();
        zombie.until_paused().await.unwrap();
        let lease = SignedDuration::try_from(self.installation.settings.worker.lease).unwrap();
        let lease_ends = self.installation.clock.now() + lease;
        let mut healthy = self.home.start("dilux-processor").unwrap();
        let stuck = |error| -> () { panic!("{point}: {error:?}\n{}", healthy.log()) };
        let completed = self.client.completed(job.as_str()).await;
        completed.map_or_else(stuck, drop);
        let idle = until_idle(&self.installation).await;
        idle.unwrap_or_else(stuck);
        let has_passed = async || Ok(self.installation.clock.now() > lease_ends);
        eventually("the lease ends", has_passed).await.unwrap();
        let before = self.traces(&job).await;

        zombie.signal(Signal::CONT).unwrap();
        assert_eq!(healthy.stopped().await.unwrap().code(), Some(0), "{point}");
        let next = self.back_up(&self.other).await;
        self.client.completed(next.as_str()).await.unwrap();
        assert_eq!(zombie.stopped().await.unwrap().code(), Some(0), "{point}");
        let case = format!("{point}\n{}\n{}", healthy.log(), zombie.log());
        assert_eq!(self.traces(&job).await, before, "{case}");
        self.is_sound(&job, &case).await;
    }

    async fn back_up(&self, database: &str) -> JobId {
        let job = self.client.back_up(database).await.unwrap();
        job.parse().unwrap()
    }

    async fn traces(&self, id: &JobId) -> Traces {
        let repositories = &self.installation.repositories;
        let job = repositories.jobs.get(id).await.unwrap().unwrap().value;
        let line = repositories.backups.get(id, job.created_at).await.unwrap();
        let (blobs, container) = (
            &self.installation.storage.blobs,
            &self.installation.settings.container,
        );
        let name = BlobName::new(Manifest::blob_name(id)).unwrap();
        let found = blobs.properties(container, &name).await.unwrap().unwrap();
        let bytes = blobs.read(container, &name, 0..found.size, None).await;
        Traces {
            manifest: bytes.unwrap().to_vec(),
            job,
            line: line.unwrap().value,
        }
    }

    /// One manifest and one line for each job, no other data, one completion, no place taken.
    async fn is_sound(&self, job: &JobId, case: &str) {
        let holdings = Holdings::read(&self.installation).await.unwrap();
        let violations = holdings.violations(&self.installation).await.unwrap();
        assert!(violations.is_empty(), "{case}\n{violations:#?}");
        assert_eq!(holdings.manifests.len(), holdings.jobs.len(), "{case}");
        assert_eq!(holdings.orphans(), Vec::<&String>::new(), "{case}");
        let audited = audited(&self.installation).await.unwrap();
        let completion = ("backup_completed".to_owned(), job.to_string());
        assert_eq!(audited.get(&completion), Some(&1), "{case}");
        let places = &self.installation.repositories.places;
        let places = places.load().await.unwrap().0.unwrap();
        let is_free = (places.taken(), places.waiting()) == (0, 0);
        assert!(is_free, "{case}\n{places:?}");
        until_idle(&self.installation).await.unwrap();
    }
}

async fn wake_late_everywhere(kind: StoreKind, sample: Sample) {
    sample.create_database("other").unwrap();
    in_lanes(LANES, POINTS, async |next| {
        let lane = Lane::start(kind, &sample).await;
        while let Some(point) = next() {
            lane.wake_late(point).await;
        }
    })
    .await;
    println!("cases={} failures=0", POINTS.len());
}

#[tokio::test]
async fn a_processor_that_wakes_after_its_lease_changes_nothing_on_the_embedded_store() {
    wake_late_everywhere(StoreKind::Embedded, Sample::postgresql().unwrap()).await;
}

#[tokio::test]
async fn a_processor_that_wakes_after_its_lease_changes_nothing_on_azurite() {
    wake_late_everywhere(StoreKind::Azurite, Sample::mariadb().unwrap()).await;
}
