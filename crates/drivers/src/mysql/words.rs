//! The words of MySQL's and MariaDB's tools. The numbers are the same in both families and in
//! every language of the server.

use dilux_core::transfer::FailureKind;

use super::relay::{NO_ANSWER, NO_OFFER};
use crate::explain::{NO_ENCRYPTION, NOT_TRUSTED, OTHER_NAME, Rule, Vocabulary};

pub(super) const WORDS: Vocabulary = Vocabulary {
    rules: RULES,
    complaints: &[
        "ERROR ",
        "Got error",
        "Couldn't",
        "Error ",
        "Error:",
        "error:",
        "[ERROR]",
        "has ins",
    ],
};

const RULES: &[Rule] = &[
    Rule {
        signs: &[&["#2005"]],
        kind: FailureKind::Unreachable,
        sentence: "the host name '{host}' is not known",
    },
    Rule {
        signs: &[
            &["#2013", "system error: 110"],
            &["#2002", "(110)"],
            &["#2003", "(110)"],
            &[NO_ANSWER, "(110)"],
        ],
        kind: FailureKind::Unreachable,
        sentence: "{host}:{port} did not answer within {limit}; look at firewalls and at the server",
    },
    Rule {
        signs: &[&["#2002"], &["#2003"], &[NO_ANSWER]],
        kind: FailureKind::Unreachable,
        sentence: "nothing answers on {host}:{port}; is the server running, and is the port right?",
    },
    Rule {
        signs: &[&["#1045"], &["#1698"], &["#1862"], &["#3118"], &["#4151"]],
        kind: FailureKind::Authentication,
        sentence: "the server refused the user name or the password of account '{account}': {line}",
    },
    Rule {
        signs: &[&["#1130"]],
        kind: FailureKind::Permission,
        sentence: "the server does not let this machine connect: {line}",
    },
    Rule {
        signs: &[&["#1049"]],
        kind: FailureKind::UnknownDatabase,
        sentence: "there is no database '{database}' on {host}:{port}",
    },
    Rule {
        signs: &[
            &["#1044"],
            &["#1142"],
            &["#1143"],
            &["#1227"],
            &["#1370"],
            &["#1410"],
            &["#1419"],
            &["insufficient privileges"],
            &["insufficent privileges"],
        ],
        kind: FailureKind::Permission,
        sentence: "account '{account}' lacks a privilege: {line}",
    },
    Rule {
        signs: &[&["#1040"], &["#1203"], &["#1226"]],
        kind: FailureKind::Unreachable,
        sentence: "{host}:{port} has no free connection left: {line}",
    },
    Rule {
        signs: &[
            &[NO_OFFER],
            &["SSL is required, but the server does not support it"],
            &["SSL is required but the server doesn't support it"],
        ],
        kind: FailureKind::Configuration,
        sentence: NO_ENCRYPTION,
    },
    Rule {
        signs: &[
            &["certificate verify failed"],
            &["self-signed certificate"],
            &["self signed certificate"],
            &["unable to get local issuer certificate"],
            &["certificate is NOT trusted"],
        ],
        kind: FailureKind::Configuration,
        sentence: NOT_TRUSTED,
    },
    Rule {
        signs: &[
            &["Validation of SSL server certificate failed"],
            &["hostname mismatch"],
            &["Hostname mismatch"],
        ],
        kind: FailureKind::Configuration,
        sentence: OTHER_NAME,
    },
    Rule {
        signs: &[&["#2026"], &["#3159"]],
        kind: FailureKind::Configuration,
        sentence: "no encrypted connection to {host}:{port} as the settings demand it: {line}",
    },
    Rule {
        signs: &[&["#1115"], &["#1273"], &["#1286"], &["#1524"]],
        kind: FailureKind::Configuration,
        sentence: "the server {host}:{port} lacks something that the database needs: {line}",
    },
    Rule {
        signs: &[&["#2059"], &["#1251"]],
        kind: FailureKind::ToolTooOld,
        sentence: "{tool} does not know how this server signs in; install a newer one: {line}",
    },
    Rule {
        signs: &[
            &["#1021"],
            &["#1041"],
            &["#1114"],
            &["errno: 28"],
            &["No space left on device"],
        ],
        kind: FailureKind::ToolFailed,
        sentence: "the server {host}:{port} has run out of disk or memory: {line}",
    },
    Rule {
        signs: &[&["#1205"]],
        kind: FailureKind::Stalled,
        sentence: "a table stayed locked by somebody else: {line}",
    },
    Rule {
        signs: &[&["#1412"]],
        kind: FailureKind::ToolFailed,
        sentence: "a table was altered while it was dumped; the next attempt may succeed: {line}",
    },
    Rule {
        signs: &[&["#2006"], &["#2013"], &["#1053"], &["#1927"]],
        kind: FailureKind::Unreachable,
        sentence: "the server {host}:{port} ended the connection in the middle; was it restarted?",
    },
    Rule {
        signs: &[&["unknown variable"], &["unknown option"]],
        kind: FailureKind::ToolTooOld,
        sentence: "{tool} does not take an option that it is given: {line}",
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
            tool: "mariadb-dump".to_owned(),
            host: "db.example".to_owned(),
            port: 3306,
            account: "backup".to_owned(),
            database: "shop".to_owned(),
            connect: Duration::from_secs(15),
        };
        WORDS.explain(
            &place,
            &ToolEnd {
                exit: ToolExit::Code(2),
                raw_words: words,
            },
        )
    }

    #[test]
    fn the_usual_failures_are_recognised() {
        for (words, kind) in [
            (
                "mariadb-dump: Got error: 2005: \"Unknown server host 'nope' (-2)\" when trying to connect",
                FailureKind::Unreachable,
            ),
            (
                "ERROR 2002 (HY000): Can't connect to server on '127.0.0.1' (115)",
                FailureKind::Unreachable,
            ),
            (
                "ERROR 2013 (HY000): Lost connection to server at 'handshake: reading initial communication packet', system error: 110",
                FailureKind::Unreachable,
            ),
            (
                "mysqldump: Got error: 1045: Access denied for user 'u'@'h' (using password: YES) when trying to connect",
                FailureKind::Authentication,
            ),
            (
                "mariadb-dump: Got error: 1044: \"Access denied for user 'u'@'%' to database 'x'\" when selecting the database",
                FailureKind::Permission,
            ),
            (
                "mariadb-dump: Got error: 1049: \"Unknown database 'shop'\" when selecting the database",
                FailureKind::UnknownDatabase,
            ),
            (
                "mariadb-dump: Couldn't execute 'show events': Access denied for user 'u'@'%' to database 'shop' (1044)",
                FailureKind::Permission,
            ),
            (
                "mariadb-dump: u has insufficient privileges to SHOW CREATE FUNCTION `plus_one`!",
                FailureKind::Permission,
            ),
            (
                "ERROR 2026 (HY000): TLS/SSL error: SSL is required, but the server does not support it",
                FailureKind::Configuration,
            ),
            (
                "ERROR 1273 (HY000) at line 20: Unknown collation: 'utf8mb4_0900_ai_ci'",
                FailureKind::Configuration,
            ),
            (
                "mariadb-dump: Error 2013: Lost connection to server during query when dumping table `wide` at row: 25",
                FailureKind::Unreachable,
            ),
            (
                "mysqldump: Error 1412: Table definition has changed, please retry transaction (1412)",
                FailureKind::ToolFailed,
            ),
            (
                "mysqldump: [ERROR] unknown variable 'sandbox=1'.",
                FailureKind::ToolTooOld,
            ),
            (
                "ERROR 1064 (42000) at line 3: You have an error in your SQL syntax",
                FailureKind::ToolFailed,
            ),
        ] {
            assert_eq!(explained(words).kind, kind, "{words}");
        }
    }

    #[test]
    fn what_a_server_says_before_encryption_is_recognised() {
        for (said, kind) in [
            (
                "1130 - Host '10.0.0.1' is not allowed to connect to this MariaDB server",
                FailureKind::Permission,
            ),
            ("1040 - Too many connections", FailureKind::Unreachable),
            (
                "3159 - the server offers no encryption",
                FailureKind::Configuration,
            ),
        ] {
            let words = format!(
                "ERROR 2002 (HY000): Received error packet before completion of TLS handshake. The authenticity of the following error cannot be verified: {said}"
            );
            let failure = explained(&words);
            assert_eq!(failure.kind, kind, "{said}");
            assert!(!failure.message.contains("nothing answers"), "{failure}");
        }
    }

    #[test]
    fn a_missing_privilege_is_named() {
        let words = "mariadb-dump: Couldn't execute 'show create table `v`': SHOW VIEW command denied to user 'u'@'h' for table `shop`.`v` (1142)";
        assert_eq!(
            explained(words).message,
            "account 'backup' lacks a privilege: Couldn't execute 'show create table `v`': SHOW VIEW command denied to user 'u'@'h' for table `shop`.`v` (1142)"
        );
    }
}
