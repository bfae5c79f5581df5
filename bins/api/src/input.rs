//! Strict reading of what clients send. Every problem is collected before the request is refused;
//! no reason repeats the value that was sent, which may be a secret.

mod body;
mod connection_string;
mod convert;
mod fields;
mod path;
mod query;

pub(crate) use body::{Body, OptionalBody};
pub(crate) use convert::{FromJson, Tags};
pub(crate) use fields::{Fields, FromFields, Patch, Problems};
pub(crate) use path::{Id, IdempotencyKey};
pub(crate) use query::{Filters, FromQuery, Query};
