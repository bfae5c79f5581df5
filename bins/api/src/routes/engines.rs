//! Engines: `/api/engines`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dilux_core::model::EngineId;
use utoipa_axum::routes;

use super::reply::{Created, Tagged, created, tagged};
use crate::app::{App, Discovery};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::{Body, Id, Query};
use crate::permission::Permission;
use crate::problem::{Answer, ProblemBody};
use crate::registration::Routes;
use crate::wire::database::{Imported, NewImport, NewImportBody};
use crate::wire::engine::{
    DiscoveredDatabase, DiscoveredDatabases, Engine, EngineChange, EngineChanged, EngineCreated,
    EngineDeleted, EngineFilter, EngineList, EngineRemoval, EngineTest, NewEngine, RemovalPreview,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(list_engines))
        .route(Permission::ManageEngines, routes!(create_engine))
        .route(Permission::View, routes!(get_engine))
        .route(
            Permission::ManageEngines,
            routes!(update_engine, delete_engine),
        )
        .route(Permission::ManageEngines, routes!(preview_removal))
        .costly_route(Permission::RunBackups, routes!(test_engine))
        .costly_route(Permission::ManageDatabases, routes!(discover_databases))
        .costly_route(Permission::ManageDatabases, routes!(import_databases))
}

/// Engines by name.
#[utoipa::path(
    get, path = "/api/engines", tag = "engines", params(EngineFilter),
    responses((status = 200, body = EngineList))
)]
async fn list_engines(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<EngineFilter>,
) -> Answer<Json<EngineList>> {
    let page = app.list_engines(&filter).await?;
    Ok(Json(EngineList::new(&page, &filter, &caller)))
}

/// Registers an engine, and asks it for its databases if that is wanted.
#[utoipa::path(
    post, path = "/api/engines", tag = "engines", request_body = NewEngine,
    responses((status = 201, body = EngineCreated))
)]
async fn create_engine(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewEngine>,
) -> Answer<Created<EngineCreated>> {
    let wants_discovery = new.discover_databases;
    let engine = app.create_engine(new, &caller).await?;
    let mut answer = EngineCreated {
        engine: Engine::from(&engine.value),
        discovered_databases: None,
        discovery_error: None,
        note: app.no_backups_of(engine.value.engine_type),
    };
    if wants_discovery {
        match app.discover(&engine.value.id, &caller).await {
            Ok(found) => answer.discovered_databases = Some(shown(&found)),
            Err(error) => answer.discovery_error = Some(error.to_string()),
        }
    }
    Ok(created(&engine.version, answer))
}

/// One engine.
#[utoipa::path(
    get, path = "/api/engines/{engine_id}", tag = "engines",
    params(("engine_id" = String, Path, description = "Id of the engine")),
    responses((status = 200, body = Engine))
)]
async fn get_engine(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<EngineId>,
) -> Answer<Tagged<Engine>> {
    let view = app.view_engine(&id).await?;
    let engine = Engine::from(&view).seen_by(&caller);
    Ok(tagged(&view.engine.version, engine))
}

/// Changes an engine. `engine_type`, `host` and `port` stay as they are; an empty password keeps the
/// present one.
#[utoipa::path(
    put, path = "/api/engines/{engine_id}", tag = "engines",
    params(
        ("engine_id" = String, Path, description = "Id of the engine"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = EngineChange,
    responses((status = 200, body = EngineChanged))
)]
async fn update_engine(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<EngineId>,
    if_match: IfMatch,
    Body(change): Body<EngineChange>,
) -> Answer<Tagged<EngineChanged>> {
    let update = app.update_engine(&id, &change, &if_match, &caller).await?;
    Ok(tagged(&update.engine.version, EngineChanged::from(&update)))
}

/// What the removal of an engine would take with it, and which jobs it would cancel.
#[utoipa::path(
    get, path = "/api/engines/{engine_id}/removal", tag = "engines",
    params(("engine_id" = String, Path, description = "Id of the engine")),
    responses((status = 200, body = RemovalPreview))
)]
async fn preview_removal(
    State(app): State<App>,
    Id(id): Id<EngineId>,
) -> Answer<Json<RemovalPreview>> {
    Ok(Json(RemovalPreview::from(&app.preview_removal(&id).await?)))
}

/// Removes an engine. One with databases is refused, unless they shall go with it; backups stay,
/// unless they shall go too.
#[utoipa::path(
    delete, path = "/api/engines/{engine_id}", tag = "engines",
    params(
        ("engine_id" = String, Path, description = "Id of the engine"),
        EngineRemoval,
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = EngineDeleted))
)]
async fn delete_engine(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<EngineId>,
    if_match: IfMatch,
    Query(removal): Query<EngineRemoval>,
) -> Answer<Json<EngineDeleted>> {
    let removed = app.delete_engine(&id, &removal, &if_match, &caller).await?;
    Ok(Json(EngineDeleted::after(&removal, &removed)))
}

/// Tests the connection with the engine's stored credentials.
#[utoipa::path(
    post, path = "/api/engines/{engine_id}/test", tag = "engines",
    params(("engine_id" = String, Path, description = "Id of the engine")),
    responses((status = 200, body = EngineTest))
)]
async fn test_engine(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<EngineId>,
) -> Answer<Json<EngineTest>> {
    let test = app.test_engine(&id, &caller).await?;
    Ok(Json(EngineTest::from(test)))
}

/// Asks the engine for its databases, and says which are registered.
#[utoipa::path(
    post, path = "/api/engines/{engine_id}/discover", tag = "engines",
    params(("engine_id" = String, Path, description = "Id of the engine")),
    responses((status = 200, body = DiscoveredDatabases))
)]
async fn discover_databases(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<EngineId>,
) -> Answer<Json<DiscoveredDatabases>> {
    let found = app.discover(&id, &caller).await?;
    Ok(Json(DiscoveredDatabases {
        databases: shown(&found),
        engine_id: found.engine.id.to_string(),
        engine_name: found.engine.name.to_string(),
        note: found.no_backups,
    }))
}

/// Registers databases of the engine. Bad entries do not stop good ones; when none is good, the
/// status is 400 and the body the same.
#[utoipa::path(
    post, path = "/api/engines/{engine_id}/databases", tag = "engines",
    params(("engine_id" = String, Path, description = "Id of the engine")),
    request_body = NewImportBody,
    responses(
        (status = 201, body = Imported),
        (status = 400, description = "No entry is good, or the request is malformed", content(
            (Imported = "application/json"),
            (ProblemBody = "application/problem+json"),
        )),
    )
)]
async fn import_databases(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<EngineId>,
    Body(new): Body<NewImport>,
) -> Answer<(StatusCode, Json<Imported>)> {
    let imported = Imported::from(app.import(&id, new, &caller).await?);
    let status = if imported.total_created > 0 {
        StatusCode::CREATED
    } else {
        StatusCode::BAD_REQUEST
    };
    Ok((status, Json(imported)))
}

fn shown(found: &Discovery) -> Vec<DiscoveredDatabase> {
    found
        .databases
        .iter()
        .map(DiscoveredDatabase::from)
        .collect()
}
