//! Encrypted connections, and the refusal of those that are not as trusted as demanded.

use std::sync::Arc;

use dilux_core::model::EngineType;
use dilux_core::transfer::FailureKind;
use dilux_drivers::{Driver, DriverSettings, Drivers, Target, TlsMode, ToolSearch, Tools};
use dilux_testkit::tls::Certificates;

use crate::support::{dump_all, mariadb_target, name, postgres_target};

/// A driver that trusts the authority of these certificates.
pub(crate) async fn trusting_driver(
    certificates: &Certificates,
    engine_type: EngineType,
) -> Arc<dyn Driver> {
    let authorities = certificates.path("authority.pem");
    let settings = DriverSettings {
        authorities,
        ..DriverSettings::default()
    };
    driver(engine_type, &settings).await
}

async fn driver(engine_type: EngineType, settings: &DriverSettings) -> Arc<dyn Driver> {
    let tools = Tools::discover(&ToolSearch::with_usual_places("")).await;
    Drivers::new(tools, settings)
        .for_engine(engine_type)
        .unwrap()
}

async fn assert_dumps(driver: &dyn Driver, target: &Target, modes: &[TlsMode]) {
    for tls in modes {
        let target = Target {
            tls: *tls,
            ..target.clone()
        };
        let outcome = dump_all(driver, &target, "shop").await;
        assert!(outcome.is_ok(), "{tls:?}: {:?}", outcome.err());
    }
}

async fn assert_refused(driver: &dyn Driver, target: &Target, modes: &[TlsMode]) {
    for tls in modes {
        let target = Target {
            tls: *tls,
            ..target.clone()
        };
        let failure = driver.dump(&target, &name("shop")).await.unwrap_err();
        assert_eq!(
            failure.kind,
            FailureKind::Configuration,
            "{tls:?}: {failure:?}"
        );
    }
}

const ALL: [TlsMode; 5] = [
    TlsMode::Disabled,
    TlsMode::Preferred,
    TlsMode::Required,
    TlsMode::VerifyAuthority,
    TlsMode::VerifyFull,
];
const VERIFYING: [TlsMode; 2] = [TlsMode::VerifyAuthority, TlsMode::VerifyFull];

#[tokio::test]
async fn a_trusted_postgresql_is_dumped_in_every_mode_and_an_untrusted_one_only_without_verifying()
{
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = certificates.postgres().unwrap();
    server.create_database("shop").unwrap();
    let target = postgres_target(&server);
    let trusting = trusting_driver(&certificates, EngineType::PostgreSql).await;
    assert_dumps(&*trusting, &target, &ALL).await;
    let doubting = driver(EngineType::PostgreSql, &DriverSettings::default()).await;
    assert_dumps(
        &*doubting,
        &target,
        &[TlsMode::Preferred, TlsMode::Required],
    )
    .await;
    assert_refused(&*doubting, &target, &VERIFYING).await;
}

#[tokio::test]
async fn a_trusted_mariadb_is_dumped_in_every_mode_and_an_untrusted_one_only_without_verifying() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = certificates.mariadb().unwrap();
    server.create_database("shop").unwrap();
    let target = mariadb_target(&server);
    let trusting = trusting_driver(&certificates, EngineType::MySql).await;
    assert_dumps(&*trusting, &target, &ALL).await;
    let doubting = driver(EngineType::MySql, &DriverSettings::default()).await;
    assert_dumps(
        &*doubting,
        &target,
        &[TlsMode::Preferred, TlsMode::Required],
    )
    .await;
    assert_refused(&*doubting, &target, &VERIFYING).await;
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_by_full_verification() {
    let certificates = Certificates::for_host("other.example").unwrap();
    let server = certificates.postgres().unwrap();
    server.create_database("shop").unwrap();
    let target = postgres_target(&server);
    let driver = trusting_driver(&certificates, EngineType::PostgreSql).await;
    assert_dumps(&*driver, &target, &[TlsMode::VerifyAuthority]).await;
    assert_refused(&*driver, &target, &[TlsMode::VerifyFull]).await;

    let server = certificates.mariadb().unwrap();
    server.create_database("shop").unwrap();
    let target = mariadb_target(&server);
    let driver = trusting_driver(&certificates, EngineType::MySql).await;
    // MariaDB's tools do not verify an authority without the host.
    assert_refused(&*driver, &target, &VERIFYING).await;
}
