//! The OpenAPI document, generated from the routes, and its user interface.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{self, HeaderValue};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use dilux_core::Error;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder, Schema,
    SecurityRequirement, Tag,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::app::App;
use crate::problem::{Answer, ProblemBody};
use crate::registration::operations;
use crate::wire::event::EventData;
use crate::{routes, session_cookie};

/// Failures that an operation may answer with, beside those it names itself.
const FAILURES: &[(&str, &str)] = &[
    ("400", "The request cannot be carried out as things are"),
    ("401", "The caller is not known"),
    ("403", "The role of the caller does not allow it"),
    ("404", "There is nothing of that id"),
    ("409", "The name or the id is taken"),
    ("412", "It was changed since it was read"),
    ("413", "The body is too long"),
    ("416", "The range lies outside of the data"),
    ("421", "The request was addressed to another machine"),
    ("422", "Fields were refused; see `errors`"),
    ("429", "Tried too often; see `Retry-After`"),
    ("500", "A defect; see the log"),
    ("503", "A store does not answer; see `Retry-After`"),
];

/// What the answers that operations name themselves mean.
const SUCCESSES: &[(&str, &str)] = &[
    ("200", "Done"),
    ("201", "Made"),
    ("202", "Accepted; a job does it"),
    ("206", "The part that was asked for"),
];

/// What the cookie is.
const SESSION: &str = "The session of `POST /api/auth/login`. What changes something needs the header \
     `X-Requested-With` beside it";

/// Groups of operations, in the order in which people need them.
const TAGS: &[(&str, &str)] = &[
    ("engines", "Database servers"),
    ("databases", "Databases to be backed up"),
    ("policies", "When to back up and how many backups to keep"),
    ("jobs", "Backups and restores at work"),
    ("backups", "The history, its data, and restores"),
    (
        "retention",
        "Which backups stay, which go, and wishes about single ones",
    ),
    ("alerts", "What somebody must act on"),
    ("access", "Who may do what"),
    ("audit", "Who did what"),
    ("system", "The service itself"),
];

/// The OpenAPI document of all routes.
pub fn openapi() -> OpenApi {
    let base = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Dilux database backup")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Registers database servers and databases, backs them up and restores them.",
                ))
                .build(),
        )
        .build();
    let mut document = routes::all().describe(base);
    let components = document.components.get_or_insert_default();
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description =
        Some("An API token, or for the first admin the bootstrap token".to_owned());
    let bearer = SecurityScheme::Http(bearer);
    components.add_security_scheme("bearer", bearer);
    let session = ApiKeyValue::with_description(session_cookie::NAME, SESSION);
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(session));
    components.add_security_scheme("session", session);
    let mut schemas = described_by::<ProblemBody>();
    schemas.extend(described_by::<EventData>());
    components.schemas.extend(schemas);
    let either = ["bearer", "session"].map(|name| SecurityRequirement::new(name, [""; 0]));
    document.security = Some(either.to_vec());
    document.tags = Some(tags());
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            describe_successes(operation);
            add_failures(operation);
        }
    }
    document
}

/// The schema of a type that no operation names, and those that it refers to.
fn described_by<T: ToSchema + PartialSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

fn tags() -> Vec<Tag> {
    let tag = |(name, description): &(&str, &str)| {
        let builder = TagBuilder::new().name(*name);
        builder.description(Some(*description)).build()
    };
    TAGS.iter().map(tag).collect()
}

fn describe_successes(operation: &mut Operation) {
    for (status, description) in SUCCESSES {
        if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(*status)
            && response.description.is_empty()
        {
            (*description).clone_into(&mut response.description);
        }
    }
}

fn add_failures(operation: &mut Operation) {
    for (status, description) in FAILURES {
        let responses = &mut operation.responses.responses;
        if !responses.contains_key(*status) {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(ProblemBody::name())))
                .build();
            let response = ResponseBuilder::new()
                .description(*description)
                .content("application/problem+json", content)
                .build();
            responses.insert((*status).to_owned(), response.into());
        }
    }
}

/// What the page of the document may do: run and show what comes from here, and call this API. It
/// styles its elements one by one.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where the document is.
const ADDRESS: &str = "/api/openapi.json";

/// Swagger UI at `/api/docs` and the document at [`ADDRESS`]; all its files are part of the program.
pub(crate) fn user_interface() -> Router<App> {
    let pages: Router<App> = SwaggerUi::new("/api/docs")
        .config(Config::from(ADDRESS))
        .into();
    let pages = pages.route(ADDRESS, get(sent));
    pages.layer(map_response(async |mut response: Response| {
        let policy = HeaderValue::from_static(POLICY);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    }))
}

/// The document as it is sent, made when somebody asks for it: at rest it would be a third of what
/// the service holds.
async fn sent() -> Answer<impl IntoResponse> {
    static TEXT: LazyLock<serde_json::Result<Bytes>> =
        LazyLock::new(|| serde_json::to_vec(&openapi()).map(Bytes::from));
    let text = TEXT.as_ref();
    let text = text.map_err(|error| Error::internal("write the document", error))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text.clone()))
}
