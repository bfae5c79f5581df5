//! The OpenAPI document against the routes that there must be.

use std::collections::BTreeSet;

use dilux_api::openapi;
use serde_json::Value;

const ROUTES: &[&str] = &[
    "GET /api/health",
    "GET /api/health/report",
    "GET /api/version",
    "GET /api/ready",
    "GET /metrics",
    "GET /api/metrics",
    "GET /api/engines",
    "POST /api/engines",
    "GET /api/engines/{engine_id}",
    "PUT /api/engines/{engine_id}",
    "DELETE /api/engines/{engine_id}",
    "GET /api/engines/{engine_id}/removal",
    "POST /api/engines/{engine_id}/test",
    "POST /api/engines/{engine_id}/discover",
    "POST /api/engines/{engine_id}/databases",
    "GET /api/databases",
    "POST /api/databases",
    "POST /api/databases/test-connection",
    "GET /api/databases/{database_id}",
    "PUT /api/databases/{database_id}",
    "DELETE /api/databases/{database_id}",
    "GET /api/databases/{database_id}/rpo",
    "POST /api/databases/{database_id}/test",
    "POST /api/databases/{database_id}/backup",
    "GET /api/databases/{database_id}/schedule",
    "GET /api/backup-policies",
    "POST /api/backup-policies",
    "GET /api/backup-policies/{policy_id}",
    "PUT /api/backup-policies/{policy_id}",
    "DELETE /api/backup-policies/{policy_id}",
    "GET /api/backup-policies/{policy_id}/preview",
    "GET /api/jobs",
    "GET /api/jobs/{job_id}",
    "POST /api/jobs/{job_id}/cancel",
    "GET /api/dead-letters",
    "POST /api/dead-letters/{dead_letter_id}/requeue",
    "DELETE /api/dead-letters/{dead_letter_id}",
    "GET /api/backups",
    "GET /api/backups/export",
    "GET /api/backups/download",
    "GET /api/backups/{backup_id}",
    "GET /api/backups/{backup_id}/download",
    "GET /api/backups/{backup_id}/data",
    "POST /api/backups/{backup_id}/restore",
    "POST /api/retention/dry-run",
    "GET /api/retention/runs",
    "POST /api/backups/{backup_id}/pin",
    "DELETE /api/backups/{backup_id}/pin",
    "POST /api/backups/{backup_id}/hold",
    "DELETE /api/backups/{backup_id}/hold",
    "POST /api/backups/{backup_id}/undelete",
    "GET /api/tokens",
    "POST /api/tokens",
    "DELETE /api/tokens/{token_id}",
    "GET /api/auth/methods",
    "GET /api/auth/oidc/callback",
    "GET /api/auth/oidc/start",
    "POST /api/auth/setup",
    "POST /api/auth/login",
    "POST /api/auth/invitation",
    "POST /api/auth/logout",
    "POST /api/auth/events",
    "GET /api/users",
    "POST /api/users",
    "GET /api/users/me",
    "PUT /api/users/me/preferences",
    "PUT /api/users/me/password",
    "GET /api/users/{user_id}",
    "PUT /api/users/{user_id}",
    "DELETE /api/users/{user_id}",
    "POST /api/users/{user_id}/invitation",
    "GET /api/access-requests",
    "POST /api/access-requests/{request_id}/approve",
    "POST /api/access-requests/{request_id}/reject",
    "GET /api/backups/files",
    "DELETE /api/backups/delete",
    "POST /api/backups/delete-bulk",
    "DELETE /api/backups/{backup_id}",
    "PUT /api/backups/{backup_id}/labels",
    "POST /api/backups/{backup_id}/verify",
    "GET /api/restores",
    "POST /api/restores",
    "GET /api/restores/{job_id}",
    "POST /api/jobs/{job_id}/retry",
    "GET /api/engines/{engine_id}/credentials",
    "PUT /api/engines/{engine_id}/credentials",
    "POST /api/engines/{engine_id}/apply-credentials",
    "GET /api/configuration/export",
    "POST /api/configuration/import",
    "GET /api/settings",
    "PUT /api/settings",
    "GET /api/components",
    "GET /api/vnet-status",
    "GET /api/audit",
    "GET /api/audit/actions",
    "GET /api/audit/resource-types",
    "GET /api/audit/stats",
    "GET /api/audit/unfinished",
    "GET /api/audit/export",
    "GET /api/system-status",
    "GET /api/storage-stats",
    "GET /api/backup-alerts",
    "GET /api/alerts",
    "GET /api/alerts/{alert_id}",
    "POST /api/alerts/{alert_id}/acknowledge",
    "GET /api/events",
    "GET /api/databases/{database_id}/backup-stats",
];

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

/// Each operation with its route.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .iter()
                .map(move |(method, operation)| {
                    (format!("{} {path}", method.to_uppercase()), operation)
                })
        })
        .collect()
}

#[test]
fn the_document_lists_every_route_and_nothing_else() {
    let document = document();
    let found: BTreeSet<String> = operations(&document)
        .into_iter()
        .map(|(route, _)| route)
        .collect();
    let expected: BTreeSet<String> = ROUTES.iter().map(|route| (*route).to_owned()).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_operation_says_what_it_does_what_it_answers_and_how_it_fails() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (route, operation) in operations(&document) {
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{route}"
        );
        assert!(
            operation["tags"]
                .as_array()
                .is_some_and(|tags| tags.len() == 1),
            "{route}"
        );
        let id = operation["operationId"].as_str().unwrap();
        assert!(
            ids.insert(id.to_owned()),
            "{route}: operationId '{id}' is taken"
        );
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses
                .keys()
                .any(|status| status.starts_with(['2', '3'])),
            "{route}"
        );
        for (status, response) in responses {
            let description = response["description"].as_str();
            assert!(
                description.is_some_and(|text| !text.is_empty()),
                "{route} {status}"
            );
        }
        for status in ["401", "403", "422", "429", "500", "503"] {
            let schema = &responses[status]["content"]["application/problem+json"]["schema"];
            assert_eq!(
                schema["$ref"], "#/components/schemas/Problem",
                "{route} {status}"
            );
        }
        let names: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let wanted: BTreeSet<&str> = route
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(names, wanted, "{route}");
    }
}

#[test]
fn a_token_or_a_session_is_demanded_of_all_that_is_not_public() {
    let document = document();
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    let session = &document["components"]["securitySchemes"]["session"];
    assert_eq!(
        (&session["in"], &session["name"]),
        (&"cookie".into(), &"__Host-dilux_session".into())
    );
    let either = serde_json::json!([{ "bearer": [] }, { "session": [] }]);
    assert_eq!(document["security"], either);
    for (route, operation) in operations(&document) {
        let own = operation.get("security");
        let is_public = operation["x-permission"] == "public";
        assert_eq!(own.is_some(), is_public, "{route}");
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value.as_str() {
                    Some(text) if key == "$ref" => {
                        found.insert(text.to_owned());
                    }
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_groups_of_operations_are_listed_with_what_they_are() {
    let document = document();
    let listed: BTreeSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|tag| tag["description"].is_string())
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let used: BTreeSet<&str> = operations(&document)
        .into_iter()
        .map(|(_, operation)| operation["tags"][0].as_str().unwrap())
        .collect();
    assert_eq!(listed, used);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

#[test]
fn the_data_of_a_backup_is_described_in_every_format_that_it_is_served_in() {
    let document = document();
    let data = &document["paths"]["/api/backups/{backup_id}/data"]["get"]["responses"];
    for status in ["200", "206"] {
        for format in [
            "application/gzip",
            "application/zstd",
            "application/sql",
            "application/octet-stream",
        ] {
            let content = &data[status]["content"][format];
            assert!(content.is_object(), "{status} {format}");
        }
    }
}

#[test]
fn an_import_of_nothing_good_is_described_as_it_answers() {
    let document = document();
    let import = &document["paths"]["/api/engines/{engine_id}/databases"]["post"];
    let content = &import["responses"]["400"]["content"];
    for (format, schema) in [
        ("application/json", "#/components/schemas/Imported"),
        ("application/problem+json", "#/components/schemas/Problem"),
    ] {
        assert_eq!(content[format]["schema"]["$ref"], schema, "{format}");
    }
}

#[test]
fn no_answer_has_a_field_for_a_password() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let properties = schema["properties"].as_object();
        let password = properties.and_then(|properties| properties.get("password"));
        if let Some(password) = password {
            assert_eq!(password["writeOnly"], true, "{name}");
        }
    }
}
