//! Dumping with `pg_dump`, as a plain script.

use dilux_core::model::{DatabaseName, DatabaseTraits};
use dilux_core::transfer::{Failure, FailureKind};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::session::Session;
use super::words::WORDS;
use super::{ServerRow, server_version};
use crate::driver::RunningDump;
use crate::process::ToolDump;
use crate::tools::{Purpose, Tool, Tools, Version};

/// What a restore must know of the database itself, which no dump of its content tells. Fields
/// that older servers lack are asked for by way of JSON, which knows no unknown column.
const DESCRIBE: &str = "
SELECT json_build_object(
    'version', current_setting('server_version'),
    'traits', json_strip_nulls(json_build_object(
        'encoding', pg_encoding_to_char(d.encoding),
        'collate', d.datcollate,
        'ctype', d.datctype,
        'provider', to_jsonb(d) ->> 'datlocprovider',
        'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
        'icu_rules', to_jsonb(d) ->> 'daticurules',
        'comment', shobj_description(d.oid, 'pg_database'))),
    'settings', coalesce((
        SELECT json_agg(setting)
        FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
        WHERE s.setdatabase = d.oid AND s.setrole = 0), '[]'),
    'foreign_tables', (SELECT count(*) FROM pg_class WHERE relkind = 'f'),
    'subscriptions', (SELECT count(subdbid) FROM pg_subscription WHERE subdbid = d.oid))
FROM pg_database d WHERE d.datname = current_database();
";

#[derive(Debug, Deserialize)]
struct Description {
    #[serde(flatten)]
    server: ServerRow,
    traits: BTreeMap<String, String>,
    /// `name=value`.
    settings: Vec<String>,
    foreign_tables: u64,
    subscriptions: u64,
}

impl Description {
    fn traits(&self) -> DatabaseTraits {
        let mut traits = self.traits.clone();
        for (name, value) in self.settings().filter(|(name, _)| !is_custom(name)) {
            traits.insert(format!("{SETTING}{name}"), value.to_owned());
        }
        traits
    }

    fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings
            .iter()
            .filter_map(|setting| setting.split_once('='))
    }

    fn notes(&self, tool: &Tool) -> Vec<String> {
        let mut notes: Vec<_> = tool.note().into_iter().collect();
        if self.foreign_tables > 0 {
            let count = self.foreign_tables;
            notes.push(format!("the rows of {count} foreign tables live on other servers and are not in this backup"));
        }
        let custom: Vec<_> = self
            .settings()
            .filter(|(name, _)| is_custom(name))
            .map(|(name, _)| name)
            .collect();
        if !custom.is_empty() {
            let names = custom.join(", ");
            notes.push(format!("the values of these settings of the database are not in this backup, as they may be secrets: {names}"));
        }
        if self.subscriptions > 0 {
            notes.push("subscriptions to other servers are not in this backup, so that a restored copy does not consume what is meant for the original".to_owned());
        }
        notes
    }
}

/// Trait names of the settings that `ALTER DATABASE … SET` gave, before the setting's own name.
pub(super) const SETTING: &str = "setting.";

/// Settings with a dot are an application's own. Some keep keys in them, and traits are stored in
/// the clear.
fn is_custom(setting: &str) -> bool {
    setting.contains('.')
}

/// Starts a dump.
pub(super) async fn start(
    session: &Session<'_>,
    database: &DatabaseName,
) -> Result<RunningDump, Failure> {
    let description: Description = session.row(database.as_str(), DESCRIBE).await?;
    let tool = choose(session.tools, &server_version(&description.server.version)?)?;
    let deadlines = session.settings.deadlines;
    let invocation = tool.invoke().arguments([
        "--format=plain",
        "--no-password",
        // A copy belongs to whoever restores it; the accounts of the origin may not exist there.
        "--no-owner",
        "--no-privileges",
        "--no-tablespaces",
        "--no-subscriptions",
    ]);
    // So that a lock which is not released ends in a sentence about the lock.
    let lock_wait = deadlines.first_byte.mul_f32(0.9).as_millis();
    let invocation = invocation.argument(format!("--lock-wait-timeout={lock_wait}"));
    let invocation = session.connect(invocation, database.as_str())?;
    let place = session.place(&tool.identity.name, database.as_str());
    let source = ToolDump::start(
        invocation,
        tool.identity.clone(),
        deadlines,
        (
            has_trailer,
            Box::new(move |end| Some(WORDS.explain(&place, end))),
        ),
    )
    .await?;
    Ok(RunningDump {
        source: Box::new(source),
        server: description.server.identity(),
        tool: tool.identity.clone(),
        traits: description.traits(),
        notes: description.notes(tool),
    })
}

/// The `pg_dump` for a server: of the server's own major version, else the next newer one, each
/// in its latest minor version.
fn choose<'a>(tools: &'a Tools, server: &Version) -> Result<&'a Tool, Failure> {
    let installed = || tools.for_purpose(Purpose::PostgreSqlDump);
    let major = installed()
        .map(|tool| tool.version.major())
        .filter(|major| *major >= server.major())
        .min();
    let chosen = installed()
        .filter(|tool| Some(tool.version.major()) == major)
        .max_by_key(|tool| &tool.version);
    if let Some(chosen) = chosen {
        return Ok(chosen);
    }
    let needed = server.major();
    Err(match installed().max_by_key(|tool| &tool.version) {
        None => Failure::new(
            FailureKind::ToolMissing,
            format!(
                "pg_dump is not installed on the machine of the worker; install the package postgresql-client-{needed} or a later one"
            ),
        ),
        Some(newest) => Failure::new(
            FailureKind::ToolTooOld,
            format!(
                "the server is PostgreSQL {server}, the newest pg_dump here is {}; install the package postgresql-client-{needed} or a later one on the machine of the worker",
                newest.version
            ),
        ),
    })
}

/// Whether a plain dump ends as `pg_dump` ends one: nothing but blank lines, comments and the end
/// of psql's restricted mode may follow the mark.
fn has_trailer(tail: &[u8]) -> bool {
    const MARK: &str = "-- PostgreSQL database dump complete";
    let tail = String::from_utf8_lossy(tail);
    let mut lines = tail.lines().rev();
    tail.ends_with('\n')
        && lines
            .by_ref()
            .find(|line| !(line.is_empty() || *line == "--" || line.starts_with("\\unrestrict ")))
            == Some(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_proper_end_is_a_trailer() {
        let whole = "x\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n";
        assert!(has_trailer(whole.as_bytes()));
        assert!(has_trailer(
            b"--\n-- PostgreSQL database dump complete\n--\n\n"
        ));
        let mark_ends_at = whole.find("complete").unwrap() + "complete\n".len();
        for cut in 0..mark_ends_at {
            assert!(!has_trailer(&whole.as_bytes()[..cut]), "cut at {cut}");
        }
        assert!(!has_trailer(
            b"-- PostgreSQL database dump complete\nCREATE TABLE x ();\n"
        ));
    }
}
