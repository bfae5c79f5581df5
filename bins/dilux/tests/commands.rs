//! Commands as they are typed, by the real binary.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{AuditAction, AuditEntry, AuditResourceType, AuditStatus};
use dilux_core::storage::{
    Condition, Entity, Profile, Query, TableName, TableOperation, Value as Cell,
};
use jiff::SignedDuration;
use tempfile::TempDir;

fn store(directory: &Path) -> String {
    format!("file://{}", directory.display())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command under test is started as a person would"
)]
fn dilux(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dilux"))
        .args(arguments)
        .env_clear()
        .env("STORAGE_CONNECTION_STRING", store(directory))
        .output()
        .unwrap()
}

/// What a command prints that ends well.
fn printed(directory: &Path, arguments: &[&str]) -> String {
    let output = dilux(directory, arguments);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// The store of the commands, as a service sees it.
fn installation(directory: &Path) -> Installation {
    let store = store(directory);
    let settings =
        Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()));
    Installation::open(settings.unwrap(), Profile::Worker).unwrap()
}

/// The entries of the audit log, as they are stored.
async fn entries(installation: &Installation) -> Vec<Entity> {
    let table = TableName::new("auditlogs").unwrap();
    let tables = &installation.storage.tables;
    let page = tables.query(&table, &Query::default(), None).await.unwrap();
    let rows = page.entities.into_iter().map(|row| row.entity);
    rows.filter(|row| row.properties.contains_key("action"))
        .collect()
}

async fn write(installation: &Installation, operation: TableOperation) {
    let table = TableName::new("auditlogs").unwrap();
    let tables = &installation.storage.tables;
    tables.write(&table, operation).await.unwrap();
}

#[test]
fn openapi_prints_the_document_of_the_api() {
    let directory = TempDir::new().unwrap();
    let text = printed(directory.path(), &["openapi"]);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let served = serde_json::to_value(dilux_api::openapi()).unwrap();
    assert_eq!(document, served);
    assert!(document["paths"].as_object().unwrap().len() > 50);
}

#[tokio::test]
async fn audit_verify_is_content_with_a_log_as_it_was_written_and_names_a_row_that_is_not() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    for name in ["one", "two", "three"] {
        printed(path, &["token", "create", "--name", name]);
    }
    let sound = printed(path, &["audit", "verify"]);
    assert!(!sound.contains("finding"), "{sound}");
    assert!(sound.contains("sound      3 entries"), "{sound}");

    let installation = installation(path);
    let genuine = entries(&installation).await.remove(1);
    let email = Cell::String("somebody.else@example.com".to_owned());
    let changed = genuine.clone().with("user_email", email);
    let written = TableOperation::Replace(changed, Condition::Exists);
    write(&installation, written).await;
    is_found(path, &genuine.key.row);
    let back = TableOperation::Replace(genuine.clone(), Condition::Exists);
    write(&installation, back).await;
    printed(path, &["audit", "verify"]);
    let lost = TableOperation::Delete(genuine.key, Condition::Exists);
    write(&installation, lost).await;
    is_found(path, "");
}

/// Fails unless a verification ends with an error and a finding with this text.
fn is_found(directory: &Path, named: &str) {
    let output = dilux(directory, &["audit", "verify"]);
    assert!(!output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    let mut findings = told.lines().filter(|line| line.starts_with("finding"));
    assert!(findings.any(|line| line.contains(named)), "{told}");
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("tampered with"), "{complaint}");
}

#[tokio::test]
async fn audit_unfinished_lists_what_was_begun_and_has_no_result() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    printed(path, &["token", "create", "--name", "one"]);
    let installation = installation(path);
    let hour_ago = installation.clock.now() - SignedDuration::from_hours(1);
    let intent = AuditEntry {
        id: "intent-1".parse().unwrap(),
        at: hour_ago,
        user_id: "user-1".to_owned(),
        user_email: "alice@example.com".to_owned(),
        action: AuditAction::Update,
        resource_type: AuditResourceType::Engine,
        resource_id: "engine-7".to_owned(),
        resource_name: String::new(),
        details: serde_json::Map::new(),
        status: AuditStatus::Intended,
        error_message: None,
        ip_address: None,
        intent_id: None,
    };
    let none = printed(path, &["audit", "unfinished"]);
    assert_eq!(none, "0 changes without a known result\n");
    let intents = &installation.repositories.intents;
    intents.append(&intent).await.unwrap();
    let listed = printed(path, &["audit", "unfinished", "--days", "1"]);
    assert!(
        listed.contains("alice@example.com  update engine engine-7"),
        "{listed}"
    );
    assert!(listed.ends_with("1 changes without a known result\n"));
}
