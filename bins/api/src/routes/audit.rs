//! The audit log: `/api/audit`.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use dilux_core::repository::Cursor;
use utoipa_axum::routes;

use super::export::file;
use crate::app::App;
use crate::input::Query;
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::audit::{
    Actions, Counts, Entry, List, PageQuery, ResourceTypes, Selection, Unfinished, UnfinishedQuery,
};
use crate::wire::export::ExportQuery;

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::Administer, routes!(list_audit))
        .route(Permission::View, routes!(list_actions))
        .route(Permission::View, routes!(list_resource_types))
        .route(Permission::Administer, routes!(count_audit))
        .costly_route(Permission::Administer, routes!(list_unfinished))
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

/// What somebody began to do and of whose end nothing is known, newest first: the service died
/// half-way, or its result could not be noted. Look at the thing to see whether it was done. What
/// began in the last 15 minutes is left out.
#[utoipa::path(
    get, path = "/api/audit/unfinished", tag = "audit", params(UnfinishedQuery),
    responses((status = 200, body = Unfinished))
)]
async fn list_unfinished(
    State(app): State<App>,
    Query(UnfinishedQuery { days }): Query<UnfinishedQuery>,
) -> Answer<Json<Unfinished>> {
    let found = app.list_unfinished(days).await?;
    Ok(Json(Unfinished::from(found)))
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
    let read = move |from: Option<Cursor>| {
        let (app, filter) = (app.clone(), filter.clone());
        async move {
            let part = app.export_audit(&filter, from.as_ref()).await?;
            Ok(part.map(Entry::from))
        }
    };
    file(format, read).await
}
