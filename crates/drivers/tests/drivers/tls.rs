//! TLS modes: every way to a server is as protected as its mode demands, or is not taken.

use std::sync::Arc;

use dilux_core::model::{EngineType, TlsMode};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Driver, DriverSettings, Drivers, RestorePlan, Target, ToolSearch, Tools};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::tls::Certificates;
use dilux_testkit::transfer::{collect, feed};

use crate::clear_password::ClearPasswordServer;
use crate::failures::closed_port;
use crate::support::{copy, mariadb_target, name, plan, postgres_target};

/// Those that demand something.
pub(crate) const STRICT: [TlsMode; 2] = [TlsMode::Require, TlsMode::VerifyFull];

/// A driver that trusts the authority of these certificates.
pub(crate) async fn trusting_driver(
    certificates: &Certificates,
    engine_type: EngineType,
) -> Arc<dyn Driver> {
    let authorities = certificates.path("authority.pem");
    let settings = DriverSettings {
        authorities,
        ..DriverSettings::default()
    };
    driver(engine_type, &settings).await
}

async fn driver(engine_type: EngineType, settings: &DriverSettings) -> Arc<dyn Driver> {
    let tools = Tools::discover(&ToolSearch::with_usual_places("")).await;
    Drivers::new(tools, settings)
        .for_engine(engine_type)
        .unwrap()
}

/// A server with a database `shop`.
pub(crate) enum Server {
    PostgreSql(PostgresServer),
    MariaDb(MariaDbServer),
}

impl Server {
    /// With the certificate, if there is one.
    pub(crate) fn start(engine_type: EngineType, certificates: Option<&Certificates>) -> Self {
        let server = match (engine_type, certificates) {
            (EngineType::PostgreSql, None) => Self::PostgreSql(PostgresServer::start().unwrap()),
            (EngineType::PostgreSql, Some(own)) => Self::PostgreSql(own.postgres().unwrap()),
            (_, None) => Self::MariaDb(MariaDbServer::start().unwrap()),
            (_, Some(own)) => Self::MariaDb(own.mariadb().unwrap()),
        };
        match &server {
            Self::PostgreSql(server) => server.create_database("shop").unwrap(),
            Self::MariaDb(server) => server.create_database("shop").unwrap(),
        }
        let table = "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2);";
        server.execute("shop", table);
        server
    }

    fn execute(&self, database: &str, sql: &str) {
        match self {
            Self::PostgreSql(server) => server.execute(database, sql).map(drop).unwrap(),
            Self::MariaDb(server) => server.execute(database, sql).map(drop).unwrap(),
        }
    }

    pub(crate) fn drop_database(&self, name: &str) {
        let database = match self {
            Self::PostgreSql(_) => "postgres",
            Self::MariaDb(_) => "",
        };
        self.execute(database, &format!("DROP DATABASE IF EXISTS {name};"));
    }

    fn has_database(&self, name: &str) -> bool {
        match self {
            Self::PostgreSql(server) => server.has_database(name).unwrap(),
            Self::MariaDb(server) => server.has_database(name).unwrap(),
        }
    }

    pub(crate) fn target(&self, tls_mode: TlsMode) -> Target {
        let target = match self {
            Self::PostgreSql(server) => postgres_target(server),
            Self::MariaDb(server) => mariadb_target(server),
        };
        Target { tls_mode, ..target }
    }
}

const TYPES: [EngineType; 2] = [EngineType::PostgreSql, EngineType::MySql];

/// What a restore is to be of, known from a way that is open.
async fn plan_of(driver: &dyn Driver, server: &Server) -> RestorePlan {
    let target = server.target(TlsMode::Prefer);
    let dump = driver.dump(&target, &name("shop")).await.unwrap();
    let plan = plan(&dump, "dilux_verify_1");
    collect(dump.source).await.unwrap();
    RestorePlan {
        is_rehearsal: true,
        ..plan
    }
}

/// Each thing that a driver does at a server is refused with these words, and nothing is made there.
async fn assert_refused(driver: &dyn Driver, server: &Server, mode: TlsMode, words: &str) {
    let plan = plan_of(driver, server).await;
    let target = server.target(mode);
    let (shop, rehearsal) = (name("shop"), name("dilux_verify_1"));
    let failures: [(&str, Failure); 6] = [
        (
            "probe",
            driver.probe(&target, Some(&shop)).await.unwrap_err(),
        ),
        ("discover", driver.discover(&target).await.unwrap_err()),
        ("dump", driver.dump(&target, &shop).await.unwrap_err()),
        (
            "restore",
            driver.restore(&target, &plan).await.map(drop).unwrap_err(),
        ),
        (
            "fingerprint",
            driver.fingerprint(&target, &shop).await.unwrap_err(),
        ),
        (
            "drop",
            driver
                .drop_rehearsal(&target, &rehearsal)
                .await
                .unwrap_err(),
        ),
    ];
    for (what, failure) in failures {
        assert_eq!(
            failure.kind,
            FailureKind::Configuration,
            "{what}: {failure:?}"
        );
        assert!(
            failure.message.contains(words),
            "{mode} {what}: {failure:?}"
        );
        let everything = format!("{failure:?}");
        assert!(!everything.contains("canary"), "{everything}");
    }
    assert!(!server.has_database("dilux_verify_1"));
}

/// Each thing that a driver does at a server works.
async fn assert_works(driver: &dyn Driver, server: &Server, mode: TlsMode) {
    let target = server.target(mode);
    let shop = name("shop");
    driver.probe(&target, Some(&shop)).await.unwrap();
    let found = driver.discover(&target).await.unwrap();
    assert!(found.iter().any(|found| found.name == shop));
    copy(driver, &target, ("shop", "shop_copy")).await.unwrap();
    let copied = name("shop_copy");
    let copied = driver.fingerprint(&target, &copied).await.unwrap();
    let original = driver.fingerprint(&target, &shop).await.unwrap();
    assert_eq!(original.differences(&copied), Vec::<String>::new());
    assert_eq!(copied.total_rows(), 2);
    server.drop_database("shop_copy");

    let dump = driver.dump(&target, &shop).await.unwrap();
    let plan = RestorePlan {
        is_rehearsal: true,
        ..plan(&dump, "dilux_verify_1")
    };
    let (bytes, _) = collect(dump.source).await.unwrap();
    let sink = driver.restore(&target, &plan).await.unwrap();
    assert!(server.has_database("dilux_verify_1"));
    feed(sink, bytes).await.unwrap();
    assert!(!server.has_database("dilux_verify_1"));
    let rehearsal = name("dilux_verify_1");
    driver.drop_rehearsal(&target, &rehearsal).await.unwrap();
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_used_in_every_mode() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    for engine_type in TYPES {
        let server = Server::start(engine_type, Some(&certificates));
        let driver = trusting_driver(&certificates, engine_type).await;
        for mode in TlsMode::ALL {
            assert_works(&*driver, &server, mode).await;
        }
    }
}

#[tokio::test]
async fn a_server_without_encryption_is_used_by_preference_only() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    for engine_type in TYPES {
        let server = Server::start(engine_type, None);
        let driver = trusting_driver(&certificates, engine_type).await;
        assert_works(&*driver, &server, TlsMode::Prefer).await;
        for mode in STRICT {
            assert_refused(&*driver, &server, mode, "offers no encryption").await;
        }
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_where_it_is_verified() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let others = Certificates::for_host("127.0.0.1").unwrap();
    for engine_type in TYPES {
        let server = Server::start(engine_type, Some(&others));
        for driver in [
            trusting_driver(&certificates, engine_type).await,
            driver(engine_type, &DriverSettings::default()).await,
        ] {
            assert_works(&*driver, &server, TlsMode::Require).await;
            assert_refused(&*driver, &server, TlsMode::VerifyFull, "is not trusted").await;
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_where_it_is_verified() {
    let certificates = Certificates::for_host("other.example").unwrap();
    for engine_type in TYPES {
        let server = Server::start(engine_type, Some(&certificates));
        let driver = trusting_driver(&certificates, engine_type).await;
        assert_works(&*driver, &server, TlsMode::Require).await;
        assert_refused(&*driver, &server, TlsMode::VerifyFull, "another name").await;
    }
}

#[tokio::test]
async fn failures_beyond_an_encrypted_connection_are_told_apart() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    for engine_type in TYPES {
        let server = Server::start(engine_type, Some(&certificates));
        let driver = trusting_driver(&certificates, engine_type).await;
        for mode in STRICT {
            let target = server.target(mode);
            let mut wrong = target.clone();
            wrong.credentials.password = SecretValue::new("wrong");
            let failure = driver.probe(&wrong, None).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Authentication, "{failure:?}");
            let closed = Target {
                port: closed_port(),
                ..target.clone()
            };
            let failure = driver.probe(&closed, None).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
            let words = format!("127.0.0.1:{}", closed.port);
            assert!(failure.message.contains(&words), "{failure:?}");
            let failure = driver.dump(&target, &name("none")).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::UnknownDatabase, "{failure:?}");
        }
    }
}

/// The played server asks for the password as it is, which is the worst that a server can do.
#[tokio::test]
async fn no_password_is_told_to_a_mysql_server_without_encryption() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = ClearPasswordServer::start(None);
    let driver = trusting_driver(&certificates, EngineType::MySql).await;
    for mode in STRICT {
        let target = server.target().protected(mode);
        let failure = driver.probe(&target, None).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Configuration, "{failure:?}");
        assert!(server.is_visited());
        assert_eq!(server.passwords(), Vec::<String>::new(), "{mode}");
    }
    driver.probe(&server.target(), None).await.unwrap_err();
    assert_eq!(server.passwords(), ["x"], "it would have been told");
}
