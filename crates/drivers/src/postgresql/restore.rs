//! Restoring a plain dump with `psql`, into a database that does not exist before.

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::model::DatabaseTraits;
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};

use super::create::Created;
use super::header::Header;
use super::words::WORDS;
use super::{PostgreSqlDriver, ServerRow, server_version};
use crate::driver::{RestorePlan, Target};
use crate::process::{ToolEnd, ToolRestore};
use crate::tools::Version;

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
    if let Some(writer) = Version::parse(&plan.tool.version)
        && client.version.major() < writer.major()
    {
        let (name, needed) = (&client.identity.name, writer.major());
        return Err(Failure::new(
            FailureKind::ToolTooOld,
            format!(
                "the backup was written by pg_dump {writer}, the newest {name} here is {}; install the package postgresql-client-{needed}",
                client.version
            ),
        ));
    }
    let server: ServerRow = session.maintenance_row(ServerRow::QUERY).await?;
    let server_major = server_version(&server.version)?.major();
    let created = Created::new(driver, target, (&plan.database, &plan.traits)).await?;
    let invocation = session
        .psql(plan.database.as_str())?
        // The values that a dump's own queries return, and nothing else, would come out here.
        .argument("--output=/dev/null");
    let place = session.place("psql", plan.database.as_str());
    let deadlines = driver.settings.deadlines;
    let explain = Box::new(move |end: &ToolEnd<'_>| Some(WORDS.explain(&place, end)));
    match ToolRestore::start(invocation, deadlines, explain).await {
        Ok(tool) => Ok(Box::new(Restore {
            tool,
            created,
            header: Header::new(server_major),
            traits: plan.traits.clone(),
        })),
        Err(failure) => Err(created.drop_database(failure).await),
    }
}

struct Restore {
    // Before `created`: the tool must be gone when its database is dropped.
    tool: ToolRestore,
    created: Created,
    header: Header,
    traits: DatabaseTraits,
}

impl Restore {
    async fn end(&mut self) -> Result<(), Failure> {
        let rest = self.header.rest();
        self.tool.write(&rest).await?;
        self.tool.finish().await?;
        self.created.complete(&self.traits).await
    }
}

#[async_trait]
impl RestoreSink for Restore {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let bytes = self.header.pass(bytes);
        if bytes.is_empty() {
            Ok(())
        } else {
            self.tool.write(&bytes).await
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        let outcome = self.end().await;
        let Self {
            mut tool, created, ..
        } = *self;
        match outcome {
            Ok(()) => {
                created.keep();
                Ok(())
            }
            Err(failure) => {
                tool.abort().await;
                Err(created.drop_database(failure).await)
            }
        }
    }

    async fn abort(self: Box<Self>) {
        let Self {
            mut tool, created, ..
        } = *self;
        tool.abort().await;
        let cancelled = Failure::new(FailureKind::Cancelled, "the restore was stopped");
        let outcome = created.drop_database(cancelled).await;
        tracing::info!(outcome = %outcome.message, "restore aborted");
    }
}
