//! One file per resource. A handler extracts, calls one use case, and wraps the answer. Each route
//! names the permission that it needs (see `permission`).

mod access_requests;
mod alerts;
mod audit;
mod auth;
mod backups;
mod configuration;
mod credentials;
mod dashboard;
mod data;
mod databases;
mod dead_letters;
mod engines;
mod events;
mod export;
mod health;
mod jobs;
mod metrics;
mod policies;
mod provider;
mod reply;
mod restores;
mod retention;
mod schedules;
mod settings;
mod tokens;
mod users;
mod web;

use crate::registration::Routes;

/// Every route.
pub(crate) fn all() -> Routes {
    Routes::default()
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(engines::routes())
        .merge(credentials::routes())
        .merge(databases::routes())
        .merge(policies::routes())
        .merge(schedules::routes())
        .merge(jobs::routes())
        .merge(dead_letters::routes())
        .merge(backups::routes())
        .merge(data::routes())
        .merge(restores::routes())
        .merge(retention::routes())
        .merge(settings::routes())
        .merge(configuration::routes())
        .merge(tokens::routes())
        .merge(auth::routes())
        .merge(provider::routes())
        .merge(users::routes())
        .merge(access_requests::routes())
        .merge(audit::routes())
        .merge(dashboard::routes())
        .merge(alerts::routes())
        .merge(events::routes())
        .merge(web::routes())
}
