//! Every action that the audit log names is written by something.

use std::fs;
use std::path::Path;

use dilux_core::model::AuditAction;

/// Actions that nothing writes, with the reason.
const UNWRITTEN: [(AuditAction, &str); 0] = [];

/// The sources of the services, without their tests and without the lists of actions themselves.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                sources(&path, text);
            }
        } else if path.extension().is_some_and(|it| it == "rs")
            && !path.ends_with("tests.rs")
            && !path.ends_with("model/audit.rs")
            && !path.ends_with("api/src/deed.rs")
        {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_action_is_written_by_a_service_or_listed_with_the_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut text = String::new();
    for part in [
        "bins/api/src",
        "bins/processor/src",
        "bins/scheduler/src",
        "crates/core/src",
    ] {
        sources(&root.join(part), &mut text);
    }
    let is_written = |action: AuditAction| {
        let name = format!("AuditAction::{action:?}");
        text.match_indices(&name).any(|(at, _)| {
            let next = text[at + name.len()..].chars().next();
            next.is_none_or(|next| !next.is_alphanumeric())
        })
    };
    for action in AuditAction::ALL.iter().copied() {
        let reason = UNWRITTEN.iter().find(|(known, _)| *known == action);
        assert_eq!(
            is_written(action),
            reason.is_none(),
            "{action:?} is written: {}; listed as unwritten: {reason:?}",
            is_written(action),
        );
    }
}
