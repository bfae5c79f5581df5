//! SQL Server, which is only played: no real one can be had. What it is sent is looked at closely.

use std::sync::Arc;
use std::time::Duration;

use dilux_core::model::{Credentials, EngineType, TlsMode};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::{Failure, FailureKind};
use dilux_drivers::{Connector, Deadlines, DriverSettings, Drivers, Target, Tools};
use dilux_testkit::sql_server::{FakeSqlServer, Nature, Verdict};
use dilux_testkit::tls::Certificates;

use crate::failures::closed_port;
use crate::support::name;
use crate::tls::STRICT;

/// As every byte of it is sent, so is every other character.
const PASSWORD: &str = "cAnArY-p\"w' ü€ 𝄞;";

pub(crate) fn connector(settings: &DriverSettings) -> Arc<dyn Connector> {
    Drivers::new(Tools::default(), settings)
        .connector(EngineType::SqlServer)
        .unwrap()
}

pub(crate) fn trusting(certificates: &Certificates) -> Arc<dyn Connector> {
    connector(&DriverSettings {
        authorities: certificates.path("authority.pem"),
        ..DriverSettings::default()
    })
}

pub(crate) fn nature() -> Nature {
    Nature {
        account: ("sa".to_owned(), PASSWORD.to_owned()),
        ..Nature::default()
    }
}

pub(crate) fn start(certificates: Option<&Certificates>, nature: Nature) -> FakeSqlServer {
    FakeSqlServer::start(certificates, nature).unwrap()
}

pub(crate) fn target(server: &FakeSqlServer, tls_mode: TlsMode) -> Target {
    let credentials = Credentials::with_password("sa".parse().unwrap(), SecretValue::new(PASSWORD));
    let port = i64::from(server.port()).try_into().unwrap();
    Target::at("127.0.0.1".parse().unwrap(), port, credentials).protected(tls_mode)
}

/// Whether somebody on the network could have read the password, as a sign-in has it.
fn was_told(server: &FakeSqlServer) -> bool {
    let told: Vec<u8> = PASSWORD
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .map(|byte| byte.rotate_left(4) ^ 0xa5)
        .collect();
    let seen = server.in_the_clear();
    seen.windows(told.len()).any(|window| window == told)
}

#[track_caller]
pub(crate) fn assert_failure(failure: &Failure, kind: FailureKind, words: &str) {
    assert_eq!(failure.kind, kind, "{failure:?}");
    assert!(failure.message.contains(words), "{failure:?}");
    let everything = format!("{failure:?}");
    assert!(!everything.contains("cAnArY"), "{everything}");
}

#[tokio::test]
async fn a_password_opens_a_server_in_every_mode_and_is_sent_once() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let connector = trusting(&certificates);
    for mode in TlsMode::ALL {
        let server = start(Some(&certificates), nature());
        let probe = connector.probe(&target(&server, mode), None).await.unwrap();
        assert_eq!(probe.server.flavour, "sqlserver");
        assert_eq!(probe.server.version, "16.0.4135.4");
        assert!(probe.latency > Duration::ZERO);
        let sign_ins = server.sign_ins();
        let [sign_in] = &sign_ins[..] else {
            panic!("{sign_ins:?}");
        };
        assert!(sign_in.is_encrypted);
        assert_eq!(sign_in.account, "sa");
        assert_eq!(sign_in.password, PASSWORD);
        assert_eq!(sign_in.token, None);
        assert_eq!(sign_in.server, "127.0.0.1");
        assert_eq!(sign_in.program, "dilux");
        assert_eq!(sign_in.database, "");
        assert_eq!((server.visits(), server.questions().len()), (1, 1));
        assert!(!was_told(&server));
    }
}

#[tokio::test]
async fn a_server_without_encryption_is_used_by_preference_only() {
    let connector = connector(&DriverSettings::default());
    for mode in STRICT {
        let server = start(None, nature());
        let failure = connector
            .probe(&target(&server, mode), None)
            .await
            .unwrap_err();
        assert_failure(
            &failure,
            FailureKind::Configuration,
            "offers no encryption, which the engine's tls_mode demands",
        );
        let failure = connector.discover(&target(&server, mode)).await;
        assert_eq!(failure.unwrap_err().kind, FailureKind::Configuration);
        assert_eq!((server.visits(), server.sign_ins()), (2, Vec::new()));
        assert!(!was_told(&server));
    }
    let server = start(None, nature());
    let target = target(&server, TlsMode::Prefer);
    connector.probe(&target, None).await.unwrap();
    let sign_ins = server.sign_ins();
    assert!(!sign_ins[0].is_encrypted && sign_ins[0].password == PASSWORD);
    assert!(was_told(&server), "else the test looks for the wrong thing");
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused_where_it_is_verified() {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let connector = trusting(&certificates);
    let foreign = Certificates::for_host("127.0.0.1").unwrap();
    let misnamed = certificates.of_host("other.example").unwrap();
    for (own, words) in [(&foreign, "is not trusted"), (&misnamed, "another name")] {
        let server = start(Some(own), nature());
        let strict = target(&server, TlsMode::VerifyFull);
        let failure = connector.probe(&strict, None).await.unwrap_err();
        assert_failure(&failure, FailureKind::Configuration, words);
        assert_eq!((server.visits(), server.sign_ins()), (1, Vec::new()));
        let lax = target(&server, TlsMode::Require);
        connector.probe(&lax, None).await.unwrap();
        assert!(server.sign_ins()[0].is_encrypted);
    }
    let nobody = DriverSettings {
        authorities: "/nowhere/authorities.pem".into(),
        ..DriverSettings::default()
    };
    let server = start(Some(&certificates), nature());
    let strict = target(&server, TlsMode::VerifyFull);
    let failure = self::connector(&nobody).probe(&strict, None).await;
    let failure = failure.unwrap_err();
    assert_failure(&failure, FailureKind::Configuration, "/nowhere/authorities");
    assert_eq!(server.sign_ins(), []);
}

#[tokio::test]
async fn a_database_is_opened_by_its_literal_name() {
    let odd = "a b'\"];--{x=y} ü";
    let mut nature = nature();
    nature.databases.push((odd.to_owned(), false, false));
    nature.edition = 5;
    nature.version = "12.0.2000.8".to_owned();
    let server = start(None, nature);
    let connector = connector(&DriverSettings::default());
    let target = target(&server, TlsMode::Prefer);
    let probe = connector.probe(&target, Some(&name(odd))).await.unwrap();
    assert_eq!(probe.server.flavour, "azure-sql-database");
    assert_eq!(probe.server.version, "12.0.2000.8");
    assert_eq!(server.sign_ins()[0].database, odd);
    let failure = connector.probe(&target, Some(&name("none"))).await;
    let failure = failure.unwrap_err();
    let words = "there is no database 'none' on 127.0.0.1";
    assert_failure(&failure, FailureKind::UnknownDatabase, words);
}

#[tokio::test]
async fn databases_are_found_and_those_of_the_server_are_marked() {
    let database =
        |name: &str, distributes, is_snapshot| (name.to_owned(), distributes, is_snapshot);
    let server = start(
        None,
        Nature {
            databases: vec![
                database("Größe 𝄞", false, false),
                database("distribution", true, false),
                database("master", false, false),
                database("Model", false, false),
                database("msdb", false, false),
                database("shop", false, false),
                database("shop at noon", false, true),
                database("tempdb", false, false),
            ],
            ..nature()
        },
    );
    let connector = connector(&DriverSettings::default());
    let target = target(&server, TlsMode::Prefer);
    let found = connector.discover(&target).await.unwrap();
    let own: Vec<&str> = found
        .iter()
        .filter(|database| !database.is_system)
        .map(|database| database.name.as_str())
        .collect();
    assert_eq!(own, ["Größe 𝄞", "shop"]);
    assert_eq!(found.len(), 8);
}

#[tokio::test]
async fn a_server_with_as_many_databases_as_it_can_have_is_listed() {
    let databases =
        (0..32_767).map(|number| (format!("database of tenant {number}"), false, false));
    let nature = Nature {
        databases: databases.collect(),
        ..nature()
    };
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let server = start(Some(&certificates), nature);
    let target = target(&server, TlsMode::VerifyFull);
    let found = trusting(&certificates).discover(&target).await.unwrap();
    assert_eq!(found.len(), 32_767);
    assert_eq!(found[32_766].name.as_str(), "database of tenant 32766");
}

#[tokio::test]
async fn refusals_of_a_server_are_told_apart() {
    use FailureKind::{Authentication, Configuration, Permission, ToolFailed, Unreachable};
    for (number, kind, words) in [
        (
            18456,
            Authentication,
            "user name or the password of account 'sa'",
        ),
        (18488, Authentication, "has expired"),
        (18486, Authentication, "locked or disabled"),
        (4060, FailureKind::UnknownDatabase, "no database 'master'"),
        (40532, Configuration, "no server of the name"),
        (40615, Permission, "firewall of 127.0.0.1"),
        (916, Permission, "lacks a privilege"),
        (40613, Unreachable, "paused"),
        (10928, Unreachable, "no free connection"),
        (50_000, ToolFailed, "refused: why [redacted]\\u{7} (50000)"),
    ] {
        let nature = Nature {
            verdict: Verdict::Refuse(number, "why {secret}\u{7}".to_owned()),
            ..nature()
        };
        let server = start(None, nature);
        let target = target(&server, TlsMode::Prefer);
        let connector = connector(&DriverSettings::default());
        let failure = connector.probe(&target, None).await.unwrap_err();
        assert_failure(&failure, kind, words);
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_from_a_server_that_is_not_there() {
    let server = start(None, nature());
    let connector = connector(&DriverSettings::default());
    let mut wrong = target(&server, TlsMode::Prefer);
    wrong.credentials.password = SecretValue::new("cAnArY-wrong");
    let failure = connector.probe(&wrong, None).await.unwrap_err();
    assert_failure(&failure, FailureKind::Authentication, "account 'sa'");
    let closed = Target {
        port: closed_port(),
        ..wrong.clone()
    };
    let failure = connector.probe(&closed, None).await.unwrap_err();
    assert_failure(&failure, FailureKind::Unreachable, "nothing listens on");
    let visits = server.visits();
    wrong.credentials.password = SecretValue::new("cAnArY".repeat(22));
    let failure = connector.discover(&wrong).await.unwrap_err();
    assert_failure(&failure, FailureKind::Configuration, "128 characters");
    assert_eq!(server.visits(), visits, "nobody is asked");
}

#[tokio::test]
async fn servers_that_fall_silent_or_talk_nonsense_are_given_up() {
    let settings = DriverSettings {
        deadlines: Deadlines {
            connect: Duration::from_secs(1),
            ..Deadlines::default()
        },
        ..DriverSettings::default()
    };
    let connector = connector(&settings);
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = i64::from(mute.local_addr().unwrap().port());
    for (verdict, kind, words) in [
        (
            Verdict::Silence,
            FailureKind::Unreachable,
            "within 1 second",
        ),
        (
            Verdict::Nonsense,
            FailureKind::Configuration,
            "does not speak",
        ),
    ] {
        let server = start(
            None,
            Nature {
                verdict,
                ..nature()
            },
        );
        let silent = target(&server, TlsMode::Prefer);
        let failure = connector.probe(&silent, None).await.unwrap_err();
        assert_failure(&failure, kind, words);
        let mute = Target {
            port: port.try_into().unwrap(),
            ..silent
        };
        let failure = connector.discover(&mute).await.unwrap_err();
        assert_failure(&failure, FailureKind::Unreachable, "within 1 second");
    }
}

/// A panic would end the task of whoever asked. Most of these answers are refused, some still make
/// sense.
#[tokio::test]
async fn garbled_answers_are_refused_or_understood() {
    let connector = connector(&DriverSettings::default());
    let nature = Nature {
        verdict: Verdict::Garble,
        ..nature()
    };
    let server = start(None, nature);
    let target = target(&server, TlsMode::Prefer);
    let mut refused = 0;
    for number in 0..600 {
        let outcome = if number % 3 == 0 {
            connector.discover(&target).await.err()
        } else {
            connector.probe(&target, None).await.err()
        };
        if let Some(failure) = outcome {
            assert!(!failure.message.is_empty(), "{number}");
            refused += 1;
        }
    }
    assert!(refused > 200, "{refused} of 600");
}

#[tokio::test]
async fn what_speaks_another_protocol_is_no_sql_server_and_is_told_nothing() {
    let mariadb = dilux_testkit::mariadb::MariaDbServer::start().unwrap();
    let server = start(None, nature());
    let other = Target {
        port: mariadb.port(),
        ..target(&server, TlsMode::Prefer)
    };
    let connector = connector(&DriverSettings::default());
    let failure = connector.probe(&other, None).await.unwrap_err();
    assert_failure(&failure, FailureKind::Configuration, "does not speak");
}

#[test]
fn it_is_connected_to_and_not_backed_up() {
    let drivers = Drivers::new(Tools::default(), &DriverSettings::default());
    let failure = drivers.for_engine(EngineType::SqlServer).err().unwrap();
    assert_failure(&failure, FailureKind::Configuration, "makes no backups");
    assert!(!drivers.engine_types().contains(&EngineType::SqlServer));
    let connector = drivers.connector(EngineType::SqlServer).unwrap();
    assert_eq!(connector.engine_type(), EngineType::SqlServer);
}
