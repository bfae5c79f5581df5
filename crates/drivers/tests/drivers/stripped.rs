//! Encryption that somebody on the way takes out: with a mode that demands it, no client and no tool
//! goes on without, on whichever connection that happens.

use dilux_core::model::{EngineType, TlsMode};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Driver, Target};
use dilux_testkit::tls::Certificates;
use dilux_testkit::transfer::{collect, feed};

use crate::stripper::Stripper;
use crate::support::{copy, dump_all, name, plan};
use crate::tls::{STRICT, Server, trusting_driver};

/// More connections than any piece of work makes.
const MANY: usize = 40;

struct Way {
    _certificates: Certificates,
    server: Server,
    stripper: Stripper,
    driver: std::sync::Arc<dyn Driver>,
}

impl Way {
    async fn new(engine_type: EngineType) -> Self {
        let certificates = Certificates::for_host("127.0.0.1").unwrap();
        let server = Server::start(engine_type, Some(&certificates));
        let stripper = Stripper::before(engine_type, &server.target(TlsMode::Prefer));
        let driver = trusting_driver(&certificates, engine_type).await;
        Self {
            _certificates: certificates,
            server,
            stripper,
            driver,
        }
    }

    fn target(&self, mode: TlsMode) -> Target {
        self.stripper.target(&self.server.target(mode))
    }

    /// Without a demand, all is done over connections that can be read: the one in the middle is good
    /// at this.
    async fn is_read_without_a_demand(&self) {
        self.stripper.leave_alone(0);
        let target = self.target(TlsMode::Prefer);
        copy(&*self.driver, &target, ("shop", "copied"))
            .await
            .unwrap();
        self.server.drop_database("copied");
        assert!(self.stripper.stripped() > 3);
        let plain = String::from_utf8_lossy(&self.stripper.plain()).into_owned();
        assert!(plain.contains("dilux_admin"), "{plain}");
    }

    fn assert_refused(&self, mode: TlsMode, failure: &Failure, read_before: usize) {
        assert_eq!(failure.kind, FailureKind::Configuration, "{failure:?}");
        let words = "offers no encryption";
        assert!(failure.message.contains(words), "{mode}: {failure:?}");
        assert!(self.stripper.stripped() > 0);
        assert_eq!(
            self.stripper.plain().len(),
            read_before,
            "{mode}: nothing was sent"
        );
    }
}

/// Each connection of a dump is the one that is stripped, in its turn.
async fn no_connection_of_a_dump_can_be_stripped(engine_type: EngineType) {
    let way = Way::new(engine_type).await;
    way.is_read_without_a_demand().await;
    let read_before = way.stripper.plain().len();
    for mode in STRICT {
        let mut refused = 0;
        for left_alone in 0..MANY {
            way.stripper.leave_alone(left_alone);
            match dump_all(&*way.driver, &way.target(mode), "shop").await {
                Ok(_) => break,
                Err(failure) => way.assert_refused(mode, &failure, read_before),
            }
            refused += 1;
        }
        // A question at least, and the dump itself.
        assert!((2..MANY).contains(&refused), "{mode}: {refused}");
    }
}

#[tokio::test]
async fn no_connection_of_a_dump_of_postgresql_can_be_stripped() {
    no_connection_of_a_dump_can_be_stripped(EngineType::PostgreSql).await;
}

#[tokio::test]
async fn no_connection_of_a_dump_of_mariadb_can_be_stripped() {
    no_connection_of_a_dump_can_be_stripped(EngineType::MySql).await;
}

/// The same for a restore: its questions, the creation, and the client that takes the dump.
async fn no_connection_of_a_restore_can_be_stripped(engine_type: EngineType) {
    let way = Way::new(engine_type).await;
    let read_before = way.stripper.plain().len();
    let direct = way.server.target(TlsMode::VerifyFull);
    let dump = way.driver.dump(&direct, &name("shop")).await.unwrap();
    let plan = plan(&dump, "copied");
    let (bytes, _) = collect(dump.source).await.unwrap();
    for mode in STRICT {
        let mut refused = 0;
        for left_alone in 0..MANY {
            way.server.drop_database("copied");
            way.stripper.leave_alone(left_alone);
            let target = way.target(mode);
            let outcome = match way.driver.restore(&target, &plan).await {
                Ok(sink) => feed(sink, bytes.clone()).await.map(drop),
                Err(failure) => Err(failure),
            };
            match outcome {
                Ok(()) => break,
                Err(failure) => way.assert_refused(mode, &failure, read_before),
            }
            refused += 1;
        }
        // A question, the creation and the client that takes the dump.
        assert!((3..MANY).contains(&refused), "{mode}: {refused}");
        way.server.drop_database("copied");
    }
}

#[tokio::test]
async fn no_connection_of_a_restore_into_postgresql_can_be_stripped() {
    no_connection_of_a_restore_can_be_stripped(EngineType::PostgreSql).await;
}

#[tokio::test]
async fn no_connection_of_a_restore_into_mariadb_can_be_stripped() {
    no_connection_of_a_restore_can_be_stripped(EngineType::MySql).await;
}
