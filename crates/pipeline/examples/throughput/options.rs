//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use dilux_core::model::Compression;
use dilux_pipeline::Tuning;

pub(crate) struct Options {
    pub(crate) compression: Compression,
    pub(crate) level: Option<i32>,
    pub(crate) tuning: Tuning,
    pub(crate) gib: u64,
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) file: Option<PathBuf>,
    pub(crate) restore: bool,
    pub(crate) times: u32,
}

impl Options {
    pub(crate) fn from_arguments() -> Result<Self> {
        let mut options = Self {
            compression: Compression::Gzip,
            level: None,
            tuning: Tuning::default(),
            gib: 1,
            stdin: false,
            stdout: false,
            file: None,
            restore: false,
            times: 1,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            options.take(&name, &mut arguments)?;
        }
        if let Some(level) = options.level {
            options.tuning.gzip_level = level;
            options.tuning.zstd_level = level;
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, rest: &mut impl Iterator<Item = String>) -> Result<()> {
        match name {
            "--codec" => self.compression = value(name, rest)?,
            "--level" => self.level = Some(value(name, rest)?),
            "--chunk-kib" => {
                self.tuning.chunk_bytes =
                    value::<NonZeroUsize>(name, rest)?.saturating_mul(KIBIBYTE);
            }
            "--workers" => self.tuning.workers = value(name, rest)?,
            "--gib" => self.gib = value(name, rest)?,
            "--times" => self.times = value(name, rest)?,
            "--file" => self.file = Some(value(name, rest)?),
            "--stdin" => self.stdin = true,
            "--stdout" => self.stdout = true,
            "--restore" => self.restore = true,
            _ => bail!("there is no option {name}"),
        }
        Ok(())
    }

    /// Whether a store shall be restored later.
    pub(crate) fn keeps_manifest(&self) -> bool {
        !self.restore && self.file.is_some()
    }

    /// Where the figures of a stored file are kept.
    pub(crate) fn manifest(&self) -> Result<PathBuf> {
        let mut name = self.file.clone().context("name a --file")?.into_os_string();
        name.push(".json");
        Ok(name.into())
    }
}

const KIBIBYTE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

fn value<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    name: &str,
    rest: &mut impl Iterator<Item = String>,
) -> Result<T> {
    let text = rest
        .next()
        .with_context(|| format!("{name} needs a value"))?;
    text.parse().with_context(|| format!("{name} {text}"))
}
