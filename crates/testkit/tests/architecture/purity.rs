//! `core::model`, `schedule`, `retention` and `timer` know no I/O, no clock, no vendor and no port:
//! checked on the parsed source, so that grouped imports, full paths and `super` count alike.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

use crate::workspace::{dependencies, root, toml_file};

/// The pure modules of `dilux-core`.
const PURE: &[&str] = &["model", "schedule", "retention", "timer"];

/// The dependencies of `dilux-core` that only compute.
const PURE_CRATES: &[&str] = &[
    "base64",
    "bytes",
    "croner",
    "data-encoding",
    "jiff",
    "serde",
    "serde_json",
    "sha2",
    "subtle",
    "thiserror",
];

/// What pure modules may name of the rest of `dilux-core`.
const PURE_ITEMS: &[&[&str]] = &[
    &["error"],
    &["Error"],
    &["Result"],
    &["random", "Random"],
    &["random", "uuid_text"],
    &["random", "hex_text"],
    &["secret", "SecretName"],
    &["secret", "SecretValue"],
    &["transfer", "Failure"],
    &["transfer", "FailureKind"],
];

/// Parts of the standard library that reach outside.
const OUTSIDE: &[&str] = &["env", "fs", "io", "net", "os", "process", "thread"];

/// Addresses are values.
const PURE_NET: &[&str] = &["IpAddr", "Ipv4Addr", "Ipv6Addr"];

/// Calls that look at the machine, by their last two segments.
const IMPURE_CALLS: &[[&str; 2]] = &[
    ["Timestamp", "now"],
    ["Zoned", "now"],
    ["SystemTime", "now"],
    ["Instant", "now"],
    ["TimeZone", "system"],
];

/// Every path in a file, absolute where it begins with `crate`, `self` or `super`.
struct Paths {
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    fn add(&mut self, segments: &[String]) {
        let mut path = Vec::new();
        if let Some("self" | "super") = segments.first().map(String::as_str) {
            path.push("crate".to_owned());
            path.extend(self.module.iter().cloned());
        }
        for segment in segments {
            match segment.as_str() {
                "self" => {}
                "super" => {
                    path.pop();
                }
                _ => path.push(segment.clone()),
            }
        }
        self.found.push(path);
    }

    fn add_tree(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Name(name) => self.add_leaf(prefix, name.ident.to_string()),
            syn::UseTree::Rename(rename) => self.add_leaf(prefix, rename.ident.to_string()),
            syn::UseTree::Glob(_) => self.add_leaf(prefix, "*".to_owned()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(prefix, tree);
                }
            }
        }
    }

    fn add_leaf(&mut self, prefix: &[String], leaf: String) {
        let mut path = prefix.to_vec();
        path.push(leaf);
        self.add(&path);
    }

    /// Paths inside a macro call, which is not parsed: runs of identifiers joined by `::`.
    fn add_tokens(&mut self, text: &str) {
        let text = text.replace(" :: ", "::");
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for word in text
            .split(|c| !is_path(c))
            .filter(|word| word.contains("::"))
        {
            let segments: Vec<String> = word
                .split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect();
            self.add(&segments);
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.add(&segments);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(&call.tokens.to_string());
        syn::visit::visit_macro(self, call);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

/// Why a pure module may not name `path`.
fn objection(path: &[String], impure_crates: &BTreeSet<String>) -> Option<&'static str> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if path.len() > 1
        && path
            .last_chunk::<2>()
            .is_some_and(|end| IMPURE_CALLS.contains(end))
    {
        return Some("looks at the machine");
    }
    match path.as_slice() {
        ["std", "net", name, ..] if PURE_NET.contains(name) => None,
        ["std", module, ..] if OUTSIDE.contains(module) => Some("reaches outside the process"),
        ["crate", module, ..] if PURE.contains(module) => None,
        ["crate", rest @ ..] if PURE_ITEMS.iter().any(|item| rest.starts_with(item)) => None,
        ["crate", _, ..] => Some("is not pure"),
        [first, _, ..] if impure_crates.contains(*first) => Some("is not a computing crate"),
        _ => None,
    }
}

/// What is wrong with the source of `module` (`["model", "job"]`).
fn violations(module: &[&str], source: &str, impure_crates: &BTreeSet<String>) -> Vec<String> {
    let file = syn::parse_file(source).unwrap();
    let module: Vec<String> = module.iter().map(|part| (*part).to_owned()).collect();
    let mut paths = Paths {
        module: module.clone(),
        found: Vec::new(),
    };
    paths.visit_file(&file);
    let found: BTreeSet<String> = paths
        .found
        .iter()
        .filter_map(|path| {
            let reason = objection(path, impure_crates)?;
            Some(format!(
                "core::{} names {}, which {reason}",
                module.join("::"),
                path.join("::")
            ))
        })
        .collect();
    found.into_iter().collect()
}

/// The dependencies of `dilux-core` that are not in [`PURE_CRATES`], as paths name them.
fn impure_crates() -> BTreeSet<String> {
    dependencies(
        &toml_file(&root().join("crates/core/Cargo.toml")),
        "dependencies",
    )
    .into_iter()
    .filter(|name| !PURE_CRATES.contains(&name.as_str()))
    .map(|name| name.replace('-', "_"))
    .collect()
}

/// The source files under `folder`, each with its module path.
fn sources(folder: &Path, module: &[String], found: &mut Vec<(Vec<String>, PathBuf)>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let mut module = module.to_vec();
        module.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        if path.is_dir() {
            sources(&path, &module, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((module, path));
        }
    }
}

#[test]
fn pure_modules_name_nothing_impure() {
    let source = root().join("crates/core/src");
    let mut files = Vec::new();
    sources(&source, &[], &mut files);
    files.retain(|(module, _)| PURE.contains(&module[0].as_str()));
    assert!(files.len() > 10, "found only {files:?}");
    let impure_crates = impure_crates();
    let found: Vec<String> = files
        .iter()
        .flat_map(|(module, path)| {
            let module: Vec<&str> = module.iter().map(String::as_str).collect();
            violations(
                &module,
                &std::fs::read_to_string(path).unwrap(),
                &impure_crates,
            )
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn each_way_to_name_something_impure_is_found() {
    let impure_crates = impure_crates();
    for source in [
        "use tokio::sync::Mutex;",
        "use azure_core::http::Url;",
        "fn f() { let _ = rusqlite::Connection::open_in_memory(); }",
        "use std::{fmt, fs::File};",
        "use std::net::TcpStream;",
        "fn f() -> String { std::env::temp_dir().display().to_string() }",
        "use crate::storage::BlobStore;",
        "use crate::{model::Job, storage};",
        "use super::super::repository::Jobs;",
        "mod inner { use super::super::super::clock::Clock; }",
        "use crate::secret::SecretStore;",
        "use crate::transfer::*;",
        "fn f() { let _ = jiff::Timestamp::now(); }",
        "fn f() { println!(\"{}\", std::process::id()); }",
        "#[tokio::test] async fn f() {}",
    ] {
        let found = violations(&["model", "job"], source, &impure_crates);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
    }
}

#[test]
fn computing_with_values_is_allowed() {
    let source = "use std::net::IpAddr; use std::fmt; use jiff::{Timestamp, tz::TimeZone};
        use super::{BackupId, Tier}; pub(crate) struct Inner; use crate::model::Job; use crate::secret::SecretValue;
        fn f(now: jiff::Timestamp, id: &super::BackupId) -> u64 { u64::MAX }";
    assert_eq!(
        violations(&["model", "job"], source, &impure_crates()),
        Vec::<String>::new()
    );
}
