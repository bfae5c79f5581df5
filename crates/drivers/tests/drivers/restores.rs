//! Restores that do not go well: nothing half-done stays, and nothing in a dump runs here.

use std::fmt::Write as _;

use bytes::Bytes;
use dilux_core::model::{DatabaseTraits, EngineType, ServerIdentity, ToolIdentity};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Driver, RestorePlan, Target};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::transfer::feed;
use tempfile::TempDir;

use crate::support::{driver, eventually, mariadb_target, name, postgres_target};

fn plan(flavour: &str) -> RestorePlan {
    RestorePlan {
        is_rehearsal: false,
        database: name("copy"),
        traits: DatabaseTraits::new(),
        server: ServerIdentity {
            flavour: flavour.to_owned(),
            version: "1".to_owned(),
        },
        tool: ToolIdentity {
            name: "x".to_owned(),
            path: "/x".to_owned(),
            version: "1".to_owned(),
        },
    }
}

/// Rows that fill every pipe on the way.
fn many_rows() -> String {
    let mut sql = "CREATE TABLE t (id int, text varchar(2000));\n".to_owned();
    for id in 0..3_000 {
        writeln!(sql, "INSERT INTO t VALUES ({id}, '{}');", "x".repeat(1000)).unwrap();
    }
    sql
}

/// A failing statement, early or late, an abort and a mere drop: the new database goes again.
async fn nothing_stays(
    (driver, target): (&dyn Driver, &Target),
    plan: &RestorePlan,
    has_copy: &dyn Fn() -> bool,
) {
    for dump in [
        "CREATE TABEL t;\n".to_owned(),
        format!("SELEKT 1;\n{}", many_rows()),
    ] {
        let sink = driver.restore(target, plan).await.unwrap();
        assert!(has_copy());
        let failure = feed(sink, Bytes::from(dump)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::ToolFailed, "{failure:?}");
        assert!(failure.message.contains("syntax"), "{failure:?}");
        assert!(!has_copy(), "{failure:?}");
    }

    let mut sink = driver.restore(target, plan).await.unwrap();
    sink.write(Bytes::from("SELEKT 1;\n".repeat(1000)))
        .await
        .ok();
    let failure = sink.finish().await.unwrap_err();
    assert!(
        failure
            .message
            .contains("the new database 'copy' was dropped again"),
        "{failure:?}"
    );
    assert!(!has_copy());

    let mut sink = driver.restore(target, plan).await.unwrap();
    sink.write(Bytes::from(many_rows())).await.unwrap();
    sink.abort().await;
    assert!(!has_copy());

    let mut sink = driver.restore(target, plan).await.unwrap();
    sink.write(Bytes::from(many_rows())).await.unwrap();
    drop(sink);
    eventually("the database of a dropped restore goes", || !has_copy()).await;
}

#[tokio::test]
async fn nothing_of_a_failed_postgresql_restore_stays() {
    let server = PostgresServer::start().unwrap();
    let (driver, target) = (
        driver(EngineType::PostgreSql).await,
        postgres_target(&server),
    );
    let has_copy = || server.has_database("copy").unwrap();
    nothing_stays((&*driver, &target), &plan("postgresql"), &has_copy).await;
}

#[tokio::test]
async fn nothing_of_a_failed_mariadb_restore_stays() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    let has_copy = || server.has_database("copy").unwrap();
    nothing_stays((&*driver, &target), &plan("mariadb"), &has_copy).await;
}

/// Feeds a dump to a restore, and looks whether it left a mark here.
async fn run_nothing(
    (driver, target): (&dyn Driver, &Target),
    plan: &RestorePlan,
    (trap, dump): (&TempDir, &str),
) -> Result<(), Failure> {
    let sink = driver.restore(target, plan).await.unwrap();
    let outcome = feed(sink, Bytes::from(dump.to_owned())).await;
    let found: Vec<_> = trap.path().read_dir().unwrap().flatten().collect();
    assert!(found.is_empty(), "{dump}: {outcome:?}: {found:?}");
    outcome
}

#[tokio::test]
async fn commands_in_a_postgresql_dump_are_not_run() {
    let server = PostgresServer::start().unwrap();
    let (driver, target) = (
        driver(EngineType::PostgreSql).await,
        postgres_target(&server),
    );
    let trap = TempDir::new_in("/tmp").unwrap();
    let mark = trap.path().join("mark").display().to_string();
    let dumps = [
        format!("\\! touch {mark}\n"),
        format!("SELECT 1 \\! touch {mark}\n"),
        format!("\\restrict abc\n\\unrestrict abc\n\\! touch {mark}\n"),
        format!("-- x\n\\restrict abc\nSELECT 1;\n\\unrestrict abc\n\\! touch {mark}\n"),
        format!("\\o {mark}\nSELECT 1;\n"),
        format!("\\copy (SELECT 1) TO '{mark}'\n"),
        format!("\\copy (SELECT 1) TO PROGRAM 'touch {mark}'\n"),
        format!("\\set x `touch {mark}`\n"),
        format!("\\connect postgres `touch {mark}`\n"),
        format!("COPY (SELECT 1) TO STDOUT \\g |touch {mark}\n"),
    ];
    for dump in dumps {
        let outcome = run_nothing((&*driver, &target), &plan("postgresql"), (&trap, &dump)).await;
        outcome.expect_err(&dump);
        assert!(!server.has_database("copy").unwrap(), "{dump}");
    }
}

#[tokio::test]
async fn commands_in_a_mariadb_dump_are_not_run() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    let trap = TempDir::new_in("/tmp").unwrap();
    let mark = trap.path().join("mark").display().to_string();
    let dumps = [
        format!("\\! touch {mark}\n"),
        format!("system touch {mark}\n"),
        format!("SELECT 1 \\! touch {mark}\n;\n"),
        format!("tee {mark}\nSELECT 1;\n"),
        format!("\\T {mark}\nSELECT 1;\n"),
        format!("pager touch {mark}\nSELECT 1;\n"),
    ];
    for dump in dumps {
        // The client may refuse it or take it for SQL.
        run_nothing((&*driver, &target), &plan("mariadb"), (&trap, &dump))
            .await
            .ok();
        server.execute("", "DROP DATABASE IF EXISTS copy;").unwrap();
    }
}

#[tokio::test]
async fn a_failed_mariadb_restore_does_not_repeat_the_rows() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    let sink = driver.restore(&target, &plan("mariadb")).await.unwrap();
    let dump = "CREATE TABLE t (id int);\nINSERT INTO t VALUES ('private', 'rows');\n";
    let failure = feed(sink, Bytes::from(dump)).await.unwrap_err();
    assert!(failure.detail.contains("ERROR 1136"), "{failure:?}");
    assert!(!format!("{failure:?}").contains("private"), "{failure:?}");
}
