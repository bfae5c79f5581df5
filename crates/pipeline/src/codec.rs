//! The compression layers: chunks in, independent gzip members or Zstandard frames out, and a
//! reader for their concatenation.

use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use dilux_core::model::Compression;
use dilux_core::transfer::{Failure, FailureKind};
use libdeflater::CompressionLvl;
use zstd::zstd_safe::compress_bound;

use crate::Tuning;
use crate::failure;
use crate::pool::Pool;

/// Turns one chunk into bytes that any decompressor reads by themselves and after others.
enum Encoder {
    Gzip(libdeflater::Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Encoder {
    fn encode(&mut self, plain: &[u8], pool: &Arc<Pool>) -> Result<Bytes, Failure> {
        let bound = match self {
            Self::Gzip(compressor) => compressor.gzip_compress_bound(plain.len()),
            Self::Zstd(_) => compress_bound(plain.len()),
        };
        let mut output = pool.take(bound);
        let room = output.room(bound);
        let written = match self {
            Self::Gzip(compressor) => compressor
                .gzip_compress(plain, room)
                .map_err(|error| failure::defect(format!("gzip refused a chunk: {error}"))),
            Self::Zstd(compressor) => compressor
                .compress_to_buffer(plain, room)
                .map_err(|error| failure::defect(format!("Zstandard refused a chunk: {error}"))),
        }?;
        output.advance(written);
        Ok(output.freeze())
    }
}

/// The encoders of one stream, used by several threads in turn.
pub(crate) struct Encoders {
    compression: Compression,
    tuning: Tuning,
    idle: Mutex<Vec<Encoder>>,
    outputs: Arc<Pool>,
}

impl Encoders {
    pub(crate) fn new(compression: Compression, tuning: Tuning) -> Arc<Self> {
        let idle = Mutex::default();
        Arc::new(Self {
            compression,
            tuning,
            idle,
            outputs: Pool::new(),
        })
    }

    /// Compresses a chunk on the calling thread.
    pub(crate) fn encode(&self, plain: Bytes) -> Result<Bytes, Failure> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut encoder = match (idle, self.compression) {
            (_, Compression::None) => return Ok(plain),
            (Some(encoder), _) => encoder,
            (None, Compression::Gzip) => gzip(self.tuning.gzip_level)?,
            (None, Compression::Zstd) => zstd(self.tuning.zstd_level)?,
        };
        let output = encoder.encode(&plain, &self.outputs);
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(encoder);
        output
    }

    /// Buffers for compressed chunks.
    pub(crate) fn outputs(&self) -> &Pool {
        &self.outputs
    }
}

fn gzip(level: i32) -> Result<Encoder, Failure> {
    let level = CompressionLvl::new(level).map_err(|_| unknown_level("gzip", level))?;
    Ok(Encoder::Gzip(libdeflater::Compressor::new(level)))
}

fn zstd(level: i32) -> Result<Encoder, Failure> {
    let refuse = |_: io::Error| unknown_level("Zstandard", level);
    // It would quietly take the nearest level, and those beyond 19 need much memory to read.
    if !(1..=19).contains(&level) {
        return Err(unknown_level("Zstandard", level));
    }
    let mut compressor = zstd::bulk::Compressor::new(level).map_err(refuse)?;
    compressor.include_checksum(true).map_err(refuse)?;
    Ok(Encoder::Zstd(compressor))
}

fn unknown_level(name: &str, level: i32) -> Failure {
    Failure::new(
        FailureKind::Configuration,
        format!("{name} has no compression level {level}"),
    )
}

/// Reads what `stored` holds without its compression layer, over all members or frames.
pub(crate) fn decoder<'a>(
    compression: Compression,
    stored: impl BufRead + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stored)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(stored)?),
        Compression::None => Box::new(stored),
    })
}
