//! Peers that fall silent or go away in the middle.

use std::time::Duration;

use dilux_core::model::EngineType;
use dilux_core::transfer::FailureKind;
use dilux_drivers::{Deadlines, Target, ToolSearch};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::proxy::TcpProxy;

use crate::support::{
    descendants, driver_with, dump_all, eventually, mariadb_target, name, postgres_target,
};

const WIDE_POSTGRESQL: &str = "CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 20) AS text FROM generate_series(1, 30000) AS i;";
const WIDE_MARIADB: &str =
    "CREATE TABLE wide AS SELECT seq, repeat(md5(seq), 20) AS text FROM seq_1_to_30000;";

/// Bytes after which a peer falls silent: past everything that precedes the rows.
const SOME: u64 = 1_000_000;

fn deadlines() -> Deadlines {
    Deadlines {
        stall: Duration::from_secs(1),
        ..Deadlines::default()
    }
}

fn through(proxy: &TcpProxy, target: Target) -> Target {
    Target {
        host: proxy.host(),
        port: proxy.port(),
        ..target
    }
}

/// Dumps through a proxy that falls silent among the rows, then through one that hangs up.
async fn a_lost_peer_fails_the_dump(engine_type: EngineType, (target, tool): (Target, &str)) {
    let proxy = TcpProxy::start(target.port).await.unwrap();
    let target = through(&proxy, target);
    let driver = driver_with(engine_type, &ToolSearch::with_usual_places(""), deadlines()).await;
    proxy.fall_silent_after(SOME);
    let failure = dump_all(&*driver, &target, "shop").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Stalled, "{failure:?}");
    assert!(
        failure.message.contains("moved nothing for 1 second after"),
        "{failure}"
    );
    let runs = || {
        descendants(std::process::id())
            .iter()
            .any(|(_, name)| name == tool)
    };
    eventually("the tool is ended", || !runs()).await;
}

#[tokio::test]
async fn a_silent_postgresql_fails_the_dump_and_ends_the_tool() {
    let server = PostgresServer::start().unwrap();
    server.create_database("shop").unwrap();
    server.execute("shop", WIDE_POSTGRESQL).unwrap();
    a_lost_peer_fails_the_dump(
        EngineType::PostgreSql,
        (postgres_target(&server), "pg_dump"),
    )
    .await;
}

#[tokio::test]
async fn a_silent_mariadb_fails_the_dump_and_ends_the_tool() {
    let server = MariaDbServer::start().unwrap();
    server.create_database("shop").unwrap();
    server.execute("shop", WIDE_MARIADB).unwrap();
    a_lost_peer_fails_the_dump(EngineType::MySql, (mariadb_target(&server), "mariadb-dump")).await;
}

/// Reads some of a dump, then cuts its connection.
async fn a_cut_connection_fails_the_dump(engine_type: EngineType, target: Target) {
    let proxy = TcpProxy::start(target.port).await.unwrap();
    let target = through(&proxy, target);
    let search = ToolSearch::with_usual_places("");
    let driver = driver_with(engine_type, &search, Deadlines::default()).await;
    let mut dump = driver.dump(&target, &name("shop")).await.unwrap();
    let mut buffer = bytes::BytesMut::with_capacity(64 * 1024);
    assert!(dump.source.read(&mut buffer).await.unwrap() > 0);
    proxy.cut();
    let failure = dilux_testkit::transfer::collect(dump.source)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
}

#[tokio::test]
async fn a_postgresql_connection_that_breaks_fails_the_dump() {
    let server = PostgresServer::start().unwrap();
    server.create_database("shop").unwrap();
    server.execute("shop", WIDE_POSTGRESQL).unwrap();
    a_cut_connection_fails_the_dump(EngineType::PostgreSql, postgres_target(&server)).await;
}

#[tokio::test]
async fn a_mariadb_connection_that_breaks_fails_the_dump() {
    let server = MariaDbServer::start().unwrap();
    server.create_database("shop").unwrap();
    server.execute("shop", WIDE_MARIADB).unwrap();
    a_cut_connection_fails_the_dump(EngineType::MySql, mariadb_target(&server)).await;
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = PostgresServer::start().unwrap();
    let port = i64::from(listener.local_addr().unwrap().port())
        .try_into()
        .unwrap();
    let target = Target {
        port,
        ..postgres_target(&server)
    };
    let deadlines = Deadlines {
        connect: Duration::from_secs(2),
        ..Deadlines::default()
    };
    for engine_type in [EngineType::PostgreSql, EngineType::MySql] {
        let search = ToolSearch::with_usual_places("");
        let driver = driver_with(engine_type, &search, deadlines).await;
        let failure = driver.probe(&target, None).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
        assert!(
            failure.message.contains("did not answer within 2 seconds"),
            "{failure}"
        );
    }
}
