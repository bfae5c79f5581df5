//! The history of backups.

use dilux_core::model::BackupStatus;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::seeds::{Seed, database, engine};
use crate::world::{START, World};

pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) engine: String,
    pub(crate) database: String,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        Self::on(World::new().await).await
    }

    pub(crate) async fn on(world: World) -> Self {
        let engine = engine(&world, "postgresql", "pg").await;
        let database = database(&world, &engine, "shop").await;
        Self {
            world,
            engine,
            database,
        }
    }

    pub(crate) fn seed(&self) -> Seed<'_> {
        Seed {
            database: &self.database,
            engine: &self.engine,
            label: "shop",
            at: START.parse().unwrap(),
            status: BackupStatus::Completed,
            data: b"the stored bytes of a backup",
        }
    }

    /// One backup every 9 hours, the newest first in the answer; every third failed.
    async fn history(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 0..count {
            let age = SignedDuration::from_hours(9 * i64::try_from(number).unwrap());
            let at: Timestamp = START.parse().unwrap();
            let status = if number % 3 == 2 {
                BackupStatus::Failed
            } else {
                BackupStatus::Completed
            };
            let seed = Seed {
                at: at - age,
                status,
                ..self.seed()
            };
            ids.push(seed.plant(&self.world).await.to_string());
        }
        ids
    }
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["backups"].as_array().unwrap();
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_history_is_listed_newest_first_with_the_documented_keys() {
    let shop = Shop::new().await;
    let expected = shop.history(2).await;
    let page = shop.world.get("/api/backups").await.expect(200);
    assert_eq!(ids(&page), expected);
    insta::assert_json_snapshot!("backups_listed", page);
}

#[tokio::test]
async fn pages_by_number_and_by_cursor_show_the_same() {
    let shop = Shop::new().await;
    let expected = shop.history(8).await;
    for filter in [String::new(), format!("&database_id={}", shop.database)] {
        let (mut by_number, mut by_cursor) = (Vec::new(), Vec::new());
        let mut cursor = String::new();
        for (number, size) in [(1, 3), (2, 3), (3, 2)] {
            let path = format!("/api/backups?page_size=3&page={number}{filter}");
            let page = shop.world.get(&path).await.expect(200);
            assert_eq!(page["total_count"], json!(8));
            assert_eq!(page["count"], json!(size));
            assert_eq!(page["has_more"], json!(number < 3));
            by_number.extend(ids(&page));
            let path = format!("/api/backups?page_size=3{cursor}{filter}");
            let page = shop.world.get(&path).await.expect(200);
            by_cursor.extend(ids(&page));
            if let Some(next) = page["next_cursor"].as_str() {
                cursor = format!("&cursor={next}");
            }
        }
        assert_eq!(by_number, expected);
        assert_eq!(by_cursor, expected);
        let path = format!("/api/backups?page_size=3&page=99{filter}");
        let past = shop.world.get(&path).await.expect(200);
        assert_eq!(
            (&past["count"], &past["total_count"]),
            (&json!(0), &json!(8))
        );
        assert_eq!(past["has_more"], json!(false));
    }
}

#[tokio::test]
async fn filters_mean_what_they_say() {
    let shop = Shop::new().await;
    let all = shop.history(6).await;
    let empty = engine(&shop.world, "mysql", "empty").await;
    let pick = |numbers: &[usize]| numbers.iter().map(|n| all[*n].clone()).collect::<Vec<_>>();
    for (query, expected) in [
        (format!("engine_id={}", shop.engine), all.clone()),
        (format!("engine_id={empty}"), vec![]),
        ("engine_id=none".to_owned(), vec![]),
        (
            format!("engine_id={empty}&database_id={}", shop.database),
            vec![],
        ),
        ("database_id=none".to_owned(), vec![]),
        ("database_id=x'y".to_owned(), vec![]),
        ("status=failed".to_owned(), pick(&[2, 5])),
        ("status=pending".to_owned(), vec![]),
        ("triggered_by=manual".to_owned(), vec![]),
        (
            "triggered_by=scheduler&database_type=postgresql".to_owned(),
            all.clone(),
        ),
        ("database_type=mysql".to_owned(), vec![]),
        // 12:00 on the 31st, then 03:00, 18:00 on the 30th, 09:00, 00:00, 15:00 on the 29th.
        ("start_date=2026-01-31".to_owned(), pick(&[0, 1])),
        (
            "start_date=2026-01-30&end_date=2026-01-30".to_owned(),
            pick(&[2, 3, 4]),
        ),
        (
            "start_date=2026-01-30T10:00:00&end_date=2026-01-30".to_owned(),
            pick(&[2, 3, 4]),
        ),
        ("end_date=2026-01-29".to_owned(), pick(&[5])),
        (
            "status=&engine_id=&start_date=&limit=5".to_owned(),
            all.clone(),
        ),
    ] {
        let page = shop
            .world
            .get(&format!("/api/backups?{query}"))
            .await
            .expect(200);
        assert_eq!(ids(&page), expected, "{query}");
        assert_eq!(page["total_count"], json!(expected.len()), "{query}");
    }
}

#[tokio::test]
async fn senseless_filters_are_refused() {
    let world = World::new().await;
    for query in [
        "page_size=0",
        "page_size=-3",
        "page_size=x",
        "page=x",
        "page=-1",
        "cursor=x",
        "status=bogus",
        "triggered_by=me",
        "database_type=oracle",
        "start_date=10/12/2025",
        "end_date=2026-02-30",
    ] {
        let fields = world
            .get(&format!("/api/backups?{query}"))
            .await
            .refused_fields();
        assert_eq!(fields, [query.split('=').next().unwrap()]);
    }
    let capped = world
        .get("/api/backups?page_size=500&page=0")
        .await
        .expect(200);
    assert_eq!(
        (&capped["page_size"], &capped["page"]),
        (&json!(100), &json!(1))
    );
}

#[tokio::test]
async fn backups_of_a_removed_database_are_still_found_by_it_and_by_its_engine() {
    let shop = Shop::new().await;
    let all = shop.history(2).await;
    shop.world
        .delete(&format!("/api/databases/{}", shop.database))
        .await
        .expect(200);
    for query in [
        format!("database_id={}", shop.database),
        format!("engine_id={}", shop.engine),
    ] {
        let page = shop
            .world
            .get(&format!("/api/backups?{query}"))
            .await
            .expect(200);
        assert_eq!(ids(&page), all, "{query}");
    }
}

#[tokio::test]
async fn one_backup_is_read_with_what_its_manifest_says() {
    let shop = Shop::new().await;
    let id = shop.seed().plant(&shop.world).await;
    let read = shop
        .world
        .get(&format!("/api/backups/{id}"))
        .await
        .expect(200);
    insta::assert_json_snapshot!("backup_read", read);
    for id in ["none", "a.b", "6f1c3b1e-7f1c-4a53-9c3e-1f2d3c4b5a69"] {
        shop.world
            .get(&format!("/api/backups/{id}"))
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn a_backup_whose_job_row_is_gone_is_found_by_its_manifest() {
    use dilux_core::storage::{Condition, EntityKey, TableName, TableOperation};
    let shop = Shop::new().await;
    let id = shop.seed().plant(&shop.world).await;
    let key = EntityKey::new(shop.database.as_str(), id.as_str());
    let jobs = TableName::new("jobs").unwrap();
    let delete = TableOperation::Delete(key, Condition::Exists);
    shop.world
        .installation
        .storage
        .tables
        .write(&jobs, delete)
        .await
        .unwrap();
    let read = shop
        .world
        .get(&format!("/api/backups/{id}"))
        .await
        .expect(200);
    assert_eq!(read["backup"]["id"], json!(id.as_str()));
}

#[tokio::test]
async fn a_missed_slot_is_failed_for_old_clients_and_missed_for_new_ones() {
    let shop = Shop::new().await;
    let seed = Seed {
        status: BackupStatus::Missed,
        ..shop.seed()
    };
    let missed = seed.plant(&shop.world).await.to_string();
    for (filter, expected) in [
        ("failed", vec![&missed]),
        ("missed", vec![&missed]),
        ("completed", vec![]),
    ] {
        let path = format!("/api/backups?status={filter}");
        let page = shop.world.get(&path).await.expect(200);
        let lines = page["backups"].as_array().unwrap();
        let found: Vec<&str> = lines
            .iter()
            .map(|line| line["id"].as_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{filter}");
        for line in lines {
            assert_eq!(line["status"], json!("failed"));
            assert_eq!(line["state"], json!("missed"));
        }
    }
}
