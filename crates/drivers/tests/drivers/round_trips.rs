//! Dump, restore under another name, compare.

use dilux_core::model::EngineType;
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::samples;

use crate::support::{copy, driver, mariadb_target, name, postgres_target};

#[tokio::test]
async fn a_rich_postgresql_database_comes_back_equal() {
    let server = PostgresServer::start().unwrap();
    let (driver, target) = (
        driver(EngineType::PostgreSql).await,
        postgres_target(&server),
    );
    server.create_database("shop").unwrap();
    server.execute("shop", samples::POSTGRESQL).unwrap();
    let settings = "
        ALTER DATABASE shop SET search_path = shop, \"$user\", public;
        ALTER DATABASE shop SET app.key = 'not for the manifest';
        ALTER DATABASE shop SET default_transaction_read_only = on;
        COMMENT ON DATABASE shop IS 'the ''shop''\\ 🐘';";
    server.execute("postgres", settings).unwrap();
    let before = driver.fingerprint(&target, &name("shop")).await.unwrap();
    let notes = copy(&*driver, &target, ("shop", "copy of shop"))
        .await
        .unwrap();
    let after = driver
        .fingerprint(&target, &name("copy of shop"))
        .await
        .unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert!(before.total_rows() > 4000, "{}", before.total_rows());
    assert!(before.objects.len() > 60, "{:?}", before.objects.keys());
    assert!(
        notes.iter().any(|note| note.contains("app.key")),
        "{notes:?}"
    );
    assert!(
        !notes
            .iter()
            .any(|note| note.contains("not for the manifest")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn a_postgresql_database_of_another_encoding_and_locale_comes_back_equal() {
    let server = PostgresServer::start().unwrap();
    let (driver, target) = (
        driver(EngineType::PostgreSql).await,
        postgres_target(&server),
    );
    for (from, options) in [
        ("latin", "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"),
        (
            "icu",
            "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE-x-icu' LOCALE 'C.UTF-8'",
        ),
        ("ascii", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"),
    ] {
        let create = format!("CREATE DATABASE {from} TEMPLATE template0 {options};");
        server.execute("postgres", &create).unwrap();
        server
            .execute(
                from,
                "CREATE TABLE word (w text); INSERT INTO word VALUES ('Zoë ß');",
            )
            .unwrap();
        let before = driver.fingerprint(&target, &name(from)).await.unwrap();
        let to = format!("copy of {from}");
        copy(&*driver, &target, (from, &to)).await.unwrap();
        let after = driver.fingerprint(&target, &name(&to)).await.unwrap();
        assert_eq!(before.differences(&after), Vec::<String>::new(), "{from}");
    }
}

#[tokio::test]
async fn a_rich_mariadb_database_comes_back_equal() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    server.create_database("shop").unwrap();
    server.execute("shop", samples::MARIADB).unwrap();
    server
        .execute("shop", "CREATE TABLE quick (id int) ENGINE=MyISAM;")
        .unwrap();
    let before = driver.fingerprint(&target, &name("shop")).await.unwrap();
    let notes = copy(&*driver, &target, ("shop", "copy of shop"))
        .await
        .unwrap();
    let after = driver
        .fingerprint(&target, &name("copy of shop"))
        .await
        .unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert!(before.total_rows() > 2500, "{}", before.total_rows());
    assert!(before.objects.len() > 14, "{:?}", before.objects.keys());
    assert!(
        notes.iter().any(|note| note.contains("quick (MyISAM)")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn a_mariadb_database_of_another_character_set_comes_back_equal() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    let sql = "CREATE DATABASE old CHARACTER SET latin1 COLLATE latin1_german2_ci; USE old;
        CREATE TABLE word (w varchar(20)); INSERT INTO word VALUES ('Zoë ß');";
    server.execute("", sql).unwrap();
    let before = driver.fingerprint(&target, &name("old")).await.unwrap();
    copy(&*driver, &target, ("old", "new")).await.unwrap();
    let after = driver.fingerprint(&target, &name("new")).await.unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
}
