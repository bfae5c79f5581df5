//! Which tool for which server.

use dilux_core::model::ServerIdentity;
use dilux_core::transfer::{Failure, FailureKind};

use super::{family_name, family_of};
use crate::tools::{Family, Purpose, Tool, Tools, Version};

/// The newest client, of `family` if that is installed: both talk to both kinds of servers.
pub(super) fn client(tools: &Tools, family: Option<Family>) -> Result<&Tool, Failure> {
    tools
        .for_purpose(Purpose::MySqlClient)
        .max_by_key(|tool| (Some(tool.family) == family, &tool.version))
        .ok_or_else(|| {
            Failure::new(
                FailureKind::ToolMissing,
                "neither mysql nor mariadb is installed on the machine of the worker; install the package mariadb-client or mysql-client",
            )
        })
}

/// The tool to dump a server with: the newest of the server's own family. MariaDB's also dumps
/// MySQL, MySQL's does not dump MariaDB: it writes sequences as tables and says success.
pub(super) fn dump_tool<'a>(
    tools: &'a Tools,
    server: &ServerIdentity,
) -> Result<&'a Tool, Failure> {
    let family = family_of(server).unwrap_or(Family::MySql);
    let newest = |wanted: Family| {
        tools
            .for_purpose(Purpose::MySqlDump)
            .filter(move |tool| tool.family == wanted)
            .max_by_key(|tool| &tool.version)
    };
    let fallback = if family == Family::MySql {
        newest(Family::MariaDb)
    } else {
        None
    };
    let package = match family {
        Family::MariaDb => "mariadb-client",
        Family::MySql | Family::PostgreSql => "mysql-client",
    };
    let (flavour, version) = (&server.flavour, &server.version);
    let Some(own) = newest(family) else {
        return fallback.ok_or_else(|| {
            Failure::new(
                FailureKind::ToolMissing,
                format!("no dump tool for {flavour} {version} is installed on the machine of the worker; install the package {package}"),
            )
        });
    };
    match Version::parse(version) {
        Some(server) if own.version.major() < server.major() => Err(Failure::new(
            FailureKind::ToolTooOld,
            format!(
                "the server is {flavour} {server}, the newest {} of {} here is {}; install the package {package} of version {} or later on the machine of the worker",
                own.identity.name,
                family_name(family),
                own.version,
                server.major(),
            ),
        )),
        _ => Ok(own),
    }
}
