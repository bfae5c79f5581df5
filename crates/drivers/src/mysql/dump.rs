//! Dumping with `mariadb-dump` or `mysqldump`.

use dilux_core::model::DatabaseName;
use dilux_core::transfer::Failure;

use super::choose;
use super::describe::{Description, describe};
use super::family_of;
use super::options::dump_options;
use super::session::Session;
use super::words::WORDS;
use crate::driver::RunningDump;
use crate::process::ToolDump;

/// Starts a dump. It names no database inside, so that it restores under any name.
pub(super) async fn start(
    session: &Session<'_>,
    database: &DatabaseName,
) -> Result<RunningDump, Failure> {
    let Description {
        server,
        traits,
        mut notes,
        particular_columns,
    } = describe(session, database).await?;
    let tool = choose::dump_tool(session.tools, &server, particular_columns.as_deref())?;
    notes.extend(tool.note());
    if family_of(&server) != Some(tool.family) {
        let (name, flavour) = (&tool.identity.name, &server.flavour);
        notes.push(format!(
            "dumped with {name} of MariaDB, as the tools of {flavour} are not installed"
        ));
    }
    let invocation = session
        .connect(tool)?
        .buffering_output()
        .arguments(dump_options(tool))
        // Whatever follows is a name, however it begins.
        .argument("--")
        .argument(database.as_str());
    let place = session.place(&tool.identity.name, Some(database));
    let source = ToolDump::start(
        invocation,
        tool.identity.clone(),
        session.settings.deadlines,
        (
            has_trailer,
            Box::new(move |end| Some(WORDS.explain(&place, end))),
        ),
    )
    .await?;
    let tool = tool.identity.clone();
    Ok(RunningDump {
        source: Box::new(source),
        server,
        tool,
        traits,
        notes,
    })
}

/// Whether the last line is the one that the tools write when they are done.
fn has_trailer(tail: &[u8]) -> bool {
    let tail = String::from_utf8_lossy(tail);
    tail.ends_with('\n')
        && tail
            .trim_end_matches('\n')
            .rsplit('\n')
            .next()
            .is_some_and(|last| last.starts_with("-- Dump completed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_proper_end_is_a_trailer() {
        let whole = "/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n\n-- Dump completed on 2026-11-21 11:52:21\n";
        assert!(has_trailer(whole.as_bytes()));
        for cut in 0..whole.len() - 1 {
            assert!(!has_trailer(&whole.as_bytes()[..cut]), "cut at {cut}");
        }
        assert!(!has_trailer(
            b"-- Dump completed on 2026\nINSERT INTO t VALUES (1);\n"
        ));
    }
}
