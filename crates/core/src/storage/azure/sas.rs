//! Shared access signatures: those that sign our requests, and those that we make for downloads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};
use jiff::Timestamp;
use url::form_urlencoded;

use super::config::unusable;
use super::percent;
use super::shared_key::AccountKey;
use crate::secret::SecretValue;
use crate::storage::{BlobName, ContainerName, StorageResult};

/// Version of the signature's text. Azure: "Create a service SAS".
const SIGNED_VERSION: &str = "2022-11-02";

/// Takes a signature, with or without its question mark.
pub(super) fn parse(text: &str) -> StorageResult<SecretValue> {
    let text = text.trim().trim_start_matches('?');
    let has_signature = form_urlencoded::parse(text.as_bytes())
        .any(|(name, value)| name == "sig" && !value.is_empty());
    if has_signature && !text.contains(char::is_whitespace) {
        Ok(SecretValue::new(text))
    } else {
        Err(unusable(
            "the shared access signature has no sig= part; copy it whole",
        ))
    }
}

/// Adds the signature to every try.
#[derive(Debug)]
pub(super) struct SasPolicy(pub(super) SecretValue);

#[async_trait]
impl Policy for SasPolicy {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let url = request.url_mut();
        if !url.query_pairs().any(|(name, _)| name == "sig") {
            let query = match url.query() {
                Some(query) if !query.is_empty() => format!("{query}&{}", self.0.expose()),
                _ => self.0.expose().to_owned(),
            };
            url.set_query(Some(&query));
        }
        match next {
            [first, rest @ ..] => first.send(ctx, request, rest).await,
            [] => Err(Error::with_message(
                ErrorKind::Other,
                "nothing follows the signature",
            )),
        }
    }
}

/// What a download link grants: reading one blob.
pub(super) struct DownloadGrant<'a> {
    pub(super) container: &'a ContainerName,
    pub(super) name: &'a BlobName,
    /// Now.
    pub(super) from: Timestamp,
    /// How long from now.
    pub(super) life: Duration,
    /// Name under which browsers save it.
    pub(super) file_name: &'a str,
}

/// A link to the blob at `blob_url` that needs no further credentials. Over HTTPS only, unless
/// the account itself is reached over HTTP.
pub(super) fn download_link(
    key: &AccountKey,
    blob_url: Url,
    grant: &DownloadGrant<'_>,
) -> azure_core::Result<Url> {
    let until = grant
        .from
        .saturating_add(grant.life)
        .unwrap_or(Timestamp::MAX);
    let expiry = until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let protocol = if blob_url.scheme() == "https" {
        "https"
    } else {
        "https,http"
    };
    let disposition = content_disposition(grant.file_name);
    let resource = format!(
        "/blob/{}/{}/{}",
        key.account,
        grant.container.as_str(),
        grant.name.as_str()
    );
    let text = string_to_sign(&expiry, &resource, protocol, &disposition);
    let signature = key.sign(&text)?;
    let mut link = blob_url;
    link.query_pairs_mut()
        .clear()
        .append_pair("sv", SIGNED_VERSION)
        .append_pair("se", &expiry)
        .append_pair("sr", "b")
        .append_pair("sp", "r")
        .append_pair("spr", protocol)
        .append_pair("rscd", &disposition)
        .append_pair("sig", &signature);
    Ok(link)
}

/// The sixteen lines that a service SAS of a blob signs.
fn string_to_sign(expiry: &str, resource: &str, protocol: &str, disposition: &str) -> String {
    let permissions = "r";
    let (start, identifier, address, snapshot, scope) = ("", "", "", "", "");
    let (cache_control, encoding, language, content_type) = ("", "", "", "");
    [
        permissions,
        start,
        expiry,
        resource,
        identifier,
        address,
        protocol,
        SIGNED_VERSION,
        "b",
        snapshot,
        scope,
        cache_control,
        disposition,
        encoding,
        language,
        content_type,
    ]
    .join("\n")
}

/// `attachment` with the name twice: plain for old readers, UTF-8 for the others (RFC 6266).
fn content_disposition(file_name: &str) -> String {
    let plain: String = file_name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '/' | '%' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .collect();
    let encoded = percent::encode(file_name);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant<'a>(container: &'a ContainerName, name: &'a BlobName) -> DownloadGrant<'a> {
        DownloadGrant {
            container,
            name,
            from: "2026-11-21T10:00:00.7Z".parse().unwrap(),
            life: Duration::from_mins(15),
            file_name: "sales \"2026\" é.sql.gz",
        }
    }

    #[test]
    fn signatures_lose_their_question_mark_and_need_a_sig() {
        assert_eq!(
            parse("?sv=1&sig=abc%3D").unwrap().expose(),
            "sv=1&sig=abc%3D"
        );
        for text in ["", "?", "sv=1", "sig=", "sv=1&sig=a b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_downloads_are_quoted_and_cannot_end_the_header() {
        assert_eq!(
            content_disposition("a\"b\\c/d\r\né 100%.gz"),
            "attachment; filename=\"a_b_c_d___ 100_.gz\"; \
             filename*=UTF-8''a%22b%5Cc%2Fd%0D%0A%C3%A9%20100%25.gz"
        );
    }

    #[test]
    fn the_signed_text_has_sixteen_lines_and_the_plain_name() {
        let text = string_to_sign(
            "2026-11-21T10:15:00Z",
            "/blob/acme1/c/a b/é",
            "https",
            "attachment",
        );
        assert_eq!(
            text,
            "r\n\n2026-11-21T10:15:00Z\n/blob/acme1/c/a b/é\n\n\nhttps\n2022-11-02\nb\n\n\n\n\
             attachment\n\n\n"
        );
    }

    #[test]
    fn links_grant_reading_one_blob_for_a_while() {
        let key = AccountKey::new("acme1", &SecretValue::new("SmVmZQ=="));
        let container = ContainerName::new("backups").unwrap();
        let name = BlobName::new("mysql/x.gz").unwrap();
        let url = Url::parse("https://acme1.blob.core.windows.net/backups/mysql/x.gz").unwrap();
        let link = download_link(&key, url, &grant(&container, &name)).unwrap();
        let value = |wanted: &str| {
            let found = link.query_pairs().find(|(name, _)| name == wanted);
            found
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        assert_eq!(value("sp"), "r");
        assert_eq!(value("sr"), "b");
        assert_eq!(value("spr"), "https");
        assert_eq!(value("se"), "2026-11-21T10:15:00Z");
        assert_eq!(
            data_encoding::BASE64
                .decode(value("sig").as_bytes())
                .unwrap()
                .len(),
            32
        );
    }
}
