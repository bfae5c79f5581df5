//! Custody of secrets: what a change that was cut off leaves behind goes a day later, and nothing
//! that anybody might still need.
#![cfg(test)]

use std::sync::Arc;

use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::custody::{Cleaning, Exchange, SecretOwner, Wanted};
use dilux_core::installation::Installation;
use dilux_core::model::{AuthMethod, Engine, EngineId, EngineType, EntraIdentity, TlsMode};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::repository::Versioned;
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::{
    Condition, Entity, EntityKey, Profile, TableName, TableOperation, Value, open,
};
use jiff::SignedDuration;
use tempfile::TempDir;

struct World {
    _directory: TempDir,
    clock: Arc<ManualClock>,
    installation: Installation,
}

impl World {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = format!("file://{}", directory.path().display());
        let settings =
            Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()))
                .unwrap();
        let clock = Arc::new(ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap()));
        let shared: SharedClock = clock.clone();
        let random: SharedRandom = Arc::new(SystemRandom);
        let storage = open(&settings, Profile::Interactive, &shared, &random).unwrap();
        let installation = Installation::new(Arc::new(settings), storage, shared, random);
        installation.prepare().await.unwrap();
        Self {
            _directory: directory,
            clock,
            installation,
        }
    }

    /// An engine with this password, registered as the API does it.
    async fn engine(&self, id: &str, password: &str) -> Versioned<Engine> {
        let custody = self.installation.custody();
        let secret = SecretValue::new(password);
        let exchange = custody.first(owner(id), Some(&secret)).await.unwrap();
        let engine = engine(id, exchange.name().cloned());
        let inserted = self.installation.repositories.engines.insert(engine).await;
        custody.end(exchange, inserted).await.unwrap()
    }

    /// Begins to give an engine another password.
    async fn begin(&self, present: &Versioned<Engine>, password: &str) -> Exchange {
        let new = SecretValue::new(password);
        let wanted = Wanted {
            before: present.value.secret.as_ref(),
            kept: present.value.secret.as_ref(),
            new: Some(&new),
        };
        let owner = owner(present.value.id.as_str());
        let custody = self.installation.custody();
        custody.begin(owner, wanted).await.unwrap()
    }

    async fn name(
        &self,
        present: &Versioned<Engine>,
        exchange: &Exchange,
    ) -> dilux_core::storage::StorageResult<Versioned<Engine>> {
        let changed = Engine {
            secret: exchange.name().cloned(),
            ..present.value.clone()
        };
        let engines = &self.installation.repositories.engines;
        engines.replace(changed, &present.version).await
    }

    async fn set(&self, name: &str) {
        let secret = SecretValue::new("somebody's");
        let name = SecretName::new(name).unwrap();
        let secrets = &self.installation.storage.secrets;
        secrets.set(&name, &secret).await.unwrap();
    }

    async fn names(&self) -> Vec<String> {
        let names = self.installation.storage.secrets.list().await.unwrap();
        let mut names: Vec<String> = names.iter().map(|it| it.as_str().to_owned()).collect();
        names.sort();
        names
    }

    async fn password(&self, engine: &Engine) -> Option<String> {
        let name = engine.secret.as_ref()?;
        let found = self.installation.storage.secrets.get(name).await.unwrap();
        found.map(|secret| secret.expose().to_owned())
    }

    async fn clean_after(&self, hours: i64) -> Cleaning {
        self.clock.advance(SignedDuration::from_hours(hours));
        self.installation.custody().clean().await.unwrap()
    }
}

fn owner(id: &str) -> SecretOwner {
    SecretOwner::Engine(id.parse().unwrap())
}

fn engine(id: &str, secret: Option<SecretName>) -> Engine {
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    Engine {
        id: id.parse().unwrap(),
        name: id.parse().unwrap(),
        engine_type: EngineType::PostgreSql,
        host: "db.example.com".parse().unwrap(),
        port: 5432.try_into().unwrap(),
        tls_mode: TlsMode::default(),
        auth_method: Some(AuthMethod::UserPassword),
        username: Some("backup".parse().unwrap()),
        identity: EntraIdentity::default(),
        secret,
        policy_id: None,
        max_jobs: None,
        discovery_enabled: false,
        last_discovery: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    }
}

#[tokio::test]
async fn a_change_gives_a_secret_a_new_name_and_lets_the_old_one_go() {
    let world = World::new().await;
    let before = world.engine("one", "old").await;
    assert_eq!(world.names().await, ["dilux-engine-one"]);
    let exchange = world.begin(&before, "new").await;
    let written = world.name(&before, &exchange).await;
    let custody = world.installation.custody();
    let after = custody.end(exchange, written).await.unwrap();
    let name = after.value.secret.as_ref().unwrap().as_str();
    let suffix = name.strip_prefix("dilux-engine-one-").unwrap();
    assert!(suffix.len() == 16 && suffix.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(world.names().await, [name]);
    assert_eq!(world.password(&after.value).await.as_deref(), Some("new"));
    assert_eq!(world.clean_after(100).await, Cleaning::default());
}

#[tokio::test]
async fn the_same_secret_keeps_its_name() {
    let world = World::new().await;
    let before = world.engine("one", "old").await;
    let exchange = world.begin(&before, "old").await;
    assert_eq!(exchange.name(), before.value.secret.as_ref());
    assert_eq!(world.clean_after(0).await, Cleaning::default());
}

#[tokio::test]
async fn whoever_loses_a_race_takes_the_own_secret_away_and_no_other() {
    let world = World::new().await;
    let before = world.engine("one", "old").await;
    let custody = world.installation.custody();
    let (first, second) = (
        world.begin(&before, "first").await,
        world.begin(&before, "second").await,
    );
    let written = world.name(&before, &first).await;
    let after = custody.end(first, written).await.unwrap();
    let refused = world.name(&before, &second).await;
    assert!(custody.end(second, refused).await.is_err());
    assert_eq!(world.password(&after.value).await.as_deref(), Some("first"));
    assert_eq!(world.names().await.len(), 1);
}

#[tokio::test]
async fn what_a_change_left_goes_after_a_day_and_not_before() {
    let world = World::new().await;
    let before = world.engine("one", "old").await;
    let exchange = world.begin(&before, "new").await;
    let fresh = exchange.name().unwrap().as_str().to_owned();
    drop(exchange);
    let waiting = Cleaning {
        waiting: 2,
        ..Cleaning::default()
    };
    assert_eq!(world.clean_after(0).await, waiting);
    assert_eq!(world.clean_after(23).await, waiting);
    assert!(world.names().await.contains(&fresh));
    let cleaning = world.clean_after(2).await;
    assert_eq!((cleaning.deleted, cleaning.named), (1, 1), "{cleaning:?}");
    assert_eq!(world.names().await, ["dilux-engine-one"]);
    assert_eq!(world.clean_after(100).await, Cleaning::default());
}

#[tokio::test]
async fn the_old_secret_goes_when_the_change_died_after_the_row() {
    let world = World::new().await;
    let before = world.engine("one", "old").await;
    let exchange = world.begin(&before, "new").await;
    let after = world.name(&before, &exchange).await.unwrap();
    drop(exchange);
    assert_eq!(world.names().await.len(), 2);
    let cleaning = world.clean_after(25).await;
    assert_eq!((cleaning.deleted, cleaning.named), (1, 1), "{cleaning:?}");
    assert_eq!(world.names().await.len(), 1);
    assert_eq!(world.password(&after.value).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_every_secret_of_its_owner() {
    let world = World::new().await;
    let before = world.engine("one", "old").await;
    drop(world.begin(&before, "new").await);
    let id: EngineId = "one".parse().unwrap();
    let table = TableName::new("databaseconfigs").unwrap();
    let key = EntityKey::new("engine", id.as_str());
    let damaged = Entity::new(key).with("engine_type", Value::String("nonsense".to_owned()));
    let damage = TableOperation::Replace(damaged, Condition::Exists);
    let tables = &world.installation.storage.tables;
    tables.write(&table, damage).await.unwrap();
    let cleaning = world.clean_after(48).await;
    assert_eq!((cleaning.unclear, cleaning.deleted), (2, 0));
    assert_eq!(world.names().await.len(), 2);
}

#[tokio::test]
async fn secrets_that_nobody_noted_are_never_touched() {
    let world = World::new().await;
    world.engine("one", "old").await;
    let others = [
        "database-1",
        "dilux-audit-0123456789abcdef",
        "dilux-bootstrap-token",
        "dilux-db-of-another-installation",
        "dilux-engine-of-another-installation",
        "engine-1",
    ];
    for name in others {
        world.set(name).await;
    }
    assert_eq!(world.clean_after(1000).await, Cleaning::default());
    let names = world.names().await;
    assert_eq!(names.len(), others.len() + 1, "{names:?}");
}

#[tokio::test]
async fn a_secret_of_the_python_product_is_read_replaced_and_never_cleaned_up() {
    let world = World::new().await;
    world.set("engine-one").await;
    let legacy = SecretName::new("engine-one").unwrap();
    let row = engine("one", Some(legacy));
    let engines = &world.installation.repositories.engines;
    let before = engines.insert(row).await.unwrap();
    assert_eq!(world.password(&before.value).await.unwrap(), "somebody's");
    drop(world.begin(&before, "new").await);
    let cleaning = world.clean_after(48).await;
    assert_eq!((cleaning.deleted, cleaning.named), (1, 0), "{cleaning:?}");
    assert_eq!(world.names().await, ["engine-one"]);
    let exchange = world.begin(&before, "new").await;
    let written = world.name(&before, &exchange).await;
    let custody = world.installation.custody();
    let after = custody.end(exchange, written).await.unwrap();
    assert_eq!(world.password(&after.value).await.as_deref(), Some("new"));
    assert_eq!(world.names().await.len(), 1);
}

#[tokio::test]
async fn the_longest_id_has_names_that_a_vault_takes() {
    let world = World::new().await;
    let id = "e".repeat(128);
    let engines = &world.installation.repositories.engines;
    let before = engines.insert(engine(&id[..100], None)).await.unwrap();
    let mut long = before.clone();
    long.value.id = id.parse().unwrap();
    let exchange = world.begin(&long, "new").await;
    assert_eq!(exchange.name().unwrap().as_str().len(), 117);
}
