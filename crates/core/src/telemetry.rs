//! Log set-up of the services.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{LogFormat, Settings};

/// Starts logging to standard error. A second call in one process changes nothing.
pub fn start(settings: &Settings) {
    let filter = filter(&settings.log_level);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => builder.compact().with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// The filter of `LOG_LEVEL`. The Azure crates tell of each refused request at level info, also of
/// those that are expected, such as creating a table that exists; unless asked for, they only warn.
fn filter(level: &str) -> EnvFilter {
    const NOISY: &str = "typespec_client_core";
    let level = if level.contains(NOISY) {
        level.to_owned()
    } else {
        format!("{level},{NOISY}=warn")
    };
    EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"))
}
