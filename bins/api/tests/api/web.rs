//! The files of the dashboard: open to everybody, whole, guarded by their headers, and in no
//! description of the API. What a browser makes of them is seen in `tests/journeys/dashboard.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::http::Method;
use dilux_api::openapi;

use crate::world::{Answer, TOKEN, World};

/// What is served beside the operations of the description: files, which hold nothing of an
/// installation. Whoever adds one says so here.
const PAGES: &[(&str, &str)] = &[
    ("/", "text/html; charset=utf-8"),
    ("/assets/api.js", "text/javascript; charset=utf-8"),
    ("/assets/dom.js", "text/javascript; charset=utf-8"),
    ("/assets/format.js", "text/javascript; charset=utf-8"),
    ("/assets/icon.svg", "image/svg+xml"),
    ("/assets/live.js", "text/javascript; charset=utf-8"),
    ("/assets/main.js", "text/javascript; charset=utf-8"),
    ("/assets/overview.css", "text/css; charset=utf-8"),
    ("/assets/overview.js", "text/javascript; charset=utf-8"),
    ("/assets/parts.css", "text/css; charset=utf-8"),
    ("/assets/sections.js", "text/javascript; charset=utf-8"),
    ("/assets/sign-in.js", "text/javascript; charset=utf-8"),
    ("/assets/style.css", "text/css; charset=utf-8"),
    ("/assets/verdict.js", "text/javascript; charset=utf-8"),
];

/// What the page may do, directive by directive.
const POLICY: &[&str] = &[
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
];

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    world.call_bare(Method::GET, path, headers, None).await
}

/// The files in `web`, by the path that each is to be served at.
fn sources() -> BTreeMap<String, Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let served = match name.as_str() {
                "index.html" => "/".to_owned(),
                _ => format!("/assets/{name}"),
            };
            (served, std::fs::read(path).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn everybody_gets_every_file_whole_and_guarded() {
    let world = World::new().await;
    let sources = sources();
    let served: BTreeSet<&str> = PAGES.iter().map(|(path, _)| *path).collect();
    let written: BTreeSet<&str> = sources.keys().map(String::as_str).collect();
    assert_eq!(served, written, "each file of web/ is served, and no other");
    let bearer = format!("Bearer {TOKEN}");
    let shown: [&[(&str, &str)]; 3] = [
        &[],
        &[("authorization", "Bearer wrong")],
        &[("authorization", bearer.as_str())],
    ];
    for (path, content_type) in PAGES {
        for headers in shown {
            let answer = get(&world, path, headers).await;
            assert_eq!(answer.status, 200, "{path} {headers:?}");
            assert_eq!(answer.bytes, sources[*path], "{path}");
            assert_eq!(answer.header("content-type"), *content_type, "{path}");
            assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("x-frame-options"), "DENY");
            assert_eq!(answer.header("referrer-policy"), "no-referrer");
            let policy = answer.header("content-security-policy");
            assert_eq!(policy, POLICY.join("; "), "{path}");
        }
    }
}

#[tokio::test]
async fn a_file_is_sent_again_only_when_it_is_another() {
    let world = World::new().await;
    for (path, _) in PAGES {
        let tag = get(&world, path, &[]).await.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{path}: {tag}");
        let weak = format!("\"other\", W/{tag}");
        for known in [tag.as_str(), weak.as_str(), "*"] {
            let answer = get(&world, path, &[("if-none-match", known)]).await;
            assert_eq!(answer.status, 304, "{path} {known}");
            assert!(answer.bytes.is_empty(), "{path}");
            assert_eq!(answer.header("etag"), tag);
        }
        let answer = get(&world, path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_file_can_only_be_read_and_by_the_names_of_this_machine() {
    let world = World::new().await;
    for (path, _) in PAGES {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = world.call_bare(method, path, &[], None).await;
            assert_eq!(answer.status, 405, "{path}");
        }
        let answer = world.call_bare(Method::HEAD, path, &[], None).await;
        assert_eq!((answer.status, answer.bytes.len()), (200, 0), "{path}");
        let headers = [("host", "evil.example")];
        let route = (Method::GET, *path);
        let answer = world.call_from("127.0.0.1", route, &headers, None).await;
        assert_eq!(answer.status, 421, "{path}");
    }
}

#[test]
fn files_are_no_operations_of_the_api() {
    let document = serde_json::to_value(openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, _) in PAGES {
        assert!(!paths.contains_key(*path), "{path}");
    }
    let described_elsewhere = |path: &&String| !path.starts_with("/api/") && *path != "/metrics";
    let found: Vec<_> = paths.keys().filter(described_elsewhere).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Every address that a text refers to, between `before` and a quote.
fn addresses<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let parts = text.split(before).skip(1);
    parts.filter_map(|part| part.split('"').next()).collect()
}

#[test]
fn what_files_refer_to_is_served_from_here() {
    let known: BTreeSet<&str> = PAGES.iter().map(|(path, _)| *path).collect();
    for (path, bytes) in sources() {
        let text = String::from_utf8(bytes).unwrap();
        let own = [addresses(&text, " src=\""), addresses(&text, " href=\"/")].concat();
        for address in own {
            let is_page = matches!(address, "#main" | "api/docs/");
            let absolute = format!("/{}", address.trim_start_matches('/'));
            assert!(
                is_page || known.contains(absolute.as_str()),
                "{path}: {address}"
            );
        }
        for module in addresses(&text, " from \"./") {
            let module = format!("/assets/{module}");
            assert!(known.contains(module.as_str()), "{path}: {module}");
        }
        let foreign = text.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !foreign.contains("http://") && !foreign.contains("https://"),
            "{path}"
        );
        assert!(
            !foreign.contains("@import") && !foreign.contains("url("),
            "{path}"
        );
    }
}

#[test]
fn no_file_makes_markup_of_text_or_keeps_anything_in_the_browser() {
    for (path, bytes) in sources() {
        let text = String::from_utf8(bytes).unwrap();
        for refused in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "eval(",
            "new Function",
            "localStorage",
            "sessionStorage",
            "indexedDB",
            "document.cookie",
            " style=",
            " onclick=",
            " onload=",
            " onerror=",
            "<style",
            "javascript:",
        ] {
            assert!(!text.contains(refused), "{path} has {refused}");
        }
        let scripts = text.matches("<script").count();
        let loaded = text
            .matches("<script type=\"module\" src=\"/assets/")
            .count();
        assert_eq!(scripts, loaded, "{path} has an inline script");
    }
}

#[test]
fn the_files_are_small() {
    let bytes: usize = sources().values().map(Vec::len).sum();
    assert!(bytes < 60_000, "{bytes} bytes");
}
