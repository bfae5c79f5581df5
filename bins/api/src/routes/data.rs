//! The bytes of a backup, whole or a range, in bounded memory.

use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use dilux_core::model::BackupId;
use utoipa_axum::routes;

use crate::app::{App, BackupData};
use crate::caller::Caller;
use crate::etag;
use crate::input::Id;
use crate::permission::Permission;
use crate::problem::{Answer, Refusal};
use crate::registration::Routes;

pub(super) fn routes() -> Routes {
    Routes::default().costly_route(Permission::ReadData, routes!(download_backup))
}

/// The data of a backup as stored. A `Range` gives a part; with `If-Range` only of that version.
#[utoipa::path(
    get, path = "/api/backups/{backup_id}/data", tag = "backups",
    params(
        ("backup_id" = String, Path, description = "Id of the backup"),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
        ("If-Range" = Option<String>, Header, description = "ETag that the range is of"),
    ),
    responses(
        (status = 200, description = "All of it", content(
            (Vec<u8> = "application/gzip"),
            (Vec<u8> = "application/zstd"),
            (Vec<u8> = "application/sql"),
            (Vec<u8> = "application/octet-stream"),
        )),
        (status = 206, description = "The part that was asked for", content(
            (Vec<u8> = "application/gzip"),
            (Vec<u8> = "application/zstd"),
            (Vec<u8> = "application/sql"),
            (Vec<u8> = "application/octet-stream"),
        )),
    )
)]
async fn download_backup(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<BackupId>,
    method: Method,
    headers: HeaderMap,
) -> Answer<Response> {
    let (backup, data) = app.backup_data(&id).await?;
    let range = requested(&headers, &data)?;
    if method == Method::GET {
        app.record_read(&backup, range.as_ref(), &caller).await;
    }
    Ok(respond(data, range.as_ref()))
}

fn respond(data: BackupData, range: Option<&Range<u64>>) -> Response {
    let size = data.size;
    let part = range.cloned().unwrap_or(0..size);
    let mut response = Response::new(Body::empty());
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    headers.extend(etag::header(&data.etag));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(data.content_type),
    );
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(part.end - part.start),
    );
    let content_range = range.map(|part| format!("bytes {}-{}/{size}", part.start, part.end - 1));
    let texts = [
        (
            header::CONTENT_DISPOSITION,
            Some(disposition(&data.file_name)),
        ),
        (header::CONTENT_RANGE, content_range),
    ];
    for (name, text) in texts {
        if let Some(Ok(value)) = text.as_deref().map(HeaderValue::from_str) {
            headers.insert(name, value);
        }
    }
    *response.body_mut() = Body::from_stream(data.stream(part));
    response
}

/// The range that was asked for; `None` for the whole, also when the range is of another version,
/// of a kind that is not served (several ranges, other units), or malformed.
fn requested(headers: &HeaderMap, data: &BackupData) -> Answer<Option<Range<u64>>> {
    let Some(range) = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
    else {
        return Ok(None);
    };
    let [(_, current)] = etag::header(&data.etag);
    if headers
        .get(header::IF_RANGE)
        .is_some_and(|wanted| *wanted != current)
    {
        return Ok(None);
    }
    match parse_range(range, data.size) {
        Parsed::Whole => Ok(None),
        Parsed::Part(range) => Ok(Some(range)),
        Parsed::Outside => Err(Refusal::RangeNotSatisfiable(data.size).into()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    Whole,
    Part(Range<u64>),
    Outside,
}

/// RFC 9110, section 14.1.2: `bytes=a-b`, `bytes=a-`, `bytes=-n`.
fn parse_range(text: &str, size: u64) -> Parsed {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .filter(|spec| !spec.contains(','))
        .and_then(|spec| spec.trim().split_once('-'))
    else {
        return Parsed::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (number(first), number(last)) {
        (None, Some(0)) => return Parsed::Outside,
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        (Some(start), None) if last.is_empty() => start..size,
        (Some(start), Some(end)) if start <= end => start..end.saturating_add(1).min(size),
        _ => return Parsed::Whole,
    };
    if range.start < range.end {
        Parsed::Part(range)
    } else {
        Parsed::Outside
    }
}

/// RFC 6266: a plain name for every client, and the true one for those that read it.
fn disposition(file_name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let plain: String = file_name
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let encoded: String = file_name
        .bytes()
        .map(|byte| {
            let c = char::from(byte);
            if is_plain(c) {
                c.to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("bytes=0-4", Parsed::Part(0..5)),
            ("bytes=5-", Parsed::Part(5..10)),
            ("bytes=-3", Parsed::Part(7..10)),
            ("bytes=-30", Parsed::Part(0..10)),
            ("bytes=8-99", Parsed::Part(8..10)),
            ("bytes=10-", Parsed::Outside),
            ("bytes=99-100", Parsed::Outside),
            ("bytes=-0", Parsed::Outside),
            ("bytes=4-2", Parsed::Whole),
            ("bytes=0-1,4-5", Parsed::Whole),
            ("lines=0-1", Parsed::Whole),
            ("bytes=x-y", Parsed::Whole),
            ("bytes=", Parsed::Whole),
            ("bytes=0-18446744073709551615", Parsed::Part(0..10)),
        ] {
            assert_eq!(parse_range(text, 10), expected, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Parsed::Outside);
    }

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let text = disposition("a\"; b=\r\nX: y/../\u{1F600}.sql.gz");
        assert!(
            text.chars().all(|c| c.is_ascii() && !c.is_control()),
            "{text}"
        );
        assert_eq!(text.matches('"').count(), 2, "{text}");
        assert!(text.ends_with("%F0%9F%98%80.sql.gz"), "{text}");
    }
}
