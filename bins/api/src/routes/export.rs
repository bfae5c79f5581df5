//! Answers that are files of whatever length: read and sent a part at a time.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use dilux_core::repository::Cursor;
use dilux_core::{Error, Result};
use futures::stream::{self, Stream, StreamExt as _};

use crate::app::ExportPart;
use crate::problem::Answer;
use crate::wire::export::{ExportFormat, Exported};

/// The file of all that `read` gives, from its first part on. That one is read before anything is
/// sent, so that a store that does not answer is an answer and not a broken file; a failure later on
/// breaks the connection off.
pub(super) async fn file<T, R>(
    format: ExportFormat,
    read: impl Fn(Option<Cursor>) -> R + Send + 'static,
) -> Answer<Response>
where
    T: Exported + Send + 'static,
    R: Future<Output = Result<ExportPart<T>>> + Send + 'static,
{
    let first = read(None).await?;
    let head = stream::once(async move { Ok(format.head::<T>()) });
    let mut response = Response::new(Body::from_stream(head.chain(parts(format, first, read))));
    let disposition = format!("attachment; filename=\"{}\"", format.file_name::<T>());
    let disposition = HeaderValue::try_from(disposition)
        .map_err(|error| Error::internal("name the file of an export", error))?;
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(format.content_type());
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// The text of the lines, a part at a time.
fn parts<T, R>(
    format: ExportFormat,
    first: ExportPart<T>,
    read: impl Fn(Option<Cursor>) -> R,
) -> impl Stream<Item = Result<String>>
where
    T: Exported,
    R: Future<Output = Result<ExportPart<T>>>,
{
    stream::try_unfold(
        (Some(first), None, read),
        move |(part, from, read)| async move {
            let part = match (part, from) {
                (Some(part), _) => part,
                (None, Some(from)) => read(Some(from)).await.inspect_err(|error| {
                    tracing::warn!(%error, "an export breaks off, since it cannot be read on");
                })?,
                (None, None) => return Ok(None),
            };
            let mut text = String::new();
            for line in &part.items {
                format.write(line, &mut text)?;
            }
            Ok(Some((text, (None, part.next, read))))
        },
    )
}
