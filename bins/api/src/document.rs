//! The OpenAPI document, generated from the routes, and its user interface.

use axum::Router;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, ResponseBuilder,
    SecurityRequirement, Tag,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::app::App;
use crate::problem::ProblemBody;
use crate::routes;

/// Failures that an operation may answer with, beside those it names itself.
const FAILURES: &[(&str, &str)] = &[
    ("400", "The request cannot be carried out as things are"),
    ("401", "The token is missing or wrong"),
    ("404", "There is nothing of that id"),
    ("409", "The name or the id is taken"),
    ("412", "It was changed since it was read"),
    ("413", "The body is too long"),
    ("416", "The range lies outside of the data"),
    ("421", "The request was addressed to another machine"),
    ("422", "Fields were refused; see `errors`"),
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
    let router: OpenApiRouter<App> = OpenApiRouter::with_openapi(base)
        .merge(routes::public())
        .merge(routes::protected());
    let mut document = router.into_openapi();
    let components = document.components.get_or_insert_default();
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some("The content of the file `bootstrap-token`".to_owned());
    let bearer = SecurityScheme::Http(bearer);
    components.add_security_scheme("bearer", bearer);
    components
        .schemas
        .insert(ProblemBody::name().into_owned(), ProblemBody::schema());
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    document.security = Some(vec![SecurityRequirement::new("bearer", [""; 0])]);
    document.tags = Some(tags());
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            describe_successes(operation);
            add_failures(operation);
        }
    }
    document
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

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
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

/// Swagger UI at `/api/docs` and the document at `/api/openapi.json`; all its files are part of the
/// program.
pub(crate) fn user_interface() -> Router<App> {
    SwaggerUi::new("/api/docs")
        .url("/api/openapi.json", openapi())
        .into()
}
