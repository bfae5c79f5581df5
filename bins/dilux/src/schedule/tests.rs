use std::collections::BTreeMap;
use std::sync::Arc;

use dilux_core::clock::{Clock as _, ManualClock, SharedClock};
use dilux_core::model::{
    BackupPolicy, Compression, CredentialSource, Database, Engine, EngineType, PolicySource, Tier,
    Timing, TlsMode,
};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::schedule::MissedSlots;
use dilux_core::storage::open;
use dilux_scheduler::Scheduler;
use tempfile::TempDir;

use super::*;

struct World {
    installation: Installation,
    clock: Arc<ManualClock>,
    _directory: TempDir,
}

/// An installation with one engine, and a policy on the clocks of Madrid.
async fn world() -> World {
    let directory = TempDir::new().unwrap();
    let store = format!("file://{}", directory.path().display());
    let settings =
        Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()));
    let settings = settings.unwrap();
    let clock = Arc::new(ManualClock::new("2026-03-04T10:07:00Z".parse().unwrap()));
    let shared: SharedClock = clock.clone();
    let random: SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Interactive, &shared, &random).unwrap();
    let installation = Installation::new(Arc::new(settings), storage, shared, random);
    installation.prepare().await.unwrap();
    let now = clock.now();
    let engine = Engine {
        id: "engine-1".parse().unwrap(),
        name: "Sample".parse().unwrap(),
        engine_type: EngineType::PostgreSql,
        host: "db.example.internal".parse().unwrap(),
        port: EngineType::PostgreSql.default_port(),
        tls_mode: TlsMode::default(),
        auth_method: None,
        username: None,
        identity: dilux_core::model::EntraIdentity::default(),
        secret: None,
        policy_id: None,
        max_jobs: None,
        discovery_enabled: false,
        last_discovery: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    };
    let repositories = &installation.repositories;
    repositories.engines.insert(engine).await.unwrap();
    let known = repositories
        .policies
        .get(&"development".parse().unwrap())
        .await;
    let madrid = BackupPolicy {
        id: "madrid".parse().unwrap(),
        timing: Timing::in_zone("Europe/Madrid".parse().unwrap()),
        ..known.unwrap().unwrap().value
    };
    repositories.policies.insert(madrid).await.unwrap();
    World {
        installation,
        clock,
        _directory: directory,
    }
}

impl World {
    async fn add(&self, policy: &str, is_enabled: bool) -> DatabaseId {
        let now = self.clock.now();
        let id: DatabaseId = "orders-1".parse().unwrap();
        let database = Database {
            id: id.clone(),
            engine_id: "engine-1".parse().unwrap(),
            label: "Orders".parse().unwrap(),
            database_name: "orders".parse().unwrap(),
            credentials: CredentialSource::Engine,
            policy: PolicySource::Own(policy.parse().unwrap()),
            enabled: is_enabled,
            rpo_minutes: None,
            compression: Compression::Gzip,
            destination: None,
            tags: BTreeMap::new(),
            created_at: now,
            updated_at: now,
            created_by: None,
        };
        let databases = &self.installation.repositories.databases;
        databases.insert(database).await.unwrap();
        id
    }

    async fn described(&self, id: &DatabaseId) -> String {
        let timetable = Timetable::read(&self.installation, id).await.unwrap();
        describe(&timetable)
    }
}

#[tokio::test]
async fn every_enabled_tier_is_told_with_its_next_slot_its_last_result_and_the_reason() {
    let world = world().await;
    let id = world.add("madrid", true).await;
    let scheduler = Scheduler::new(world.installation.clone());
    scheduler.tick().await.unwrap();
    let missed = MissedSlots {
        tier: Tier::Daily,
        first: "2026-03-01T01:00:00Z".parse().unwrap(),
        last: "2026-03-02T01:00:00Z".parse().unwrap(),
        count: 2,
        reason: "no scheduler was running".to_owned(),
    };
    let now = world.clock.now();
    let schedule = &world.installation.repositories.schedule;
    schedule.record_misses(&id, &[missed], now).await.unwrap();

    let text = world.described(&id).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "orders-1 (Orders) follows policy 'madrid' on the clocks of Europe/Madrid"
    );
    assert!(
        lines[2].starts_with("tier    next (Europe/Madrid)"),
        "{text}"
    );
    let columns = |line: &str| -> Vec<String> {
        let cells = line.split("  ").map(str::trim);
        let cells = cells.filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    let daily = columns(lines[3]);
    assert_eq!(
        daily[..3],
        ["daily", "2026-03-05 02:00 +01:00", "2026-03-05 01:00"]
    );
    assert_eq!(daily[4], "booked", "{text}");
    assert_eq!(daily.len(), 6, "the reason is told: {text}");
    assert_eq!(columns(lines[4])[0], "weekly");
    assert_eq!(lines[5], "", "disabled tiers are not told: {text}");
    assert_eq!(
        lines.last(),
        Some(&"  2 × daily, 2026-03-01 01:00 to 2026-03-02 01:00: no scheduler was running")
    );
}

#[tokio::test]
async fn a_disabled_database_and_a_policy_that_is_gone_are_said() {
    let world = world().await;
    let id = world.add("gone", false).await;
    let text = world.described(&id).await;
    assert!(text.contains("there is no policy 'gone'"), "{text}");
    assert!(text.contains("it is disabled"), "{text}");
    let daily = text.lines().find(|line| line.starts_with("daily")).unwrap();
    assert!(!daily.contains("2026"), "{text}");
}

#[tokio::test]
async fn an_unknown_database_is_an_error() {
    let world = world().await;
    let nobody = "nobody".parse().unwrap();
    let missing = Timetable::read(&world.installation, &nobody).await;
    assert_eq!(
        missing.unwrap_err().to_string(),
        "Database 'nobody' not found"
    );
}
