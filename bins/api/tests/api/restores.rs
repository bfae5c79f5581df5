//! Restores.

use axum::http::Method;
use dilux_core::model::{BackupId, Job, JobId, Manifest, Work};
use dilux_core::storage::BlobName;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::seeds::engine;

async fn restored(shop: &Shop, backup: &BackupId, body: &Value) -> (Value, Job) {
    let path = format!("/api/backups/{backup}/restore");
    let answer = shop.world.post(&path, body).await.expect(202);
    let id: JobId = answer["job_id"].as_str().unwrap().parse().unwrap();
    let job = shop
        .world
        .installation
        .repositories
        .jobs
        .get(&id)
        .await
        .unwrap()
        .unwrap();
    (answer, job.value)
}

#[tokio::test]
async fn a_restore_goes_into_a_new_database_named_after_the_old_one_unless_told() {
    let shop = Shop::new().await;
    let backup = shop.seed().plant(&shop.world).await;
    let (answer, job) = restored(&shop, &backup, &json!({})).await;
    assert_eq!(answer["message"], json!("Restore job queued"));
    assert_eq!(
        answer["target_database"],
        json!("shop_restored_20260131_120000")
    );
    let Work::Restore(work) = job.work else {
        panic!("{job:?}")
    };
    assert_eq!(work.backup_id, backup);
    assert_eq!(work.target_engine.as_str(), shop.engine);
    assert!(work.compare_with_source);
    let other = engine(&shop.world, "postgresql", "other").await;
    let body = json!({"target_database": "copy", "engine_id": other, "compare_with_source": false});
    let (_, job) = restored(&shop, &backup, &body).await;
    let Work::Restore(work) = &job.work else {
        panic!("{job:?}")
    };
    assert_eq!(work.target_engine.as_str(), other);
    assert_eq!(work.target_database.as_str(), "copy");
    assert!(!work.compare_with_source);
    let shown = shop
        .world
        .get(&format!("/api/jobs/{}", job.id))
        .await
        .expect(200);
    insta::assert_json_snapshot!("job_restore", shown);
}

#[tokio::test]
async fn a_restore_without_a_body_and_with_an_idempotency_key_works() {
    let shop = Shop::new().await;
    let backup = shop.seed().plant(&shop.world).await;
    let path = format!("/api/backups/{backup}/restore");
    let call = |key: &'static str, body: Option<Value>| {
        let (world, path) = (&shop.world, path.clone());
        async move {
            world
                .call_with(
                    Method::POST,
                    &path,
                    &[("idempotency-key", key)],
                    body.as_ref(),
                )
                .await
        }
    };
    let first = call("k", None).await.expect(202);
    shop.world.clock.advance(SignedDuration::from_hours(1));
    let again = call("k", None).await.expect(202);
    assert_eq!(first["job_id"], again["job_id"]);
    assert_eq!(first["target_database"], again["target_database"]);
    assert_ne!(
        call("other", None).await.expect(202)["job_id"],
        first["job_id"]
    );
    call("k", Some(json!({"target_database": "elsewhere"})))
        .await
        .expect(400);
}

#[tokio::test]
async fn a_restore_that_cannot_work_is_refused() {
    let shop = Shop::new().await;
    let backup = shop.seed().plant(&shop.world).await;
    let mysql = engine(&shop.world, "mysql", "my").await;
    let path = format!("/api/backups/{backup}/restore");
    for (body, field) in [
        (json!({"engine_id": "none"}), "engine_id"),
        (json!({ "engine_id": mysql }), "engine_id"),
        (
            json!({"target_database": "x".repeat(64)}),
            "target_database",
        ),
        (json!({"target_database": 7}), "target_database"),
        (json!({"compare_with_source": "yes"}), "compare_with_source"),
    ] {
        assert_eq!(
            shop.world.post(&path, &body).await.refused_fields(),
            [field]
        );
    }
    let taken = shop
        .world
        .post(&path, &json!({"target_database": "shop"}))
        .await
        .expect(400);
    assert!(
        taken["error"].as_str().unwrap().contains("registered"),
        "{taken}"
    );
    shop.world
        .post("/api/backups/none/restore", &json!({}))
        .await
        .expect(404);
    let name = BlobName::new(Manifest::blob_name(&backup.job().unwrap())).unwrap();
    let installation = &shop.world.installation;
    let container = &installation.settings.container;
    installation
        .storage
        .blobs
        .delete(container, &name, None)
        .await
        .unwrap();
    let gone = shop.world.post(&path, &json!({})).await.expect(400);
    assert!(
        gone["error"].as_str().unwrap().contains("manifest"),
        "{gone}"
    );
}
