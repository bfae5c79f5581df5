//! Scheduler and processor are killed as by `kill -9` at random moments, again and again, while
//! backups are asked for and planned. At rest nothing is lost, doubled, falsely green or stuck.
//!
//! `DILUX_PROVE_KILLS` sets the number of kills, `DILUX_PROVE_SEED` replays their moments.
#![cfg(test)]

mod planned;

use std::time::{Duration, Instant};

use dilux_core::clock::{Clock as _, SystemClock};
use dilux_core::installation::Installation;
use dilux_core::model::JobState;
use dilux_journeys::{Client, Holdings, Home, Sample, Service, StoreKind};
use planned::{PATIENCE, Planned};
use serde_json::json;

/// Kills in a run of all tests.
const USUAL_KILLS: u64 = 100;

/// How long after the last restart a job may still be under way.
const REST_LIMIT: Duration = Duration::from_mins(3);

/// A database is registered at one in so many kills, but for the last quarter of them.
const KILLS_A_DATABASE: u64 = 8;

/// Longest time between a start and a kill, in milliseconds.
const LONGEST_LIFE: u64 = 1200;

#[expect(
    clippy::disallowed_methods,
    reason = "the switches of a proof, not settings"
)]
fn switch(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A small generator of moments: splitmix64.
struct Moments(u64);

impl Moments {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Asks for work, so that a kill has something to hit. A refusal is as good: the API never dies.
async fn ask(client: &Client, database: &str, backups: &mut Vec<String>) {
    backups.push(client.back_up(database).await.unwrap());
}

async fn at_rest(client: &Client, jobs: &[String]) {
    let deadline = Instant::now() + REST_LIMIT;
    for job in jobs {
        loop {
            let found = client.get(&format!("/jobs/{job}")).await.unwrap();
            if !["pending", "in_progress"].contains(&found["status"].as_str().unwrap()) {
                break;
            }
            assert!(Instant::now() < deadline, "stuck: {found}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits until every slot came by and no job is under way.
async fn all_at_rest(installation: &Installation, planned: &[Planned]) {
    let last_slot = planned.iter().map(|planned| planned.slot).max().unwrap();
    let jobs = &installation.repositories.jobs;
    loop {
        let now = SystemClock.now();
        let active = jobs.active(now).await.unwrap();
        if now > last_slot && active.is_empty() {
            break;
        }
        assert!(now < last_slot + PATIENCE, "stuck: {active:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Fails unless the newest backup of the sample restores.
async fn restores(client: &Client, holdings: &Holdings) {
    let manifests = holdings.manifests.values();
    let newest = manifests
        .filter(|found| found.database_name.as_str() == "shop")
        .max_by_key(|found| found.committed_at)
        .unwrap();
    let restore = client.restore(newest.job_id.as_str(), "shop_after_the_kills");
    let restored = client.completed(&restore.await.unwrap()).await.unwrap();
    let comparison = &restored["restore"]["comparison"];
    assert_eq!(comparison["equal"], json!(true), "{restored}");
}

#[tokio::test]
async fn random_kills_lose_double_and_falsify_nothing() {
    let kills = switch("DILUX_PROVE_KILLS").unwrap_or(USUAL_KILLS);
    let seed = switch("DILUX_PROVE_SEED").unwrap_or(1);
    println!("seed={seed}");
    let mut moments = Moments(seed);
    let mut home = Home::new(StoreKind::Embedded).unwrap();
    home.set("DILUX_TICK_SECONDS", "1");
    // A job may be killed many times over; that is not its fault.
    home.set("DILUX_RETRY_ATTEMPTS", "100");
    let sample = Sample::postgresql().unwrap();
    let (_api, client) = home.start_api().await.unwrap();
    let engine = sample.register(&client).await.unwrap();
    let database = sample.register_database(&client, &engine, "shop");
    let database = database.await.unwrap();

    let mut asked = Vec::new();
    let mut done = 0;
    let start = |name: &str| home.start(name).unwrap();
    let mut services: [Service; 2] = [start("dilux-processor"), start("dilux-scheduler")];
    let mut planned = Vec::new();
    while done < kills {
        if done % KILLS_A_DATABASE == 0 && done * 4 <= kills * 3 {
            planned.push(Planned::make(&client, &sample, &engine, planned.len()).await);
        }
        if moments.below(3) == 0 {
            ask(&client, &database, &mut asked).await;
        }
        let life = moments.below(LONGEST_LIFE);
        tokio::time::sleep(Duration::from_millis(life)).await;
        // Three times out of four the processor, which does the long work.
        let which = usize::from(moments.below(4) == 0);
        let name = ["dilux-processor", "dilux-scheduler"][which];
        let victim = std::mem::replace(&mut services[which], start(name));
        victim.kill().unwrap();
        done += 1;
    }
    asked.dedup();
    at_rest(&client, &asked).await;
    let installation = home.look_inside().unwrap();
    all_at_rest(&installation, &planned).await;

    let holdings = Holdings::read(&installation).await.unwrap();
    let mut violations = holdings.violations(&installation).await.unwrap();
    for planned in &planned {
        violations.extend(planned.violations(&holdings, &installation).await);
    }
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    for job in &holdings.jobs {
        assert!(
            matches!(job.state, JobState::Completed { .. }),
            "seed {seed}: {job:#?}"
        );
    }
    assert!(holdings.manifests.len() > 1, "backups were made");
    restores(&client, &holdings).await;
    println!(
        "cases={kills} failures=0 jobs={} databases={} orphans={}",
        holdings.jobs.len(),
        planned.len(),
        holdings.orphans().len()
    );
}
