//! Which options a tool takes. The two families share a history and differ in many options;
//! unknown ones are fatal.

use std::path::Path;

use dilux_core::model::TlsMode;

use crate::tools::{Family, Tool};

/// How a tool protects its connection.
pub(super) fn tls_options(tool: &Tool, mode: TlsMode, authorities: &Path) -> Vec<String> {
    let mut options: Vec<String> = match tool.family {
        Family::MySql => mysql_tls(tool, mode),
        Family::MariaDb | Family::PostgreSql => mariadb_tls(tool, mode),
    };
    if mode == TlsMode::VerifyFull {
        options.push(format!("--ssl-ca={}", authorities.display()));
    }
    options
}

fn mysql_tls(tool: &Tool, mode: TlsMode) -> Vec<String> {
    let word = match mode {
        TlsMode::Prefer => "PREFERRED",
        TlsMode::Require => "REQUIRED",
        TlsMode::VerifyFull => "VERIFY_IDENTITY",
    };
    let mut options = vec![format!("--ssl-mode={word}")];
    // The usual sign-in of MySQL 8 sends the password by the server's key when nothing else
    // encrypts it.
    if mode == TlsMode::Prefer && tool.knows("get-server-public-key") {
        options.push("--get-server-public-key".to_owned());
    }
    options
}

/// MariaDB's tools insist on encryption only where they verify; for `require` they connect through
/// the relay, which insists.
fn mariadb_tls(tool: &Tool, mode: TlsMode) -> Vec<String> {
    let options: &[&str] = match mode {
        // Verifies by default since 11.4.
        TlsMode::Prefer | TlsMode::Require if tool.knows("ssl-verify-server-cert") => {
            &["--ssl", "--skip-ssl-verify-server-cert"]
        }
        TlsMode::Prefer | TlsMode::Require => &["--ssl"],
        TlsMode::VerifyFull => &["--ssl", "--ssl-verify-server-cert"],
    };
    options.iter().map(|option| (*option).to_owned()).collect()
}

/// What lets a tool answer a server that asks for a token: it goes over the connection as it is,
/// so the connection must be encrypted and the server have proved who it is. MariaDB's tools do so
/// unasked, and where they know the option they only complain of it, in the midst of their output.
pub(super) fn token_options(tool: &Tool) -> Vec<&'static str> {
    if tool.family == Family::MySql && tool.knows("enable-cleartext-plugin") {
        vec!["--enable-cleartext-plugin"]
    } else {
        Vec::new()
    }
}

/// How a client takes a script. A script is SQL only: no client command, no local file.
pub(super) fn client_options(tool: &Tool) -> Vec<&'static str> {
    let mut options = vec![
        "--batch",
        "--skip-column-names",
        "--quick",
        "--skip-auto-rehash",
        "--local-infile=0",
        "--max-allowed-packet=1G",
        // Takes line ends as they are, and of the client's own commands only DELIMITER.
        "--binary-mode",
    ];
    for (known, option) in [
        ("sandbox", "--sandbox"),
        ("system-command", "--system-command=OFF"),
        ("commands", "--commands=OFF"),
    ] {
        if tool.knows(known) {
            options.push(option);
        }
    }
    options
}

/// How a tool dumps one database, whole, as one point in time, to be restored under any name.
pub(super) fn dump_options(tool: &Tool) -> Vec<&'static str> {
    let mut options = vec![
        "--single-transaction",
        "--quick",
        "--routines",
        "--triggers",
        "--events",
        "--hex-blob",
        "--max-allowed-packet=1G",
        // Holds the end mark; by default on, but a failing default would look like a cut dump.
        "--comments",
        "--dump-date",
    ];
    for (known, option) in [
        // Else a privilege on the whole server is needed.
        ("no-tablespaces", "--no-tablespaces"),
        // Else a restore on the server of origin fails, and a global lock is needed.
        ("set-gtid-purged", "--set-gtid-purged=OFF"),
        // Else the tool of 8.0 asks older servers for a table that they lack.
        ("column-statistics", "--column-statistics=0"),
    ] {
        if tool.knows(known) {
            options.push(option);
        }
    }
    options
}
