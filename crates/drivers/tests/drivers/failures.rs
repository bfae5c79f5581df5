//! The usual failures on real servers: each is told apart and named in a sentence.

use dilux_core::model::{Credentials, EngineType, Port, TlsMode};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Deadlines, Driver, Target};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;

use crate::support::{
    ToolBox, copy, driver, driver_with, dump_all, mariadb_target, name, postgres_target,
};

fn with_account(target: &Target, username: &str, password: &str) -> Target {
    let username = username.parse().unwrap();
    let password = SecretValue::new(password);
    Target {
        credentials: Credentials::with_password(username, password),
        ..target.clone()
    }
}

/// A port on which nobody listens.
pub(crate) fn closed_port() -> Port {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    i64::from(listener.local_addr().unwrap().port())
        .try_into()
        .unwrap()
}

fn assert_failure(failure: &Failure, kind: FailureKind, words: &[&str]) {
    assert_eq!(failure.kind, kind, "{failure:?}");
    for word in words {
        assert!(failure.message.contains(word), "{failure:?}");
    }
    let everything = format!("{failure:?} {failure}");
    assert!(!everything.contains("canary"), "{everything}");
}

/// What does not depend on the engine type.
async fn usual_failures_are_told_apart(driver: &dyn Driver, target: &Target) {
    let wrong = Target {
        credentials: Credentials {
            password: SecretValue::new("canary-but-wrong"),
            ..target.credentials.clone()
        },
        ..target.clone()
    };
    let failure = driver.probe(&wrong, None).await.unwrap_err();
    assert_failure(
        &failure,
        FailureKind::Authentication,
        &["refused", "dilux_admin"],
    );
    let failure = driver.dump(&wrong, &name("x")).await.unwrap_err();
    assert_failure(&failure, FailureKind::Authentication, &["refused"]);

    let unknown_account = with_account(target, "nobody_here", "canary");
    let failure = driver.probe(&unknown_account, None).await.unwrap_err();
    assert_failure(&failure, FailureKind::Authentication, &["nobody_here"]);

    let unknown_host = Target {
        host: "no-such-host.invalid".parse().unwrap(),
        ..target.clone()
    };
    let failure = driver.discover(&unknown_host).await.unwrap_err();
    assert_failure(
        &failure,
        FailureKind::Unreachable,
        &["no-such-host.invalid", "not known"],
    );

    let closed = Target {
        port: closed_port(),
        ..target.clone()
    };
    let failure = driver.probe(&closed, None).await.unwrap_err();
    assert_failure(&failure, FailureKind::Unreachable, &["127.0.0.1", "port"]);

    let database = name("no such database");
    for failure in [
        driver.probe(target, Some(&database)).await.unwrap_err(),
        driver.dump(target, &database).await.unwrap_err(),
        driver.fingerprint(target, &database).await.unwrap_err(),
    ] {
        assert_failure(
            &failure,
            FailureKind::UnknownDatabase,
            &["'no such database'"],
        );
    }

    for tls_mode in [TlsMode::Require, TlsMode::VerifyFull] {
        let insisting = Target {
            tls_mode,
            ..target.clone()
        };
        let failure = driver.discover(&insisting).await;
        // Only a listing of a server that encrypts may be taken.
        let failure = match failure {
            Ok(_) => driver.fingerprint(&insisting, &database).await.unwrap_err(),
            Err(failure) => failure,
        };
        assert_failure(&failure, FailureKind::Configuration, &[]);
    }
}

#[tokio::test]
async fn usual_failures_of_postgresql_are_told_apart() {
    let server = PostgresServer::start().unwrap();
    let driver = driver(EngineType::PostgreSql).await;
    usual_failures_are_told_apart(&*driver, &postgres_target(&server)).await;
}

#[tokio::test]
async fn usual_failures_of_mariadb_are_told_apart() {
    let server = MariaDbServer::start().unwrap();
    let driver = driver(EngineType::MySql).await;
    usual_failures_are_told_apart(&*driver, &mariadb_target(&server)).await;
}

#[tokio::test]
async fn missing_tools_are_named_with_their_packages() {
    let server = PostgresServer::start().unwrap();
    let target = postgres_target(&server);
    let nothing = ToolBox::new();
    for (engine_type, package) in [
        (EngineType::PostgreSql, "postgresql-client"),
        (EngineType::MySql, "mariadb-client"),
    ] {
        let driver = driver_with(engine_type, &nothing.search(), Deadlines::default()).await;
        for failure in [
            driver.probe(&target, None).await.unwrap_err(),
            driver.dump(&target, &name("x")).await.unwrap_err(),
        ] {
            assert_failure(&failure, FailureKind::ToolMissing, &[package]);
        }
    }
    let tools = ToolBox::new().real("psql");
    let only_client = tools.search();
    let driver = driver_with(EngineType::PostgreSql, &only_client, Deadlines::default()).await;
    let failure = driver.dump(&target, &name("postgres")).await.unwrap_err();
    assert_failure(
        &failure,
        FailureKind::ToolMissing,
        &["pg_dump", "postgresql-client-"],
    );
}

#[tokio::test]
async fn a_table_that_the_account_may_not_read_fails_the_postgresql_dump_by_name() {
    let server = PostgresServer::start().unwrap();
    let (driver, target) = (
        driver(EngineType::PostgreSql).await,
        postgres_target(&server),
    );
    server.create_database("shop").unwrap();
    let sql = "CREATE TABLE secret_things (id int); CREATE ROLE limited LOGIN PASSWORD 'canary'";
    server.execute("shop", sql).unwrap();
    let limited = with_account(&target, "limited", "canary");
    let failure = dump_all(&*driver, &limited, "shop").await.unwrap_err();
    assert_failure(
        &failure,
        FailureKind::Permission,
        &["limited", "secret_things"],
    );
}

#[tokio::test]
async fn a_locked_table_fails_the_postgresql_dump_in_time() {
    let server = PostgresServer::start().unwrap();
    let target = postgres_target(&server);
    server.create_database("shop").unwrap();
    server.execute("shop", "CREATE TABLE t (id int);").unwrap();
    let locker = std::thread::scope(|scope| {
        let holding = scope.spawn(|| {
            server.execute(
                "shop",
                "BEGIN; LOCK TABLE t; SELECT pg_advisory_lock(1); SELECT pg_sleep(60);",
            )
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let failure = std::thread::spawn(move || {
            runtime.block_on(async {
                let search = dilux_drivers::ToolSearch::with_usual_places("");
                let first_byte = std::time::Duration::from_secs(2);
                let deadlines = Deadlines {
                    first_byte,
                    ..Deadlines::default()
                };
                let driver = driver_with(EngineType::PostgreSql, &search, deadlines).await;
                dump_all(&*driver, &target, "shop").await.unwrap_err()
            })
        });
        let locked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory';";
        while server.execute("shop", locked).unwrap() == "0" {}
        let failure = failure.join().unwrap();
        server.execute("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid();").unwrap();
        holding.join().unwrap().unwrap_err();
        failure
    });
    assert_eq!(locker.kind, FailureKind::Stalled, "{locker:?}");
}

#[tokio::test]
async fn an_account_that_would_not_see_everything_is_refused_by_mariadb_s_driver() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    let sql = "CREATE DATABASE my_shop; CREATE TABLE my_shop.t (id int);
        CREATE USER 'limited'@'%' IDENTIFIED BY 'canary';
        GRANT SELECT, SHOW VIEW ON `my\\_shop`.* TO 'limited'@'%';";
    server.execute("", sql).unwrap();
    let limited = with_account(&target, "limited", "canary");
    let failure = driver.dump(&limited, &name("my_shop")).await.unwrap_err();
    let missing = ["limited@%", "my_shop", "TRIGGER, EVENT, EXECUTE"];
    assert_failure(&failure, FailureKind::Permission, &missing);

    let sql = "GRANT TRIGGER, EVENT, EXECUTE ON `my\\_shop`.* TO 'limited'@'%';";
    server.execute("", sql).unwrap();
    dump_all(&*driver, &limited, "my_shop").await.unwrap();

    server
        .execute("my_shop", "CREATE FUNCTION f() RETURNS int RETURN 1;")
        .unwrap();
    let failure = dump_all(&*driver, &limited, "my_shop").await.unwrap_err();
    assert_failure(
        &failure,
        FailureKind::Permission,
        &["limited", "SHOW CREATE FUNCTION `f`"],
    );
}

#[tokio::test]
async fn a_broken_view_fails_the_mariadb_dump_by_name() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    let sql = "CREATE TABLE t (id int); CREATE VIEW broken AS SELECT id FROM t; DROP TABLE t;";
    server.create_database("shop").unwrap();
    server.execute("shop", sql).unwrap();
    let failure = dump_all(&*driver, &target, "shop").await.unwrap_err();
    assert_failure(&failure, FailureKind::ToolFailed, &["broken"]);
}

#[tokio::test]
async fn a_password_with_a_line_end_is_refused_for_postgresql() {
    let server = PostgresServer::start().unwrap();
    let driver = driver(EngineType::PostgreSql).await;
    let target = with_account(&postgres_target(&server), "x", "canary\n*:*:*:*:other");
    let failure = driver.probe(&target, None).await.unwrap_err();
    assert_failure(&failure, FailureKind::Configuration, &["line end"]);
}

#[test]
fn an_engine_type_without_driver_says_so() {
    let drivers = dilux_drivers::Drivers::of(Vec::new(), dilux_drivers::Tools::default());
    for failure in [
        drivers.for_engine(EngineType::SqlServer).map(drop),
        drivers.connector(EngineType::SqlServer).map(drop),
    ] {
        let failure = failure.unwrap_err();
        assert_failure(
            &failure,
            FailureKind::Configuration,
            &["sqlserver", "no driver"],
        );
    }
}

#[tokio::test]
async fn a_backup_of_the_other_family_is_refused() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    server.create_database("shop").unwrap();
    let dump = driver.dump(&target, &name("shop")).await.unwrap();
    let mut plan = crate::support::plan(&dump, "copy");
    plan.server.flavour = "mysql".to_owned();
    let failure = driver
        .restore(&target, &plan)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_failure(&failure, FailureKind::Configuration, &["mysql", "mariadb"]);
    assert!(!server.has_database("copy").unwrap());
}

#[tokio::test]
async fn a_restore_refuses_a_database_that_exists_and_leaves_it_alone() {
    let server = PostgresServer::start().unwrap();
    server.create_database("here").unwrap();
    let target = postgres_target(&server);
    let failure = copy(
        &*driver(EngineType::PostgreSql).await,
        &target,
        ("here", "here"),
    )
    .await
    .unwrap_err();
    assert_failure(&failure, FailureKind::TargetExists, &["'here'"]);
    assert!(server.has_database("here").unwrap());

    let server = MariaDbServer::start().unwrap();
    server.create_database("here").unwrap();
    let target = mariadb_target(&server);
    let failure = copy(&*driver(EngineType::MySql).await, &target, ("here", "here"))
        .await
        .unwrap_err();
    assert_failure(&failure, FailureKind::TargetExists, &["'here'"]);
    assert!(server.has_database("here").unwrap());
}
