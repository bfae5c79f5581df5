//! Pages by number show, and count, what a naive look at the whole history finds.

use dilux_core::model::{Backup, BackupStatus, EngineType, JobId, Trigger};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::seeds::Seed;
use crate::world::World;

const START: &str = "2026-01-03T00:00:00Z";
const STATUSES: [BackupStatus; 7] = [
    BackupStatus::Completed,
    BackupStatus::Failed,
    BackupStatus::Missed,
    BackupStatus::Deleted,
    BackupStatus::Damaged,
    BackupStatus::Cancelled,
    BackupStatus::InProgress,
];
const DATABASES: [(&str, EngineType); 3] = [
    ("one", EngineType::PostgreSql),
    ("two", EngineType::MySql),
    ("three", EngineType::PostgreSql),
];

/// A history of 40 days, some of which have no backup: nothing in it is regular.
fn history() -> Vec<Backup> {
    let mut at: Timestamp = START.parse().unwrap();
    let mut dice: u64 = 7;
    let mut next = |sides: u64| {
        dice = dice.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (dice >> 33) % sides
    };
    let mut history = Vec::new();
    for number in 0..150 {
        let steps =
            [1, 40, 300, 2900][usize::try_from(next(4)).unwrap() * usize::from(number % 3 == 0)];
        at -= SignedDuration::from_mins(steps);
        let (database, engine_type) = DATABASES[usize::try_from(next(3)).unwrap()];
        let seed = Seed {
            database,
            engine: if next(2) == 0 { "old" } else { "new" },
            label: database,
            at,
            status: STATUSES[usize::try_from(next(7)).unwrap()],
            data: b"",
        };
        let job = JobId::derive(&database.parse().unwrap(), &number.to_string());
        let trigger = if next(3) == 0 {
            Trigger::Manual
        } else {
            Trigger::Scheduler
        };
        let line = seed.line(job, format!("blob-{number}"));
        history.push(Backup {
            engine_type,
            trigger,
            ..line
        });
    }
    history
}

fn passes(backup: &Backup, filter: &[(&str, &str)]) -> bool {
    filter.iter().all(|(name, value)| {
        let day = backup.created_at.strftime("%Y-%m-%d").to_string();
        match *name {
            "database_id" => backup.database_id.as_str() == *value,
            "engine_id" => backup.engine_id.as_ref().unwrap().as_str() == *value,
            "status" if *value == "failed" => {
                matches!(backup.status, BackupStatus::Failed | BackupStatus::Missed)
            }
            "status" => backup.status.as_str() == *value,
            "triggered_by" => backup.trigger.as_str() == *value,
            "database_type" => backup.engine_type.as_str() == *value,
            "start_date" => day.as_str() >= *value,
            "end_date" => day.as_str() <= *value,
            other => panic!("{other}"),
        }
    })
}

/// Fails unless each page by number, and one more, shows what the naive look finds.
async fn check(world: &World, history: &[Backup], filter: &[(&str, &str)]) {
    let mut matching: Vec<&Backup> = history.iter().filter(|it| passes(it, filter)).collect();
    matching.sort_by(|a, b| {
        b.created_at
            .cmp(&a.created_at)
            .then(a.id.as_str().cmp(b.id.as_str()))
    });
    let ids: Vec<&str> = matching.iter().map(|it| it.id.as_str()).collect();
    let mut query = String::new();
    for (name, value) in filter {
        query += &["&", name, "=", value].concat();
    }
    let mut shown = Vec::new();
    for page in 1..=ids.len() / 7 + 2 {
        let path = format!("/api/backups?page_size=7&page={page}{query}");
        let body = world.get(&path).await.expect(200);
        assert_eq!(body["total_count"], ids.len(), "{path}");
        let page = body["backups"].as_array().unwrap().iter();
        shown.extend(page.map(|it| it["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(shown, ids, "{filter:?}");
}

#[tokio::test]
async fn every_page_by_number_of_every_filter_is_that_of_a_naive_look() {
    let world = World::new().await;
    let history = history();
    let backups = &world.installation.repositories.backups;
    for line in &history {
        backups.put(line).await.unwrap();
    }
    let filters: [&[(&str, &str)]; 21] = [
        &[],
        &[("database_id", "one")],
        &[("database_id", "nobody")],
        &[("status", "completed")],
        &[("status", "failed")],
        &[("status", "missed")],
        &[("status", "deleted")],
        &[("status", "damaged")],
        &[("status", "cancelled")],
        &[("status", "in_progress")],
        &[("database_type", "postgresql")],
        &[("database_type", "mysql"), ("status", "failed")],
        &[("database_type", "mysql"), ("database_id", "one")],
        &[("database_id", "two"), ("status", "deleted")],
        &[("triggered_by", "manual")],
        &[("engine_id", "old"), ("status", "completed")],
        &[("start_date", "2025-12-20")],
        &[("end_date", "2025-12-28")],
        &[("start_date", "2025-12-05"), ("end_date", "2025-12-29")],
        &[("start_date", "2025-12-20"), ("database_id", "one")],
        &[("end_date", "2025-12-28"), ("status", "failed")],
    ];
    for filter in filters {
        check(&world, &history, filter).await;
    }
}

#[tokio::test]
async fn the_first_page_of_failures_reads_no_more_of_a_longer_history() {
    let world = World::new().await;
    let backups = &world.installation.repositories.backups;
    let mut rows = Vec::new();
    for part in history().chunks(75) {
        for line in part {
            backups.put(line).await.unwrap();
        }
        rows.push(rows_of(&world, "/api/backups?status=failed&page=1&page_size=2").await);
    }
    // Whatever stands behind the page is not read: only a few tallies.
    assert!(rows[1] <= rows[0] + 10, "{rows:?}");
    assert!(rows[1] < 75, "{rows:?}");
}

async fn rows_of(world: &World, path: &str) -> usize {
    let before = world.faults.rows.load(std::sync::atomic::Ordering::SeqCst);
    let body: Value = world.get(path).await.expect(200);
    assert!(body["total_count"].as_u64().unwrap() > 2);
    world.faults.rows.load(std::sync::atomic::Ordering::SeqCst) - before
}
