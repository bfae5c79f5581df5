//! Acceptance scenario A-10: the whole store goes away, at whichever step, and comes back. Nothing
//! is started again, nobody repairs anything, and the life of a backup goes on: one backup for each
//! that was owed, and no more.

use std::time::Instant;

use dilux_journeys::{eventually, proves_all};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use super::{LIFE_LIMIT, Rig, operations};

/// How many calls fail before the store comes back: each service has met the outage by then.
const CALLS: usize = 12;

/// Of the steps of a life, every n-th is taken, unless all are to be proved.
const STRIDE: usize = 9;

/// More calls a second than this were a storm; three services poll.
const MOST_CALLS_A_SECOND: f64 = 100.0;

impl Rig {
    /// Lives while the store goes away with a call of `operation` and comes back later.
    async fn sit_out(&self, operation: &str, target: &str) {
        self.proxy.go_down_at(operation);
        let outage = async {
            let went = async || Ok(self.proxy.refused().is_some());
            eventually("the store goes down", went).await.unwrap();
            let began = Instant::now();
            let met = async || Ok(self.proxy.refused() >= Some(CALLS));
            eventually("services call the store", met).await.unwrap();
            let (refused, lasted) = (self.proxy.refused().unwrap(), began.elapsed());
            self.proxy.come_back();
            #[expect(clippy::cast_precision_loss, reason = "a few calls")]
            let most = (CALLS as f64).max(lasted.as_secs_f64() * MOST_CALLS_A_SECOND);
            #[expect(clippy::cast_precision_loss, reason = "a few calls")]
            let refused = refused as f64;
            assert!(refused <= most, "{refused} calls in {lasted:?}");
        };
        let both = async { tokio::join!(self.live(target), outage) };
        let lived = tokio::time::timeout(LIFE_LIMIT, both).await;
        assert!(lived.is_ok(), "{operation}:\n{}", self.logs());
    }

    async fn ask(&self, method: Method, path: &str) -> Response {
        let body = (method != Method::GET).then(|| json!({}));
        let answer = self.client.answer(method, path, body.as_ref()).await;
        answer.unwrap()
    }
}

#[tokio::test]
async fn a_10_a_store_that_goes_away_at_any_step_costs_time_and_neither_repair_nor_more_backups() {
    let rig = Rig::start(None).await;
    let (_, in_life) = operations(&rig).await;
    let stride = if proves_all() { 1 } else { STRIDE };
    let mut cases = 0;
    for (number, operation) in in_life.iter().enumerate().step_by(stride) {
        println!("{operation}");
        rig.sit_out(operation, &format!("after_outage_{number}"))
            .await;
        cases += 1;
    }
    assert!(cases > 3, "{in_life:#?}");
    println!("outages={cases} failures=0");
}

#[tokio::test]
async fn a_10_the_api_says_that_the_store_is_away_and_when_to_try_again() {
    let rig = Rig::start(None).await;
    let engine = rig.sample.register(&rig.client).await.unwrap();
    let database = rig.register(&engine).await;
    let backup = format!("/databases/{database}/backup");
    let calls = [
        (Method::GET, "/databases"),
        (Method::GET, "/ready"),
        (Method::GET, "/jobs"),
        (Method::GET, "/backups"),
        (Method::POST, &*backup),
    ];
    rig.proxy.go_down();
    let asked = calls
        .iter()
        .map(|(method, path)| rig.ask(method.clone(), path));
    for answer in futures::future::join_all(asked).await {
        let place = answer.url().clone();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{place}");
        let after = answer.headers().get("retry-after").unwrap().to_str();
        assert!(after.unwrap().parse::<u32>().unwrap() > 0, "{place}");
    }
    let health = rig.ask(Method::GET, "/health").await;
    assert_eq!(
        health.status(),
        StatusCode::OK,
        "the process itself is well"
    );
    rig.proxy.come_back();
    for (method, path) in calls {
        let answer = rig.ask(method, path).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }
}
