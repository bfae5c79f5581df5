//! Restoring a plain dump with `psql`, into a database that does not exist before.

use bytes::Bytes;
use dilux_core::model::ToolIdentity;
use dilux_core::random::{SystemRandom, hex_text};
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};

use super::create::create;
use super::script::Script;
use super::words::WORDS;
use super::{PostgreSqlDriver, ServerRow, server_version};
use crate::driver::{RestorePlan, Target};
use crate::process::{ToolEnd, ToolRestore};
use crate::restore::{Adapter, Restore};
use crate::tools::{Tool, Version};

/// Versions of `psql` since which it has a mode without client commands, by major version.
const RESTRICTED_MODE: [&[u32]; 6] = [&[18], &[17, 6], &[16, 10], &[15, 14], &[14, 19], &[13, 22]];

/// Creates the database and starts `psql` on it.
pub(super) async fn start(
    driver: &PostgreSqlDriver,
    target: &Target,
    plan: &RestorePlan,
) -> Result<Box<dyn RestoreSink>, Failure> {
    if plan.server.flavour != "postgresql" {
        let flavour = &plan.server.flavour;
        return Err(Failure::new(
            FailureKind::Configuration,
            format!("this backup comes from {flavour} and cannot be restored into PostgreSQL"),
        ));
    }
    let session = driver.session(target);
    let client = session.client()?;
    check_client(client, &plan.tool)?;
    let server: ServerRow = session.maintenance_row(ServerRow::QUERY).await?;
    let server_major = server_version(&server.version)?.major();
    let created = create(driver, target, (&plan.database, &plan.traits)).await?;
    let invocation = session
        .psql(plan.database.as_str())?
        // The values that a dump's own queries return, and nothing else, would come out here.
        .argument("--output=/dev/null");
    let place = session.place("psql", plan.database.as_str());
    let deadlines = driver.settings.deadlines;
    let explain = Box::new(move |end: &ToolEnd<'_>| Some(WORDS.explain(&place, end)));
    match ToolRestore::start(invocation, deadlines, explain).await {
        Ok(tool) => {
            let script = Script::new(server_major, &hex_text(&SystemRandom, 32));
            let restore = Restore::new(tool, created, script);
            Ok(Box::new(restore.for_plan(plan)))
        }
        Err(failure) => Err(created.drop_database(failure).await),
    }
}

/// The client must read what the dump tool wrote, and must know the mode that keeps commands in a
/// dump from being run here.
fn check_client(client: &Tool, writer: &ToolIdentity) -> Result<(), Failure> {
    let writer_major = Version::parse(&writer.version).map_or(0, |writer| writer.major());
    let major = client.version.major();
    let restricts = match RESTRICTED_MODE.iter().find(|since| since[0] == major) {
        Some(since) => client.version >= Version::of(since),
        None => major > RESTRICTED_MODE[0][0],
    };
    if major >= writer_major && restricts {
        return Ok(());
    }
    let name = &client.identity.name;
    Err(Failure::new(
        FailureKind::ToolTooOld,
        format!(
            "the newest {name} here is {}, which cannot restore this backup of pg_dump {} safely; install the latest minor version of the package postgresql-client-{}",
            client.version,
            writer.version,
            writer_major.max(major),
        ),
    ))
}

impl Adapter for Script {
    fn pass(&mut self, bytes: Bytes) -> [Bytes; 2] {
        self.pass(bytes)
    }

    fn rest(&mut self) -> Bytes {
        self.rest()
    }
}
