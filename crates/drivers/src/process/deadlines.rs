//! How long a tool may take for what.

use std::time::Duration;

/// Limits on a tool's silence and life. Each wait on a process is under one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Until the server accepts the connection.
    pub connect: Duration,
    /// One question to the server's catalogue.
    pub query: Duration,
    /// From the start of a dump to its first byte: it may wait for locks.
    pub first_byte: Duration,
    /// Between two bytes of a dump.
    pub stall: Duration,
    /// Between two bytes that a restore accepts, and from the last one to its exit: it may build
    /// a large index.
    pub restore_stall: Duration,
    /// Between the end of the output and the exit of the tool, either way round.
    pub linger: Duration,
    /// Between the request to end and the killing.
    pub grace: Duration,
    /// The whole dump, restore or fingerprint.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        Self {
            connect: Duration::from_secs(15),
            query: Duration::from_secs(MINUTE),
            first_byte: Duration::from_secs(10 * MINUTE),
            stall: Duration::from_secs(5 * MINUTE),
            restore_stall: Duration::from_secs(120 * MINUTE),
            linger: Duration::from_secs(MINUTE),
            grace: Duration::from_secs(10),
            total: Duration::from_secs(6 * 60 * MINUTE),
        }
    }
}

/// A duration as people say it: `5 minutes`, `15 seconds`.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0 => (
            duration.as_millis().try_into().unwrap_or(u64::MAX),
            "millisecond",
        ),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if count == 1 {
        format!("1 {unit}")
    } else {
        format!("{count} {unit}s")
    }
}

/// A size as people say it, in binary units: `3.1 GiB`.
pub(crate) fn spoken_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut tenths, mut unit) = (bytes, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = (whole % 1024) * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    if unit == 0 {
        format!("{whole} bytes")
    } else {
        format!("{whole}.{tenths} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_said_in_round_units() {
        assert_eq!(spoken(Duration::from_mins(5)), "5 minutes");
        assert_eq!(spoken(Duration::from_secs(90)), "90 seconds");
        assert_eq!(spoken(Duration::from_hours(1)), "1 hour");
        assert_eq!(spoken(Duration::from_millis(250)), "250 milliseconds");
        assert_eq!(spoken_size(17), "17 bytes");
        assert_eq!(spoken_size(3_400_000_000), "3.1 GiB");
    }
}
