//! What this process has used, as Linux tells it.

use anyhow::{Context, Result};

pub(crate) struct Usage {
    pub(crate) user_seconds: f64,
    pub(crate) system_seconds: f64,
    pub(crate) peak_mebibytes: f64,
    pub(crate) resident_mebibytes: f64,
}

impl Usage {
    pub(crate) fn now() -> Result<Self> {
        /// Ticks a second in /proc, the same on every Linux (proc_pid_stat(5)).
        const TICKS: f64 = 100.0;
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let after_name = stat.rsplit(')').next().context("read /proc/self/stat")?;
        let field = |index: usize| -> Result<f64> {
            Ok(after_name
                .split_whitespace()
                .nth(index)
                .context("read a field")?
                .parse()?)
        };
        let status = std::fs::read_to_string("/proc/self/status")?;
        let mebibytes = |name: &str| -> Result<f64> {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .context("find a line")?;
            let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
            Ok(kibibytes / 1024.0)
        };
        Ok(Self {
            user_seconds: field(11)? / TICKS,
            system_seconds: field(12)? / TICKS,
            peak_mebibytes: mebibytes("VmHWM:")?,
            resident_mebibytes: mebibytes("VmRSS:")?,
        })
    }
}
