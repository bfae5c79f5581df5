//! Backups deleted by people: by id, by blob, one or many; and what protects them.

use axum::http::Method;
use dilux_core::expiry::Expiry;
use dilux_core::model::{BackupId, BackupStatus};
use dilux_core::storage::{BlobName, PutOptions};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::seeds::Seed;
use crate::sessions::member;

/// Completed backups, taken so many days ago.
async fn planted(shop: &Shop, days_ago: &[i64]) -> Vec<BackupId> {
    let mut ids = Vec::new();
    for days in days_ago {
        let mut seed = shop.seed();
        seed.at -= SignedDuration::from_hours(24 * days);
        ids.push(seed.plant(&shop.world).await);
    }
    ids
}

async fn shown(shop: &Shop, id: &BackupId) -> Value {
    let answer = shop.world.get(&format!("/api/backups/{id}")).await;
    answer.expect(200)["backup"].clone()
}

async fn blob_of(shop: &Shop, id: &BackupId) -> String {
    let shown = shown(shop, id).await;
    shown["blob_name"].as_str().unwrap().to_owned()
}

async fn expire(shop: &Shop) -> u64 {
    let expiry = Expiry::new(shop.world.installation.clone());
    expiry.run().await.unwrap().deleted
}

fn pass_days(shop: &Shop, days: i64) {
    let time = SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(1);
    shop.world.clock.advance(time);
}

#[tokio::test]
async fn a_deleted_backup_goes_with_data_and_manifest_after_the_grace_period() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1, 2]).await;
    let path = format!("/api/backups/{}", ids[1]);
    let gone = shop.world.delete(&path).await.expect(200);
    assert_eq!(gone["backup_id"], json!(ids[1].as_str()));
    assert!(gone["message"].as_str().unwrap().contains("taken back"));
    let retention = shown(&shop, &ids[1]).await["retention"].clone();
    assert_eq!(retention["reason"], json!("requested"));
    assert_eq!(retention["deletes_after"], gone["deletes_after"]);
    let again = shop.world.delete(&path).await.expect(200);
    assert_eq!(again["deletes_after"], gone["deletes_after"]);
    shop.world.get(&format!("{path}/data")).await.is(200);

    pass_days(&shop, 7);
    assert_eq!(expire(&shop).await, 1);
    assert_eq!(shown(&shop, &ids[1]).await["status"], json!("deleted"));
    shop.world.get(&format!("{path}/data")).await.expect(400);
    let late = shop.world.delete(&path).await.expect(409);
    assert_eq!(late["type"], json!("urn:dilux:problem:wrong-state"));
    for kept in [&ids[0], &ids[2]] {
        assert_eq!(shown(&shop, kept).await["status"], json!("completed"));
    }
}

#[tokio::test]
async fn a_13_newest_copies_deleted_by_a_user_leave_one_good_copy() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1, 2, 3]).await;
    let mut refused = Vec::new();
    for id in &ids {
        let answer = shop.world.delete(&format!("/api/backups/{id}")).await;
        if answer.status != 200 {
            refused.push((id.clone(), answer.expect(400)["error"].clone()));
        }
    }
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, ids[3]);
    let sentence = refused[0].1.as_str().unwrap();
    assert!(sentence.contains("the last good backup"), "{sentence}");
    for _ in 0..3 {
        pass_days(&shop, 10);
        expire(&shop).await;
    }
    assert_eq!(shown(&shop, &ids[3]).await["status"], json!("completed"));
    let data = format!("/api/backups/{}/data", ids[3]);
    shop.world.get(&data).await.is(200);
}

#[tokio::test]
async fn pinned_and_held_backups_are_not_deleted() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1, 2]).await;
    for (kind, word) in [("pin", "pinned"), ("hold", "held")] {
        let path = format!("/api/backups/{}", ids[0]);
        let set = shop.world.post(&format!("{path}/{kind}"), &json!({})).await;
        set.expect(200);
        let refused = shop.world.delete(&path).await.expect(400);
        assert!(
            refused["error"].as_str().unwrap().contains(word),
            "{refused}"
        );
        shop.world
            .delete(&format!("{path}/{kind}"))
            .await
            .expect(200);
    }
    let path = format!("/api/backups/{}", ids[0]);
    shop.world.delete(&path).await.expect(200);
}

#[tokio::test]
async fn a_blob_is_deleted_by_its_name_and_nothing_else_can_be_named() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1]).await;
    let blob = blob_of(&shop, &ids[1]).await;
    let stray = format!("postgresql/{}/stray.sql.gz", shop.database);
    put(&shop, &stray).await;
    let route = "/api/backups/delete";
    for foreign in [
        stray.as_str(),
        "manifests/x.json",
        "../x",
        "a/b/c",
        "x'y",
        "-rf",
        "名前/データ",
    ] {
        let query: String = url::form_urlencoded::byte_serialize(foreign.as_bytes()).collect();
        let answer = shop
            .world
            .delete(&format!("{route}?blob_name={query}"))
            .await;
        answer.expect(404);
    }
    for query in ["", "?blob_name="] {
        let missing = shop.world.delete(&format!("{route}{query}")).await;
        assert_eq!(missing.refused_fields(), ["blob_name"]);
    }
    let gone = shop
        .world
        .delete(&format!("{route}?blob_name={blob}"))
        .await;
    let gone = gone.expect(200);
    assert_eq!(gone["blob_name"], json!(blob));
    pass_days(&shop, 7);
    assert_eq!(expire(&shop).await, 1);
    let again = shop
        .world
        .delete(&format!("{route}?blob_name={blob}"))
        .await;
    again.expect(404);
}

async fn put(shop: &Shop, name: &str) {
    let (blobs, container) = (
        &shop.world.installation.storage.blobs,
        &shop.world.installation.settings.container,
    );
    let name = BlobName::new(name).unwrap();
    let options = PutOptions::default();
    let put = blobs.put(container, &name, b"data".as_slice().into(), options);
    put.await.unwrap();
}

#[tokio::test]
async fn many_are_deleted_at_once_and_those_that_stay_say_why() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1, 2, 3]).await;
    let mut blobs = Vec::new();
    for id in &ids {
        blobs.push(blob_of(&shop, id).await);
    }
    let pin = format!("/api/backups/{}/pin", ids[0]);
    shop.world.post(&pin, &json!({})).await.expect(200);
    let route = "/api/backups/delete-bulk";
    let body = json!({"blob_names": [blobs[0], blobs[1], blobs[1], "mysql/none.sql.gz", ""]});
    let answer = shop.world.post(route, &body).await.expect(200);
    let counts = ["deleted_count", "not_found_count", "error_count"].map(|key| &answer[key]);
    assert_eq!(counts, [&json!(1), &json!(1), &json!(2)]);
    let results = &answer["results"];
    assert_eq!(results["deleted"], json!([blobs[1]]));
    assert_eq!(results["not_found"], json!(["mysql/none.sql.gz"]));
    assert_eq!(results["errors"][0]["blob_name"], json!(blobs[0]));
    let by_id = json!({"backup_ids": [ids[2].as_str(), "no-such", "a/b"]});
    let answer = shop.world.post(route, &by_id).await.expect(200);
    assert_eq!(answer["results"]["deleted"], json!([ids[2].as_str()]));
    assert_eq!(answer["results"]["not_found"], json!(["no-such", "a/b"]));

    let too_many: Vec<String> = (0..201).map(|number| format!("id{number}")).collect();
    for (body, field) in [
        (json!({}), "blob_names"),
        (json!({"blob_names": []}), "blob_names"),
        (json!({"blob_names": "a"}), "blob_names"),
        (json!({"blob_names": [1]}), "blob_names.0"),
        (
            json!({"blob_names": ["a"], "backup_ids": ["b"]}),
            "backup_ids",
        ),
        (json!({ "backup_ids": too_many }), "backup_ids"),
    ] {
        let fields = shop.world.post(route, &body).await.refused_fields();
        assert!(
            fields.iter().all(|named| named == field),
            "{fields:?} {field}"
        );
    }
}

#[tokio::test]
async fn the_line_of_a_backup_that_was_never_made_is_removed_and_one_in_the_making_is_not() {
    let shop = Shop::new().await;
    for (hours, status, expected) in [
        (1, BackupStatus::Failed, 200),
        (2, BackupStatus::Cancelled, 200),
        (3, BackupStatus::Missed, 200),
        (4, BackupStatus::InProgress, 409),
        (5, BackupStatus::Pending, 409),
    ] {
        let mut seed = Seed {
            status,
            ..shop.seed()
        };
        seed.at -= SignedDuration::from_hours(hours);
        let id = seed.plant(&shop.world).await;
        let path = format!("/api/backups/{id}");
        shop.world.delete(&path).await.expect(expected);
        let after = if expected == 200 { 404 } else { 200 };
        shop.world.get(&path).await.expect(after);
    }
    let left = shop.world.get("/api/backups").await.expect(200);
    assert_eq!(left["total_count"], json!(2));
    let of_database = format!("/api/backups?database_id={}", shop.database);
    let left = shop.world.get(&of_database).await.expect(200);
    assert_eq!(left["total_count"], json!(2));
    shop.world.delete("/api/backups/no-such").await.expect(404);
}

#[tokio::test]
async fn files_are_those_of_the_catalogue_by_name() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1, 2]).await;
    put(&shop, &format!("postgresql/{}/stray.sql.gz", shop.database)).await;
    put(&shop, "somebody/elses.txt").await;
    let list = shop.world.get("/api/backups/files").await.expect(200);
    assert_eq!(list["count"], json!(3));
    let mut expected = Vec::new();
    for id in ids.iter().rev() {
        expected.push(blob_of(&shop, id).await);
    }
    let names: Vec<&str> = list["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, expected);
    assert_eq!(list["files"][0]["backup_id"], json!(ids[2].as_str()));
    assert_eq!(list["files"][0]["size"], json!(28));
    for (query, count, has_more) in [
        ("limit=2", 2, true),
        ("limit=0", 0, true),
        ("limit=3", 3, false),
        ("prefix=mysql/", 0, false),
        ("prefix=postgresql/", 3, false),
        ("prefix=%27%25_-/..", 0, false),
        ("prefix=manifests/", 0, false),
    ] {
        let path = format!("/api/backups/files?{query}");
        let list = shop.world.get(&path).await.expect(200);
        let found = (&list["count"], &list["has_more"]);
        assert_eq!(found, (&json!(count), &json!(has_more)), "{query}");
    }
    for (query, field) in [("limit=x", "limit"), ("prefix=%00", "prefix")] {
        let wrong = shop.world.get(&format!("/api/backups/files?{query}")).await;
        assert_eq!(wrong.refused_fields(), [field]);
    }
}

#[tokio::test]
async fn labels_are_given_shown_and_guarded_by_their_version() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1]).await;
    let path = format!("/api/backups/{}", ids[0]);
    let before = shop.world.get(&path).await;
    let tag = before.header("etag").to_owned();
    assert!(!tag.is_empty());
    let labels = json!({"labels": {"release": "2026.1", "名前": "x'y"}});
    let put = format!("{path}/labels");
    let guard = [("if-match", tag.as_str())];
    let first = shop
        .world
        .call_with(Method::PUT, &put, &guard, Some(&labels));
    let first = first.await;
    let fresh = first.header("etag").to_owned();
    let body = first.expect(200);
    assert_eq!(body["backup"]["retention"]["labels"], labels["labels"]);
    let second = shop
        .world
        .call_with(Method::PUT, &put, &guard, Some(&labels));
    let second = second.await;
    assert_eq!(second.header("etag"), fresh, "the present version is told");
    second.expect(412);
    assert_eq!(shop.world.get(&path).await.header("etag"), fresh);
    let listed = shop.world.get("/api/backups").await.expect(200);
    assert_eq!(
        listed["backups"][0]["retention"]["labels"],
        labels["labels"]
    );
    for (body, field) in [
        (json!({}), "labels"),
        (json!({"labels": []}), "labels"),
        (json!({"labels": {"a": 1}}), "labels"),
        (json!({"labels": {"": "x"}}), "labels"),
    ] {
        assert_eq!(shop.world.put(&put, &body).await.refused_fields(), [field]);
    }
    let cleared = shop
        .world
        .put(&put, &json!({"labels": {}}))
        .await
        .expect(200);
    assert_eq!(cleared["backup"]["retention"]["labels"], json!({}));
}

#[tokio::test]
async fn a_database_takes_its_backups_along_only_when_asked_to_and_never_the_last_good_one() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1, 2]).await;
    let path = format!("/api/databases/{}?delete_backups=true", shop.database);
    let gone = shop.world.delete(&path).await.expect(200);
    let backups = &gone["backups_deleted"];
    assert_eq!(backups["deleted_files"], json!(2));
    let reason = backups["errors"][0].as_str().unwrap();
    assert!(reason.contains("the last good backup"), "{reason}");
    pass_days(&shop, 7);
    assert_eq!(expire(&shop).await, 2);
    assert_eq!(shown(&shop, &ids[0]).await["status"], json!("completed"));
}

#[tokio::test]
async fn an_engine_shows_the_backups_that_would_go_and_takes_them_when_asked_to() {
    let shop = Shop::new().await;
    planted(&shop, &[0, 1, 2]).await;
    let path = format!("/api/engines/{}", shop.engine);
    let preview = shop.world.get(&format!("{path}/removal")).await.expect(200);
    let counts = (&preview["backup_count"], &preview["backup_bytes"]);
    assert_eq!(counts, (&json!(3), &json!(84)));
    let all = format!("{path}?delete_databases=true&delete_backups=true");
    let gone = shop.world.delete(&all).await.expect(200);
    assert_eq!(gone["databases_deleted"], json!(1));
    assert_eq!(gone["backups_deleted"]["deleted_files"], json!(2));
    assert_eq!(
        gone["backups_deleted"]["errors"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn an_operator_without_the_grant_deletes_no_backups_along_with_a_database_and_restores_none()
{
    let shop = Shop::new().await;
    let ids = planted(&shop, &[0, 1]).await;
    let operator = member(&shop.world, "op@example.com", "operator").await;
    let database = format!("/api/databases/{}", shop.database);
    let with_backups = format!("{database}?delete_backups=true");
    let verify = format!("/api/backups/{}/verify", ids[0]);
    let rehearsal = json!({ "engine_id": shop.engine });
    for (method, path, body) in [
        (Method::DELETE, with_backups.as_str(), None),
        (Method::POST, verify.as_str(), Some(&rehearsal)),
    ] {
        operator
            .call(&shop.world, method, path, body)
            .await
            .expect(403);
    }
    let nothing = json!({});
    let read_only = operator.call(&shop.world, Method::POST, &verify, Some(&nothing));
    read_only.await.expect(202);
    assert_eq!(
        shown(&shop, &ids[1]).await["retention"]["reason"],
        json!(null)
    );
    operator
        .call(&shop.world, Method::DELETE, &database, None)
        .await
        .expect(200);
}
