//! What the workers could not work off.

mod requeued_once;

use dilux_core::dispatch::Doorbell;
use dilux_core::model::{DeadLetter, DeadLetterReason, JobId, JobState};
use dilux_core::transfer::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::jobs::{change, job_id, shop, trigger};
use crate::world::World;

pub(crate) async fn set_aside(
    world: &World,
    text: &str,
    reason: DeadLetterReason,
    job: Option<JobId>,
) {
    let letter = DeadLetter::new(text, reason, job, world.installation.clock.now());
    let letters = &world.installation.repositories.dead_letters;
    letters.set_aside(letter).await.unwrap();
}

pub(crate) async fn letters(world: &World) -> Vec<Value> {
    let answer = world.get("/api/dead-letters").await.expect(200);
    assert_eq!(answer["damaged"], json!([]));
    answer["dead_letters"].as_array().unwrap().clone()
}

pub(crate) async fn queued(world: &World) -> Vec<String> {
    let (queues, queue) = (
        &world.installation.storage.queues,
        &world.installation.settings.queue,
    );
    queues.peek(queue, 32).await.unwrap()
}

/// A job whose workers all died, and the message that rang for it.
pub(crate) async fn exhausted(world: &World) -> (JobId, String) {
    let failed = job_id(&trigger(world, &shop(world).await, None).await);
    let now = world.installation.clock.now();
    change(world, &failed, |mut job| {
        job.state = JobState::Failed {
            at: now,
            failure: Failure::new(FailureKind::WorkerLost, "the worker died 4 times"),
        };
        job
    })
    .await;
    let text = json!({"v": 1, "job_id": failed.as_str()}).to_string();
    (failed, text)
}

#[tokio::test]
async fn a_message_that_is_requeued_rings_again_as_it_was() {
    let world = World::new().await;
    let text = "not for us ☃ ".repeat(4000);
    set_aside(&world, &text, DeadLetterReason::Unreadable, None).await;
    set_aside(&world, &text, DeadLetterReason::Unreadable, None).await;
    let found = letters(&world).await;
    assert_eq!(found.len(), 1, "the same message is one letter");
    assert_eq!(found[0]["reason"], json!("unreadable"));
    assert_eq!(found[0]["text"].as_str().unwrap().chars().count(), 1000);
    let id = found[0]["id"].as_str().unwrap();
    let path = format!("/api/dead-letters/{id}/requeue");
    let answer = world.post(&path, &json!({})).await.expect(202);
    assert_eq!(answer["job_id"], Value::Null);
    assert_eq!(queued(&world).await, [text]);
    assert_eq!(letters(&world).await, Vec::<Value>::new());
    world.post(&path, &json!({})).await.expect(404);
}

#[tokio::test]
async fn the_work_of_an_exhausted_job_is_booked_anew_once() {
    let world = World::new().await;
    let (failed, text) = exhausted(&world).await;
    let mut booked = Vec::new();
    for _ in 0..2 {
        let reason = DeadLetterReason::ExhaustedJob;
        set_aside(&world, &text, reason, Some(failed.clone())).await;
        let id = letters(&world).await[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/dead-letters/{id}/requeue");
        booked.push(job_id(&world.post(&path, &json!({})).await.expect(202)));
    }
    assert_eq!(
        booked[0], booked[1],
        "a crash in between books nothing twice"
    );
    assert_ne!(booked[0], failed);
    let jobs = &world.installation.repositories.jobs;
    let (old, new) = (jobs.get(&failed).await, jobs.get(&booked[0]).await);
    let (old, new) = (old.unwrap().unwrap().value, new.unwrap().unwrap().value);
    assert_eq!(old.work, new.work);
    assert_eq!(new.state, JobState::Pending);
    assert!(
        matches!(old.state, JobState::Failed { .. }),
        "an end is an end"
    );
    let bells = queued(&world).await;
    let rings = bells
        .iter()
        .filter(|text| Doorbell::parse(text).unwrap().job_id == booked[0]);
    assert_eq!(rings.count(), 1);
}

#[tokio::test]
async fn a_letter_is_thrown_away_only_when_somebody_says_so() {
    let world = World::new().await;
    set_aside(&world, "x", DeadLetterReason::Unreadable, None).await;
    let id = letters(&world).await[0]["id"].as_str().unwrap().to_owned();
    world.delete("/api/dead-letters/none").await.expect(404);
    let path = format!("/api/dead-letters/{id}");
    world.delete(&path).await.expect(200);
    assert_eq!(letters(&world).await, Vec::<Value>::new());
    assert_eq!(queued(&world).await, Vec::<String>::new());
    world.delete(&path).await.expect(404);
}
