//! Engines of type `sqlserver`, from the API to what the server is told: connected to with passwords
//! and tokens, asked for their databases, and never said to be backed up. The server is played.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use dilux_drivers::{DriverSettings, Drivers, Resolver, Tools};
use dilux_testkit::canary::Searcher;
use dilux_testkit::entra::FakeEntra;
use dilux_testkit::sql_server::{FakeSqlServer, Nature, Verdict};
use dilux_testkit::tls::Certificates;
use serde_json::{Value, json};

use crate::canary::capture;
use crate::seeds::id;
use crate::server::TOKEN;
use crate::world::World;

const HOST: &str = "shop.database.windows.net";
const SECRET: &str = "cAnArY17-secret-of-the-app";
const PASSWORD: &str = "cAnArY17-password";
const NO_BACKUPS: &str = "makes no backups of servers of type sqlserver";

/// All names lead to this machine.
#[derive(Debug)]
struct Here;

#[async_trait]
impl Resolver for Here {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

struct Azure {
    world: World,
    entra: FakeEntra,
    server: FakeSqlServer,
}

impl Azure {
    /// A world that trusts the authority of one server, whose certificate is for `host`.
    async fn new(host: &str, verdict: Verdict) -> Self {
        let trusted = Certificates::for_host(host).unwrap();
        Self::showing(&trusted, &trusted, verdict).await
    }

    async fn showing(trusted: &Certificates, own: &Certificates, verdict: Verdict) -> Self {
        let nature = Nature {
            verdict,
            account: ("sa".to_owned(), PASSWORD.to_owned()),
            token: Some(TOKEN.to_owned()),
            version: "12.0.2000.8".to_owned(),
            edition: 5,
            ..Nature::default()
        };
        let server = FakeSqlServer::start(Some(own), nature).unwrap();
        let entra = FakeEntra::start(SECRET, TOKEN).await.unwrap();
        // Read by each connection; the files go with the certificates.
        let authorities = tempfile::NamedTempFile::new().unwrap();
        std::fs::copy(trusted.path("authority.pem"), authorities.path()).unwrap();
        let (_, authorities) = authorities.keep().unwrap();
        let settings = DriverSettings {
            authorities,
            resolver: Arc::new(Here),
            ..DriverSettings::default()
        };
        let drivers = Drivers::new(Tools::default(), &settings);
        let world = World::with_entra_and_drivers(&entra, drivers).await;
        Self {
            world,
            entra,
            server,
        }
    }

    fn app(&self) -> Value {
        json!({
            "name": "Shop", "engine_type": "sqlserver", "host": HOST, "port": self.server.port(),
            "auth_method": "azure_ad", "username": "dilux-backup", "tenant_id": "contoso.example",
            "client_id": "app-1", "client_secret": SECRET,
        })
    }

    fn managed(&self) -> Value {
        json!({
            "name": "Shop", "engine_type": "sqlserver", "host": HOST, "port": self.server.port(),
            "auth_method": "managed_identity", "username": "dilux-backup",
        })
    }

    fn password(&self, tls_mode: &str) -> Value {
        json!({
            "name": "Shop", "engine_type": "sqlserver", "host": HOST, "port": self.server.port(),
            "username": "sa", "password": PASSWORD, "tls_mode": tls_mode,
        })
    }

    /// Registers an engine; it is said not to be backed up.
    async fn engine(&self, body: &Value) -> String {
        let created = self.world.post("/api/engines", body).await.expect(201);
        let note = created["note"].as_str().unwrap();
        assert!(note.contains(NO_BACKUPS), "{created}");
        format!("/api/engines/{}", id(&created["engine"]))
    }

    async fn test(&self, path: &str) -> Value {
        let path = format!("{path}/test");
        self.world.post(&path, &json!({})).await.expect(200)
    }
}

#[tokio::test]
async fn an_identity_signs_in_with_the_token_that_entra_id_gave_for_azure_sql() {
    let azure = Azure::new(HOST, Verdict::Judge).await;
    let path = azure.engine(&azure.app()).await;
    let test = azure.test(&path).await;
    assert_eq!(test["success"], json!(true), "{test}");
    assert_eq!(test["error_type"], Value::Null);
    let version = json!("azure-sql-database 12.0.2000.8");
    assert_eq!(test["server_version"], version);
    let sign_ins = azure.server.sign_ins();
    assert_eq!(sign_ins.len(), 1);
    assert_eq!(sign_ins[0].token.as_deref(), Some(TOKEN));
    assert!(sign_ins[0].is_encrypted && sign_ins[0].password.is_empty());
    assert_eq!(sign_ins[0].server, HOST);
    let request = &azure.entra.requests()[0];
    let scope = "https://database.windows.net/.default";
    assert_eq!(request.fields["scope"], scope);

    let managed = Azure::new(HOST, Verdict::Judge).await;
    let path = managed.engine(&managed.managed()).await;
    let test = managed.test(&path).await;
    assert_eq!(test["success"], json!(true), "{test}");
    let token = managed.server.sign_ins()[0].token.clone();
    assert_eq!(token.as_deref(), Some(TOKEN));
    let request = &managed.entra.requests()[0];
    assert_eq!(request.fields["resource"], "https://database.windows.net");
}

#[tokio::test]
async fn nothing_that_works_looks_as_if_there_were_backups() {
    let azure = Azure::new(HOST, Verdict::Judge).await;
    let (world, path) = (&azure.world, azure.engine(&azure.app()).await);
    let test = azure.test(&path).await;
    let says_so = |answer: &Value, field: &str| {
        let words = answer[field].as_str().unwrap_or_default();
        assert!(words.contains(NO_BACKUPS), "{field} of {answer}");
    };
    says_so(&test, "message");
    let discover = format!("{path}/discover");
    let found = world.post(&discover, &json!({})).await.expect(200);
    says_so(&found, "note");
    let names: Vec<(&str, bool)> = found["databases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let name = row["name"].as_str().unwrap();
            (name, row["is_system"].as_bool().unwrap())
        })
        .collect();
    let system = |name| (name, true);
    let [master, model, msdb, tempdb] = ["master", "model", "msdb", "tempdb"].map(system);
    assert_eq!(names, [master, model, msdb, ("shop", false), tempdb]);
    let import = json!({"databases": ["other"]});
    let imported = world.post(&format!("{path}/databases"), &import).await;
    says_so(&imported.expect(201), "note");
    let engine = path.rsplit('/').next().unwrap();
    let body = json!({"engine_id": engine, "database": {"name": "shop"}});
    let created = world.post("/api/databases", &body).await.expect(201);
    says_so(&created, "message");
    let database = format!("/api/databases/{}", id(&created["database"]));
    let changed = world.put(&database, &json!({"name": "Shop"})).await;
    says_so(&changed.expect(200), "message");
    let test = azure.test(&database).await;
    assert_eq!(test["success"], json!(true), "{test}");
    says_so(&test, "message");
    let backup = world.post(&format!("{database}/backup"), &json!({})).await;
    says_so(&backup.expect(400), "error");
    let last = azure.server.sign_ins().pop().unwrap();
    assert_eq!(last.database, "shop");
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_token_and_no_password() {
    let trusted = Certificates::for_host(HOST).unwrap();
    let foreign = Certificates::for_host(HOST).unwrap();
    let azure = Azure::showing(&trusted, &foreign, Verdict::Judge).await;
    for (body, visits) in [(azure.app(), 1), (azure.password("verify-full"), 2)] {
        let path = azure.engine(&body).await;
        let test = azure.test(&path).await;
        assert_eq!(test["error_type"], json!("ConnectionFailed"));
        let message = test["message"].as_str().unwrap();
        assert!(message.contains("is not trusted"), "{test}");
        assert_eq!(azure.server.visits(), visits);
        assert!(azure.server.sign_ins().is_empty());
        azure.world.delete(&path).await.expect(200);
    }
    let path = azure.engine(&azure.password("require")).await;
    let test = azure.test(&path).await;
    assert_eq!(test["success"], json!(true), "{test}");
    assert!(azure.server.sign_ins()[0].is_encrypted);
}

#[tokio::test]
async fn no_secret_is_told_of_when_a_server_tells_it() {
    let log = capture();
    let searcher = Searcher::default();
    let words = "Login failed with {secret}".to_owned();
    for number in [18456, 50_000] {
        let verdict = Verdict::Refuse(number, words.clone());
        let azure = Azure::new(HOST, verdict).await;
        for body in [azure.app(), azure.password("verify-full")] {
            let path = azure.engine(&body).await;
            for action in ["test", "discover"] {
                let path = format!("{path}/{action}");
                let answer = azure.world.post(&path, &json!({})).await;
                searcher.is_clean(&path, &answer.bytes);
            }
            azure.world.delete(&path).await.expect(200);
        }
        let told = azure.server.sign_ins();
        let told: Vec<_> = told.iter().map(|sign_in| sign_in.token.is_some()).collect();
        assert_eq!(told, [true, true, false, false]);
    }
    let logged = log.bytes();
    let text = String::from_utf8_lossy(&logged);
    assert!(text.contains("answered"), "the log was captured");
    searcher.is_clean("the log", &logged);
}
