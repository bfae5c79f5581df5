//! The only place that spawns. Rules: an absolute program, no shell, an environment built from
//! nothing, secrets through memory files, a deadline on every wait, and no child that outlives
//! its job or this process (`docs/adr/2026-11-21-child-processes.md`).

mod capture;
mod deadlines;
mod dump_stream;
mod invocation;
mod output_buffer;
mod redact;
mod restore_stream;
mod running;
mod secret_file;
mod stderr;

pub use deadlines::Deadlines;

pub(crate) use capture::capture;
pub(crate) use deadlines::spoken;
pub(crate) use dump_stream::{ToolDump, ToolEnd};
pub(crate) use invocation::{Companion, Invocation};
pub(crate) use redact::{Redactor, escape_controls};
pub(crate) use restore_stream::ToolRestore;
