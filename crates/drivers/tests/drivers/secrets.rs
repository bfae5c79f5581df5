//! The password reaches the tool and nobody else.

use std::fs;

use dilux_core::model::EngineType;
use dilux_drivers::{Driver, Target};
use dilux_testkit::mariadb::{self, MariaDbServer};
use dilux_testkit::postgres::{self, PostgresServer};

use crate::support::{descendants, driver, mariadb_target, name, plan, postgres_target};

/// Looks at the arguments and environment of every process below this one, and tells which
/// programs it saw.
fn look_for(password: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for (pid, program) in descendants(std::process::id()) {
        for file in ["cmdline", "environ"] {
            let content = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let content = String::from_utf8_lossy(&content);
            assert!(
                !content.contains(password),
                "{file} of {program} holds the password"
            );
            assert!(
                !content.contains("canary"),
                "{file} of {program} holds a part of it"
            );
        }
        seen.push(program);
    }
    seen
}

/// Dumps and restores with bytes in every pipe, and looks while both tools run.
async fn no_process_shows_the_password(
    (driver, target): (&dyn Driver, &Target),
    password: &str,
    (dump_tool, client): (&str, &str),
) {
    let mut dump = driver.dump(target, &name("shop")).await.unwrap();
    let plan = plan(&dump, "copy");
    let mut sink = driver.restore(target, &plan).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let mut buffer = bytes::BytesMut::with_capacity(256 * 1024);
        seen.extend(look_for(password));
        if dump.source.read(&mut buffer).await.unwrap() == 0 {
            break;
        }
        sink.write(buffer.freeze()).await.unwrap();
    }
    dump.source.finish().await.unwrap();
    sink.finish().await.unwrap();
    for tool in [dump_tool, client] {
        assert!(
            seen.iter().any(|seen| seen == tool),
            "{tool} was not seen: {seen:?}"
        );
    }
}

#[tokio::test]
async fn no_process_shows_the_password_of_postgresql() {
    let server = PostgresServer::start().unwrap();
    server.create_database("shop").unwrap();
    let sql = "CREATE TABLE wide AS SELECT repeat(md5(i::text), 20) AS t FROM generate_series(1, 9000) AS i;";
    server.execute("shop", sql).unwrap();
    let (driver, target) = (
        driver(EngineType::PostgreSql).await,
        postgres_target(&server),
    );
    let tools = ("pg_dump", "psql");
    no_process_shows_the_password((&*driver, &target), postgres::PASSWORD, tools).await;
}

#[tokio::test]
async fn no_process_shows_the_password_of_mariadb() {
    let server = MariaDbServer::start().unwrap();
    server.create_database("shop").unwrap();
    let sql = "CREATE TABLE wide AS SELECT repeat(md5(seq), 20) AS t FROM seq_1_to_9000;";
    server.execute("shop", sql).unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    let tools = ("mariadb-dump", "mariadb");
    no_process_shows_the_password((&*driver, &target), mariadb::PASSWORD, tools).await;
}
