//! Sample databases: small, and with one of everything that a backup must carry.

/// A script for an empty PostgreSQL database, to be run by its superuser: extensions, types,
/// partitions, inheritance, generated columns, views, triggers, large objects, odd names. About
/// 4500 rows.
pub const POSTGRESQL: &str = include_str!("samples/postgresql.sql");

/// A script for an empty MariaDB database, to be run by its administrator: every column type,
/// generated columns, partitions, foreign keys, views, routines, triggers, an event, a sequence,
/// odd names. About 2600 rows.
pub const MARIADB: &str = include_str!("samples/mariadb.sql");
