//! Tokens of Entra ID in the place of passwords: they work as those do, and go to nobody who has not
//! proved who they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::model::{Credentials, EngineType, TlsMode};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Driver, Renew, Renewal, Target};
use dilux_testkit::samples;
use dilux_testkit::tls::Certificates;

use crate::clear_password::ClearPasswordServer;
use crate::support::{copy, mariadb_target, name, plan, postgres_target};
use crate::tls::trusting_driver;

/// As long as tokens get, in their characters.
fn token() -> String {
    format!("eyJ0-_.{}.{}", "aB3-_xYz".repeat(300), "s".repeat(342))
}

fn with_token(target: &Target, token: &str) -> Target {
    let account = "entra-backup".parse().unwrap();
    let credentials = Credentials::with_token(account, SecretValue::new(token));
    Target::at(target.host.clone(), target.port, credentials)
}

async fn is_used_like_a_password(driver: &dyn Driver, target: &Target) {
    driver.probe(target, Some(&name("shop"))).await.unwrap();
    let found = driver.discover(target).await.unwrap();
    assert!(found.iter().any(|found| found.name == name("shop")));
    copy(driver, target, ("shop", "shop_copy")).await.unwrap();
    let source = driver.fingerprint(target, &name("shop")).await.unwrap();
    let copy = driver
        .fingerprint(target, &name("shop_copy"))
        .await
        .unwrap();
    assert_eq!(source.differences(&copy), Vec::<String>::new());
    assert!(source.total_rows() > 1000);
}

async fn is_refused_unless_verified(driver: &dyn Driver, target: &Target) {
    for tls_mode in [TlsMode::Prefer, TlsMode::Require] {
        let target = Target {
            tls_mode,
            ..target.clone()
        };
        let failure = driver.probe(&target, None).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Configuration, "{failure}");
        assert!(failure.message.contains("verified"), "{failure}");
    }
}

#[tokio::test]
async fn a_token_opens_postgresql_as_a_password_does() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = certificates.postgres().unwrap();
    server.create_database("shop").unwrap();
    server.execute("shop", samples::POSTGRESQL).unwrap();
    let role = format!(
        "CREATE ROLE \"entra-backup\" SUPERUSER LOGIN PASSWORD '{}';",
        token()
    );
    server.execute("shop", &role).unwrap();
    let target = with_token(&postgres_target(&server), &token());
    let driver = trusting_driver(&certificates, EngineType::PostgreSql).await;
    is_used_like_a_password(&*driver, &target).await;
    is_refused_unless_verified(&*driver, &target).await;
}

#[tokio::test]
async fn a_token_opens_mariadb_as_a_password_does() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = certificates.mariadb().unwrap();
    server.create_database("shop").unwrap();
    server.execute("shop", samples::MARIADB).unwrap();
    let account = format!(
        "CREATE USER 'entra-backup'@'%' IDENTIFIED BY '{}'; \
         GRANT ALL PRIVILEGES ON *.* TO 'entra-backup'@'%';",
        token()
    );
    server.execute("", &account).unwrap();
    let target = with_token(&mariadb_target(&server), &token());
    let driver = trusting_driver(&certificates, EngineType::MySql).await;
    is_used_like_a_password(&*driver, &target).await;
    is_refused_unless_verified(&*driver, &target).await;
}

#[tokio::test]
async fn a_server_that_asks_for_the_token_as_it_is_gets_it_when_it_has_proved_its_name() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = ClearPasswordServer::start(Some(&certificates));
    let driver = trusting_driver(&certificates, EngineType::MySql).await;
    let target = with_token(&server.target(), &token());
    let failure = driver.probe(&target, None).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Authentication, "{failure:?}");
    assert_eq!(server.passwords(), [token()]);
    assert!(!format!("{failure:?}").contains(&token()));
}

#[tokio::test]
async fn a_server_that_has_not_proved_its_name_gets_no_token() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let plain = ClearPasswordServer::start(None);
    let foreign = Certificates::for_host("127.0.0.1").unwrap();
    let stranger = ClearPasswordServer::start(Some(&foreign));
    let misnamed = certificates.of_host("other.example").unwrap();
    let other = ClearPasswordServer::start(Some(&misnamed));
    let driver = trusting_driver(&certificates, EngineType::MySql).await;
    for server in [&plain, &stranger, &other] {
        let target = with_token(&server.target(), &token());
        let failure = driver.probe(&target, None).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Configuration, "{failure:?}");
        assert!(server.is_visited());
        assert_eq!(server.passwords(), Vec::<String>::new());
    }
}

/// Gives one token after the other.
struct Later(Arc<AtomicUsize>);

#[async_trait]
impl Renew for Later {
    async fn credentials(&self) -> Result<Credentials, Failure> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let account = "entra-backup".parse().unwrap();
        Ok(Credentials::with_token(account, SecretValue::new("later")))
    }
}

#[tokio::test]
async fn a_restore_that_outlasts_its_token_still_clears_up() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = certificates.postgres().unwrap();
    server.create_database("shop").unwrap();
    let role = "CREATE ROLE \"entra-backup\" SUPERUSER LOGIN PASSWORD 'at first';";
    server.execute("shop", role).unwrap();
    let renewals = Arc::new(AtomicUsize::new(0));
    let target = Target {
        renewal: Some(Renewal::new(Later(Arc::clone(&renewals)))),
        ..with_token(&postgres_target(&server), "at first")
    };
    let driver = trusting_driver(&certificates, EngineType::PostgreSql).await;
    let dump = driver.dump(&target, &name("shop")).await.unwrap();
    let plan = plan(&dump, "copy");
    let mut sink = driver.restore(&target, &plan).await.unwrap();
    server
        .execute("shop", "ALTER ROLE \"entra-backup\" PASSWORD 'later';")
        .unwrap();
    sink.write(Bytes::from("SELEKT 1;\n")).await.ok();
    let failure = sink.finish().await.unwrap_err();
    assert!(failure.message.contains("was dropped again"), "{failure}");
    assert!(!server.has_database("copy").unwrap());
    assert_eq!(renewals.load(Ordering::SeqCst), 1);
}
