//! What Entra ID refuses, as it was said: the Azure crate reads some refusals wrongly (those with an
//! escaped character in their sentence), and asks again on its own after others.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};

/// A transport that hands refusals on as errors with the whole answer.
#[derive(Debug)]
pub(super) struct Refusing(pub(super) Arc<dyn HttpClient>);

#[async_trait]
impl HttpClient for Refusing {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let response = self.0.execute_request(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let response = response.try_into_raw_response().await?;
        let kind = ErrorKind::HttpResponse {
            status,
            error_code: None,
            raw_response: Some(Box::new(response)),
        };
        Err(azure_core::Error::with_message(kind, "no token was given"))
    }
}
