//! The data of backups.

use axum::http::Method;
use dilux_core::model::{BackupId, BackupStatus};
use dilux_core::storage::BlobName;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::seeds::Seed;
use crate::who_may::token;
use crate::world::{TOKEN, World};

async fn blob_of(shop: &Shop, id: &BackupId) -> String {
    let read = shop
        .world
        .get(&format!("/api/backups/{id}"))
        .await
        .expect(200);
    read["backup"]["blob_name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_leads_to_the_data_by_id_and_by_the_name_of_its_blob() {
    let shop = Shop::new().await;
    let id = shop.seed().plant(&shop.world).await;
    let blob = blob_of(&shop, &id).await;
    for path in [
        format!("/api/backups/{id}/download"),
        format!("/api/backups/download?blob_name={blob}"),
        format!("/api/backups/download?blob_name={blob}&expiry_hours=24"),
    ] {
        let link = shop.world.get(&path).await.expect(200);
        assert_eq!(link["blob_name"], json!(blob));
        assert_eq!(link["needs_token"], json!(true));
        let url = link["download_url"].as_str().unwrap();
        assert_eq!(url, format!("http://localhost:7071/api/backups/{id}/data"));
        assert_eq!(link["file_name"], json!("shop_20260131_120000.sql.gz"));
        let data = shop.world.get(&url["http://localhost:7071".len()..]).await;
        assert_eq!(
            (data.status, &data.bytes[..]),
            (200, &b"the stored bytes of a backup"[..])
        );
    }
}

#[tokio::test]
async fn only_blobs_that_a_backup_names_get_a_link() {
    let shop = Shop::new().await;
    let id = shop.seed().plant(&shop.world).await;
    let database = &shop.database;
    for blob in [
        format!("manifests/{database}/{id}.json"),
        format!("postgresql/{database}/20260131_120000-2.sql.gz"),
        format!("postgresql/{database}/../{database}/20260131_120000-1.sql.gz"),
        "none".to_owned(),
        "a b/%C3%BC%2B%23%3F.sql".replace(' ', "%20"),
        format!("x/{database}/"),
    ] {
        let path = format!("/api/backups/download?blob_name={blob}");
        shop.world.get(&path).await.expect(404);
    }
    let missing = shop.world.get("/api/backups/download").await;
    assert_eq!(missing.refused_fields(), ["blob_name"]);
    let blob = blob_of(&shop, &id).await;
    for hours in ["0", "-1", "x"] {
        let path = format!("/api/backups/download?blob_name={blob}&expiry_hours={hours}");
        assert_eq!(
            shop.world.get(&path).await.refused_fields(),
            ["expiry_hours"]
        );
    }
}

#[tokio::test]
async fn the_data_is_given_whole_or_in_ranges_of_one_version() {
    let shop = Shop::new().await;
    let bytes: Vec<u8> = (0..9_000_000_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    let id = Seed {
        data: &bytes,
        ..shop.seed()
    }
    .plant(&shop.world)
    .await;
    let path = format!("/api/backups/{id}/data");
    let whole = shop.world.get(&path).await;
    assert_eq!(whole.status, 200);
    assert!(
        whole.bytes == bytes,
        "nine million bytes arrive as they are"
    );
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("content-type"), "application/gzip");
    assert_eq!(whole.header("content-length"), "9000000");
    assert_eq!(
        whole.header("content-disposition"),
        "attachment; filename=\"shop_20260131_120000.sql.gz\"; \
         filename*=UTF-8''shop_20260131_120000.sql.gz"
    );
    let tag = whole.header("etag").to_owned();
    let fetch = |headers: Vec<(&'static str, String)>| {
        let (world, path) = (&shop.world, path.clone());
        async move {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            world.call_with(Method::GET, &path, &headers, None).await
        }
    };
    let part = fetch(vec![("range", "bytes=4194300-4194310".to_owned())]).await;
    assert_eq!(part.status, 206);
    assert_eq!(
        part.header("content-range"),
        "bytes 4194300-4194310/9000000"
    );
    assert_eq!(part.bytes, bytes[4_194_300..=4_194_310]);
    let tail = fetch(vec![("range", "bytes=-7".to_owned()), ("if-range", tag)]).await;
    assert_eq!((tail.status, &tail.bytes[..]), (206, &bytes[8_999_993..]));
    let other = fetch(vec![
        ("range", "bytes=-7".to_owned()),
        ("if-range", "\"old\"".to_owned()),
    ])
    .await;
    assert_eq!((other.status, other.bytes.len()), (200, bytes.len()));
    let outside = fetch(vec![("range", "bytes=9000000-".to_owned())]).await;
    assert_eq!(outside.status, 416);
    assert_eq!(outside.header("content-range"), "bytes */9000000");
    let head = shop.world.call_with(Method::HEAD, &path, &[], None).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(head.header("content-length"), "9000000");
}

/// How many downloads the audit log tells of.
async fn downloads_noted(shop: &Shop) -> Value {
    let path = "/api/audit?action=backup_downloaded";
    shop.world.get(path).await.expect(200)["total"].clone()
}

#[tokio::test]
async fn every_read_of_data_is_noted_and_ranges_of_one_caller_once_an_hour() {
    let shop = Shop::new().await;
    let id = shop.seed().plant(&shop.world).await;
    let path = format!("/api/backups/{id}/data");
    let read = async |range: &str| {
        let headers = [("range", range)];
        let answer = shop.world.call_with(Method::GET, &path, &headers, None);
        let status = answer.await.status;
        (status, downloads_noted(&shop).await)
    };
    assert_eq!(read("bytes=1-").await, (206, json!(1)));
    for range in ["bytes=2-3", "bytes=0-5", "bytes=-4"] {
        assert_eq!(read(range).await, (206, json!(1)), "{range}");
    }
    assert_eq!(read("bytes=99-").await, (416, json!(1)));
    // Somebody else has an entry of their own, and so has another hour.
    let other = token(&shop.world, "admin", &[]).await;
    let bearer = format!("Bearer {other}");
    for _ in 0..2 {
        let headers = [("authorization", bearer.as_str()), ("range", "bytes=3-4")];
        let part = shop.world.call_bare(Method::GET, &path, &headers, None);
        part.await.is(206);
        assert_eq!(downloads_noted(&shop).await, json!(2));
    }
    shop.world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(read("bytes=7-").await, (206, json!(3)));
    // All of it at once is noted each time.
    for expected in [4, 5] {
        shop.world.get(&path).await.is(200);
        assert_eq!(downloads_noted(&shop).await, json!(expected));
    }
}

#[tokio::test]
async fn a_range_that_could_not_be_noted_is_noted_with_the_next_one() {
    let shop = Shop::new().await;
    let id = shop.seed().plant(&shop.world).await;
    let path = format!("/api/backups/{id}/data");
    let headers = [("range", "bytes=1-2")];
    let read = async || {
        let answer = shop.world.call_with(Method::GET, &path, &headers, None);
        answer.await.is(206);
    };
    shop.world.faults.break_table("auditlogs");
    read().await;
    shop.world.faults.mend();
    assert_eq!(downloads_noted(&shop).await, json!(0));
    read().await;
    assert_eq!(downloads_noted(&shop).await, json!(1));
}

#[tokio::test]
async fn a_link_of_this_api_is_of_the_scheme_and_name_by_which_clients_reach_it() {
    let told = [("host", "localhost"), ("x-forwarded-proto", "https")];
    let proxy = ("DILUX_TRUSTED_PROXIES", "127.0.0.1");
    let public = ("DILUX_PUBLIC_URL", "https://backup.example.org");
    for (settings, peer, expected) in [
        (vec![proxy], "127.0.0.1", "https://localhost"),
        (vec![proxy], "127.0.0.9", "http://localhost"),
        (vec![], "127.0.0.1", "http://localhost"),
        (
            vec![proxy, public],
            "127.0.0.1",
            "https://backup.example.org",
        ),
        (vec![public], "127.0.0.9", "https://backup.example.org"),
    ] {
        let shop = Shop::on(World::with_variables(&settings).await).await;
        let id = shop.seed().plant(&shop.world).await;
        let path = format!("/api/backups/{id}/download");
        let bearer = format!("Bearer {TOKEN}");
        let headers = [&told[..], &[("authorization", bearer.as_str())]].concat();
        let route = (Method::GET, path.as_str());
        let link = shop.world.call_from(peer, route, &headers, None).await;
        let url = link.expect(200)["download_url"].clone();
        let expected = format!("{expected}/api/backups/{id}/data");
        assert_eq!(url, json!(expected), "{settings:?} {peer}");
    }
}

#[tokio::test]
async fn a_backup_without_data_cannot_be_fetched_or_restored() {
    let shop = Shop::new().await;
    let failed = Seed {
        status: BackupStatus::Failed,
        ..shop.seed()
    }
    .plant(&shop.world)
    .await;
    for path in [
        format!("/api/backups/{failed}/data"),
        format!("/api/backups/{failed}/download"),
    ] {
        shop.world.get(&path).await.expect(400);
    }
    shop.world
        .post(&format!("/api/backups/{failed}/restore"), &json!({}))
        .await
        .expect(400);
    let later = shop.seed().at + SignedDuration::from_hours(1);
    let gone = Seed {
        at: later,
        ..shop.seed()
    }
    .plant(&shop.world)
    .await;
    let blob = BlobName::new(blob_of(&shop, &gone).await).unwrap();
    let installation = &shop.world.installation;
    let container = &installation.settings.container;
    installation
        .storage
        .blobs
        .delete(container, &blob, None)
        .await
        .unwrap();
    for path in [
        format!("/api/backups/{gone}/data"),
        format!("/api/backups/{gone}/download"),
    ] {
        shop.world.get(&path).await.expect(404);
    }
}
