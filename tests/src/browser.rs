//! A browser as a person uses it: Chromium, steered over WebDriver, and ended by process ids.

mod driver;
mod session;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use url::Url;

use crate::eventually;
use driver::Driver;
use session::Session;

/// A running browser with one page.
#[derive(Debug)]
pub struct Browser {
    page: Session,
    _driver: Driver,
}

impl Browser {
    /// Starts one that reaches nothing but this machine.
    pub async fn start() -> Result<Self> {
        let driver = Driver::start()?;
        let page = Session::begin(&driver.until_ready().await?).await?;
        Ok(Self {
            page,
            _driver: driver,
        })
    }

    /// Goes to a page.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.page.post("url", &json!({ "url": url })).await?;
        Ok(())
    }

    /// Runs a script in the page with one argument and gives what it returns.
    pub async fn run(&self, script: &str, argument: &str) -> Result<Value> {
        let body = json!({ "script": script, "args": [argument] });
        self.page.post("execute/sync", &body).await
    }

    /// The text of what a selector finds first, with its white space made plain; none when there is
    /// nothing or it is not shown.
    pub async fn text(&self, selector: &str) -> Result<Option<String>> {
        let script = "const found = document.querySelector(arguments[0]);
            return found?.checkVisibility() ? found.textContent.replace(/\\s+/g, ' ').trim() : null";
        let text = self.run(script, selector).await?;
        Ok(text.as_str().map(str::to_owned))
    }

    /// Waits until that text holds this one, and gives it.
    pub async fn until(&self, selector: &str, wanted: &str) -> Result<String> {
        let mut found = None;
        let what = format!("'{wanted}' in {selector}");
        let outcome = eventually(&what, async || {
            found = self.text(selector).await?;
            Ok(found.as_deref().is_some_and(|text| text.contains(wanted)))
        });
        if let Err(error) = outcome.await {
            let all = self.text("body").await?;
            bail!("{error}; the page says: {}", all.unwrap_or_default());
        }
        found.context("there is a text")
    }

    /// Waits until a selector finds nothing that is shown.
    pub async fn until_gone(&self, selector: &str) -> Result<()> {
        let what = format!("{selector} should be gone");
        eventually(&what, async || Ok(self.text(selector).await?.is_none())).await
    }

    /// Types into a field, in place of what stands there.
    pub async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        let field = self.page.find(selector).await?;
        self.page
            .post(&format!("{field}/clear"), &json!({}))
            .await?;
        let text = json!({ "text": text });
        self.page.post(&format!("{field}/value"), &text).await?;
        Ok(())
    }

    /// Clicks as a person does: on what is shown and not covered.
    pub async fn click(&self, selector: &str) -> Result<()> {
        let found = self.page.find(selector).await?;
        self.page
            .post(&format!("{found}/click"), &json!({}))
            .await?;
        Ok(())
    }

    /// What the browser had to say about the page since it was last asked: errors, refusals.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        self.page.log("browser").await
    }

    /// Whom pages sent requests to since it was last asked.
    pub async fn asked(&self) -> Result<BTreeSet<String>> {
        let mut asked = BTreeSet::new();
        for entry in self.page.log("performance").await? {
            let event: Value = serde_json::from_str(&entry)?;
            let event = &event["message"];
            if event["method"] == "Network.requestWillBeSent" {
                let url = event["params"]["request"]["url"].as_str();
                let url = Url::parse(url.context("a request has an address")?)?;
                asked.insert(url.origin().ascii_serialization());
            }
        }
        Ok(asked)
    }
}
