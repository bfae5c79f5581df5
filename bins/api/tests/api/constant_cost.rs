//! Acceptance scenario A-23: what a page of a list and the numbers of the dashboard cost, counted in
//! requests and rows, does not depend on how long the history is. How long they take is measured by
//! benchmarks.

use std::sync::atomic::Ordering;

use dilux_core::model::BackupStatus;
use jiff::{SignedDuration, Timestamp};

use crate::audit::entry as audit_entry;
use crate::seeds::{Seed, database, engine};
use crate::world::{START, World};

/// Backups of a day; one in five failed.
const DAILY: i64 = 4;

/// Days of a short and of a long history.
const DAYS: [i64; 2] = [35, 70];

/// What a call read.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    requests: usize,
    rows: usize,
}

/// Fails when the longer history costs more.
fn assert_alike(path: &str, [few, many]: [Cost; 2]) {
    assert!(few.requests > 0, "{path}");
    assert_eq!(few, many, "{path}");
}

struct Shops {
    world: World,
    shop: String,
}

impl Shops {
    /// An installation with `days` of history, of these databases in turn.
    async fn with_history(days: i64, names: &[&str]) -> Self {
        let world = World::new().await;
        let engine = engine(&world, "postgresql", "pg").await;
        let mut databases = Vec::new();
        for name in names {
            databases.push(database(&world, &engine, name).await);
        }
        let newest: Timestamp = START.parse().unwrap();
        for number in 0..days * DAILY {
            let age = SignedDuration::from_mins(number * 24 * 60 / DAILY);
            let seed = Seed {
                database: &databases[usize::try_from(number).unwrap() % databases.len()],
                engine: &engine,
                label: "shop",
                at: newest - age,
                status: match number % 5 {
                    2 => BackupStatus::Failed,
                    _ => BackupStatus::Completed,
                },
                data: b"the stored bytes of a backup",
            };
            seed.plant(&world).await;
        }
        // The sweeper of the processors tidies what the seeds leave among the jobs that are not over.
        let jobs = &world.installation.repositories.jobs;
        assert_eq!(jobs.active(newest).await.unwrap(), []);
        let shop = databases.swap_remove(0);
        Self { world, shop }
    }

    /// Appends entries to the audit log, as many a day as there are backups.
    async fn append_audit(&self, days: i64) {
        let newest: Timestamp = START.parse().unwrap();
        for number in (0..days * DAILY).rev() {
            let at = newest - SignedDuration::from_mins(number * 24 * 60 / DAILY);
            let entry = audit_entry(&format!("entry-{number}"), at);
            let audit = &self.world.installation.repositories.audit;
            audit.append(&entry).await.unwrap();
        }
    }

    async fn cost(&self, path: &str) -> Cost {
        let faults = &self.world.faults;
        let before = (
            faults.reads.load(Ordering::SeqCst),
            faults.rows.load(Ordering::SeqCst),
        );
        self.world.get(path).await.expect(200);
        Cost {
            requests: faults.reads.load(Ordering::SeqCst) - before.0,
            rows: faults.rows.load(Ordering::SeqCst) - before.1,
        }
    }

    /// The cursor behind `pages` pages of a list.
    async fn cursor(&self, list: &str, pages: usize) -> String {
        let mut path = list.to_owned();
        for _ in 0..pages {
            let page = self.world.get(&path).await.expect(200);
            let cursor = page["next_cursor"].as_str().unwrap();
            path = format!("{list}&cursor={cursor}");
        }
        path
    }
}

#[tokio::test]
async fn a_23_a_page_and_the_numbers_of_the_dashboard_cost_the_same_however_long_the_history() {
    let short = Shops::with_history(DAYS[0], &["shop"]).await;
    let long = Shops::with_history(DAYS[1], &["shop"]).await;
    for path in [
        "/api/backups?page_size=10",
        "/api/jobs?page_size=10",
        "/api/databases",
        "/api/engines",
        "/api/system-status",
        "/api/storage-stats",
        "/api/backup-alerts",
        "/api/alerts",
        "/api/events",
        "/api/audit?limit=10",
    ] {
        assert_alike(path, [short.cost(path).await, long.cost(path).await]);
    }
    let of_one = |shops: &Shops| {
        let id = &shops.shop;
        [
            format!("/api/databases/{id}/backup-stats"),
            format!("/api/backups?page_size=10&database_id={id}"),
        ]
    };
    for (path, longer) in of_one(&short).iter().zip(of_one(&long)) {
        assert_alike(path, [short.cost(path).await, long.cost(&longer).await]);
    }
    // The last page but one costs what the second page does.
    let list = "/api/backups?page_size=10";
    let second = long.cost(&long.cursor(list, 1).await).await;
    let late = long.cost(&long.cursor(list, 26).await).await;
    assert!(
        late.requests <= second.requests && late.rows <= second.rows,
        "{late:?} after {second:?}"
    );
}

#[tokio::test]
async fn a_page_of_the_audit_log_costs_the_same_however_long_the_log() {
    let mut shops = Vec::new();
    for days in DAYS {
        let shop = Shops::with_history(1, &["shop"]).await;
        shop.append_audit(days).await;
        // Past days are counted the first time.
        shop.cost("/api/audit?limit=10").await;
        shops.push(shop);
    }
    for path in [
        "/api/audit?limit=10",
        "/api/audit?limit=10&offset=100",
        "/api/audit?limit=10&start_date=2026-01-25&end_date=2026-01-26",
    ] {
        assert_alike(path, [shops[0].cost(path).await, shops[1].cost(path).await]);
    }
}

#[tokio::test]
async fn the_backups_of_an_old_day_cost_what_those_of_a_new_one_do() {
    let shops = Shops::with_history(30, &["shop"]).await;
    let newest: Timestamp = START.parse().unwrap();
    for of_one in ["", &format!("&database_id={}", shops.shop)] {
        let cost = async |days: i64| {
            let day = (newest - SignedDuration::from_hours(24 * days)).strftime("%F");
            let path = format!("/api/backups?start_date={day}&end_date={day}{of_one}");
            let page = shops.world.get(&path).await.expect(200);
            assert_eq!(page["total_count"], DAILY, "{path}");
            shops.cost(&path).await
        };
        assert_eq!(cost(25).await, cost(1).await, "{of_one}");
    }
}

#[tokio::test]
async fn a_list_says_how_many_backups_match_without_walking_them() {
    let shops = Shops::with_history(5, &["shop", "stock", "staff"]).await;
    let total =
        async |path: String| shops.world.get(&path).await.expect(200)["total_count"].clone();
    let backups = "/api/backups?page_size=3";
    assert_eq!(total(backups.to_owned()).await, 20);
    let of_shop = format!("{backups}&database_id={}", shops.shop);
    assert_eq!(total(of_shop.clone()).await, 7);
    assert_eq!(total(format!("{of_shop}&status=completed")).await, 6);
    assert_eq!(total(format!("{backups}&page=9")).await, 20);
    assert_eq!(total(format!("{backups}&database_id=of-nobody")).await, 0);
    assert_eq!(total(format!("{backups}&status=failed")).await, 4);
}
