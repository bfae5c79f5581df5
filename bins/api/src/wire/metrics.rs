//! Figures in the text format of OpenMetrics, which Prometheus reads. Labels hold ids, labels of
//! databases and words of the glossary; never who did something, and no secret.

use std::sync::atomic::AtomicU64;

use dilux_core::alert::{AlertKind, Severity};
use dilux_core::{Error, Result};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::app::Figures;
use crate::traffic::Traffic;

mod databases;

/// The content type.
pub(crate) const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The beginning of an answer.
pub(crate) const EXAMPLE: &str = "# HELP dilux_backups Lines of the history, by result.\n\
     # TYPE dilux_backups counter\n\
     dilux_backups_total{result=\"completed\"} 1042\n\
     # EOF\n";

/// Which of the newest jobs' durations are told, as parts of 1.
const QUANTILES: [(&str, f64); 3] = [("0.5", 0.5), ("0.9", 0.9), ("1", 1.0)];

/// Names and values of labels.
type Labels = Vec<(&'static str, String)>;

/// Gauges that differ in their labels.
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// `figures` and what `traffic` counted.
pub(crate) fn exposition(figures: &Figures, traffic: &Traffic) -> Result<String> {
    let mut registry = Registry::with_prefix("dilux");
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    registry.register("build", "The program that answers", Info::new(version));
    backups(&mut registry, figures);
    databases::register(&mut registry, figures);
    jobs(&mut registry, figures);
    troubles(&mut registry, figures);
    processes(&mut registry, figures);
    traffic.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Error::internal("write metrics", error))?;
    Ok(text)
}

/// Gauges of a name, each with its labels and value.
fn gauges(
    registry: &mut Registry,
    (name, help): (&'static str, &'static str),
    unit: Option<Unit>,
    values: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Gauges::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, family),
        None => registry.register(name, help, family),
    }
}

/// A gauge without labels; nothing where there is no value.
fn gauge(
    registry: &mut Registry,
    (name, help): (&'static str, &'static str),
    unit: Option<Unit>,
    value: Option<f64>,
) {
    match (value.map(ConstGauge::new), unit) {
        (Some(gauge), Some(unit)) => registry.register_with_unit(name, help, unit, gauge),
        (Some(gauge), None) => registry.register(name, help, gauge),
        (None, _) => {}
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the format knows floating point numbers only; counts stay far below 2^52"
)]
fn number(count: u64) -> f64 {
    count as f64
}

/// Seconds since 1970.
fn instant(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

fn backups(registry: &mut Registry, figures: &Figures) {
    let turnout = figures.turnout;
    let results: Family<Labels, Counter> = Family::default();
    let other = turnout
        .lines
        .saturating_sub(turnout.completed + turnout.failed);
    for (result, count) in [
        ("completed", turnout.completed),
        ("failed", turnout.failed),
        ("other", other),
    ] {
        results
            .get_or_create(&label("result", result))
            .inc_by(count);
    }
    registry.register("backups", "Lines of the history, by result", results);
    for (name, help, value) in [
        (
            "backups_present",
            "Backups that are there and not known to be damaged",
            figures.present,
        ),
        (
            "backups_damaged",
            "Backups that cannot be restored",
            figures.damaged,
        ),
    ] {
        gauge(registry, (name, help), None, Some(number(value)));
    }
    let about = (
        "backups_stored",
        "Stored size of the backups that are there",
    );
    let bytes = Some(number(figures.present_bytes));
    gauge(registry, about, Some(Unit::Bytes), bytes);
}

fn jobs(registry: &mut Registry, figures: &Figures) {
    let open = figures.jobs.counts.iter();
    let open = open.map(|((kind, state), count)| {
        let labels = vec![("kind", (*kind).to_owned()), ("state", (*state).to_owned())];
        (labels, number(*count))
    });
    let about = ("jobs_open", "Jobs that are not over, by kind and state");
    gauges(registry, about, None, open);
    let waited = figures.jobs.waiting_since.map(|since| {
        let waited = figures.now.duration_since(since).as_secs_f64();
        waited.max(0.0)
    });
    let about = (
        "jobs_longest_wait",
        "How long the job has been due that has been due longest and does not run",
    );
    gauge(registry, about, Some(Unit::Seconds), waited);
    let recent = figures.recent_seconds.iter().flat_map(|(kind, seconds)| {
        QUANTILES.iter().filter_map(|(name, part)| {
            let labels = vec![
                ("kind", (*kind).to_owned()),
                ("quantile", (*name).to_owned()),
            ];
            Some((labels, at_part(seconds, *part)?))
        })
    });
    let about = (
        "jobs_recent_duration",
        "How long those of the newest 100 jobs ran that were completed",
    );
    gauges(registry, about, Some(Unit::Seconds), recent);
}

/// The value below which this part of the ascending values lies.
fn at_part(ascending: &[f64], part: f64) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of at most a hundred values"
    )]
    let rank = (ascending.len() as f64 * part).ceil() as usize;
    ascending.get(rank.saturating_sub(1)).copied()
}

fn troubles(registry: &mut Registry, figures: &Figures) {
    let about = (
        "queue_messages",
        "Messages in the queue, hidden ones included, about",
    );
    gauge(registry, about, None, figures.queue_depth.map(number));
    let letters = figures.dead_letters.iter();
    let letters = letters.map(|(reason, count)| (label("reason", reason), number(*count)));
    let about = (
        "dead_letters",
        "What the workers could not work off, by reason",
    );
    gauges(registry, about, None, letters);
    let alerts = AlertKind::ALL.into_iter().flat_map(|kind| {
        Severity::ALL.map(|severity| {
            let labels = vec![
                ("kind", kind.as_str().to_owned()),
                ("severity", severity.as_str().to_owned()),
            ];
            let count = figures.alerts.get(&(kind, severity));
            (labels, number(count.copied().unwrap_or(0)))
        })
    });
    let about = ("alerts", "Alerts that there are now, by kind and severity");
    gauges(registry, about, None, alerts);
}

fn processes(registry: &mut Registry, figures: &Figures) {
    let components = figures
        .components
        .iter()
        .flat_map(|(kind, (alive, silent))| {
            [("alive", *alive), ("silent", *silent)].map(|(state, count)| {
                let labels = vec![("kind", kind.to_string()), ("state", state.to_owned())];
                (labels, number(count))
            })
        });
    let about = (
        "processes",
        "Processes that live, and those that fell silent in the last day",
    );
    gauges(registry, about, None, components);
    let last_runs = || {
        let timers = figures.timers.iter();
        timers.filter_map(|timer| Some((timer.timer, timer.last.as_ref()?)))
    };
    let ended =
        last_runs().map(|(timer, run)| (label("timer", timer.as_str()), instant(run.ended_at)));
    let about = (
        "timer_last_run_timestamp",
        "When the last run of a timer ended, since 1970; planning is the scheduler's tick",
    );
    gauges(registry, about, Some(Unit::Seconds), ended);
    let outcomes = last_runs().map(|(timer, run)| {
        let outcome = run.outcome.as_str().to_owned();
        (
            vec![("timer", timer.to_string()), ("outcome", outcome)],
            1.0,
        )
    });
    let about = (
        "timer_last_run_outcome",
        "How the last run of a timer ended; always 1",
    );
    gauges(registry, about, None, outcomes);
}
