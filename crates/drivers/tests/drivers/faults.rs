//! Tools that misbehave in ways that real ones cannot be made to.

use std::time::Duration;

use dilux_core::model::EngineType;
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::Deadlines;
use dilux_testkit::postgres::{PASSWORD, PostgresServer};

use crate::support::{
    ToolBox, descendants, driver_with, dump_all, eventually, is_alive, name, postgres_target,
};

/// A deadline that a test can wait for; the others stay long, so that a slow machine changes
/// nothing.
const SOON: Duration = Duration::from_millis(300);

struct World {
    server: PostgresServer,
    tools: ToolBox,
}

impl World {
    /// A server whose `pg_dump` has this fault.
    fn new(fault: &str) -> Self {
        let tools = ToolBox::new()
            .real("psql")
            .fake("pg_dump", "pg_dump-with-faults")
            .file("version", "99.1")
            .file("fault", fault);
        Self {
            server: PostgresServer::start().unwrap(),
            tools,
        }
    }

    async fn failure(&self, deadlines: Deadlines) -> Failure {
        let driver = driver_with(EngineType::PostgreSql, &self.tools.search(), deadlines).await;
        dump_all(&*driver, &postgres_target(&self.server), "postgres")
            .await
            .unwrap_err()
    }

    /// Waits until no `pg_dump` of this test runs any more.
    async fn tool_is_gone(&self) {
        let runs = || {
            descendants(std::process::id())
                .iter()
                .any(|(_, name)| name == "pg_dump")
        };
        eventually("the tool is ended", || !runs()).await;
    }

    fn process(&self, file: &str) -> u32 {
        self.tools.read(file).trim().parse().unwrap()
    }
}

#[tokio::test]
async fn a_failure_after_a_whole_dump_is_a_failure() {
    let failure = World::new("fails-after-the-end")
        .failure(Deadlines::default())
        .await;
    assert_eq!(failure.kind, FailureKind::ToolFailed);
    assert_eq!(
        failure.message,
        "pg_dump failed: error: something odd happened"
    );
}

#[tokio::test]
async fn success_after_half_a_dump_is_a_failure() {
    let failure = World::new("says-success-too-early")
        .failure(Deadlines::default())
        .await;
    assert_eq!(failure.kind, FailureKind::Truncated);
}

#[tokio::test]
async fn success_without_a_dump_is_a_failure() {
    let failure = World::new("says-success-without-a-word")
        .failure(Deadlines::default())
        .await;
    assert_eq!(failure.kind, FailureKind::Truncated);
}

#[tokio::test]
async fn a_tool_that_is_killed_after_a_whole_dump_is_a_failure() {
    let failure = World::new("is-killed").failure(Deadlines::default()).await;
    assert_eq!(failure.kind, FailureKind::ToolFailed);
    assert!(failure.message.contains("killed by signal 9"), "{failure}");
}

#[tokio::test]
async fn a_flood_of_complaints_is_bounded_redacted_and_readable() {
    let failure = World::new("floods").failure(Deadlines::default()).await;
    assert_eq!(failure.kind, FailureKind::ToolFailed);
    assert!(failure.detail.len() <= 4096, "{}", failure.detail.len());
    assert!(failure.detail.contains("[redacted]"), "{}", failure.detail);
    assert!(failure.detail.contains("\\u{1b}[31m"), "{}", failure.detail);
    assert!(!failure.detail.contains("canary"), "{}", failure.detail);
    assert!(!failure.message.contains(PASSWORD));
}

#[tokio::test]
async fn a_process_that_holds_the_output_of_a_dead_tool_is_ended() {
    let world = World::new("leaves-a-child");
    let failure = world
        .failure(Deadlines {
            linger: SOON,
            ..Deadlines::default()
        })
        .await;
    assert_eq!(failure.kind, FailureKind::ToolFailed);
    assert!(
        failure.message.contains("left a process behind"),
        "{failure}"
    );
    let child = world.process("child");
    eventually("the process is ended", || !is_alive(child)).await;
}

#[tokio::test]
async fn a_tool_that_does_not_exit_after_its_output_is_ended() {
    let world = World::new("does-not-exit");
    let failure = world
        .failure(Deadlines {
            linger: SOON,
            ..Deadlines::default()
        })
        .await;
    assert_eq!(failure.kind, FailureKind::Stalled);
    assert!(failure.message.contains("did not exit"), "{failure}");
    world.tool_is_gone().await;
}

#[tokio::test]
async fn a_tool_that_never_speaks_is_given_up() {
    let world = World::new("never-speaks");
    let failure = world
        .failure(Deadlines {
            first_byte: SOON,
            ..Deadlines::default()
        })
        .await;
    assert_eq!(failure.kind, FailureKind::Stalled);
    world.tool_is_gone().await;
}

#[tokio::test]
async fn a_dump_that_takes_too_long_as_a_whole_is_given_up() {
    let deadlines = Deadlines {
        total: Duration::from_millis(300),
        ..Deadlines::default()
    };
    let failure = World::new("speaks-once").failure(deadlines).await;
    assert_eq!(failure.kind, FailureKind::TimedOut);
}

#[tokio::test]
async fn a_tool_that_ignores_the_request_to_end_is_killed() {
    let world = World::new("ignores-requests-to-end");
    let deadlines = Deadlines {
        grace: SOON,
        ..Deadlines::default()
    };
    let driver = driver_with(EngineType::PostgreSql, &world.tools.search(), deadlines).await;
    let target = postgres_target(&world.server);
    let mut dump = driver.dump(&target, &name("postgres")).await.unwrap();
    let mut buffer = bytes::BytesMut::with_capacity(4096);
    assert!(dump.source.read(&mut buffer).await.unwrap() > 0);
    let tool = world.process("pid");
    assert!(is_alive(tool));
    dump.source.abort().await;
    assert!(!is_alive(tool));
}

#[tokio::test]
async fn a_server_that_is_newer_than_every_tool_is_refused_with_the_package_to_install() {
    let world = World::new("never-speaks");
    let tools = ToolBox::new()
        .real("psql")
        .fake("pg_dump", "pg_dump-with-faults")
        .file("version", "12.3")
        .file("fault", "never-speaks");
    let driver = driver_with(
        EngineType::PostgreSql,
        &tools.search(),
        Deadlines::default(),
    )
    .await;
    let target = postgres_target(&world.server);
    let server = driver.probe(&target, None).await.unwrap().server.version;
    let major = server.split('.').next().unwrap();
    let failure = driver.dump(&target, &name("postgres")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ToolTooOld);
    assert!(
        failure
            .message
            .contains(&format!("postgresql-client-{major}")),
        "{failure}"
    );
    assert!(failure.message.contains("12.3"), "{failure}");
}
