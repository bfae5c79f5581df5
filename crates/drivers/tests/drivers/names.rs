//! Names that look like options, connection strings, SQL or commands: taken literally everywhere.

use dilux_core::model::EngineType;
use dilux_drivers::{Driver, Target};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use tempfile::TempDir;

use crate::support::{copy, driver, mariadb_target, name, postgres_target};

/// Names, with a directory in which nothing must appear.
fn hostile_names(trap: &str) -> Vec<String> {
    let mut names = [
        "two words",
        "it's",
        "say \"hi\"",
        "back`tick",
        "back\\slash\\",
        "-x",
        "--help",
        "--",
        "host=127.0.0.9 port=1 dbname=x",
        "postgresql://127.0.0.9:1/x",
        "%s%n",
        "$(id)",
        "`id`",
        "a;DROP DATABASE x",
        "line\r\nbreak",
        "tab\tbed\u{1}",
        "日本語",
        "\u{202e}gnp.exe",
        "../../etc/passwd",
        "*",
        "NULL",
        "# x",
        "'; --",
        ":'name'",
        "@x",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push(format!("--file={trap}/1"));
    names.push(format!("-f{trap}/2"));
    names.push(format!("--result-file={trap}/3"));
    names.push(format!("-r{trap}/4"));
    names.push(format!("--tee={trap}/8"));
    names.push("--init-command=DROP DATABASE x".to_owned());
    names.push(format!("x\n\\! touch {trap}/5\nx"));
    names.push(format!("x\nsystem touch {trap}/6"));
    names.push(format!("x`touch {trap}/7`"));
    names
}

/// What a test does to a server without the driver.
struct Hands<'a> {
    /// Makes a database of this name, with the name as its one row.
    create: &'a dyn Fn(&str),
    /// Reads that row.
    read: &'a dyn Fn(&str) -> String,
}

/// Probes, discovers, dumps and restores under each name.
async fn every_name_is_literal(
    driver: &dyn Driver,
    target: &Target,
    (hands, names): (Hands<'_>, Vec<String>),
) {
    for from in &names {
        (hands.create)(from);
        let to = format!("{from}+");
        let context = from.escape_debug().to_string();
        driver
            .probe(target, Some(&name(from)))
            .await
            .expect(&context);
        copy(driver, target, (from, &to)).await.expect(&context);
        assert_eq!(&(hands.read)(&to), from, "{context}");
    }
    let found = driver.discover(target).await.unwrap();
    for wanted in &names {
        assert!(
            found.iter().any(|found| found.name.as_str() == wanted),
            "{}",
            wanted.escape_debug()
        );
    }
}

fn assert_empty(trap: &TempDir) {
    let found: Vec<_> = trap
        .path()
        .read_dir()
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn postgresql_takes_every_name_literally() {
    let server = PostgresServer::start_with(&[("max_connections", "20")]).unwrap();
    let (driver, target) = (
        driver(EngineType::PostgreSql).await,
        postgres_target(&server),
    );
    let trap = TempDir::new_in("/tmp").unwrap();
    let mut names = hostile_names(trap.path().to_str().unwrap());
    names.push("🐘 emoji".to_owned());
    names.push("a".repeat(62));
    let create = |name: &str| {
        server.create_database(name).unwrap();
        let text = name.replace('\\', "\\\\").replace('\'', "''");
        server
            .execute(name, &format!("CREATE TABLE t AS SELECT E'{text}' AS n;"))
            .unwrap();
    };
    let read = |name: &str| server.execute(name, "SELECT n FROM t;").unwrap();
    let hands = Hands {
        create: &create,
        read: &read,
    };
    every_name_is_literal(&*driver, &target, (hands, names)).await;
    assert_empty(&trap);
}

#[tokio::test]
async fn mariadb_takes_every_name_literally() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    let trap = TempDir::new_in("/tmp").unwrap();
    let mut names = hostile_names(trap.path().to_str().unwrap());
    names.push("a".repeat(63));
    let create = |name: &str| {
        server.create_database(name).unwrap();
        server
            .execute(name, "CREATE TABLE t AS SELECT DATABASE() AS n;")
            .unwrap();
    };
    let read = |name: &str| server.execute(name, "SELECT n FROM t;").unwrap();
    let hands = Hands {
        create: &create,
        read: &read,
    };
    every_name_is_literal(&*driver, &target, (hands, names)).await;
    assert_empty(&trap);
}
