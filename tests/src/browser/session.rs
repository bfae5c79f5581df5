//! A session of WebDriver (<https://www.w3.org/TR/webdriver2/>): the few commands that tests need. The
//! crates that speak it bring a licence that is not allowed here, or make `serde_json` keep the order
//! of keys in the whole workspace, which would test other services than those that are shipped.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;
use serde_json::{Value, json};

/// The key that marks an element in an answer.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Longest wait for an answer; starting a browser takes the longest.
const LIMIT: Duration = Duration::from_mins(2);

/// A browser window.
#[derive(Debug)]
pub(super) struct Session {
    http: reqwest::Client,
    base: String,
}

impl Session {
    /// Starts a browser by the driver at this address, and opens a window.
    pub(super) async fn begin(driver: &str) -> Result<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut session = Self {
            http: reqwest::Client::builder().timeout(LIMIT).build()?,
            base: format!("{driver}/session"),
        };
        let mut switches = vec![
            "--headless=new",
            "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--window-size=1280,900",
        ];
        if geteuid().is_root() {
            switches.push("--no-sandbox");
        }
        let wishes = json!({ "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": switches },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } });
        let wishes = json!({ "capabilities": wishes });
        let begun = session.send(&session.base, &wishes).await;
        let begun = begun.context("start Chromium")?;
        let id = begun["sessionId"].as_str().context("a session has an id")?;
        session.base = format!("{}/{id}", session.base);
        Ok(session)
    }

    /// Sends a command and gives its value.
    pub(super) async fn post(&self, command: &str, body: &Value) -> Result<Value> {
        self.send(&format!("{}/{command}", self.base), body).await
    }

    /// The first element that a selector finds, as the beginning of commands.
    pub(super) async fn find(&self, selector: &str) -> Result<String> {
        let body = json!({ "using": "css selector", "value": selector });
        let found = self.post("element", &body).await?;
        let id = found[ELEMENT].as_str().context("an element has an id")?;
        Ok(format!("element/{id}"))
    }

    /// What was logged since this was last asked for.
    pub(super) async fn log(&self, name: &str) -> Result<Vec<String>> {
        let entries = self.post("se/log", &json!({ "type": name })).await?;
        let entries = entries.as_array().context("a log is a list")?;
        let message = |entry: &Value| Some(entry["message"].as_str()?.to_owned());
        entries
            .iter()
            .map(|entry| message(entry).context("an entry has a message"))
            .collect()
    }

    async fn send(&self, url: &str, body: &Value) -> Result<Value> {
        let answer = self.http.post(url).json(body).send().await?;
        let is_good = answer.status().is_success();
        let mut answer: Value = answer.json().await?;
        if !is_good {
            bail!("{url} {body}: {}", answer["value"]["message"]);
        }
        Ok(answer["value"].take())
    }
}
