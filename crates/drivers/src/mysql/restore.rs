//! Restoring with `mariadb` or `mysql`, into a database that does not exist before.

use bytes::Bytes;
use dilux_core::transfer::{Failure, FailureKind, RestoreSink};

use super::create::create;
use super::header::Header;
use super::words::WORDS;
use super::{MySqlDriver, choose, family_of, server_identity};
use crate::driver::{RestorePlan, Target};
use crate::process::{ToolEnd, ToolRestore};
use crate::restore::{Adapter, Restore};

/// Creates the database and starts the client on it.
pub(super) async fn start(
    driver: &MySqlDriver,
    target: &Target,
    plan: &RestorePlan,
) -> Result<Box<dyn RestoreSink>, Failure> {
    let session = driver.session(target);
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
    let created = create(driver, target, (&plan.database, &plan.traits)).await?;
    let deadlines = driver.settings.deadlines;
    let explain = Box::new(move |end: &ToolEnd<'_>| Some(WORDS.explain(&place, end)));
    match ToolRestore::start(invocation, deadlines, explain).await {
        Ok(tool) => {
            let header = Header::new(client.knows("sandbox"));
            let restore = Restore::new(tool, created, header);
            Ok(Box::new(restore.for_plan(plan)))
        }
        Err(failure) => Err(created.drop_database(failure).await),
    }
}

impl Adapter for Header {
    fn pass(&mut self, bytes: Bytes) -> [Bytes; 2] {
        [self.pass(bytes), Bytes::new()]
    }

    fn rest(&mut self) -> Bytes {
        self.rest()
    }
}
