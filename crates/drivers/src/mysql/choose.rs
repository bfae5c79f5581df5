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

/// The tool to dump a server with: the newest of the server's own family. MySQL's does not dump
/// MariaDB: it writes sequences as tables and says success. MariaDB's dumps MySQL, but not
/// `particular_columns`: it writes values for generated ones, which MySQL refuses to restore.
pub(super) fn dump_tool<'a>(
    tools: &'a Tools,
    server: &ServerIdentity,
    particular_columns: Option<&str>,
) -> Result<&'a Tool, Failure> {
    let family = family_of(server).unwrap_or(Family::MySql);
    let (flavour, version) = (&server.flavour, &server.version);
    let package = match family {
        Family::MariaDb => "mariadb-client",
        Family::MySql | Family::PostgreSql => "mysql-client",
    };
    let Some(own) = newest(tools, family) else {
        let fallback = newest(tools, Family::MariaDb).filter(|_| family == Family::MySql);
        let missing = format!(
            "no dump tool for {flavour} {version} is installed on the machine of the worker; install the package {package}"
        );
        return match (fallback, particular_columns) {
            (Some(fallback), None) => Ok(fallback),
            (Some(_), Some(columns)) => Err(Failure::new(
                FailureKind::ToolMissing,
                format!(
                    "{missing}: MariaDB's tool, which is there, cannot dump these columns so that they can be restored: {columns}"
                ),
            )),
            (None, _) => Err(Failure::new(FailureKind::ToolMissing, missing)),
        };
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

fn newest(tools: &Tools, family: Family) -> Option<&Tool> {
    tools
        .for_purpose(Purpose::MySqlDump)
        .filter(move |tool| tool.family == family)
        .max_by_key(|tool| &tool.version)
}
