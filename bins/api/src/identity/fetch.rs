//! Asks the identity provider over HTTP: short answers of JSON, in a short time, from nowhere else
//! than where it was asked.

use std::time::Duration;

use dilux_core::{Error, Result};
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use url::Url;

/// Longest time for one exchange.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer, in bytes.
const LONGEST: usize = 512 * 1024;

/// The client, made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Fetcher(OnceCell<Client>);

impl Fetcher {
    /// Reads the JSON at an address.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T> {
        let request = self.client().await?.get(url.clone());
        json(request).await
    }

    async fn client(&self) -> Result<&Client> {
        self.0.get_or_try_init(async || client()).await
    }
}

fn client() -> Result<Client> {
    // An error means that the process has a provider already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Error::internal("start the HTTPS client", error.without_url()))
}

/// The JSON of a successful answer.
async fn json<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let response = request.send().await.map_err(silent)?;
    let mut response = response.error_for_status().map_err(silent)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > LONGEST {
            return Err(unavailable("an answer that is too long".into()));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|error| unavailable(error.into()))
}

fn silent(error: reqwest::Error) -> Error {
    unavailable(error.without_url().into())
}

/// The provider could not be asked, or its answer could not be used.
pub(super) fn unavailable(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Unavailable {
        message: "the identity provider does not answer as it should; try again in a moment"
            .to_owned(),
        retry_after: None,
        source: Some(source),
    }
}
