//! The MySQL driver against a real MariaDB server.
#![cfg(test)]

use std::sync::Arc;

use dilux_core::model::{DatabaseName, EngineType};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{
    Driver, DriverSettings, Drivers, RestorePlan, RunningDump, Target, TlsMode, ToolSearch, Tools,
};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::samples;
use dilux_testkit::transfer::{collect, feed};

async fn driver() -> Arc<dyn Driver> {
    let tools = Tools::discover(&ToolSearch::with_usual_places("")).await;
    Drivers::new(tools, &DriverSettings::default())
        .for_engine(EngineType::MySql)
        .unwrap()
}

fn target(server: &MariaDbServer) -> Target {
    Target {
        host: server.host(),
        port: server.port(),
        credentials: server.credentials(),
        tls: TlsMode::default(),
    }
}

fn name(text: &str) -> DatabaseName {
    text.parse().unwrap()
}

fn plan(dump: &RunningDump, database: &str) -> RestorePlan {
    RestorePlan {
        database: name(database),
        traits: dump.traits.clone(),
        server: dump.server.clone(),
        tool: dump.tool.clone(),
    }
}

/// Dumps `from` and restores it as `to`.
async fn copy(
    driver: &dyn Driver,
    target: &Target,
    (from, to): (&str, &str),
) -> Result<Vec<String>, Failure> {
    let dump = driver.dump(target, &name(from)).await?;
    let plan = plan(&dump, to);
    let notes = dump.notes.clone();
    let (bytes, complete) = collect(dump.source).await?;
    assert_eq!(complete.evidence().plain_bytes, bytes.len() as u64);
    let sink = driver.restore(target, &plan).await?;
    feed(sink, bytes).await?;
    Ok(notes)
}

#[tokio::test]
async fn a_rich_database_comes_back_equal() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver().await, target(&server));
    server.create_database("shop").unwrap();
    server.execute("shop", samples::MARIADB).unwrap();
    let before = driver.fingerprint(&target, &name("shop")).await.unwrap();
    copy(&*driver, &target, ("shop", "copy of shop"))
        .await
        .unwrap();
    let after = driver
        .fingerprint(&target, &name("copy of shop"))
        .await
        .unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert!(before.total_rows() > 2500, "{}", before.total_rows());
    assert!(before.objects.len() > 14, "{:?}", before.objects.keys());
}

#[tokio::test]
async fn a_restore_refuses_a_database_that_exists() {
    let server = MariaDbServer::start().unwrap();
    let (driver, target) = (driver().await, target(&server));
    server.create_database("here").unwrap();
    let failure = copy(&*driver, &target, ("here", "here")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TargetExists);
    assert!(server.has_database("here").unwrap());
}
