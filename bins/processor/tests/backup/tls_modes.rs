//! The TLS mode of an engine in the jobs about its databases.

use std::sync::Arc;

use dilux_core::installation::Installation;
use dilux_core::model::{BackupId, Engine, Job, JobState, RestoreWork, TlsMode, Work};
use dilux_core::storage::Profile;
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{DriverSettings, Drivers, ToolSearch, Tools};
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::tls::Certificates;

use crate::{World, backup_work, verify};

/// A world around `server`, whose workers trust the authority of `certificates`.
async fn world(server: PostgresServer, certificates: &Certificates) -> World {
    let open = |settings| Installation::open(settings, Profile::Worker).unwrap();
    let mut world = World::with(server, &open).await;
    let tools = Tools::discover(&ToolSearch::with_usual_places("")).await;
    let settings = DriverSettings {
        authorities: certificates.path("authority.pem"),
        ..DriverSettings::default()
    };
    world.drivers = Arc::new(Drivers::new(tools, &settings));
    world
}

async fn demand(world: &World, tls_mode: TlsMode) {
    let engines = &world.installation.repositories.engines;
    let present = engines.get(&world.engine).await.unwrap().unwrap();
    let engine = Engine {
        tls_mode,
        ..present.value
    };
    engines.replace(engine, &present.version).await.unwrap();
}

fn restore_of(world: &World, backup: &Job, copy: &str) -> Work {
    Work::Restore(RestoreWork {
        backup_id: BackupId::from(&backup.id),
        target_engine: world.engine.clone(),
        target_database: copy.parse().unwrap(),
        compare_with_source: true,
    })
}

fn assert_completed(job: &Job) {
    let state = &job.state;
    assert!(matches!(state, JobState::Completed { .. }), "{state:?}");
}

fn failure(job: &Job) -> &Failure {
    let JobState::Failed { failure, .. } = &job.state else {
        panic!("{:?}", job.state)
    };
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_backed_up_rehearsed_and_restored_in_strict_modes() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let world = world(certificates.postgres().unwrap(), &certificates).await;
    let engine = world.engine.clone();
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        demand(&world, mode).await;
        let key = |what: &str| format!("{what}|{mode}");
        let backup = world.run(world.job(&key("manual"), backup_work())).await;
        assert_completed(&backup);
        assert_completed(&verify(&world, &backup, &key("verify"), Some(&engine)).await);
        let copy = format!("copy_{mode}");
        let restore = restore_of(&world, &backup, &copy);
        let restored = world.run(world.job(&key("restore"), restore)).await;
        assert_completed(&restored);
        let comparison = restored.comparison.unwrap();
        assert_eq!(comparison.differences, Vec::<String>::new());
        assert!(comparison.rows > 1000);
        assert!(world.server.has_database(&copy).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_goes_on_without_the_encryption_that_its_engine_demands() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let world = world(PostgresServer::start().unwrap(), &certificates).await;
    let engine = world.engine.clone();
    let backup = world.run(world.job("manual|1", backup_work())).await;
    assert_completed(&backup);
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        demand(&world, mode).await;
        let key = |what: &str| format!("{what}|{mode}");
        let refused = world.run(world.job(&key("manual"), backup_work())).await;
        let rehearsed = verify(&world, &backup, &key("verify"), Some(&engine)).await;
        let restore = restore_of(&world, &backup, "copy");
        let restored = world.run(world.job(&key("restore"), restore)).await;
        for job in [refused, rehearsed, restored] {
            let failure = failure(&job);
            assert_eq!(failure.kind, FailureKind::Configuration, "{failure:?}");
            let words = "offers no encryption";
            assert!(failure.message.contains(words), "{failure:?}");
            let shown = format!("{job:?}");
            assert!(!shown.contains("canary"), "{shown}");
        }
        assert!(!world.server.has_database("copy").unwrap());
    }
}
