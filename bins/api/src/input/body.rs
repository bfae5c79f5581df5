//! Request bodies.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use dilux_core::Error;
use serde_json::{Map, Value};

use super::connection_string;
use super::fields::{Fields, FromFields, Problems};
use crate::problem::{Answer, Problem, Refusal};

/// A JSON object that must be there. The content type is not looked at: clients of the Python
/// product need not send one, and a foreign page cannot send the bearer token.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON object that may be missing; then it counts as empty.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: FromFields, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let bytes = Bytes::from_request(request, state).await?;
        read(&bytes).map(Self)
    }
}

impl<T: FromFields, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let bytes = Bytes::from_request(request, state).await?;
        if bytes.trim_ascii().is_empty() {
            return read_object(&Map::new()).map(Self);
        }
        read(&bytes).map(Self)
    }
}

fn read<T: FromFields>(bytes: &[u8]) -> Answer<T> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| Refusal::MalformedJson(error.to_string()))?;
    match value {
        Value::Object(object) => read_object(&object),
        _ => Err(Error::invalid("body", "must be a JSON object").into()),
    }
}

fn read_object<T: FromFields>(object: &Map<String, Value>) -> Answer<T> {
    let problems = Problems::default();
    let object = connection_string::expand(object, &problems);
    let value = T::read(&Fields::new(&object, "", &problems));
    let found = problems.into_vec();
    match value {
        Some(value) if found.is_empty() => Ok(value),
        _ => Err(Error::Invalid(found).into()),
    }
}
