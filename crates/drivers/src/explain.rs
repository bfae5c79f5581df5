//! What client tools say when they fail, in sentences that a person can act on. Each driver has a
//! table of the words of its tools.

use std::time::Duration;

use dilux_core::transfer::{Failure, FailureKind, ToolExit};

use crate::process::{ToolEnd, escape_controls, spoken};

/// Characters of a tool's line that a sentence quotes.
const QUOTED: usize = 300;

/// Where MariaDB's tools hide what they were told before the connection was encrypted, behind a number
/// of their own.
const BEFORE_ENCRYPTION: &str = "error cannot be verified: ";

/// What a person reads when the connection is not as protected as `tls_mode` demands.
pub(crate) const NO_ENCRYPTION: &str = "{host}:{port} offers no encryption, which the engine's tls_mode demands; turn it on at the server, or find out what on the network takes it away";

/// The same, when nobody who is trusted vouches for the server.
pub(crate) const NOT_TRUSTED: &str = "the certificate of {host}:{port} is not trusted: its authority is not among the certificates of this machine (/etc/ssl/certs), or it is not valid now; add the authority there, or renew the certificate: {line}";

/// The same, when the certificate is another host's.
pub(crate) const OTHER_NAME: &str = "the certificate of {host}:{port} is made for another name; reach the server by a name that its certificate has, or give it a certificate for this one: {line}";

/// Who talked to whom.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) tool: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) account: String,
    pub(crate) database: String,
    pub(crate) connect: Duration,
}

/// When the tool says all of the words of one of `signs`, `kind` and `sentence` describe it. A
/// word such as `#1045` is an error number as MySQL's tools print it, in any of four ways. The
/// sentence may name `{tool}`, `{host}`, `{port}`, `{account}`, `{database}`, `{limit}` (of
/// connecting) and `{line}` (the tool's own first complaint); so may the words.
pub(crate) struct Rule {
    pub(crate) signs: &'static [&'static [&'static str]],
    pub(crate) kind: FailureKind,
    pub(crate) sentence: &'static str,
}

/// The words of a driver's tools.
pub(crate) struct Vocabulary {
    /// The first one that fits counts.
    pub(crate) rules: &'static [Rule],
    /// Marks at which a line begins to be worth quoting.
    pub(crate) complaints: &'static [&'static str],
}

impl Vocabulary {
    /// The failure behind a tool's end that was not a success.
    pub(crate) fn explain(&self, place: &Place, end: &ToolEnd<'_>) -> Failure {
        let line = self.first_complaint(end.raw_words);
        let is_said = |word: &&str| match word.strip_prefix('#') {
            Some(number) => is_number_said(number, end.raw_words),
            None => end.raw_words.contains(&fill_raw(word, place)),
        };
        let fits = |rule: &&Rule| rule.signs.iter().any(|words| words.iter().all(is_said));
        if let Some(rule) = self.rules.iter().find(fits) {
            let line = line.unwrap_or_default();
            return Failure::new(rule.kind, fill(rule.sentence, place, &line));
        }
        let tool = &place.tool;
        let message = match (line, end.exit) {
            (_, ToolExit::Signal(signal)) => format!(
                "{tool} was killed by signal {signal} before it finished; if nobody did that, look for a memory limit"
            ),
            (Some(line), ToolExit::Code(_)) => format!("{tool} failed: {line}"),
            (None, ToolExit::Code(code)) => format!("{tool} failed with exit code {code}"),
        };
        Failure::new(FailureKind::ToolFailed, message)
    }

    /// The first line that reports an error, from its mark on.
    fn first_complaint(&self, words: &str) -> Option<String> {
        words.lines().find_map(|line| {
            let at = self
                .complaints
                .iter()
                .filter_map(|mark| line.find(mark))
                .min()?;
            let text: String = line[at..].chars().take(QUOTED).collect();
            Some(escape_controls(&text))
        })
    }
}

/// The clients, the dump tools when they connect, and the dump tools at work.
fn is_number_said(number: &str, words: &str) -> bool {
    if let Some((_, said)) = words.split_once(BEFORE_ENCRYPTION) {
        return said.starts_with(&format!("{number} - "));
    }
    [
        format!("ERROR {number} ("),
        format!("error: {number}:"),
        format!("Error {number}:"),
        format!("({number})"),
    ]
    .iter()
    .any(|form| words.contains(form))
}

/// A sign with the database's name as the tool prints it.
fn fill_raw(sign: &str, place: &Place) -> String {
    sign.replace("{database}", &place.database)
}

/// A sentence with its names; in one pass, as a name may look like a placeholder.
pub(crate) fn fill(sentence: &str, place: &Place, line: &str) -> String {
    let mut filled = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        filled.push_str(before);
        filled.push_str(&match name {
            "tool" => place.tool.clone(),
            "host" => place.host.clone(),
            "port" => place.port.to_string(),
            "account" => place.account.clone(),
            "database" => escape_controls(&place.database),
            "limit" => spoken(place.connect),
            _ => line.to_owned(),
        });
        rest = after;
    }
    filled + rest
}
