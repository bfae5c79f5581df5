//! Tokens of Entra ID at SQL Server: they go to a server that has proved its name, and on from there
//! only inside of one domain of Azure.

use std::sync::Arc;

use dilux_core::model::{Credentials, TlsMode};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::FailureKind;
use dilux_drivers::{Connector, DriverSettings, Target};
use dilux_testkit::sql_server::{FakeSqlServer, Nature, Verdict};
use dilux_testkit::tls::Certificates;

use crate::sql_server::{assert_failure, nature, start, target, trusting};
use crate::support::Names;

/// As long as tokens get: several packets.
fn token() -> String {
    format!("cAnArY.{}.{}", "aB3-_xYz".repeat(400), "s".repeat(342))
}

fn taking_tokens() -> Nature {
    Nature {
        token: Some(token()),
        edition: 5,
        ..nature()
    }
}

fn with_token(target: &Target) -> Target {
    let account = "entra-backup".parse().unwrap();
    let credentials = Credentials::with_token(account, SecretValue::new(token()));
    Target::at(target.host.clone(), target.port, credentials)
}

#[tokio::test]
async fn a_token_stands_in_its_extension_and_no_account_is_named() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = start(Some(&certificates), taking_tokens());
    let connector = trusting(&certificates);
    let target = with_token(&target(&server, TlsMode::Prefer));
    let probe = connector.probe(&target, None).await.unwrap();
    assert_eq!(probe.server.flavour, "azure-sql-database");
    connector.discover(&target).await.unwrap();
    for sign_in in server.sign_ins() {
        assert!(sign_in.is_encrypted && sign_in.echoes);
        assert_eq!(sign_in.token, Some(token()));
        assert_eq!((&*sign_in.account, &*sign_in.password), ("", ""));
    }
    assert_eq!(server.sign_ins().len(), 2);
    let refusing = start(Some(&certificates), nature());
    let target = with_token(&self::target(&refusing, TlsMode::Prefer));
    let failure = connector.probe(&target, None).await.unwrap_err();
    let words = "refused the token of 'entra-backup'";
    assert_failure(&failure, FailureKind::Authentication, words);
}

#[tokio::test]
async fn a_server_that_has_not_proved_its_name_gets_no_token() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let connector = trusting(&certificates);
    let foreign = Certificates::for_host("127.0.0.1").unwrap();
    let misnamed = certificates.of_host("other.example").unwrap();
    for own in [None, Some(&foreign), Some(&misnamed)] {
        let server = start(own, taking_tokens());
        let target = with_token(&target(&server, TlsMode::Prefer));
        let failure = connector.probe(&target, None).await.unwrap_err();
        assert_failure(&failure, FailureKind::Configuration, "127.0.0.1");
        assert_eq!((server.visits(), server.sign_ins()), (1, Vec::new()));
    }
    let server = start(Some(&certificates), taking_tokens());
    for tls_mode in [TlsMode::Prefer, TlsMode::Require] {
        let target = Target {
            tls_mode,
            ..with_token(&target(&server, tls_mode))
        };
        let failure = connector.probe(&target, None).await.unwrap_err();
        assert_failure(&failure, FailureKind::Configuration, "verified");
    }
    assert_eq!(server.visits(), 0);
}

/// The gateway of Azure SQL, and the server behind it.
struct Azure {
    certificates: Certificates,
    names: Arc<Names>,
    connector: Arc<dyn Connector>,
}

const SHOP: &str = "shop.database.windows.net";
const WORKER: &str = "c1.tr5.westeurope1-a.worker.database.windows.net";

impl Azure {
    fn new() -> Self {
        let certificates = Certificates::for_host(SHOP).unwrap();
        let names = Arc::new(Names::new([
            (SHOP, "127.0.0.1"),
            (WORKER, "127.0.0.1"),
            ("evil.example", "127.0.0.1"),
            ("metadata.database.windows.net", "169.254.169.254"),
        ]));
        let connector = crate::sql_server::connector(&DriverSettings {
            authorities: certificates.path("authority.pem"),
            resolver: names.clone(),
            ..DriverSettings::default()
        });
        Self {
            certificates,
            names,
            connector,
        }
    }

    /// A server of this name.
    fn server(&self, host: &str, nature: Nature) -> FakeSqlServer {
        let own = self.certificates.of_host(host).unwrap();
        start(Some(&own), nature)
    }

    /// A gateway that sends clients on.
    fn gateway(&self, host: &str, port: u16) -> FakeSqlServer {
        let verdict = Verdict::SendOn(host.to_owned(), port);
        let nature = Nature {
            verdict,
            ..taking_tokens()
        };
        self.server(SHOP, nature)
    }

    fn target(gateway: &FakeSqlServer) -> Target {
        let host = SHOP.parse().unwrap();
        let target = target(gateway, TlsMode::Prefer);
        with_token(&Target { host, ..target })
    }
}

#[tokio::test]
async fn a_gateway_of_azure_is_followed_to_a_server_that_proves_its_own_name() {
    let azure = Azure::new();
    let worker = azure.server(WORKER, taking_tokens());
    let gateway = azure.gateway(WORKER, worker.port());
    let target = Azure::target(&gateway);
    azure.connector.probe(&target, None).await.unwrap();
    for (server, name) in [(&gateway, SHOP), (&worker, WORKER)] {
        let sign_ins = server.sign_ins();
        assert_eq!(sign_ins.len(), 1);
        assert_eq!(sign_ins[0].token, Some(token()));
        assert_eq!(sign_ins[0].server, name);
    }
    assert_eq!(worker.questions().len(), 1);
    assert_eq!(azure.names.asked(), 2);

    let impostor = azure.server("other.database.windows.net", taking_tokens());
    let gateway = azure.gateway(WORKER, impostor.port());
    let target = Azure::target(&gateway);
    let failure = azure.connector.probe(&target, None).await.unwrap_err();
    assert_failure(&failure, FailureKind::Configuration, "another name");
    assert_eq!((impostor.visits(), impostor.sign_ins()), (1, Vec::new()));
}

#[tokio::test]
async fn nobody_is_followed_elsewhere_than_into_azure() {
    let azure = Azure::new();
    let elsewhere = azure.server("evil.example", taking_tokens());
    let gateway = azure.gateway("evil.example", elsewhere.port());
    let target = Azure::target(&gateway);
    let failure = azure.connector.probe(&target, None).await.unwrap_err();
    let words = "on to 'evil.example', which is not a server of the same domain";
    assert_failure(&failure, FailureKind::Configuration, words);
    assert_eq!(azure.names.asked(), 1, "its address is of no interest");
    let gateway = azure.gateway("metadata.database.windows.net", elsewhere.port());
    let target = Azure::target(&gateway);
    let failure = azure.connector.discover(&target).await.unwrap_err();
    assert_failure(&failure, FailureKind::Configuration, "169.254.169.254");
    assert_eq!(elsewhere.visits(), 0);
}

#[tokio::test]
async fn nobody_is_followed_for_ever() {
    let azure = Azure::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = port.local_addr().unwrap().port();
    let third = azure.gateway(SHOP, port);
    let second = azure.gateway(SHOP, third.port());
    let first = azure.gateway(SHOP, second.port());
    let target = Azure::target(&first);
    let failure = azure.connector.probe(&target, None).await.unwrap_err();
    assert_failure(&failure, FailureKind::Unreachable, "on and on");
    let visits = [&first, &second, &third].map(FakeSqlServer::visits);
    assert_eq!(visits, [1, 1, 1]);
}
