//! One file per resource. A handler extracts, calls one use case, and wraps the answer. Every route
//! registered here stands behind the door (see `router`), except the one of [`public`].

mod backups;
mod data;
mod databases;
mod dead_letters;
mod engines;
mod health;
mod jobs;
mod policies;
mod reply;
mod retention;
mod schedules;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// What anybody may call: the liveness probe.
pub(crate) fn public() -> OpenApiRouter<App> {
    health::public()
}

/// What needs the token.
pub(crate) fn protected() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .merge(health::routes())
        .merge(engines::routes())
        .merge(databases::routes())
        .merge(policies::routes())
        .merge(schedules::routes())
        .merge(jobs::routes())
        .merge(dead_letters::routes())
        .merge(backups::routes())
        .merge(data::routes())
        .merge(retention::routes())
}
