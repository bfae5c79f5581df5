//! Measures the pipeline: MB/s, size, CPU seconds and peak memory of one store, or of one restore
//! of what a store wrote.
//!
//! `throughput [--codec gzip|zstd|none] [--level N] [--chunk-kib N] [--workers N]
//! [--gib N | --stdin] [--file PATH] [--restore [--stdout]] [--times N]`
//!
//! Without `--stdin` a synthetic dump of `--gib` GiB is stored; without `--file` the blocks are
//! thrown away. `--restore` reads the file back into the pipe on standard output, or nowhere.
#![expect(clippy::print_stderr, reason = "a measuring tool prints its figures")]

mod options;
mod source;
mod store;
mod usage;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use async_trait::async_trait;
use bytes::Bytes;
use dilux_core::model::StoredData;
use dilux_core::random::SystemRandom;
use dilux_core::storage::{BlobName, ContainerName};
use dilux_core::transfer::{DumpSource, Failure, RestoreSink};
use dilux_pipeline::{Control, Destination, Pipeline};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use options::Options;
use source::{StandardInput, Synthetic};
use store::FileStore;
use usage::Usage;

#[tokio::main]
async fn main() -> Result<()> {
    // On a worker thread, as in a service: the main thread would have to be woken for each read.
    tokio::spawn(measure()).await?
}

async fn measure() -> Result<()> {
    let options = Options::from_arguments()?;
    let store = Arc::new(FileStore::new(
        options.file.as_deref(),
        options.tuning.block_bytes,
    )?);
    let pipeline = Pipeline::new(Arc::<FileStore>::clone(&store), Arc::new(SystemRandom))
        .with_tuning(options.tuning);
    for _ in 0..options.times {
        let before = Usage::now()?;
        let start = Instant::now();
        let data = run(&pipeline, &options).await?;
        report(&options, &data, start.elapsed().as_secs_f64(), &before)?;
        if options.keeps_manifest() {
            std::fs::write(options.manifest()?, serde_json::to_vec(&data)?)?;
        }
    }
    Ok(())
}

async fn run(pipeline: &Pipeline, options: &Options) -> Result<StoredData> {
    let control = Control::default();
    if options.restore {
        let manifest = std::fs::read(options.manifest()?).context("read the manifest")?;
        let data: StoredData = serde_json::from_slice(&manifest)?;
        if options.stdout {
            pipeline
                .restore(&data, Box::new(StandardOutput::open()?), &control)
                .await?;
        } else {
            pipeline.verify(&data, &control).await?;
        }
        return Ok(data);
    }
    let source: Box<dyn DumpSource> = if options.stdin {
        Box::new(StandardInput::open()?)
    } else {
        Box::new(Synthetic::new(options.gib << 30))
    };
    let destination = Destination {
        container: ContainerName::new("backups")?,
        blob: BlobName::new("throughput")?,
        epoch: 1,
        compression: options.compression,
        format: options.compression.sql_format().to_owned(),
    };
    let staged = pipeline.store(source, destination, &control).await?;
    Ok(pipeline.commit(staged).await?.0)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(options: &Options, data: &StoredData, seconds: f64, before: &Usage) -> Result<()> {
    let used = Usage::now()?;
    eprintln!(
        "{} {}{}: {:.2} s, {:.0} MB/s, {} -> {} bytes ({:.3}), CPU {:.2} s user + {:.2} s system, \
         peak {:.1} MiB, now {:.1} MiB",
        if options.restore { "restore" } else { "store" },
        data.compression.as_str(),
        options
            .level
            .map_or_else(String::new, |level| format!(" -{level}")),
        seconds,
        data.plain_bytes as f64 / 1e6 / seconds,
        data.plain_bytes,
        data.stored_bytes,
        data.stored_bytes as f64 / data.plain_bytes as f64,
        used.user_seconds - before.user_seconds,
        used.system_seconds - before.system_seconds,
        used.peak_mebibytes,
        used.resident_mebibytes,
    );
    Ok(())
}

/// A restore into the next command.
struct StandardOutput(pipe::Sender);

impl StandardOutput {
    fn open() -> std::io::Result<Self> {
        pipe::OpenOptions::new()
            .open_sender("/dev/stdout")
            .map(Self)
    }
}

#[async_trait]
impl RestoreSink for StandardOutput {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.0.write_all(&bytes).await.map_err(source::failed)
    }

    async fn finish(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }

    async fn abort(self: Box<Self>) {}
}
