//! Encrypted connections, and the refusal of those that are not as trusted as demanded.

use std::path::PathBuf;
use std::sync::Arc;

use dilux_core::model::EngineType;
use dilux_core::transfer::FailureKind;
use dilux_drivers::{Driver, DriverSettings, Drivers, Target, TlsMode, ToolSearch, Tools};
use dilux_testkit::azurite::TlsFiles;
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::support::{dump_all, mariadb_target, name, postgres_target};

/// An authority, and a certificate that it signed.
pub(crate) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    pub(crate) fn for_host(host: &str) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        // Else both have the same name, which makes the other one look self-signed.
        authority
            .distinguished_name
            .push(DnType::CommonName, "an authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let leaf_pem = leaf.signed_by(&key, &issuer).unwrap().pem();
        let certificates = Self {
            directory: TempDir::new().unwrap(),
        };
        std::fs::write(certificates.path("authority.pem"), authority_pem).unwrap();
        std::fs::write(certificates.path("leaf.pem"), leaf_pem).unwrap();
        std::fs::write(certificates.path("key.pem"), key.serialize_pem()).unwrap();
        certificates
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(crate) fn postgres(&self) -> PostgresServer {
        let (certificate, key) = (self.path("leaf.pem"), self.path("key.pem"));
        PostgresServer::start_with_tls(TlsFiles {
            certificate: &certificate,
            key: &key,
        })
        .unwrap()
    }

    fn mariadb(&self) -> MariaDbServer {
        let (certificate, key) = (self.path("leaf.pem"), self.path("key.pem"));
        MariaDbServer::start_with_tls(TlsFiles {
            certificate: &certificate,
            key: &key,
        })
        .unwrap()
    }

    /// A driver that trusts this authority.
    async fn trusting_driver(&self, engine_type: EngineType) -> Arc<dyn Driver> {
        let authorities = self.path("authority.pem");
        let settings = DriverSettings {
            authorities,
            ..DriverSettings::default()
        };
        driver(engine_type, &settings).await
    }
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
    let certificates = Certificates::for_host("127.0.0.1");
    let server = certificates.postgres();
    server.create_database("shop").unwrap();
    let target = postgres_target(&server);
    let trusting = certificates.trusting_driver(EngineType::PostgreSql).await;
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
    let certificates = Certificates::for_host("127.0.0.1");
    let server = certificates.mariadb();
    server.create_database("shop").unwrap();
    let target = mariadb_target(&server);
    let trusting = certificates.trusting_driver(EngineType::MySql).await;
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
    let certificates = Certificates::for_host("other.example");
    let server = certificates.postgres();
    server.create_database("shop").unwrap();
    let target = postgres_target(&server);
    let driver = certificates.trusting_driver(EngineType::PostgreSql).await;
    assert_dumps(&*driver, &target, &[TlsMode::VerifyAuthority]).await;
    assert_refused(&*driver, &target, &[TlsMode::VerifyFull]).await;

    let server = certificates.mariadb();
    server.create_database("shop").unwrap();
    let target = mariadb_target(&server);
    let driver = certificates.trusting_driver(EngineType::MySql).await;
    // MariaDB's tools do not verify an authority without the host.
    assert_refused(&*driver, &target, &VERIFYING).await;
}
