//! The throwaway database servers.
#![cfg(test)]

use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::samples;

#[test]
fn a_postgresql_server_takes_its_sample_and_ends() {
    let server = PostgresServer::start().unwrap();
    server.create_database("shop \"1\"").unwrap();
    server.execute("shop \"1\"", samples::POSTGRESQL).unwrap();
    assert!(server.has_database("shop \"1\"").unwrap());
    let process = format!("/proc/{}", server.process_id());
    assert!(std::path::Path::new(&process).exists());
    drop(server);
    assert!(!std::path::Path::new(&process).exists());
}

#[test]
fn a_mariadb_server_takes_its_sample_and_ends() {
    let server = MariaDbServer::start().unwrap();
    server.create_database("shop `1`").unwrap();
    server.execute("shop `1`", samples::MARIADB).unwrap();
    assert!(server.has_database("shop `1`").unwrap());
    let process = format!("/proc/{}", server.process_id());
    assert!(std::path::Path::new(&process).exists());
    drop(server);
    assert!(!std::path::Path::new(&process).exists());
}
