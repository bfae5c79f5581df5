//! The guard before the drivers: a host is resolved once, all its addresses are judged, and the tools
//! connect to these alone.

use std::sync::Arc;

use dilux_core::model::{EngineType, TlsMode};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{
    Driver, DriverSettings, Drivers, Resolver, SystemResolver, Target, ToolSearch, Tools,
};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;

use crate::support::{Names, copy, dump_all, mariadb_target, name, postgres_target};

async fn drivers(networks: &str, resolver: Arc<dyn Resolver>) -> Drivers {
    let settings = DriverSettings {
        networks: networks.parse().unwrap(),
        resolver,
        ..DriverSettings::default()
    };
    let tools = Tools::discover(&ToolSearch::with_usual_places("")).await;
    Drivers::new(tools, &settings)
}

fn at(host: &str, target: &Target) -> Target {
    Target {
        host: host.parse().unwrap(),
        ..target.clone()
    }
}

#[track_caller]
fn assert_refused(failure: &Failure, words: &[&str]) {
    assert_eq!(failure.kind, FailureKind::Configuration, "{failure:?}");
    for word in words {
        assert!(failure.message.contains(word), "{failure:?}");
    }
}

/// No name server knows the name, so the tools cannot have looked for it again.
async fn connects_to_what_was_judged(engine_type: EngineType, target: &Target) {
    let names = Arc::new(Names::new([
        ("database.invalid", "127.0.0.1"),
        ("several.invalid", "::1,127.0.0.2,127.0.0.1"),
    ]));
    let drivers = drivers("loopback", names.clone()).await;
    let driver = drivers.for_engine(engine_type).unwrap();
    let there = at("database.invalid", target);
    driver.probe(&there, None).await.unwrap();
    assert_eq!(
        names.asked(),
        1,
        "a name is resolved once for one piece of work"
    );
    dump_all(&*driver, &there, "shop").await.unwrap();
    copy(&*driver, &there, ("shop", "shop_copy")).await.unwrap();
    // The server listens on the last of them only.
    driver
        .discover(&at("several.invalid", target))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_tools_of_postgresql_connect_to_the_judged_address() {
    let server = PostgresServer::start().unwrap();
    server.create_database("shop").unwrap();
    connects_to_what_was_judged(EngineType::PostgreSql, &postgres_target(&server)).await;
}

#[tokio::test]
async fn the_tools_of_mariadb_connect_to_the_judged_address() {
    let server = MariaDbServer::start().unwrap();
    server.create_database("shop").unwrap();
    connects_to_what_was_judged(EngineType::MySql, &mariadb_target(&server)).await;
}

async fn refuses_everywhere(driver: &dyn Driver, target: &Target, words: &[&str]) {
    let database = name("shop");
    assert_refused(&driver.probe(target, None).await.unwrap_err(), words);
    assert_refused(&driver.discover(target).await.unwrap_err(), words);
    assert_refused(&driver.dump(target, &database).await.unwrap_err(), words);
    assert_refused(
        &driver.fingerprint(target, &database).await.unwrap_err(),
        words,
    );
    let rehearsal = name("dilux_verify_1");
    let dropped = driver.drop_rehearsal(target, &rehearsal).await;
    assert_refused(&dropped.unwrap_err(), words);
}

#[tokio::test]
async fn no_tool_is_started_for_an_address_that_may_not_be() {
    let server = PostgresServer::start().unwrap();
    let target = postgres_target(&server);
    let names = Names::new([
        ("metadata.invalid", "169.254.169.254"),
        ("mixed.invalid", "127.0.0.1,168.63.129.16"),
        ("mapped.invalid", "::ffff:169.254.169.254"),
    ]);
    let drivers = drivers("public,private,loopback", Arc::new(names)).await;
    for engine_type in [EngineType::PostgreSql, EngineType::MySql] {
        let driver = drivers.for_engine(engine_type).unwrap();
        for host in [
            "metadata.invalid",
            "mixed.invalid",
            "mapped.invalid",
            "169.254.169.254",
            "0.0.0.0",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[::]",
            "64:ff9b::a9fe:a9fe",
        ] {
            let words = [host, "never connected to"];
            refuses_everywhere(&*driver, &at(host, &target), &words).await;
        }
    }
}

/// As the C library reads them, which the tools do too.
#[tokio::test]
async fn odd_forms_of_an_address_are_seen_through() {
    let server = PostgresServer::start().unwrap();
    let target = postgres_target(&server);
    let private = drivers("private", Arc::new(SystemResolver)).await;
    let private = private.for_engine(EngineType::PostgreSql).unwrap();
    for host in [
        "2130706433",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "localhost",
        "127.0.0.1",
        "[::1]",
    ] {
        let failure = private.probe(&at(host, &target), None).await.unwrap_err();
        assert_refused(&failure, &[host, "DILUX_ALLOWED_NETWORKS"]);
    }
    let loopback = drivers("loopback", Arc::new(SystemResolver)).await;
    let loopback = loopback.for_engine(EngineType::PostgreSql).unwrap();
    for host in ["127.1", "localhost"] {
        loopback.probe(&at(host, &target), None).await.unwrap();
    }
    let failure = loopback
        .probe(&at("0xa9fea9fe", &target), None)
        .await
        .unwrap_err();
    assert_refused(&failure, &["169.254.169.254"]);
}

#[tokio::test]
async fn sockets_and_lists_are_no_hosts() {
    for host in [
        "/var/run/postgresql",
        "@socket",
        "a,b",
        "",
        "host=/tmp",
        "a b",
    ] {
        assert!(host.parse::<dilux_core::model::Host>().is_err(), "{host}");
    }
}

#[tokio::test]
async fn a_certificate_is_checked_against_the_name_and_not_the_address() {
    let certificates = dilux_testkit::tls::Certificates::for_host("database.invalid").unwrap();
    let names = Arc::new(Names::new([
        ("database.invalid", "127.0.0.1"),
        ("other.invalid", "127.0.0.1"),
    ]));
    let server = certificates.postgres().unwrap();
    server.create_database("shop").unwrap();
    let settings = DriverSettings {
        authorities: certificates.path("authority.pem"),
        resolver: names,
        ..DriverSettings::default()
    };
    let tools = Tools::discover(&ToolSearch::with_usual_places("")).await;
    let drivers = Drivers::new(tools, &settings);
    let driver = drivers.for_engine(EngineType::PostgreSql).unwrap();
    let target = Target {
        tls_mode: TlsMode::VerifyFull,
        ..postgres_target(&server)
    };
    driver
        .probe(&at("database.invalid", &target), None)
        .await
        .unwrap();
    let other = driver.probe(&at("other.invalid", &target), None).await;
    assert_eq!(other.unwrap_err().kind, FailureKind::Configuration);
}
