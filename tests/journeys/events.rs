//! Somebody follows a backup by its live events, over a connection that breaks on the way: nothing is
//! lost, told twice or out of order.
#![cfg(test)]

use dilux_journeys::{Client, Home, LiveEvent, LiveEvents, Sample, StoreKind, text};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

/// Somebody whose connection breaks, with all that they heard.
struct Follower<'a> {
    client: &'a Client,
    events: LiveEvents,
}

impl Follower<'_> {
    /// Connects again, after the last event that was read.
    async fn reconnect(&mut self) {
        let told = std::mem::take(&mut self.events.told);
        let last = told.last().unwrap().id.clone();
        self.events = self.client.listen(Some(&last)).await.unwrap();
        self.events.told = told;
    }
}

async fn a_backup_is_followed(kind: StoreKind) {
    let mut home = Home::new(kind).unwrap();
    // The worker stands still for a while; nobody takes the job from it.
    home.set("DILUX_JOB_LEASE_SECONDS", "300");
    let (_api, client) = home.start_api().await.unwrap();
    let sample = Sample::postgresql().unwrap();
    let engine = sample.register(&client).await.unwrap();
    let database = sample.register_database(&client, &engine, "shop").await;
    let database = database.unwrap();
    let mut witness = client.listen(None).await.unwrap();
    assert_eq!(witness.next().await.unwrap().name, "reset");
    let mut follower = Follower {
        client: &client,
        events: client.listen(None).await.unwrap(),
    };
    assert_eq!(follower.events.next().await.unwrap().name, "reset");

    let job = client.back_up(&database).await.unwrap();
    let is = |state: &'static str| {
        let job = job.clone();
        move |event: &LiveEvent| event.is_job(&job, state)
    };
    let queued = follower.events.until(is("pending")).await.unwrap();

    // It begins while the connection is down.
    let pause = [("DILUX_PAUSE_AT", "mid-dump".to_owned())];
    let mut processor = home.start_with("dilux-processor", &pause).unwrap();
    processor.until_paused().await.unwrap();
    follower.reconnect().await;
    follower.events.until(is("running")).await.unwrap();

    // It ends while the connection is down.
    processor.signal(Signal::CONT).unwrap();
    client.completed(&job).await.unwrap();
    witness.until(|event| event.name == "backup").await.unwrap();
    follower.reconnect().await;
    follower.events.until(is("completed")).await.unwrap();
    let made = follower.events.until(|event| event.name == "backup").await;
    let made = made.unwrap().data;
    let listed = client.get("/backups").await.unwrap();
    assert_eq!(made, listed["backups"][0]);
    assert_eq!(made["job_id"], json!(job));

    let check = verify(&mut follower, &made).await;

    // Who was connected all the time heard the same.
    let done = |event: &LiveEvent| event.is_job(&check, "completed");
    witness.until(done).await.unwrap();
    let told = &follower.events.told;
    let resets = told.iter().filter(|event| event.name == "reset");
    assert_eq!(resets.count(), 1, "{told:#?}");
    let heard = since(&queued, told);
    assert_eq!(heard, since(&queued, &witness.told));
    let mut states: Vec<_> = heard
        .iter()
        .filter(|event| event.data["id"] == json!(job) && event.name == "job")
        .map(|event| event.data["state"].as_str().unwrap())
        .collect();
    states.dedup();
    assert_eq!(states, ["pending", "running", "completed"]);
}

/// Has a backup verified, follows that to its end, and gives the job's id.
async fn verify(follower: &mut Follower<'_>, made: &Value) -> String {
    let client = follower.client;
    let backup = text(made, "/id").unwrap();
    let path = format!("/backups/{backup}/verify");
    let asked = client.expect(Method::POST, &path, None).await.unwrap();
    let check = text(&asked, "/job_id").unwrap();
    let done = |event: &LiveEvent| event.is_job(&check, "completed");
    let verified = follower.events.until(done).await.unwrap();
    assert_eq!(verified.data["kind"], json!("verify"), "{verified:?}");
    let answer = client.get(&format!("/jobs/{check}")).await.unwrap();
    assert_eq!(verified.data, answer);
    let kept = client.get(&format!("/backups/{backup}")).await.unwrap();
    assert!(
        kept["backup"]["retention"]["verified_at"].is_string(),
        "{kept}"
    );
    check
}

/// What was told from this event on.
fn since<'a>(first: &LiveEvent, told: &'a [LiveEvent]) -> &'a [LiveEvent] {
    let then = told.iter().position(|event| event.id == first.id);
    &told[then.unwrap()..]
}

#[tokio::test]
async fn a_backup_is_followed_from_its_booking_to_its_verification_on_the_embedded_store() {
    a_backup_is_followed(StoreKind::Embedded).await;
}

#[tokio::test]
async fn a_backup_is_followed_from_its_booking_to_its_verification_on_azurite() {
    a_backup_is_followed(StoreKind::Azurite).await;
}
