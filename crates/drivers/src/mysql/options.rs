//! Which options a tool takes. The two families share a history and differ in many options;
//! unknown ones are fatal.

use std::path::Path;

use crate::driver::TlsMode;
use crate::tools::{Family, Tool};

/// How a tool protects its connection.
pub(super) fn tls_options(tool: &Tool, tls: TlsMode, authorities: &Path) -> Vec<String> {
    let mut options: Vec<String> = match tool.family {
        Family::MySql => mysql_tls(tool, tls),
        Family::MariaDb | Family::PostgreSql => mariadb_tls(tool, tls),
    };
    if matches!(tls, TlsMode::VerifyAuthority | TlsMode::VerifyFull) {
        options.push(format!("--ssl-ca={}", authorities.display()));
    }
    options
}

fn mysql_tls(tool: &Tool, tls: TlsMode) -> Vec<String> {
    let mode = match tls {
        TlsMode::Disabled => "DISABLED",
        TlsMode::Preferred => "PREFERRED",
        TlsMode::Required => "REQUIRED",
        TlsMode::VerifyAuthority => "VERIFY_CA",
        TlsMode::VerifyFull => "VERIFY_IDENTITY",
    };
    let mut options = vec![format!("--ssl-mode={mode}")];
    // The usual sign-in of MySQL 8 sends the password by the server's key when nothing else
    // encrypts it.
    let may_be_plain = matches!(tls, TlsMode::Disabled | TlsMode::Preferred);
    if may_be_plain && tool.knows("get-server-public-key") {
        options.push("--get-server-public-key".to_owned());
    }
    options
}

/// MariaDB's tools do not tell the two kinds of verifying apart: both look at the host's name.
fn mariadb_tls(tool: &Tool, tls: TlsMode) -> Vec<String> {
    let options: &[&str] = match tls {
        TlsMode::Disabled => &["--skip-ssl"],
        // Verifies by default since 11.4.
        TlsMode::Preferred | TlsMode::Required if tool.knows("ssl-verify-server-cert") => {
            &["--ssl", "--skip-ssl-verify-server-cert"]
        }
        TlsMode::Preferred | TlsMode::Required => &["--ssl"],
        TlsMode::VerifyAuthority | TlsMode::VerifyFull => &["--ssl", "--ssl-verify-server-cert"],
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
