//! Batches: a change set of writes as one multipart request. Azure: "Performing entity group
//! transactions".

use azure_core::http::RawResponse;

use super::write::Write;
use crate::storage::ETag;
use crate::storage::azure::failure::{Failure, Refusal};

/// No line of a body can be mistaken for a boundary: bodies are one line of JSON each, which
/// starts with a brace.
const BATCH: &str = "batch_dilux";
const CHANGE_SET: &str = "changeset_dilux";

/// Content type of the request.
pub(super) const CONTENT_TYPE: &str = "multipart/mixed; boundary=batch_dilux";

/// The body of a request for `writes`. `base` is the service's address without a last slash.
pub(super) fn body(base: &str, writes: &[Write]) -> String {
    let mut lines = vec![
        format!("--{BATCH}"),
        format!("Content-Type: multipart/mixed; boundary={CHANGE_SET}"),
        String::new(),
    ];
    for write in writes {
        lines.push(format!("--{CHANGE_SET}"));
        lines.push("Content-Type: application/http".to_owned());
        lines.push("Content-Transfer-Encoding: binary".to_owned());
        lines.push(String::new());
        lines.push(format!("{} {base}/{} HTTP/1.1", write.method, write.path));
        lines.push("Accept: application/json;odata=minimalmetadata".to_owned());
        lines.push("DataServiceVersion: 3.0".to_owned());
        lines.extend(
            write
                .if_match
                .iter()
                .map(|etag| format!("If-Match: {etag}")),
        );
        if let Some(json) = &write.body {
            lines.push("Content-Type: application/json".to_owned());
            lines.push("Prefer: return-no-content".to_owned());
            lines.push(String::new());
            lines.push(json.clone());
        } else {
            lines.push(String::new());
            lines.push(String::new());
        }
    }
    lines.push(format!("--{CHANGE_SET}--"));
    lines.push(format!("--{BATCH}--"));
    lines.push(String::new());
    lines.join("\r\n")
}

/// A batch that failed: which write, counted from 0 where the service says so, and why.
#[derive(Debug)]
pub(super) struct BatchFailure {
    pub(super) index: Option<usize>,
    pub(super) failure: Failure,
}

/// The new versions, in order, of a batch of `count` writes.
pub(super) fn read(
    response: &RawResponse,
    count: usize,
) -> Result<Vec<Option<ETag>>, BatchFailure> {
    let body = String::from_utf8_lossy(response.body().as_ref());
    let answers: Vec<Answer> = answers(&body);
    if let Some(refused) = answers
        .iter()
        .find(|answer| !(200..300).contains(&answer.status))
    {
        return Err(refused.failure(response));
    }
    if answers.len() == count {
        Ok(answers.into_iter().map(|answer| answer.etag).collect())
    } else {
        let text = format!(
            "a batch of {count} writes was answered {} times",
            answers.len()
        );
        Err(BatchFailure {
            index: None,
            failure: Failure::Unreadable(text),
        })
    }
}

/// The answer to one write.
struct Answer {
    status: u16,
    etag: Option<ETag>,
    body: String,
}

impl Answer {
    fn failure(&self, response: &RawResponse) -> BatchFailure {
        let part = RawResponse::from_bytes(
            self.status.into(),
            response.headers().clone(),
            self.body.clone(),
        );
        let mut refusal = Refusal::read(&part);
        let mut index = None;
        if let Some((number, sentence)) = refusal.sentence.split_once(':')
            && let Ok(number) = number.parse()
        {
            index = Some(number);
            refusal.sentence = sentence.trim().into();
        }
        BatchFailure {
            index,
            failure: refusal.into(),
        }
    }
}

fn answers(body: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        let Some(status) = status(line) else { continue };
        let mut etag = None;
        for header in lines.by_ref().take_while(|line| !line.trim().is_empty()) {
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("etag")
            {
                etag = Some(ETag::new(value.trim()));
            }
        }
        let body: Vec<&str> = lines
            .by_ref()
            .take_while(|line| !line.starts_with("--"))
            .collect();
        answers.push(Answer {
            status,
            etag,
            body: body.join("\n"),
        });
    }
    answers
}

/// The status in `HTTP/1.1 204 No Content`.
fn status(line: &str) -> Option<u16> {
    line.strip_prefix("HTTP/1.1 ")?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use azure_core::http::headers::Headers;

    use super::*;
    use crate::storage::{
        Condition, Entity, EntityKey, StorageErrorKind, TableName, TableOperation,
    };

    fn answer(lines: &[&str]) -> RawResponse {
        RawResponse::from_bytes(202_u16.into(), Headers::new(), lines.join("\r\n"))
    }

    #[test]
    fn a_body_holds_one_request_a_write() {
        let table = TableName::new("jobs").unwrap();
        let key = EntityKey::new("p", "r'1");
        let etag = Condition::Matches(ETag::new("W/\"1\""));
        let writes: Vec<Write> = [
            TableOperation::Insert(Entity::new(key.clone())),
            TableOperation::Delete(key, etag),
        ]
        .iter()
        .map(|operation| Write::new(&table, operation).unwrap())
        .collect();
        let expected = [
            "--batch_dilux",
            "Content-Type: multipart/mixed; boundary=changeset_dilux",
            "",
            "--changeset_dilux",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            "POST https://h/jobs HTTP/1.1",
            "Accept: application/json;odata=minimalmetadata",
            "DataServiceVersion: 3.0",
            "Content-Type: application/json",
            "Prefer: return-no-content",
            "",
            "{\"PartitionKey\":\"p\",\"RowKey\":\"r'1\"}",
            "--changeset_dilux",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            "DELETE https://h/jobs(PartitionKey='p',RowKey='r%27%271') HTTP/1.1",
            "Accept: application/json;odata=minimalmetadata",
            "DataServiceVersion: 3.0",
            "If-Match: W/\"1\"",
            "",
            "",
            "--changeset_dilux--",
            "--batch_dilux--",
            "",
        ];
        assert_eq!(body("https://h", &writes), expected.join("\r\n"));
    }

    #[test]
    fn versions_come_in_order() {
        let response = answer(&[
            "--batchresponse_1",
            "Content-Type: multipart/mixed; boundary=changesetresponse_1",
            "",
            "--changesetresponse_1",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            "HTTP/1.1 204 No Content",
            "DataServiceVersion: 3.0;",
            "ETag: W/\"datetime'2026-11-21T10%3A00%3A00Z'\"",
            "",
            "",
            "--changesetresponse_1",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            "HTTP/1.1 204 No Content",
            "",
            "",
            "--changesetresponse_1--",
            "--batchresponse_1--",
        ]);
        assert_eq!(
            read(&response, 2).unwrap(),
            [
                Some(ETag::new("W/\"datetime'2026-11-21T10%3A00%3A00Z'\"")),
                None
            ]
        );
        assert!(read(&response, 3).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(
            lines in proptest::collection::vec(
                "(HTTP/1\\.1 [0-9]{0,4}|ETag:|--x|\\{\"odata.error\".*|[0-9]*:|.*)", 0..12),
            count in 0_usize..3,
        ) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            if let Ok(versions) = read(&answer(&lines), count) {
                proptest::prop_assert_eq!(versions.len(), count);
            }
        }
    }

    #[test]
    fn a_refusal_names_the_write() {
        let response = answer(&[
            "--batchresponse_1",
            "Content-Type: multipart/mixed; boundary=changesetresponse_1",
            "",
            "--changesetresponse_1",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            "HTTP/1.1 409 Conflict",
            "Content-Type: application/json;odata=minimalmetadata",
            "",
            r#"{"odata.error":{"code":"EntityAlreadyExists","message":{"lang":"en-us","value":"17:The specified entity already exists.\nRequestId:1"}}}"#,
            "--changesetresponse_1--",
            "--batchresponse_1--",
        ]);
        let BatchFailure { index, failure } = read(&response, 20).unwrap_err();
        assert_eq!(index, Some(17));
        let error = failure.into_error("write batch");
        assert_eq!(error.kind(), StorageErrorKind::AlreadyExists);
        assert_eq!(
            error.to_string(),
            "write batch: Azure answered 409 EntityAlreadyExists: The specified entity already \
             exists."
        );
    }
}
