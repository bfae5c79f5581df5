//! The files of the dashboard, which are part of the program: what a browser gets before it knows who
//! calls. They hold no data of the installation, so they are open to everybody
//! (docs/adr/2026-11-22-web-page.md).

use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{StatusCode, request};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};

use crate::app::App;
use crate::etag;
use crate::problem::{Answer, Problem};

/// What a page may do: run and show what comes from here, call this API, and nothing else. Text never
/// becomes markup (`trusted-types`), and a form that no script takes sends nothing anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file that everybody may have.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it is served.
    pub(crate) path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

/// A file of the directory `web`, served below `/assets/`.
macro_rules! asset {
    ($name:literal, $content_type:expr) => {
        File {
            path: concat!("/assets/", $name),
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../web/", $name)),
        }
    };
}

/// The page itself.
const INDEX: &str = include_str!("../../../web/index.html");

/// Where the page takes something that it is to tell.
const NOTICE: &str = "<!-- notice -->";

/// All of them.
pub(crate) const FILES: &[File] = &[
    File {
        path: "/",
        content_type: HTML,
        bytes: INDEX.as_bytes(),
    },
    asset!("style.css", STYLE),
    asset!("parts.css", STYLE),
    asset!("overview.css", STYLE),
    asset!("icon.svg", "image/svg+xml"),
    asset!("main.js", SCRIPT),
    asset!("api.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("live.js", SCRIPT),
    asset!("overview.js", SCRIPT),
    asset!("sections.js", SCRIPT),
    asset!("sign-in.js", SCRIPT),
    asset!("verdict.js", SCRIPT),
];

impl File {
    /// What serves it: the whole file, or nothing when the browser has it already.
    pub(crate) fn serve(&'static self) -> MethodRouter<App> {
        let tag = self.tag();
        routing::get(move |request: request::Parts| async move {
            let tag = tag.clone()?;
            Answer::Ok(self.answer(&request.headers, &tag))
        })
    }

    /// Names the content, so that browsers ask whether theirs is still right.
    fn tag(&self) -> Answer<HeaderValue> {
        HeaderValue::try_from(etag::of(self.bytes))
            .map_err(|error| dilux_core::Error::internal("name the file", error).into())
    }

    fn answer(&self, headers: &HeaderMap, tag: &HeaderValue) -> Response {
        let known = [
            (header::ETAG, tag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(POLICY),
            ),
        ];
        if has(headers, tag) {
            return (StatusCode::NOT_MODIFIED, known).into_response();
        }
        let content_type = HeaderValue::from_static(self.content_type);
        (known, [(header::CONTENT_TYPE, content_type)], self.bytes).into_response()
    }
}

/// A failure as a page, for somebody whose browser was sent here; `None` for programs.
pub(crate) fn explain(problem: &Problem, headers: &HeaderMap) -> Option<Response> {
    let accepted = headers.get(header::ACCEPT)?.to_str().ok()?;
    if !accepted.contains("text/html") {
        return None;
    }
    let text = escaped(problem.detail());
    let notice = format!("<meta name=\"dilux-notice\" content=\"{text}\">");
    let page = INDEX.replace(NOTICE, &notice);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(HTML)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
    ];
    Some(problem.shown_as((headers, page)))
}

/// A text that stays one inside of quotes.
fn escaped(text: &str) -> String {
    let escape = |character| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => String::from(other),
    };
    text.chars().map(escape).collect()
}

/// Whether the browser says that it has the content of this tag.
fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_stays_inside_of_its_quotes() {
        let text = r#""><script>alert('&')</script>"#;
        let shown = "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;";
        assert_eq!(escaped(text), shown);
        assert_eq!(INDEX.matches(NOTICE).count(), 1, "there is a place for it");
    }
}
