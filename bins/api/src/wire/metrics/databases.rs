//! What is told of each database.

use dilux_core::model::EngineType;
use prometheus_client::registry::{Registry, Unit};

use super::{Labels, gauges, number};
use crate::app::{DatabaseFigures, Figures};

/// Adds what is told of each registered database.
pub(super) fn register(registry: &mut Registry, figures: &Figures) {
    let databases = || figures.databases.iter();
    let about = (
        "database",
        "A registered database: its label, the type of its engine, and whether it is backed up",
    );
    gauges(
        registry,
        about,
        None,
        databases().map(|it| (described(it), 1.0)),
    );
    let about = (
        "database_rpo_state",
        "How a database stands against its recovery point objective; 1 for the state that it is in",
    );
    let states = databases().map(|it| {
        let mut labels = of(it);
        labels.push(("state", it.rpo.as_str().to_owned()));
        (labels, 1.0)
    });
    gauges(registry, about, None, states);
    let about = (
        "database_recovery_point_age",
        "Age of the newest good backup; absent while there is none",
    );
    let ages = databases().filter_map(|it| {
        let age = figures.now.duration_since(it.recovery_point?);
        Some((of(it), age.as_secs_f64()))
    });
    gauges(registry, about, Some(Unit::Seconds), ages);
    let about = (
        "database_failures",
        "Backups that failed since the newest one that was made",
    );
    let failures = databases().map(|it| (of(it), number(it.failures)));
    gauges(registry, about, None, failures);
    let about = ("database_backups_present", "Backups that are there");
    let backups = databases().map(|it| (of(it), number(it.backups)));
    gauges(registry, about, None, backups);
    let about = (
        "database_stored",
        "Stored size of the backups that are there",
    );
    let bytes = databases().map(|it| (of(it), number(it.bytes)));
    gauges(registry, about, Some(Unit::Bytes), bytes);
}

fn of(figures: &DatabaseFigures) -> Labels {
    vec![("database_id", figures.database.id.to_string())]
}

fn described(figures: &DatabaseFigures) -> Labels {
    let mut labels = of(figures);
    let engine_type = figures.engine_type.map_or("", EngineType::as_str);
    labels.push(("label", figures.database.label.to_string()));
    labels.push(("engine_id", figures.database.engine_id.to_string()));
    labels.push(("engine_type", engine_type.to_owned()));
    labels.push(("enabled", figures.database.enabled.to_string()));
    labels
}
