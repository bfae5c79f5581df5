//! The words of PostgreSQL's tools. Codes are the server's, the same in every language; sentences
//! are mostly those of the client library, which is made to speak English.

use dilux_core::transfer::FailureKind;

use crate::explain::{NO_ENCRYPTION, NOT_TRUSTED, OTHER_NAME, Rule, Vocabulary};

pub(super) const WORDS: Vocabulary = Vocabulary {
    rules: RULES,
    complaints: &["ERROR:", "FATAL:", "PANIC:", "error:"],
};

const RULES: &[Rule] = &[
    Rule {
        signs: &[&["could not translate host name"]],
        kind: FailureKind::Unreachable,
        sentence: "the host name '{host}' is not known",
    },
    Rule {
        signs: &[&["Connection refused"]],
        kind: FailureKind::Unreachable,
        sentence: "nothing listens on {host}:{port}; is the server running, and is the port right?",
    },
    Rule {
        signs: &[&["timeout expired"], &["Connection timed out"]],
        kind: FailureKind::Unreachable,
        sentence: "{host}:{port} did not answer within {limit}; look at firewalls and at the server",
    },
    Rule {
        signs: &[&["No route to host"], &["Network is unreachable"]],
        kind: FailureKind::Unreachable,
        sentence: "there is no network path to {host}:{port}",
    },
    Rule {
        signs: &[
            &["password authentication failed"],
            &["no password supplied"],
            &["28P01"],
        ],
        kind: FailureKind::Authentication,
        sentence: "the server refused the user name or the password of account '{account}'",
    },
    Rule {
        signs: &[&["no pg_hba.conf entry"], &["pg_hba.conf rejects"]],
        kind: FailureKind::Permission,
        sentence: "the server does not let account '{account}' connect from this machine to database '{database}' (pg_hba.conf)",
    },
    Rule {
        signs: &[
            &["is not permitted to log in"],
            &["FATAL:  role ", "does not exist"],
        ],
        kind: FailureKind::Authentication,
        sentence: "the server does not know account '{account}', or the account may not sign in",
    },
    Rule {
        signs: &[&["database \"{database}\" does not exist"], &["3D000:"]],
        kind: FailureKind::UnknownDatabase,
        sentence: "there is no database '{database}' on {host}:{port}",
    },
    Rule {
        signs: &[
            &["too many clients"],
            &["remaining connection slots"],
            &["too many connections"],
        ],
        kind: FailureKind::Unreachable,
        sentence: "{host}:{port} has no free connection left",
    },
    Rule {
        signs: &[
            &["database system is starting up"],
            &["database system is shutting down"],
            &["database system is in recovery"],
        ],
        kind: FailureKind::Unreachable,
        sentence: "the server on {host}:{port} is starting or stopping",
    },
    Rule {
        signs: &[&["server does not support SSL"]],
        kind: FailureKind::Configuration,
        sentence: NO_ENCRYPTION,
    },
    Rule {
        signs: &[
            &["certificate verify failed"],
            &["root certificate file"],
            // Signed by an authority of a trusted one's name.
            &["connection to server", "SSL error: EVP lib"],
        ],
        kind: FailureKind::Configuration,
        sentence: NOT_TRUSTED,
    },
    Rule {
        signs: &[
            &["server certificate for"],
            &["host name", "server certificate"],
        ],
        kind: FailureKind::Configuration,
        sentence: OTHER_NAME,
    },
    Rule {
        signs: &[&["server version mismatch"]],
        kind: FailureKind::ToolTooOld,
        sentence: "the server is newer than {tool}: {line}",
    },
    Rule {
        signs: &[
            &["invalid command \\restrict"],
            &["invalid command \\unrestrict"],
        ],
        kind: FailureKind::ToolTooOld,
        sentence: "this backup needs a newer {tool}: install the latest minor version of postgresql-client",
    },
    Rule {
        signs: &[
            &["permission denied"],
            &["42501:"],
            &["must be superuser"],
            &["must be owner"],
        ],
        kind: FailureKind::Permission,
        sentence: "account '{account}' lacks a privilege: {line}",
    },
    Rule {
        signs: &[
            &["canceling statement due to lock timeout"],
            &["canceling statement due to statement timeout", "LOCK TABLE"],
            &["55P03:"],
        ],
        kind: FailureKind::Stalled,
        sentence: "a table stayed locked by somebody else: {line}",
    },
    Rule {
        signs: &[&["No space left on device"], &["53100:"]],
        kind: FailureKind::ToolFailed,
        sentence: "the disk of the server {host}:{port} is full: {line}",
    },
    Rule {
        signs: &[
            &["extension", "is not available"],
            &["could not open extension control file"],
        ],
        kind: FailureKind::Configuration,
        sentence: "install the extension on the server {host}:{port} first: {line}",
    },
    Rule {
        signs: &[
            &["server closed the connection unexpectedly"],
            &["terminating connection"],
            &["connection to server was lost"],
            &["SSL SYSCALL error"],
            &["no connection to the server"],
            &["57P01:"],
        ],
        kind: FailureKind::Unreachable,
        sentence: "the server {host}:{port} ended the connection in the middle; was it restarted?",
    },
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dilux_core::transfer::{Failure, ToolExit};

    use super::*;
    use crate::explain::Place;
    use crate::process::ToolEnd;

    fn explained(words: &str) -> Failure {
        let place = Place {
            tool: "pg_dump".to_owned(),
            host: "db.example".to_owned(),
            port: 5432,
            account: "backup".to_owned(),
            database: "{host} shop".to_owned(),
            connect: Duration::from_secs(15),
        };
        WORDS.explain(
            &place,
            &ToolEnd {
                exit: ToolExit::Code(1),
                raw_words: words,
            },
        )
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
                "psql: error: connection to server failed: FATAL:  database \"{host} shop\" does not exist",
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
            assert_eq!(explained(words).kind, kind, "{words}");
        }
    }

    #[test]
    fn sentences_name_the_place() {
        assert_eq!(
            explained("FATAL:  3D000: whatever the language").message,
            "there is no database '{host} shop' on db.example:5432"
        );
    }

    #[test]
    fn an_unusual_failure_is_quoted() {
        let words = "NOTICE:  fine\npsql:<stdin>:7: ERROR:  22P02: invalid input\x1b[31m\nLINE 1";
        let message = explained(words).message;
        assert_eq!(
            message,
            "pg_dump failed: ERROR:  22P02: invalid input\\u{1b}[31m"
        );
    }
}
