//! The audit log: `/api/audit`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use dilux_core::Error;
use dilux_core::model::AuditEntry;
use dilux_core::repository::{AuditFilter, Cursor};
use futures::stream::{self, Stream, StreamExt as _};
use utoipa_axum::routes;

use crate::app::App;
use crate::input::Query;
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::audit::{
    Actions, Counts, Entry, ExportFormat, ExportQuery, List, PageQuery, ResourceTypes, Selection,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::Administer, routes!(list_audit))
        .route(Permission::View, routes!(list_actions))
        .route(Permission::View, routes!(list_resource_types))
        .route(Permission::Administer, routes!(count_audit))
        .costly_route(Permission::Administer, routes!(export_audit))
}

/// Who did what, newest first.
#[utoipa::path(
    get, path = "/api/audit", tag = "audit",
    params(
        PageQuery,
        ("cursor" = Option<String>, Query, description = "`next_cursor` of an earlier page"),
        Selection,
    ),
    responses((status = 200, body = List))
)]
async fn list_audit(
    State(app): State<App>,
    Query(page): Query<PageQuery>,
    Query(selection): Query<Selection>,
) -> Answer<Json<List>> {
    let filter = selection.filter();
    let found = app.list_audit(&filter, &page.start, page.limit).await?;
    Ok(Json(List::from(found)))
}

/// What the filter `action` may be.
#[utoipa::path(
    get, path = "/api/audit/actions", tag = "audit",
    responses((status = 200, body = Actions))
)]
async fn list_actions() -> Json<Actions> {
    Json(Actions::all())
}

/// What the filter `resource_type` may be.
#[utoipa::path(
    get, path = "/api/audit/resource-types", tag = "audit",
    responses((status = 200, body = ResourceTypes))
)]
async fn list_resource_types() -> Json<ResourceTypes> {
    Json(ResourceTypes::all())
}

/// How many entries there are of each kind.
#[utoipa::path(
    get, path = "/api/audit/stats", tag = "audit", params(Selection),
    responses((status = 200, body = Counts))
)]
async fn count_audit(
    State(app): State<App>,
    Query(selection): Query<Selection>,
) -> Answer<Json<Counts>> {
    let summary = app.count_audit(&selection.filter()).await?;
    Ok(Json(Counts::from(summary)))
}

/// All entries that match, newest first, as a file. A file that could not be read to its end breaks
/// off with an error of the connection.
#[utoipa::path(
    get, path = "/api/audit/export", tag = "audit", params(ExportQuery, Selection),
    responses((status = 200, content(
        (String = "application/x-ndjson"), (String = "text/csv")
    )))
)]
async fn export_audit(
    State(app): State<App>,
    Query(ExportQuery { format }): Query<ExportQuery>,
    Query(selection): Query<Selection>,
) -> Answer<Response> {
    let filter = selection.filter();
    let first = app.export_audit(&filter, None).await?;
    let head = stream::once(async move { Ok::<_, Error>(format.head()) });
    let body = head.chain(parts(app, filter, format, first));
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    );
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_static(format.disposition()),
    );
    Ok(response)
}

type Part = Option<(Vec<AuditEntry>, Cursor)>;

/// The text of the export, a few entries at a time; `first` has been read already, so that a store
/// that does not answer is an answer and not a broken file.
fn parts(
    app: App,
    filter: AuditFilter,
    format: ExportFormat,
    first: Part,
) -> impl Stream<Item = Result<String, Error>> {
    stream::try_unfold(
        (app, filter, first),
        move |(app, filter, part)| async move {
            let Some((entries, cursor)) = part else {
                return Ok(None);
            };
            let mut text = String::new();
            for entry in entries {
                format.write(Entry::from(entry), &mut text);
            }
            let next = app.export_audit(&filter, Some(cursor)).await?;
            Ok(Some((text, (app, filter, next))))
        },
    )
}
