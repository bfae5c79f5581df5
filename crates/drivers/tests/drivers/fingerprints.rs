//! A fingerprint tells every change.

use dilux_core::model::EngineType;
use dilux_drivers::{Driver, Target};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::samples;

use crate::support::{driver, mariadb_target, name, postgres_target};

/// A change as SQL, and the sentence that must tell it.
type Change = (&'static str, &'static str);

const POSTGRESQL: &[Change] = &[
    (
        "UPDATE shop.customers SET half = half + 1 WHERE id = 3",
        "table shop.customers has other content",
    ),
    (
        "DELETE FROM shop.cache WHERE ctid = '(0,1)'",
        "table shop.cache has 1 rows instead of 2",
    ),
    (
        "UPDATE shop.log SET line = 'a' || line WHERE ctid = '(0,1)'",
        "table shop.log has other content",
    ),
    (
        "SELECT lo_put(4242, 1000000, 'x')",
        "table (large objects) has other content",
    ),
    (
        "SELECT nextval('shop.untouched')",
        "sequence value shop.untouched is defined otherwise",
    ),
    (
        "DROP TRIGGER note_order ON shop.orders",
        "trigger note_order on shop.orders is missing",
    ),
    (
        "DROP VIEW shop.open_orders",
        "view shop.open_orders is missing",
    ),
    (
        "CREATE OR REPLACE FUNCTION shop.plus_one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 2'",
        "routine shop.plus_one(integer) is defined otherwise",
    ),
    (
        "ALTER TYPE shop.status ADD VALUE 'lost'",
        "enum shop.status is defined otherwise",
    ),
    (
        "ALTER TABLE shop.log ALTER line SET DEFAULT ''",
        "table shop.log is defined otherwise",
    ),
    (
        "DROP INDEX shop.customers_name_trgm",
        "index shop.customers_name_trgm is missing",
    ),
    (
        "COMMENT ON TABLE shop.customers IS 'other'",
        "comment on table shop.customers is defined otherwise",
    ),
    (
        "COMMENT ON LARGE OBJECT 4242 IS 'other'",
        "comment on large object 4242 is defined otherwise",
    ),
    (
        "ALTER DATABASE shop SET work_mem = '8MB'",
        "database properties is defined otherwise",
    ),
];

const MARIADB: &[Change] = &[
    (
        "UPDATE customers SET flags = flags + 1 WHERE id = 11",
        "table customers has other content",
    ),
    (
        "UPDATE customers SET place = point(1, 1) WHERE id = 12",
        "table customers has other content",
    ),
    (
        "UPDATE customers SET photo = concat(photo, 'x') WHERE id = 13",
        "table customers has other content",
    ),
    (
        "DELETE FROM `from; DROP TABLE x --` LIMIT 1",
        "table from; DROP TABLE x -- has 1 rows instead of 2",
    ),
    (
        "DROP TRIGGER note_order_too",
        "trigger note_order_too is missing",
    ),
    ("DROP EVENT nightly", "event nightly is missing"),
    (
        "ALTER SEQUENCE receipts INCREMENT BY 8",
        "sequence receipts is defined otherwise",
    ),
    ("DROP FUNCTION plus_one", "function plus_one is missing"),
    (
        "ALTER VIEW open_orders AS SELECT 1 AS one",
        "view open_orders is defined otherwise",
    ),
    (
        "ALTER TABLE items DROP FOREIGN KEY of_customer",
        "table items is defined otherwise",
    ),
    (
        "ALTER DATABASE shop COLLATE utf8mb4_bin",
        "database defaults is defined otherwise",
    ),
];

/// Applies each change to a database and expects that the fingerprint tells it.
async fn changes_are_told(
    (driver, target): (&dyn Driver, &Target),
    execute: &dyn Fn(&str),
    changes: &[Change],
) {
    let mut before = driver.fingerprint(target, &name("shop")).await.unwrap();
    for (change, difference) in changes {
        execute(change);
        let after = driver.fingerprint(target, &name("shop")).await.unwrap();
        let found = before.differences(&after);
        assert!(
            found.iter().any(|found| found == difference),
            "{change}: {found:?}"
        );
        before = after;
    }
}

#[tokio::test]
async fn a_postgresql_fingerprint_tells_every_change() {
    let server = PostgresServer::start().unwrap();
    let (driver, target) = (
        driver(EngineType::PostgreSql).await,
        postgres_target(&server),
    );
    server.create_database("shop").unwrap();
    server.execute("shop", samples::POSTGRESQL).unwrap();
    let execute = |sql: &str| drop(server.execute("shop", sql).unwrap());
    changes_are_told((&*driver, &target), &execute, POSTGRESQL).await;
}

#[tokio::test]
async fn a_mariadb_fingerprint_tells_every_change() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver(EngineType::MySql).await, mariadb_target(&server));
    server.create_database("shop").unwrap();
    server.execute("shop", samples::MARIADB).unwrap();
    let execute = |sql: &str| drop(server.execute("shop", sql).unwrap());
    changes_are_told((&*driver, &target), &execute, MARIADB).await;
}
