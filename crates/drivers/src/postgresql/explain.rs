//! What PostgreSQL's tools say when they fail, in sentences that a person can act on.

use std::time::Duration;

use dilux_core::transfer::{Failure, FailureKind, ToolExit};

use crate::process::{ToolEnd, escape_controls, spoken};

/// Who talked to whom.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) tool: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) account: String,
    pub(super) database: String,
    pub(super) connect: Duration,
}

/// The failure behind a tool's end that was not a success.
pub(super) fn explain(place: &Place, end: &ToolEnd<'_>) -> Failure {
    let Place { tool, .. } = place;
    recognise(place, end.raw_words).unwrap_or_else(|| {
        let message = match (first_error(end.raw_words), end.exit) {
            (_, ToolExit::Signal(signal)) => format!(
                "{tool} was killed by signal {signal} before it finished; if nobody did that, look for a memory limit"
            ),
            (Some(line), _) => format!("{tool} failed: {line}"),
            (None, ToolExit::Code(code)) => format!("{tool} failed with exit code {code}"),
        };
        Failure::new(FailureKind::ToolFailed, message)
    })
}

/// The failure that the words name; `None` when they name none of the usual ones. Codes are the
/// server's, the same in every language; words are those of our own client, which speaks English.
fn recognise(place: &Place, words: &str) -> Option<Failure> {
    let says = |patterns: &[&str]| patterns.iter().any(|pattern| words.contains(pattern));
    connecting(place, &says).or_else(|| working(place, words, &says))
}

fn connecting(place: &Place, says: &dyn Fn(&[&str]) -> bool) -> Option<Failure> {
    let Place {
        host,
        port,
        account,
        connect,
        ..
    } = place;
    let database = escape_controls(&place.database);
    let (kind, message) = if says(&["could not translate host name"]) {
        (
            FailureKind::Unreachable,
            format!("the host name '{host}' is not known"),
        )
    } else if says(&["Connection refused"]) {
        (
            FailureKind::Unreachable,
            format!(
                "nothing listens on {host}:{port}; is the server running, and is the port right?"
            ),
        )
    } else if says(&["timeout expired", "Connection timed out"]) {
        let limit = spoken(*connect);
        (
            FailureKind::Unreachable,
            format!(
                "{host}:{port} did not answer within {limit}; look at firewalls and at the server"
            ),
        )
    } else if says(&["No route to host", "Network is unreachable"]) {
        (
            FailureKind::Unreachable,
            format!("there is no network path to {host}:{port}"),
        )
    } else if says(&[
        "password authentication failed",
        "no password supplied",
        "28P01",
    ]) {
        (
            FailureKind::Authentication,
            format!("the server refused the user name or the password of account '{account}'"),
        )
    } else if says(&["no pg_hba.conf entry", "pg_hba.conf rejects"]) {
        (
            FailureKind::Permission,
            format!(
                "the server does not let account '{account}' connect from this machine to database '{database}' (pg_hba.conf)"
            ),
        )
    } else if says(&["role \"", "is not permitted to log in"])
        && says(&["is not permitted to log in", "FATAL:  role"])
    {
        (
            FailureKind::Authentication,
            format!("the server does not know account '{account}', or the account may not sign in"),
        )
    } else if is_unknown_database(&place.database, says) {
        (
            FailureKind::UnknownDatabase,
            format!("there is no database '{database}' on {host}:{port}"),
        )
    } else if says(&[
        "too many clients",
        "remaining connection slots",
        "too many connections",
    ]) {
        (
            FailureKind::Unreachable,
            format!("{host}:{port} has no free connection left"),
        )
    } else if says(&[
        "database system is starting up",
        "database system is shutting down",
        "database system is in recovery",
    ]) {
        (
            FailureKind::Unreachable,
            format!("the server on {host}:{port} is starting or stopping"),
        )
    } else if says(&["server does not support SSL"]) {
        (
            FailureKind::Configuration,
            format!("the server on {host}:{port} does not encrypt, but encryption is required"),
        )
    } else if says(&[
        "certificate verify failed",
        "root certificate file",
        "server certificate for",
    ]) {
        (
            FailureKind::Configuration,
            format!(
                "the certificate of {host}:{port} is not trusted, or is not made for that host"
            ),
        )
    } else {
        return None;
    };
    Some(Failure::new(kind, message))
}

/// The sentence names the database, as a missing relation or role has a similar one.
fn is_unknown_database(database: &str, says: &dyn Fn(&[&str]) -> bool) -> bool {
    let sentence = format!("database \"{database}\" does not exist");
    says(&[sentence.as_str(), "3D000:"])
}

fn working(place: &Place, words: &str, says: &dyn Fn(&[&str]) -> bool) -> Option<Failure> {
    let Place {
        tool,
        host,
        port,
        account,
        ..
    } = place;
    let line = || first_error(words).unwrap_or_default();
    let (kind, message) = if says(&["server version mismatch"]) {
        (
            FailureKind::ToolTooOld,
            format!("the server is newer than {tool}: {}", line()),
        )
    } else if says(&["invalid command \\restrict", "invalid command \\unrestrict"]) {
        (
            FailureKind::ToolTooOld,
            format!(
                "this backup needs a newer {tool}: install the latest minor version of postgresql-client"
            ),
        )
    } else if says(&[
        "permission denied",
        "42501:",
        "must be superuser",
        "must be owner",
    ]) {
        (
            FailureKind::Permission,
            format!("account '{account}' lacks a privilege: {}", line()),
        )
    } else if says(&["canceling statement due to lock timeout", "55P03:"]) {
        (
            FailureKind::Stalled,
            format!("a table stayed locked by somebody else: {}", line()),
        )
    } else if says(&["No space left on device", "53100:"]) {
        (
            FailureKind::ToolFailed,
            format!("the disk of the server {host}:{port} is full: {}", line()),
        )
    } else if says(&["is not available", "could not open extension control file"])
        && says(&["extension"])
    {
        (
            FailureKind::Configuration,
            format!(
                "install the extension on the server {host}:{port} first: {}",
                line()
            ),
        )
    } else if says(&[
        "server closed the connection unexpectedly",
        "terminating connection",
        "connection to server was lost",
        "SSL SYSCALL error",
        "no connection to the server",
        "57P01:",
    ]) {
        (
            FailureKind::Unreachable,
            format!(
                "the server {host}:{port} ended the connection in the middle; was it restarted?"
            ),
        )
    } else {
        return None;
    };
    Some(Failure::new(kind, message))
}

/// The first line that reports an error, without the marks of the tool; at most 300 characters.
fn first_error(words: &str) -> Option<String> {
    let marks = ["ERROR:", "FATAL:", "PANIC:", "error:"];
    let (line, at) = words.lines().find_map(|line| {
        marks
            .iter()
            .filter_map(|mark| line.find(mark))
            .min()
            .map(|at| (line, at))
    })?;
    let text: String = line[at..].chars().take(300).collect();
    Some(escape_controls(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(words: &str) -> FailureKind {
        let place = Place {
            tool: "pg_dump".to_owned(),
            host: "db.example".to_owned(),
            port: 5432,
            account: "backup".to_owned(),
            database: "shop".to_owned(),
            connect: Duration::from_secs(15),
        };
        explain(
            &place,
            &ToolEnd {
                exit: ToolExit::Code(1),
                raw_words: words,
            },
        )
        .kind
    }

    #[test]
    fn the_usual_failures_are_recognised() {
        for (words, kind) in [
            (
                "psql: error: could not translate host name \"db.example\" to address: Name or service not known",
                FailureKind::Unreachable,
            ),
            (
                "psql: error: connection to server at \"db.example\" (10.0.0.1), port 5432 failed: timeout expired",
                FailureKind::Unreachable,
            ),
            (
                "pg_dump: error: connection to server at \"::1\", port 5432 failed: FATAL:  password authentication failed for user \"backup\"",
                FailureKind::Authentication,
            ),
            (
                "psql: error: connection to server failed: FATAL:  database \"shop\" does not exist",
                FailureKind::UnknownDatabase,
            ),
            (
                "psql: error: connection to server failed: FATAL:  role \"backup\" does not exist",
                FailureKind::Authentication,
            ),
            (
                "pg_dump: error: query failed: ERROR:  permission denied for table secret",
                FailureKind::Permission,
            ),
            (
                "pg_dump: error: aborting because of server version mismatch",
                FailureKind::ToolTooOld,
            ),
            (
                "psql:<stdin>:8: error: invalid command \\restrict",
                FailureKind::ToolTooOld,
            ),
            (
                "ERROR:  0A000: extension \"postgis\" is not available",
                FailureKind::Configuration,
            ),
            (
                "psql: error: connection to server failed: server does not support SSL, but SSL was required",
                FailureKind::Configuration,
            ),
            (
                "pg_dump: error: Error message from server: server closed the connection unexpectedly",
                FailureKind::Unreachable,
            ),
            (
                "ERROR:  42P01: relation \"x\" does not exist",
                FailureKind::ToolFailed,
            ),
        ] {
            assert_eq!(kind_of(words), kind, "{words}");
        }
    }

    #[test]
    fn an_unusual_failure_is_quoted() {
        let place = Place {
            tool: "psql".to_owned(),
            host: "h".to_owned(),
            port: 1,
            account: "a".to_owned(),
            database: "d".to_owned(),
            connect: Duration::from_secs(15),
        };
        let end = ToolEnd {
            exit: ToolExit::Code(3),
            raw_words: "NOTICE:  fine\npsql:<stdin>:7: ERROR:  22P02: invalid input\x1b[31m\nLINE 1",
        };
        assert_eq!(
            explain(&place, &end).message,
            "psql failed: ERROR:  22P02: invalid input\\u{1b}[31m"
        );
    }
}
