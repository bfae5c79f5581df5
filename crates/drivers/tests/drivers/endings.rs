//! No tool outlives its job, nor the process that started it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use dilux_core::model::{Credentials, EngineType};
use dilux_core::secret::SecretValue;
use dilux_drivers::Target;
use dilux_testkit::postgres::{ADMIN, PASSWORD, PostgresServer};

use crate::support::{descendants, driver, eventually, is_alive, name, postgres_target};

const WIDE: &str = "CREATE TABLE wide AS SELECT repeat(md5(i::text), 20) AS t FROM generate_series(1, 30000) AS i;";

fn server_with_a_large_table() -> PostgresServer {
    let server = PostgresServer::start().unwrap();
    server.create_database("shop").unwrap();
    server.execute("shop", WIDE).unwrap();
    server
}

/// Process ids of `pg_dump` below `root`.
fn dumps_below(root: u32) -> Vec<u32> {
    let below = descendants(root).into_iter();
    below
        .filter(|(_, program)| program == "pg_dump")
        .map(|(pid, _)| pid)
        .collect()
}

/// Sessions of `pg_dump` on the server.
fn sessions(server: &PostgresServer) -> String {
    let query =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND pid <> pg_backend_pid();";
    server.execute("shop", query).unwrap()
}

#[tokio::test]
async fn an_aborted_dump_is_gone_with_its_session() {
    let server = server_with_a_large_table();
    let target = postgres_target(&server);
    let driver = driver(EngineType::PostgreSql).await;
    let dump = driver.dump(&target, &name("shop")).await.unwrap();
    let tools = dumps_below(std::process::id());
    assert_eq!(tools.len(), 1);
    dump.source.abort().await;
    assert!(!is_alive(tools[0]));
    eventually("the session ends", || sessions(&server) == "0").await;
}

#[tokio::test]
async fn a_dropped_dump_is_gone_with_its_session() {
    let server = server_with_a_large_table();
    let target = postgres_target(&server);
    let driver = driver(EngineType::PostgreSql).await;
    let dump = driver.dump(&target, &name("shop")).await.unwrap();
    let tools = dumps_below(std::process::id());
    drop(dump);
    eventually("the tool ends", || !is_alive(tools[0])).await;
    eventually("the session ends", || sessions(&server) == "0").await;
}

/// Says to this test program, run once more, that it is the parent to be killed.
const PARENT: &str = "DILUX_TEST_PARENT";

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the two runs of this test differ by a variable"
)]
async fn a_dump_dies_with_the_process_that_started_it() {
    if std::env::var_os(PARENT).is_some() {
        return dump_until_killed().await;
    }
    let server = server_with_a_large_table();
    let mut parent = rerun_as_parent(&server);
    let mut lines = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(lines.any(|line| line.contains("the dump runs")));
    let tools = dumps_below(parent.id());
    assert_eq!(tools.len(), 1);
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the tool dies with its parent", || !is_alive(tools[0])).await;
    eventually("the session ends", || sessions(&server) == "0").await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "the parent to be killed is this test program itself"
)]
fn rerun_as_parent(server: &PostgresServer) -> std::process::Child {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "endings::a_dump_dies_with_the_process_that_started_it",
        ])
        .env(PARENT, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept open: the parent runs until it is killed or nobody holds its input any more.
    let mut input = parent.stdin.take().unwrap();
    writeln!(input, "{}", server.port().get()).unwrap();
    parent.stdin = Some(input);
    parent
}

/// Starts a dump of the server whose port stands on its input, and waits there to be killed.
async fn dump_until_killed() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let port: i64 = line.trim().parse().unwrap();
    let username = ADMIN.parse().unwrap();
    let credentials = Credentials::with_password(username, SecretValue::new(PASSWORD));
    let target = Target::at(
        "127.0.0.1".parse().unwrap(),
        port.try_into().unwrap(),
        credentials,
    );
    let driver = driver(EngineType::PostgreSql).await;
    let _dump = driver.dump(&target, &name("shop")).await.unwrap();
    println!("the dump runs");
    std::io::stdin().read_line(&mut line).unwrap();
}
