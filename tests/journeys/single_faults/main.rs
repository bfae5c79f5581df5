//! One call to the store fails, in every way, whichever call it is: the life of a backup goes on
//! as if nothing had been, and leaves one backup.
//!
//! The operations are those that a life without faults makes. A run takes a slice of all pairs of
//! operation and fault; `scripts/prove single-faults` takes them all.
#![cfg(test)]

mod outages;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dilux_core::model::Manifest;
use dilux_journeys::{Client, Home, Sample, Service, StoreKind, text};
use dilux_testkit::fault_proxy::{Fault, FaultProxy};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

/// The database that is backed up.
const SHOP: &str = "shop";

/// Longest wait for a call that the services make every second or so.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// The call that only a job of more than a second makes: it keeps its message hidden.
const RENEWAL: &str = "queue PUT message";

/// Lets a dump that begins meanwhile wait, so that its job takes longer than that.
const HOLD: &str = "BEGIN; LOCK TABLE shop.customers IN ACCESS EXCLUSIVE MODE; \
                    SELECT pg_sleep(6); COMMIT;";

/// Longest life, a silence of half a minute at every step included.
const LIFE_LIMIT: Duration = Duration::from_mins(5);

/// An installation on Azurite behind the proxy, with all three services.
struct Rig {
    proxy: FaultProxy,
    client: Client,
    services: [Service; 3],
    home: Home,
    sample: Arc<Sample>,
}

impl Rig {
    /// A new installation, with a call that fails already if one is named.
    async fn start(failing: Option<(&str, Fault)>) -> Self {
        let mut home = Home::new(StoreKind::Azurite).unwrap();
        let proxy = FaultProxy::start(home.azurite().unwrap()).await.unwrap();
        if let Some((operation, fault)) = failing {
            proxy.arm(operation, fault);
        }
        home.set("STORAGE_CONNECTION_STRING", proxy.connection_string());
        home.set("DILUX_TICK_SECONDS", "1");
        // It would come into the lives of one minute of the day.
        home.set("DILUX_RETENTION_TIME", "off");
        let sample = Arc::new(Sample::postgresql().unwrap());
        let (api, client) = home.start_api().await.unwrap();
        let services = [
            api,
            home.start("dilux-scheduler").unwrap(),
            home.start("dilux-processor").unwrap(),
        ];
        // The API answers, so it is.
        for service in &services[1..] {
            until_ready(service).await;
        }
        Self {
            proxy,
            client,
            services,
            home,
            sample,
        }
    }

    /// Registers a server and a database, has the scheduler and a user ask for backups of it, restores one,
    /// compares, looks, and deletes both.
    async fn live(&self, target: &str) {
        let engine = self.sample.register(&self.client).await.unwrap();
        let database = self.register(&engine).await;
        let scheduled = self.booked_by_the_scheduler(&database).await;
        self.client.completed(&scheduled).await.unwrap();
        let manual = self.client.back_up(&database).await.unwrap();
        let done = self.client.completed(&manual).await.unwrap();
        let backup = text(&done, "/backup_id").unwrap();
        let restore = self.client.restore(&backup, target).await.unwrap();
        let restored = self.client.completed(&restore).await.unwrap();
        assert_eq!(
            restored["restore"]["comparison"]["equal"],
            json!(true),
            "{restored}"
        );
        self.sample
            .execute("postgres", &format!("DROP DATABASE {target};"))
            .unwrap();
        self.look(&database).await;
        for path in [
            format!("/databases/{database}"),
            format!("/engines/{engine}"),
        ] {
            let deleted = self.client.expect(Method::DELETE, &path, None).await;
            deleted.unwrap();
        }
    }

    /// Holds the sample for some seconds: a dump of it waits.
    fn hold(&self) -> JoinHandle<()> {
        let sample = self.sample.clone();
        tokio::task::spawn_blocking(move || {
            sample.execute(SHOP, HOLD).unwrap();
        })
    }

    async fn register(&self, engine: &str) -> String {
        let body = json!({
            "engine_id": engine,
            "database": {
                "name": SHOP, "alias": "Shop", "use_engine_credentials": true,
                // It has no slot at every full hour, which would add a third backup.
                "policy_id": "development",
            },
        });
        let answer = self.client.post("/databases", &body).await.unwrap();
        text(&answer, "/database/id").unwrap()
    }

    /// The job of the initial backup that a new database owes.
    async fn booked_by_the_scheduler(&self, database: &str) -> String {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let jobs = self.client.get("/jobs?page_size=20").await.unwrap();
            let own = jobs["jobs"].as_array().unwrap().iter();
            let mut own = own.filter(|job| job["database_id"] == json!(database));
            if let Some(job) = own.next() {
                return text(job, "/id").unwrap();
            }
            assert!(Instant::now() < deadline, "nothing is booked: {jobs}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// History and store tell of the same two backups, each once, and nothing is active.
    async fn look(&self, database: &str) {
        let path = format!("/backups?database_id={database}&page_size=100");
        let answer = self.client.get(&path).await.unwrap();
        let lines = answer["backups"].as_array().unwrap();
        let told: BTreeSet<String> = lines
            .iter()
            .map(|line| text(line, "/blob_name").unwrap())
            .collect();
        assert!(
            lines
                .iter()
                .all(|line| line["status"] == json!("completed")),
            "{answer}"
        );
        let stored = self.manifests(database).await;
        assert_eq!(stored.len(), lines.len(), "{answer}");
        let stored: BTreeSet<String> = stored.into_iter().map(|found| found.data.blob).collect();
        assert_eq!(told, stored);
        assert_eq!(told.len(), 2, "{answer}");
    }

    async fn manifests(&self, database: &str) -> Vec<Manifest> {
        let installation = self.home.look_inside().unwrap();
        let container = &installation.settings.container;
        let blobs = &installation.storage.blobs;
        let prefix = format!("manifests/{database}/");
        let listed = blobs.list(container, &prefix, 5000, None).await.unwrap();
        let mut found = Vec::new();
        for entry in listed.blobs {
            let bytes = blobs.read(container, &entry.name, 0..entry.size, None);
            found.push(Manifest::from_json(&bytes.await.unwrap()).unwrap());
        }
        found
    }

    fn logs(&self) -> String {
        let logs: Vec<String> = self.services.iter().map(Service::log).collect();
        let tail = |log: &String| {
            let lines: Vec<&str> = log.lines().collect();
            lines[lines.len().saturating_sub(60)..].join("\n")
        };
        logs.iter().map(tail).collect::<Vec<_>>().join("\n----\n")
    }
}

/// Waits for a call that only a clock brings.
async fn until_hit(rig: &Rig, before: usize) -> bool {
    let deadline = Instant::now() + CALL_LIMIT;
    while rig.proxy.hits() == before {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// Pairs to run: with `DILUX_PROVE_ALL` each operation with each fault; else each operation with
/// one fault in turn, and each that changes something with a lost reply as well. Silence is left
/// to the long form, since it costs its wait.
#[expect(
    clippy::disallowed_methods,
    reason = "the switch of a proof, not a setting"
)]
fn pairs(operations: &BTreeSet<String>) -> Vec<(String, Fault)> {
    let all = std::env::var_os("DILUX_PROVE_ALL").is_some();
    let others: Vec<Fault> = Fault::ALL
        .into_iter()
        .filter(|fault| !matches!(fault, Fault::LostReply | Fault::Silence))
        .collect();
    let mut pairs = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let faults = if all {
            Fault::ALL.to_vec()
        } else {
            let in_turn = others[index % others.len()];
            if operation.contains(" GET ") || operation.contains(" HEAD ") {
                vec![in_turn]
            } else {
                vec![Fault::LostReply, in_turn]
            }
        };
        pairs.extend(faults.into_iter().map(|fault| (operation.clone(), fault)));
    }
    pairs
}

/// What is called once in an installation or at a start, and what every life calls.
async fn operations(rig: &Rig) -> (BTreeSet<String>, BTreeSet<String>) {
    rig.live("first_copy").await;
    let so_far = rig.proxy.operations();
    rig.proxy.forget_operations();
    rig.live("second_copy").await;
    let mut in_life = rig.proxy.operations();
    // Whether a life without it was slow enough is chance.
    in_life.insert(RENEWAL.to_owned());
    let once = so_far.difference(&in_life).cloned().collect();
    (once, in_life)
}

/// A life in which one call fails; it must go on as if nothing had been.
async fn survive(rig: &Rig, before: usize, target: &str, case: &str) {
    let lived = tokio::time::timeout(LIFE_LIMIT, rig.live(target)).await;
    let lived = lived.is_ok();
    assert!(
        lived && until_hit(rig, before).await,
        "{case}: lived {lived}\n{}",
        rig.logs()
    );
}

#[tokio::test]
async fn any_single_failed_call_to_the_store_leaves_one_good_backup() {
    let rig = Rig::start(None).await;
    let (once, in_life) = operations(&rig).await;
    let all: BTreeSet<String> = once.union(&in_life).cloned().collect();
    assert!(all.len() > 30, "{all:#?}");
    let pairs = pairs(&all);
    for (number, (operation, fault)) in pairs.iter().enumerate() {
        let started = Instant::now();
        let case = format!("{operation} {fault:?}");
        if once.contains(operation) {
            let new = Rig::start(Some((operation, *fault))).await;
            survive(&new, 0, "copy", &case).await;
        } else {
            let before = rig.proxy.hits();
            rig.proxy.arm(operation, *fault);
            let held = (operation == RENEWAL).then(|| rig.hold());
            survive(&rig, before, &format!("copy_{number}"), &case).await;
            if let Some(held) = held {
                held.await.unwrap();
            }
        }
        println!("{case}: {:.1?}", started.elapsed());
    }
    println!("cases={} failures=0", pairs.len());
}

/// Waits until a service has prepared the store.
async fn until_ready(service: &Service) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !service.log().contains("is ready") {
        assert!(Instant::now() < deadline, "{}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
