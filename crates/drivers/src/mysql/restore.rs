//! Restoring with `mariadb` or `mysql`, into a database that does not exist before.

use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};

use super::create::Created;
use super::header::Header;
use super::words::WORDS;
use super::{MySqlDriver, choose, family_of, server_identity};
use crate::driver::{RestorePlan, Target};
use crate::process::{ToolEnd, ToolRestore};

/// Creates the database and starts the client on it.
pub(super) async fn start(
    driver: &MySqlDriver,
    target: &Target,
    plan: &RestorePlan,
) -> Result<Box<dyn RestoreSink>, Failure> {
    let session = driver.session(target);
    session.insist_on_encryption().await?;
    let server = server_identity(&session, None).await?;
    if plan.server.flavour != server.flavour {
        let (from, to) = (&plan.server.flavour, &server.flavour);
        return Err(Failure::new(
            FailureKind::Configuration,
            format!(
                "this backup comes from {from} and the target is {to}: they do not understand each other's dumps; restore it on a server of its own kind"
            ),
        ));
    }
    let family = family_of(&server);
    let client = choose::client(&driver.tools, family)?;
    let invocation = session.client(family, Some(&plan.database))?;
    let place = session.place(&client.identity.name, Some(&plan.database));
    let created = Created::new(driver, target, (&plan.database, &plan.traits)).await?;
    let deadlines = driver.settings.deadlines;
    let explain = Box::new(move |end: &ToolEnd<'_>| Some(WORDS.explain(&place, end)));
    match ToolRestore::start(invocation, deadlines, explain).await {
        Ok(tool) => Ok(Box::new(Restore {
            tool,
            created,
            header: Header::new(client.knows("sandbox")),
        })),
        Err(failure) => Err(created.drop_database(failure).await),
    }
}

struct Restore {
    // Before `created`: the tool must be gone when its database is dropped.
    tool: ToolRestore,
    created: Created,
    header: Header,
}

impl Restore {
    async fn end(&mut self) -> Result<(), Failure> {
        let rest = self.header.rest();
        self.tool.write(&rest).await?;
        self.tool.finish().await
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
