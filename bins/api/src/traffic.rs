//! The requests that this process answered, counted by route template and status: a path itself, or
//! a method that somebody made up, would make as many series as there are requests.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the latencies that are told apart, in seconds.
const BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

/// What was answered since the process began.
#[derive(Debug)]
pub(crate) struct Traffic {
    requests: Family<RequestLabels, Counter>,
    latencies: Family<RouteLabels, Histogram>,
}

impl Default for Traffic {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BOUNDS);
        Self {
            requests: Family::default(),
            latencies: Family::new_with_constructor(histogram),
        }
    }
}

impl Traffic {
    /// Counts a request of `route`, a template, that was answered with `status` after `latency`.
    pub(crate) fn note(&self, method: &Method, route: &str, status: StatusCode, latency: Duration) {
        let (method, route) = (name(method), template(route));
        let labels = RouteLabels {
            method,
            route: route.clone(),
        };
        self.latencies
            .get_or_create(&labels)
            .observe(latency.as_secs_f64());
        let labels = RequestLabels {
            method,
            route,
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// Adds the counts to what is shown.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "api_requests",
            "Requests that this process answered",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "api_request_duration",
            "Time until the answer began",
            Unit::Seconds,
            self.latencies.clone(),
        );
    }
}

fn name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// `/api/jobs/{job_id}` as `/api/jobs/:job_id`: braces around labels end at the first brace inside
/// them for simple readers of the format.
fn template(route: &str) -> String {
    route.replace('{', ":").replace('}', "")
}
