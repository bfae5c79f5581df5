//! Asks the identity provider over HTTP: short answers of JSON, in a short time, from nowhere else
//! than where it was asked.

mod guard;

use std::sync::Arc;
use std::time::Duration;

use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
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
        let client = self.client().await?;
        guard::check(url).map_err(|refusal| unavailable(refusal.into()))?;
        json(client.get(url.clone())).await
    }

    /// Exchanges a code; the ID token, or `None` when the code is not accepted.
    pub(super) async fn exchange(
        &self,
        url: &Url,
        exchange: &Exchange<'_>,
    ) -> Result<Option<String>> {
        let client = self.client().await?;
        guard::check(url).map_err(|refusal| unavailable(refusal.into()))?;
        let mut request = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(exchange.form());
        if let Some(credentials) = exchange.credentials()? {
            request = request.header(AUTHORIZATION, credentials);
        }
        let response = request.send().await.map_err(silent)?;
        if response.status().is_client_error() {
            // An expired code as well as a wrong secret of the app, which an admin must mend.
            tracing::warn!(status = %response.status(), "the identity provider refused a code");
            return Ok(None);
        }
        let tokens: Tokens = body(response).await?;
        Ok(Some(tokens.id_token))
    }

    async fn client(&self) -> Result<&Client> {
        self.0.get_or_try_init(async || client()).await
    }
}

/// What is sent to exchange a code.
pub(super) struct Exchange<'a> {
    /// Our app.
    pub(super) client_id: &'a str,
    /// Its secret, where it has one.
    pub(super) secret: Option<&'a SecretValue>,
    /// Whether the secret stands in the body.
    pub(super) sends_secret_in_body: bool,
    /// The other fields.
    pub(super) fields: &'a [(&'a str, &'a str)],
}

impl Exchange<'_> {
    fn form(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(self.fields);
        form.append_pair("client_id", self.client_id);
        if let Some(secret) = self.secret.filter(|_| self.sends_secret_in_body) {
            form.append_pair("client_secret", secret.expose());
        }
        form.finish()
    }

    /// The header of a secret that does not stand in the body (RFC 6749, section 2.3.1).
    fn credentials(&self) -> Result<Option<HeaderValue>> {
        let Some(secret) = self.secret.filter(|_| !self.sends_secret_in_body) else {
            return Ok(None);
        };
        let encoded =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(self.client_id), encoded(secret.expose()));
        let text = format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()));
        let mut value = HeaderValue::try_from(text)
            .map_err(|error| Error::internal("sign in to the identity provider", error))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// The part of the answer that is used: the others open things that are not ours.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

fn client() -> Result<Client> {
    // An error means that the process has a provider already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .timeout(TIMEOUT)
        .dns_resolver(Arc::new(guard::Resolver))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Error::internal("start the HTTPS client", error.without_url()))
}

/// The JSON of a successful answer.
async fn json<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let response = request.send().await.map_err(silent)?;
    body(response).await
}

async fn body<T: DeserializeOwned>(response: reqwest::Response) -> Result<T> {
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
