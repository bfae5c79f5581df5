//! The dependency arrows of docs/architecture.md: they point to the core, and only binaries join
//! things.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::{dependencies, member_manifests, package_name};

/// What each member may use of the others.
const ARROWS: &[(&str, &[&str])] = &[
    ("dilux-core", &[]),
    ("dilux-process-plumbing", &[]),
    ("dilux-drivers", &["dilux-core", "dilux-process-plumbing"]),
    ("dilux-pipeline", &["dilux-core"]),
    ("dilux-testkit", &["dilux-core", "dilux-process-plumbing"]),
    (
        "dilux-api",
        &[
            "dilux-core",
            "dilux-drivers",
            "dilux-pipeline",
            "dilux-process-plumbing",
        ],
    ),
    ("dilux-scheduler", &["dilux-core"]),
    (
        "dilux-processor",
        &[
            "dilux-core",
            "dilux-drivers",
            "dilux-pipeline",
            "dilux-process-plumbing",
        ],
    ),
    (
        "dilux",
        &[
            "dilux-api",
            "dilux-core",
            "dilux-drivers",
            "dilux-pipeline",
            "dilux-process-plumbing",
            "dilux-processor",
            "dilux-scheduler",
        ],
    ),
];

/// What is wrong with the arrows from `member` to `used`, which is what its manifest names.
fn violations(member: &str, used: &[String]) -> Vec<String> {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let members: BTreeSet<&str> = arrows.keys().copied().collect();
    let Some(allowed) = arrows.get(member) else {
        return vec![format!("{member} has no row in ARROWS")];
    };
    used.iter()
        .filter(|name| members.contains(name.as_str()) && !allowed.contains(&name.as_str()))
        .map(|name| format!("{member} may not depend on {name}"))
        .collect()
}

#[test]
fn members_depend_only_along_the_arrows() {
    let manifests = member_manifests();
    assert_eq!(
        manifests.len(),
        ARROWS.len(),
        "a row of ARROWS has no crate, or the reverse"
    );
    let found: Vec<String> = manifests
        .iter()
        .flat_map(|manifest| {
            let mut used = dependencies(manifest, "dependencies");
            used.extend(dependencies(manifest, "build-dependencies"));
            violations(&package_name(manifest), &used)
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_arrow_between_two_services_is_found() {
    let used = ["tokio", "dilux-core", "dilux-api"].map(str::to_owned);
    assert_eq!(
        violations("dilux-processor", &used),
        ["dilux-processor may not depend on dilux-api"]
    );
}

#[test]
fn the_test_kit_as_an_ordinary_dependency_is_found() {
    let used = ["dilux-testkit".to_owned()];
    assert_eq!(
        violations("dilux-core", &used),
        ["dilux-core may not depend on dilux-testkit"]
    );
}
