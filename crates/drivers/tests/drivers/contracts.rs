//! What is passed to Oracle's MySQL tools, recorded by fakes: no such tool is at hand to run.

use dilux_core::model::{Credentials, EngineType, TlsMode};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::FailureKind;
use dilux_drivers::{Deadlines, Target};

use crate::support::{ToolBox, driver_with, dump_all, name};

const HELP: &str = "
  --ssl-mode=name     SSL connection mode.
  --no-tablespaces
  --set-gtid-purged[=name]
";
const HELP_8: &str = "
  --ssl-mode=name     SSL connection mode.
  --get-server-public-key
  --no-tablespaces
  --set-gtid-purged[=name]
  --column-statistics Add an ANALYZE TABLE statement
  --commands          Enable or disable processing of local commands.
  --system-command    Enable or disable the system command.
";

fn answers(server: &str) -> String {
    let privileges = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "EXECUTE"];
    let privileges = privileges
        .map(|privilege| format!("privilege\t{privilege}\n"))
        .concat();
    format!(
        "server\t{server}\tMySQL Community Server - GPL\nschema\tutf8mb4\tutf8mb4_0900_ai_ci\n{privileges}me\tbackup@%\n"
    )
}

fn tools(version: &str, help: &str, server: &str) -> ToolBox {
    ToolBox::new()
        .fake("mysqldump", "mysqldump")
        .fake("mysql", "mysql")
        .file("version", version)
        .file("help", help)
        .file("answers", &answers(server))
}

fn target(tls_mode: TlsMode) -> Target {
    Target {
        tls_mode,
        ..Target::at(
            "db.example".parse().unwrap(),
            3307_i64.try_into().unwrap(),
            Credentials::with_password(
                "back\"up".parse().unwrap(),
                SecretValue::new("pass\\word\" # x"),
            ),
        )
    }
}

/// The arguments without the first, which names the options file.
fn arguments(tools: &ToolBox, file: &str) -> Vec<String> {
    let recorded = tools.read(file);
    let mut lines = recorded.lines().map(str::to_owned);
    let first = lines.next().unwrap_or_default();
    assert!(
        first.starts_with("--defaults-file=/proc/self/fd/"),
        "{first}"
    );
    lines.collect()
}

async fn dump(tools: &ToolBox, tls_mode: TlsMode) {
    let driver = driver_with(EngineType::MySql, &tools.search(), Deadlines::default()).await;
    let complete = dump_all(&*driver, &target(tls_mode), "--result-file=x")
        .await
        .unwrap();
    assert_eq!(complete.evidence().tool.name, "mysqldump");
}

#[tokio::test]
async fn mysqldump_8_and_9_get_the_options_that_they_know() {
    for version in ["8.0.36", "9.7.4"] {
        let tools = tools(version, HELP_8, version);
        dump(&tools, TlsMode::Prefer).await;
        assert_eq!(
            arguments(&tools, "dump-arguments"),
            [
                "--ssl-mode=PREFERRED",
                "--get-server-public-key",
                "--default-character-set=utf8mb4",
                "--single-transaction",
                "--quick",
                "--routines",
                "--triggers",
                "--events",
                "--hex-blob",
                "--max-allowed-packet=1G",
                "--comments",
                "--dump-date",
                "--no-tablespaces",
                "--set-gtid-purged=OFF",
                "--column-statistics=0",
                "--",
                "--result-file=x",
            ]
        );
    }
}

#[tokio::test]
async fn mysqldump_5_7_does_not_get_the_options_of_8() {
    let tools = tools("5.7.44", HELP, "5.7.44");
    dump(&tools, TlsMode::Require).await;
    let arguments = arguments(&tools, "dump-arguments");
    assert!(
        arguments.contains(&"--ssl-mode=REQUIRED".to_owned()),
        "{arguments:?}"
    );
    for unknown in ["--column-statistics=0", "--get-server-public-key"] {
        assert!(!arguments.contains(&unknown.to_owned()), "{arguments:?}");
    }
}

#[tokio::test]
async fn mysql_runs_scripts_without_commands_of_its_own() {
    let tools = tools("9.7.4", HELP_8, "9.7.4");
    dump(&tools, TlsMode::VerifyFull).await;
    assert_eq!(
        arguments(&tools, "client-arguments"),
        [
            "--ssl-mode=VERIFY_IDENTITY",
            "--ssl-ca=/etc/ssl/certs/ca-certificates.crt",
            "--default-character-set=utf8mb4",
            "--batch",
            "--skip-column-names",
            "--quick",
            "--skip-auto-rehash",
            "--local-infile=0",
            "--max-allowed-packet=1G",
            "--binary-mode",
            "--system-command=OFF",
            "--commands=OFF",
            "--connect-timeout=15",
        ]
    );
    let options = tools.read("client-options-file");
    assert!(
        options.ends_with("[mysql]\ndatabase=\"--result-file=x\"\n"),
        "{options}"
    );
}

#[tokio::test]
async fn a_token_may_be_sent_as_it_is_by_tools_that_have_to_be_told_so() {
    let help = format!("{HELP_8}  --enable-cleartext-plugin\n");
    let tools = tools("8.0.36", &help, "8.0.36");
    let driver = driver_with(EngineType::MySql, &tools.search(), Deadlines::default()).await;
    let token = "token.of.entra".repeat(270);
    let account = "backup".parse().unwrap();
    let credentials = Credentials::with_token(account, SecretValue::new(token.clone()));
    let place = target(TlsMode::VerifyFull);
    let with_token = Target::at(place.host, place.port, credentials);
    dump_all(&*driver, &with_token, "shop").await.unwrap();
    for file in ["dump-arguments", "client-arguments"] {
        let arguments = arguments(&tools, file);
        for option in ["--ssl-mode=VERIFY_IDENTITY", "--enable-cleartext-plugin"] {
            assert!(arguments.contains(&option.to_owned()), "{arguments:?}");
        }
        assert!(
            !arguments
                .iter()
                .any(|argument| argument.contains("token.of.entra"))
        );
    }
    let line = format!("password=\"{token}\"\n");
    assert!(tools.read("dump-options-file").ends_with(&line));
}

#[tokio::test]
async fn a_token_that_the_tools_would_cut_is_refused() {
    let tools = tools("8.0.36", HELP_8, "8.0.36");
    let driver = driver_with(EngineType::MySql, &tools.search(), Deadlines::default()).await;
    let place = target(TlsMode::VerifyFull);
    let token = SecretValue::new("x".repeat(4001));
    let credentials = Credentials::with_token("backup".parse().unwrap(), token);
    let with_token = Target::at(place.host, place.port, credentials);
    let failure = driver.probe(&with_token, None).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
    assert!(failure.message.contains("longer than"), "{failure}");
}

#[tokio::test]
async fn the_way_to_the_server_stands_in_the_options_file_alone() {
    let tools = tools("8.0.36", HELP_8, "8.0.36");
    dump(&tools, TlsMode::Prefer).await;
    assert_eq!(
        tools.read("dump-options-file"),
        "[client]\nprotocol=tcp\nhost=\"192.0.2.7\"\nport=3307\nuser=\"back\\\"up\"\npassword=\"pass\\\\word\\\" # x\"\n"
    );
    let environment = tools.read("dump-environment");
    for line in environment.lines() {
        let (variable, _) = line.split_once('=').unwrap();
        let is_expected = [
            "LC_ALL",
            "TZ",
            "PATH",
            "HOME",
            "PWD",
            "OLDPWD",
            "SHLVL",
            "_",
            "LD_PRELOAD",
            "_STDBUF_O",
        ];
        assert!(is_expected.contains(&variable), "{line}");
    }
    // It would write in pieces of 4 KiB.
    let is_buffered = environment.lines().any(|line| line == "_STDBUF_O=65536");
    assert!(is_buffered, "{environment}");
}

#[tokio::test]
async fn mysqldump_is_not_let_at_mariadb() {
    let tools = tools("9.7.4", HELP_8, "10.11.19-MariaDB");
    let driver = driver_with(EngineType::MySql, &tools.search(), Deadlines::default()).await;
    let failure = driver
        .dump(&target(TlsMode::Prefer), &name("x"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::ToolMissing);
    assert!(failure.message.contains("mariadb-client"), "{failure}");
}

#[tokio::test]
async fn mysqldump_of_an_older_major_version_is_refused() {
    let tools = tools("5.7.44", HELP, "8.4.2");
    let driver = driver_with(EngineType::MySql, &tools.search(), Deadlines::default()).await;
    let failure = driver
        .dump(&target(TlsMode::Prefer), &name("x"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::ToolTooOld);
    assert!(
        failure.message.contains("mysql-client of version 8"),
        "{failure}"
    );
}

#[tokio::test]
async fn mariadb_s_tool_is_let_at_mysql_only_where_its_dump_can_be_restored() {
    let mixed = |answers: &str| {
        ToolBox::new()
            .real("mariadb-dump")
            .fake("mysql", "mysql")
            .file("version", "9.7.4")
            .file("help", HELP_8)
            .file("answers", answers)
    };
    let tools = mixed(&answers("9.7.4"));
    let driver = driver_with(EngineType::MySql, &tools.search(), Deadlines::default()).await;
    let dump = driver
        .dump(&target(TlsMode::Prefer), &name("x"))
        .await
        .unwrap();
    assert_eq!(dump.tool.name, "mariadb-dump");
    assert!(
        dump.notes.iter().any(|note| note.contains("of MariaDB")),
        "{:?}",
        dump.notes
    );

    let tools = mixed(&format!(
        "{}particular\tcustomers\tfull_name\n",
        answers("9.7.4")
    ));
    let driver = driver_with(EngineType::MySql, &tools.search(), Deadlines::default()).await;
    let failure = driver
        .dump(&target(TlsMode::Prefer), &name("x"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::ToolMissing);
    for word in ["mysql-client", "customers.full_name"] {
        assert!(failure.message.contains(word), "{failure}");
    }
}
