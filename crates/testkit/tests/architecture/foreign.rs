//! Foreign crates against `deny.toml`: licences, bans and sources. Only what cargo says of the
//! Linux build counts, as in the file's own `graph` section.

use semver::{Version, VersionReq};
use serde_json::Value;

use crate::workspace::{root, toml_file};

/// A package of the dependency graph.
struct Package {
    name: String,
    version: Version,
    license: String,
    source: Option<String>,
}

/// The rules of `deny.toml` that this test applies.
struct Rules {
    licenses: Vec<String>,
    bans: Vec<(String, VersionReq)>,
}

impl Rules {
    fn read() -> Self {
        let file = toml_file(&root().join("deny.toml"));
        let sources = file["sources"].as_table().unwrap();
        assert_eq!(sources["unknown-git"].as_str(), Some("deny"));
        assert_eq!(sources["unknown-registry"].as_str(), Some("deny"));
        let licenses = file["licenses"]["allow"].as_array().unwrap();
        let bans = file["bans"]["deny"].as_array().unwrap();
        Self {
            licenses: licenses
                .iter()
                .map(|name| name.as_str().unwrap().to_owned())
                .collect(),
            bans: bans
                .iter()
                .map(|ban| parse_ban(ban["crate"].as_str().unwrap()))
                .collect(),
        }
    }

    fn violations(&self, package: &Package) -> Vec<String> {
        let Package {
            name,
            version,
            license,
            source,
        } = package;
        let mut found = Vec::new();
        let expression = spdx::Expression::parse_mode(license, spdx::ParseMode::LAX);
        let is_licensed = expression.is_ok_and(|expression| {
            expression.evaluate(|requirement| {
                let id = requirement.license.id();
                requirement.addition.is_none()
                    && id.is_some_and(|id| self.licenses.iter().any(|name| name == id.name))
            })
        });
        if !is_licensed {
            found.push(format!("{name} {version} has the licence '{license}'"));
        }
        if self
            .bans
            .iter()
            .any(|(banned, range)| banned == name && range.matches(version))
        {
            found.push(format!("{name} {version} is banned"));
        }
        if let Some(source) = source.as_ref().filter(|source| source.starts_with("git+")) {
            found.push(format!("{name} {version} comes from {source}"));
        }
        found
    }
}

fn parse_ban(spec: &str) -> (String, VersionReq) {
    let (name, range) = spec.split_once('@').unwrap_or((spec, "*"));
    (name.to_owned(), range.parse().unwrap())
}

/// The packages of the Linux build.
fn packages() -> Vec<Package> {
    #[expect(
        clippy::disallowed_methods,
        reason = "only cargo knows the licences of its packages"
    )]
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .arg("--filter-platform=x86_64-unknown-linux-gnu")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(parse_package)
        .collect()
}

fn parse_package(package: &Value) -> Package {
    let text = |key: &str| package[key].as_str().map(str::to_owned);
    Package {
        name: text("name").unwrap(),
        version: text("version").unwrap().parse().unwrap(),
        license: text("license").unwrap_or_default(),
        source: text("source"),
    }
}

#[test]
fn foreign_crates_obey_deny_toml() {
    let rules = Rules::read();
    let packages = packages();
    assert!(
        packages.len() > 100,
        "found only {} packages",
        packages.len()
    );
    let found: Vec<String> = packages
        .iter()
        .flat_map(|package| rules.violations(package))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_banned_crate_a_foreign_licence_and_a_git_source_are_found() {
    let package = |name: &str, version: &str, license: &str, source: &str| Package {
        name: name.to_owned(),
        version: version.parse().unwrap(),
        license: license.to_owned(),
        source: Some(source.to_owned()),
    };
    let rules = Rules::read();
    for (bad, expected) in [
        (
            package("jsonwebtoken", "9.3.1", "MIT", "registry+x"),
            "is banned",
        ),
        (
            package("openssl", "0.10.0", "Apache-2.0", "registry+x"),
            "is banned",
        ),
        (
            package("copyleft", "1.0.0", "AGPL-3.0-only", "registry+x"),
            "has the licence",
        ),
        (
            package("both", "1.0.0", "MIT AND GPL-2.0-only", "registry+x"),
            "has the licence",
        ),
        (
            package("silent", "1.0.0", "", "registry+x"),
            "has the licence",
        ),
        (
            package("fork", "1.0.0", "MIT", "git+https://example.org/fork"),
            "comes from",
        ),
    ] {
        let found = rules.violations(&bad);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{found:?}");
    }
    let good = package(
        "jsonwebtoken",
        "10.3.0",
        "Apache-2.0 OR GPL-3.0-only",
        "registry+x",
    );
    assert!(rules.violations(&good).is_empty());
}
