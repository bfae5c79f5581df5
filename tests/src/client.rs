//! The API as a script of a user calls it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::events::LiveEvents;

/// Longest wait for a job to end.
const JOB_LIMIT: Duration = Duration::from_mins(3);

/// Longest stream of events.
const LISTENING_LIMIT: Duration = Duration::from_mins(15);

/// A signed-in caller.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// A caller of the API on this loopback port.
    pub fn new(port: u16, token: &str) -> Result<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .build()?;
        Ok(Self {
            http,
            base: format!("http://127.0.0.1:{port}/api"),
            token: token.to_owned(),
        })
    }

    /// Whether the API answers.
    pub async fn is_healthy(&self) -> bool {
        let sent = self.http.get(format!("{}/health", self.base)).send().await;
        sent.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    /// Sends a request and gives the answer as it came.
    pub async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await;
        answer.with_context(|| format!("call {path}"))
    }

    /// Sends a request and gives status and body.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        let answer = self.answer(method, path, body).await?;
        let status = answer.status();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok((status, body))
    }

    /// Sends a request that must succeed.
    pub async fn expect(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, answer) = self.call(method.clone(), path, body).await?;
        if !status.is_success() {
            bail!("{method} {path} answered {status}: {answer}");
        }
        Ok(answer)
    }

    /// Reads a resource.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.expect(Method::GET, path, None).await
    }

    /// Posts a body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.expect(Method::POST, path, Some(body)).await
    }

    /// Listens to what happens: from now on, or after an event that was told before.
    pub async fn listen(&self, last: Option<&str>) -> Result<LiveEvents> {
        let request = self.http.get(format!("{}/events", self.base));
        let mut request = request.bearer_auth(&self.token).timeout(LISTENING_LIMIT);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let answer = request.send().await.context("listen")?;
        Ok(LiveEvents::of(answer.error_for_status()?))
    }

    /// Follows a download link: one into the API signed in, one into a store as it is.
    pub async fn download(&self, url: &str) -> Result<Vec<u8>> {
        let mut request = self.http.get(url);
        if url.starts_with(&self.base) {
            request = request.bearer_auth(&self.token);
        }
        let answer = request.send().await.context("follow the link")?;
        let status = answer.status();
        let bytes = answer.bytes().await?.to_vec();
        if status != StatusCode::OK {
            bail!(
                "the link answered {status}: {}",
                String::from_utf8_lossy(&bytes)
            );
        }
        Ok(bytes)
    }

    /// Triggers a backup and gives the job's id.
    pub async fn back_up(&self, database: &str) -> Result<String> {
        let answer = self
            .post(&format!("/databases/{database}/backup"), &json!({}))
            .await?;
        text(&answer, "/job_id")
    }

    /// Asks for a restore into a new database, compared with the source, and gives the job's id.
    pub async fn restore(&self, backup: &str, target: &str) -> Result<String> {
        let body = json!({"target_database": target, "compare_with_source": true});
        let answer = self
            .post(&format!("/backups/{backup}/restore"), &body)
            .await?;
        text(&answer, "/job_id")
    }

    /// Waits until a job is over and gives it.
    pub async fn finished(&self, job: &str) -> Result<Value> {
        let deadline = Instant::now() + JOB_LIMIT;
        loop {
            let answer = self.get(&format!("/jobs/{job}")).await?;
            let status = text(&answer, "/status")?;
            if !["pending", "in_progress"].contains(&status.as_str()) {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                bail!("job {job} is not over: {answer}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a job is over, which must be well.
    pub async fn completed(&self, job: &str) -> Result<Value> {
        let answer = self.finished(job).await?;
        if answer.pointer("/status") != Some(&json!("completed")) {
            bail!("job {job} should be completed: {answer}");
        }
        Ok(answer)
    }
}

/// A text in an answer.
pub fn text(answer: &Value, pointer: &str) -> Result<String> {
    answer
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("{pointer} is missing in {answer}"))
}
