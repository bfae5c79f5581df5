//! Databases: `/api/databases`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dilux_core::model::DatabaseId;
use utoipa_axum::routes;

use super::reply::{Created, Tagged, accepted, created, tagged};
use crate::app::App;
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::{Body, Id, IdempotencyKey, Query};
use crate::permission::Permission;
use crate::problem::Answer;
use crate::registration::Routes;
use crate::wire::database::{
    ConnectionForm, ConnectionFormBody, Database, DatabaseChange, DatabaseDeleted, DatabaseFilter,
    DatabaseList, DatabaseRemoval, DatabaseSaved, DatabaseTest, NewDatabase, NewDatabaseBody,
    OneDatabase, noted,
};
use crate::wire::job::BackupQueued;
use crate::wire::rpo::Rpo;

pub(super) fn routes() -> Routes {
    Routes::default()
        .route(Permission::View, routes!(list_databases))
        .route(Permission::ManageDatabases, routes!(create_database))
        .costly_route(Permission::RunBackups, routes!(test_connection))
        .route(Permission::View, routes!(get_database))
        .route(
            Permission::ManageDatabases,
            routes!(update_database, delete_database),
        )
        .route(Permission::View, routes!(get_rpo))
        .costly_route(Permission::RunBackups, routes!(test_database))
        .costly_route(Permission::RunBackups, routes!(trigger_backup))
}

/// Databases by label.
#[utoipa::path(
    get, path = "/api/databases", tag = "databases", params(DatabaseFilter),
    responses((status = 200, body = DatabaseList))
)]
async fn list_databases(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<DatabaseFilter>,
) -> Answer<Json<DatabaseList>> {
    let page = app.list_databases(&filter).await?;
    let rpos = app.rpos_of(&page.page.items).await?;
    Ok(Json(DatabaseList::new(page, &rpos, &caller)))
}

/// Registers a database, with its engine when that is new. Takes the flat body, and both nested
/// ones.
#[utoipa::path(
    post, path = "/api/databases", tag = "databases", request_body = NewDatabaseBody,
    responses((status = 201, body = DatabaseSaved))
)]
async fn create_database(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewDatabase>,
) -> Answer<Created<DatabaseSaved>> {
    let view = app.create_database(new, &caller).await?;
    let rpo = app.rpo_of(&view).await?;
    let no_backups = app.no_backups_of(view.engine.engine_type);
    let saved = DatabaseSaved {
        message: noted("Database configuration created", no_backups.as_deref()),
        database: Database::from(&view).standing(&rpo),
    };
    Ok(created(&view.database.version, saved))
}

/// Tests a connection that is not saved, with credentials of its own or an engine's stored ones.
#[utoipa::path(
    post, path = "/api/databases/test-connection", tag = "databases",
    request_body = ConnectionFormBody,
    responses((status = 200, body = DatabaseTest))
)]
async fn test_connection(
    State(app): State<App>,
    caller: Caller,
    Body(form): Body<ConnectionForm>,
) -> Answer<Json<DatabaseTest>> {
    Ok(Json(app.test_form(&form, &caller).await?.into()))
}

/// One database.
#[utoipa::path(
    get, path = "/api/databases/{database_id}", tag = "databases",
    params(("database_id" = String, Path, description = "Id of the database")),
    responses((status = 200, body = OneDatabase))
)]
async fn get_database(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DatabaseId>,
) -> Answer<Tagged<OneDatabase>> {
    let view = app.view_database(&id).await?;
    let rpo = app.rpo_of(&view).await?;
    let database = Database::from(&view).standing(&rpo).seen_by(&caller);
    Ok(tagged(&view.database.version, OneDatabase { database }))
}

/// How a database stands against its recovery point objective.
#[utoipa::path(
    get, path = "/api/databases/{database_id}/rpo", tag = "databases",
    params(("database_id" = String, Path, description = "Id of the database")),
    responses((status = 200, body = Rpo))
)]
async fn get_rpo(State(app): State<App>, Id(id): Id<DatabaseId>) -> Answer<Json<Rpo>> {
    let view = app.view_database(&id).await?;
    Ok(Json(Rpo::from(&app.rpo_of(&view).await?)))
}

/// Changes a database; an empty password keeps the present one. With another `engine_id` it moves
/// there, once it could be opened there; a password of its own has to be sent again then.
#[utoipa::path(
    put, path = "/api/databases/{database_id}", tag = "databases",
    params(
        ("database_id" = String, Path, description = "Id of the database"),
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    request_body = DatabaseChange,
    responses((status = 200, body = DatabaseSaved))
)]
async fn update_database(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DatabaseId>,
    if_match: IfMatch,
    Body(change): Body<DatabaseChange>,
) -> Answer<Tagged<DatabaseSaved>> {
    let view = app
        .update_database(&id, &change, &if_match, &caller)
        .await?;
    let rpo = app.rpo_of(&view).await?;
    let no_backups = app.no_backups_of(view.engine.engine_type);
    let saved = DatabaseSaved {
        message: noted("Database configuration updated", no_backups.as_deref()),
        database: Database::from(&view).standing(&rpo),
    };
    Ok(tagged(&view.database.version, saved))
}

/// Removes a database. Its backup jobs that wait or run are cancelled; its backups stay, unless they
/// shall go too.
#[utoipa::path(
    delete, path = "/api/databases/{database_id}", tag = "databases",
    params(
        ("database_id" = String, Path, description = "Id of the database"),
        DatabaseRemoval,
        ("If-Match" = Option<String>, Header, description = "ETag that must still hold"),
    ),
    responses((status = 200, body = DatabaseDeleted))
)]
async fn delete_database(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DatabaseId>,
    if_match: IfMatch,
    Query(removal): Query<DatabaseRemoval>,
) -> Answer<Json<DatabaseDeleted>> {
    let backups = app
        .delete_database(&id, &removal, &if_match, &caller)
        .await?;
    Ok(Json(DatabaseDeleted::new(&id, backups.as_ref())))
}

/// Tests the connection with the credentials that backups use.
#[utoipa::path(
    post, path = "/api/databases/{database_id}/test", tag = "databases",
    params(("database_id" = String, Path, description = "Id of the database")),
    responses((status = 200, body = DatabaseTest))
)]
async fn test_database(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DatabaseId>,
) -> Answer<Json<DatabaseTest>> {
    Ok(Json(app.test_database(&id, &caller).await?.into()))
}

/// Asks for a backup now. While one waits or runs, that one is answered.
#[utoipa::path(
    post, path = "/api/databases/{database_id}/backup", tag = "databases",
    params(
        ("database_id" = String, Path, description = "Id of the database"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same job"),
    ),
    responses((status = 202, body = BackupQueued))
)]
async fn trigger_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DatabaseId>,
    IdempotencyKey(key): IdempotencyKey,
) -> Answer<(StatusCode, Json<BackupQueued>)> {
    let started = app.trigger_backup(&id, key.as_deref(), &caller).await?;
    Ok(accepted(BackupQueued::from(started)))
}
