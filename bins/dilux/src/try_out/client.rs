//! A small client of the REST API.

use std::time::Duration;

use anyhow::{Context, bail};
use dilux_core::secret::SecretValue;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use url::Url;

/// Longest wait for an answer: the API's own calls to a dead store give up within 10 s.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// Speaks to one API as one caller.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    api: Url,
}

impl Client {
    /// A client of the API at `api` that signs in with `token`.
    pub(super) fn new(api: Url, token: &SecretValue) -> anyhow::Result<Self> {
        // Fails when the process has chosen a provider already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .context("the token holds characters that no header may hold")?;
        bearer.set_sensitive(true);
        let http = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .timeout(ANSWER_LIMIT)
            .build()?;
        Ok(Self { http, api })
    }

    pub(super) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.send(Method::GET, path, query, None).await
    }

    pub(super) async fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    pub(super) async fn put(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    pub(super) async fn delete(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<Value> {
        self.send(Method::DELETE, path, query, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let url = address(&self.api, path, query)?;
        let context = format!("{method} {url}");
        let mut request: RequestBuilder = self.http.request(method, url);
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.with_context(|| context.clone())?;
        let status = response.status();
        let bytes = response.bytes().await.with_context(|| context.clone())?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if !status.is_success() {
            bail!("{context}: {status}: {}", problem(&answer));
        }
        Ok(answer)
    }
}

/// `{api}/api/{path}?{query}`, each part of the path encoded.
fn address(api: &Url, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Url> {
    let mut url = api.clone();
    url.path_segments_mut()
        .map_err(|()| anyhow::anyhow!("{api} cannot be the address of an API"))?
        .pop_if_empty()
        .push("api")
        .extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// The words of a problem document.
fn problem(answer: &Value) -> &str {
    ["detail", "error", "title"]
        .iter()
        .find_map(|key| answer[*key].as_str())
        .unwrap_or("no explanation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_path_are_encoded_and_a_base_path_is_kept() {
        let base = Url::parse("http://127.0.0.1:7071/dilux/").unwrap();
        let url = address(&base, &["databases", "a/b ?"], &[("engine_id", "x&y")]).unwrap();
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:7071/dilux/api/databases/a%2Fb%20%3F?engine_id=x%26y"
        );
    }

    #[test]
    fn a_problem_document_is_read_by_its_detail() {
        let answer = serde_json::json!({"title": "Invalid", "detail": "port is not a number"});
        assert_eq!(problem(&answer), "port is not a number");
        assert_eq!(problem(&Value::Null), "no explanation");
    }
}
