//! The table port on Azure Table storage: our own thin client on the Azure pipeline, since there
//! is no official crate for tables.

mod batch;
mod entity;
mod odata;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{
    Context, HttpClient, Method, Pipeline, PipelineSendOptions, RawResponse, Request, Url,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value as Json, json};

use self::write::Write;
use super::credential::{Signer, client_options};
use super::failure::{Failure, Refusal};
use super::percent;
use super::shared_key::Rules;
use crate::clock::SharedClock;
use crate::storage::{
    Continuation, ETag, EntityKey, Page, Query, StorageError, StorageErrorKind, StorageResult,
    StoredEntity, TableName, TableOperation, TableStore,
};

/// The protocol that we speak, whatever newer ones the account knows.
const VERSION: &str = "2019-02-02";

/// What tokens for storage are made out for.
const SCOPE: &str = "https://storage.azure.com/.default";

const ETAG: HeaderName = HeaderName::from_static_standard("etag");
const NEXT_PARTITION: HeaderName = HeaderName::from_static("x-ms-continuation-nextpartitionkey");
const NEXT_ROW: HeaderName = HeaderName::from_static("x-ms-continuation-nextrowkey");

/// Rows in Azure Table storage.
#[derive(Debug, Clone)]
pub struct AzureTableStore {
    pipeline: Pipeline,
    endpoint: Url,
}

impl AzureTableStore {
    pub(super) fn new(
        endpoint: Url,
        signer: &Signer,
        transport: &Arc<dyn HttpClient>,
        clock: &SharedClock,
    ) -> StorageResult<Self> {
        let mut policies: Vec<Arc<dyn Policy>> =
            signer.policy(Rules::Table, clock).into_iter().collect();
        if let Some(credential) = signer.token(&endpoint)? {
            policies.push(Arc::new(BearerTokenAuthorizationPolicy::new(
                credential,
                [SCOPE],
            )));
        }
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            client_options(transport, policies),
            Vec::new(),
            Vec::new(),
            None,
        );
        Ok(Self { pipeline, endpoint })
    }

    /// The service's address without a last slash.
    fn base(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let mut url = self.endpoint.clone();
        url.set_path(&format!(
            "{}/{path}",
            self.endpoint.path().trim_end_matches('/')
        ));
        let mut request = Request::new(url, method);
        request.insert_header("accept", "application/json;odata=minimalmetadata");
        request.insert_header("dataserviceversion", "3.0");
        request.insert_header("maxdataserviceversion", "3.0;NetFx");
        request.insert_header("x-ms-version", VERSION);
        request
    }

    async fn send(&self, mut request: Request) -> Result<RawResponse, Failure> {
        let options = PipelineSendOptions {
            skip_checks: true,
            ..Default::default()
        };
        let response = self
            .pipeline
            .send(&Context::new(), &mut request, Some(options))
            .await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Refusal::read(&response).into())
        }
    }

    async fn send_write(&self, write: Write) -> Result<Option<ETag>, Failure> {
        let is_delete = write.body.is_none();
        let mut request = self.request(write.method, &write.path);
        if let Some(etag) = write.if_match {
            request.insert_header("if-match", etag);
        }
        if let Some(json) = write.body {
            request.insert_header("content-type", "application/json");
            request.insert_header("prefer", "return-no-content");
            request.set_body(json);
        }
        let response = self.send(request).await?;
        match response.headers().get_optional_string(&ETAG) {
            _ if is_delete => Ok(None),
            Some(etag) => Ok(Some(ETag::new(etag))),
            None => Err(Failure::Unreadable(
                "a write was answered without an ETag".to_owned(),
            )),
        }
    }

    async fn send_query(&self, table: &TableName, parameters: &str) -> Result<Page, Failure> {
        let mut request = self.request(Method::Get, &format!("{table}()"));
        request
            .url_mut()
            .set_query(Some(parameters).filter(|text| !text.is_empty()));
        let response = self.send(request).await?;
        let next = continuation(&response);
        let mut body: Json = parse(&response)?;
        let Some(Json::Array(rows)) = body.get_mut("value").map(Json::take) else {
            return Err(Failure::Unreadable(
                "a page of rows has no list of rows".to_owned(),
            ));
        };
        let entities = rows
            .into_iter()
            .map(entity::from_json)
            .collect::<Result<_, _>>()?;
        Ok(Page { entities, next })
    }
}

#[async_trait]
impl TableStore for AzureTableStore {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        let mut request = self.request(Method::Post, "Tables");
        request.insert_header("content-type", "application/json");
        request.insert_header("prefer", "return-no-content");
        request.set_body(json!({ "TableName": table.as_str() }).to_string());
        match self.send(request).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.code() == Some("TableAlreadyExists") => Ok(()),
            Err(failure) => Err(failure.into_error("create table")),
        }
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        const OPERATION: &str = "get entity";
        let request = self.request(Method::Get, &odata::entity_path(table, key));
        match self.send(request).await {
            Ok(response) => parse(&response)
                .and_then(entity::from_json)
                .map(Some)
                .map_err(|failure| failure.into_error(OPERATION)),
            Err(failure)
                if failure.status() == Some(404) && failure.code() != Some("TableNotFound") =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure.into_error(OPERATION)),
        }
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        let parameters = parameters(query, from)?;
        self.send_query(table, &parameters)
            .await
            .map_err(|failure| failure.into_error("query entities"))
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        let name = match operation {
            TableOperation::Insert(_) => "insert entity",
            TableOperation::Replace(..) => "replace entity",
            TableOperation::Merge(..) => "merge entity",
            TableOperation::Delete(..) => "delete entity",
        };
        let write = Write::new(table, &operation)?;
        self.send_write(write)
            .await
            .map_err(|failure| failure.into_error(name))
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        const OPERATION: &str = "write batch";
        let writes = operations
            .iter()
            .map(|operation| Write::new(table, operation))
            .collect::<StorageResult<Vec<_>>>()?;
        let mut request = self.request(Method::Post, "$batch");
        request.insert_header("content-type", batch::CONTENT_TYPE);
        request.set_body(batch::body(self.base(), &writes));
        let response = self
            .send(request)
            .await
            .map_err(|failure| failure.into_error(OPERATION))?;
        batch::read(&response, writes.len()).map_err(|failed| {
            failed
                .failure
                .into_error(OPERATION)
                .with_batch_index(failed.index)
        })
    }
}

/// The query part of a request for rows.
fn parameters(query: &Query, from: Option<&Continuation>) -> StorageResult<String> {
    let mut pairs = Vec::new();
    if let Some(filter) = &query.filter
        && let Some(text) = odata::filter_text(filter)?
    {
        pairs.push(("$filter", text));
    }
    if let Some(names) = &query.select {
        let mut selected = vec!["PartitionKey", "RowKey", "Timestamp"];
        for name in names {
            selected.push(odata::identifier(name)?);
        }
        selected.sort_unstable();
        selected.dedup();
        pairs.push(("$select", selected.join(",")));
    }
    pairs.extend(query.top.map(|top| ("$top", top.to_string())));
    if let Some(from) = from {
        let (partition, row) = read_continuation(from)?;
        pairs.push(("NextPartitionKey", partition));
        pairs.extend(row.map(|row| ("NextRowKey", row)));
    }
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", percent::encode(value)))
        .collect();
    Ok(pairs.join("&"))
}

fn parse(response: &RawResponse) -> Result<Json, Failure> {
    serde_json::from_slice(response.body().as_ref())
        .map_err(|error| Failure::Unreadable(format!("the answer is not JSON: {error}")))
}

/// The service names two keys of its own making; together they are our opaque text.
fn continuation(response: &RawResponse) -> Option<Continuation> {
    let partition = response.headers().get_optional_str(&NEXT_PARTITION)?;
    let row = response.headers().get_optional_str(&NEXT_ROW);
    let pair = json!([partition, row]).to_string();
    Some(Continuation::new(BASE64URL_NOPAD.encode(pair.as_bytes())))
}

fn read_continuation(text: &Continuation) -> StorageResult<(String, Option<String>)> {
    BASE64URL_NOPAD
        .decode(text.as_str().as_bytes())
        .ok()
        .and_then(|pair| serde_json::from_slice(&pair).ok())
        .ok_or_else(|| {
            StorageError::new(
                StorageErrorKind::Invalid,
                "query entities",
                "the continuation is not one that this store gave",
            )
        })
}
