use std::sync::Arc;

use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::config::Settings;
use dilux_core::model::{AuthMethod, EngineType, EntraIdentity, TlsMode};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::{Profile, open};
use tempfile::TempDir;

use super::*;

async fn installation(directory: &TempDir) -> Installation {
    let store = format!("file://{}", directory.path().display());
    let settings =
        Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()));
    let settings = settings.unwrap();
    let clock = ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap());
    let clock: SharedClock = Arc::new(clock);
    let random: SharedRandom = Arc::new(SystemRandom);
    let storage = open(&settings, Profile::Worker, &clock, &random).unwrap();
    let installation = Installation::new(Arc::new(settings), storage, clock, random);
    installation.prepare().await.unwrap();
    installation
}

fn engine(secret: &str) -> Engine {
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    Engine {
        id: "one".parse().unwrap(),
        name: "one".parse().unwrap(),
        engine_type: EngineType::PostgreSql,
        host: "db.example.com".parse().unwrap(),
        port: 5432.try_into().unwrap(),
        tls_mode: TlsMode::default(),
        auth_method: Some(AuthMethod::UserPassword),
        username: Some("backup".parse().unwrap()),
        identity: EntraIdentity::default(),
        secret: SecretName::new(secret).ok(),
        policy_id: None,
        max_jobs: None,
        discovery_enabled: false,
        last_discovery: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    }
}

/// What a job that read the engine before a change signs in with after it.
async fn after(change: impl FnOnce(&mut Engine)) -> Result<Credentials, Failure> {
    let directory = TempDir::new().unwrap();
    let installation = installation(&directory).await;
    let before = engine("dilux-engine-one");
    let mut changed = before.clone();
    change(&mut changed);
    let engines = &installation.repositories.engines;
    engines.insert(changed).await.unwrap();
    let new = SecretName::new("dilux-engine-one-0123456789abcdef").unwrap();
    let secrets = &installation.storage.secrets;
    secrets.set(&new, &SecretValue::new("new")).await.unwrap();
    let account = Account {
        installation: installation.clone(),
        engine: before,
        database: None,
    };
    account.credentials().await
}

fn renamed(engine: &mut Engine) {
    engine.secret = SecretName::new("dilux-engine-one-0123456789abcdef").ok();
    engine.username = "other".parse().ok();
}

#[tokio::test]
async fn credentials_that_were_changed_since_a_job_began_are_read_again() {
    let credentials = after(renamed).await.unwrap();
    assert_eq!(credentials.password.expose(), "new");
    assert_eq!(credentials.username.as_str(), "other");
}

#[tokio::test]
async fn a_new_password_never_goes_to_the_server_that_an_engine_was_moved_from() {
    let moves: [fn(&mut Engine); 3] = [
        |engine| engine.host = "elsewhere".parse().unwrap(),
        |engine| engine.port = 5433.try_into().unwrap(),
        |engine| engine.tls_mode = TlsMode::VerifyFull,
    ];
    for elsewhere in moves {
        let failure = after(|engine| {
            renamed(engine);
            elsewhere(engine);
        });
        let failure = failure.await.unwrap_err();
        assert!(failure.kind.is_transient(), "{failure}");
    }
}

#[tokio::test]
async fn a_password_that_is_just_gone_is_told_so() {
    let failure = after(|_| {}).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
    assert!(failure.message.contains("enter it again"), "{failure}");
}
