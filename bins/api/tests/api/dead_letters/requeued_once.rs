//! Requeues with an idempotency key: done once, however often they are asked for.

use std::sync::Arc;

use axum::http::Method;
use dilux_core::model::{DeadLetterId, DeadLetterReason, Requeue, Requeued};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{exhausted, letters, queued, set_aside};
use crate::jobs::job_id;
use crate::world::{Answer, World};

const BEFORE: &str = "This Idempotency-Key requeued this letter before";

/// Sets a message aside and gives the id of its letter.
async fn letter(world: &World, text: &str) -> DeadLetterId {
    set_aside(world, text, DeadLetterReason::Unreadable, None).await;
    DeadLetterId::of_text(text)
}

async fn requeue(world: &World, letter: &DeadLetterId, key: &str) -> Answer {
    let path = format!("/api/dead-letters/{letter}/requeue");
    let headers = [("idempotency-key", key)];
    world.call_with(Method::POST, &path, &headers, None).await
}

/// How many requeues the audit log tells of.
async fn audited(world: &World) -> Value {
    let path = "/api/audit?action=dead_letter_requeued&status=success";
    world.get(path).await.expect(200)["total"].clone()
}

#[tokio::test]
async fn who_lost_the_answer_asks_again_and_rings_once() {
    let world = World::new().await;
    let id = letter(&world, "x").await;
    let first = requeue(&world, &id, "k1").await.expect(202);
    assert_eq!(first["message"], json!("Dead letter requeued"));
    for _ in 0..2 {
        let again = requeue(&world, &id, "k1").await.expect(202);
        assert_eq!(again["message"], json!(BEFORE));
        assert_eq!(again["job_id"], first["job_id"]);
    }
    let path = format!("/api/dead-letters/{id}/requeue");
    let headers = [("idempotency-key", "k1")];
    let body = json!({ "note": "nobody reads this" });
    let with_body = world.call_with(Method::POST, &path, &headers, Some(&body));
    assert_eq!(with_body.await.expect(202)["message"], json!(BEFORE));
    assert_eq!(queued(&world).await, ["x"]);
    assert_eq!(audited(&world).await, json!(1));
    requeue(&world, &id, "k2").await.expect(404);
    world.post(&path, &json!({})).await.expect(404);
}

#[tokio::test]
async fn asking_again_for_the_work_of_a_job_gives_the_job_that_was_booked() {
    let world = Arc::new(World::new().await);
    let (failed, text) = exhausted(&world).await;
    let reason = DeadLetterReason::ExhaustedJob;
    set_aside(&world, &text, reason, Some(failed.clone())).await;
    let id = DeadLetterId::of_text(&text);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (world, id) = (world.clone(), id.clone());
        callers.spawn(async move { requeue(&world, &id, "k1").await.expect(202) });
    }
    let answers = callers.join_all().await;
    let booked = job_id(&answers[0]);
    assert_ne!(booked, failed);
    for answer in answers {
        assert_eq!(job_id(&answer), booked);
    }
    let again = requeue(&world, &id, "k1").await.expect(202);
    assert_eq!(job_id(&again), booked);
    assert_eq!(letters(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_key_is_for_one_letter() {
    let world = World::new().await;
    let (one, other) = (letter(&world, "one").await, letter(&world, "other").await);
    requeue(&world, &one, "k1").await.expect(202);
    let refused = requeue(&world, &other, "k1").await.expect(400);
    let sentence = refused["error"].as_str().unwrap();
    assert!(sentence.contains("Idempotency-Key"), "{sentence}");
    assert_eq!(queued(&world).await, ["one"]);
    assert_eq!(letters(&world).await.len(), 1, "the other one stays");
    let gone = DeadLetterId::of_text("never set aside");
    requeue(&world, &gone, "k1").await.expect(400);
    requeue(&world, &gone, "k2").await.expect(404);
    requeue(&world, &other, "k2").await.expect(202);
    requeue(&world, &other, "with space").await.expect(422);
}

#[tokio::test]
async fn a_message_that_is_set_aside_again_is_another_letter_and_needs_another_key() {
    let world = World::new().await;
    let id = letter(&world, "x").await;
    requeue(&world, &id, "k1").await.expect(202);
    world.clock.advance(SignedDuration::from_secs(1));
    letter(&world, "x").await;
    let again = requeue(&world, &id, "k1").await.expect(202);
    assert_eq!(again["message"], json!(BEFORE));
    assert_eq!(letters(&world).await.len(), 1, "it waits for a decision");
    requeue(&world, &id, "k2").await.expect(202);
    assert_eq!(queued(&world).await, ["x", "x"]);
}

#[tokio::test]
async fn what_was_interrupted_is_finished_by_asking_again() {
    let world = World::new().await;
    let requeues = &world.installation.repositories.requeues;
    let id = letter(&world, "x").await;
    // The store fails before anything was done.
    world.faults.break_table("deadletters");
    requeue(&world, &id, "k1").await.expect(503);
    assert_eq!(queued(&world).await, Vec::<String>::new());
    world.faults.mend();
    // The process died after it had rung, and had noted so, but the letter was still there.
    let present = &world.installation.repositories.dead_letters;
    let present = present.get(&id).await.unwrap().unwrap().value;
    let mut noted = Requeue::new("k1", &present, world.installation.clock.now());
    noted.outcome = Some(Requeued { job_id: None });
    requeues.insert(noted).await.unwrap();
    let answer = requeue(&world, &id, "k1").await.expect(202);
    assert_eq!(answer["message"], json!(BEFORE));
    assert_eq!(letters(&world).await, Vec::<Value>::new());
    assert_eq!(queued(&world).await, Vec::<String>::new());
    assert_eq!(audited(&world).await, json!(1));
    // The process died before it had noted anything but that it would.
    let id = letter(&world, "y").await;
    let present = &world.installation.repositories.dead_letters;
    let present = present.get(&id).await.unwrap().unwrap().value;
    let noted = Requeue::new("k2", &present, world.installation.clock.now());
    requeues.insert(noted).await.unwrap();
    let answer = requeue(&world, &id, "k2").await.expect(202);
    assert_eq!(answer["message"], json!("Dead letter requeued"));
    assert_eq!(queued(&world).await, ["y"]);
    assert_eq!(audited(&world).await, json!(2));
}

#[tokio::test]
async fn keys_are_remembered_for_a_week_and_do_not_add_up() {
    let world = World::new().await;
    let kept = async || {
        let requeues = &world.installation.repositories.requeues;
        requeues.list().await.unwrap().items.len()
    };
    for key in ["k1", "k2"] {
        let id = letter(&world, key).await;
        requeue(&world, &id, key).await.expect(202);
    }
    world.clock.advance(Requeue::KEPT);
    let id = letter(&world, "k3").await;
    requeue(&world, &id, "k3").await.expect(202);
    assert_eq!(kept().await, 3);
    world.clock.advance(SignedDuration::from_secs(1));
    let id = letter(&world, "k4").await;
    requeue(&world, &id, "k4").await.expect(202);
    assert_eq!(kept().await, 2, "those of today");
    let listed = world.get("/api/dead-letters").await.expect(200);
    assert_eq!(listed["count"], json!(0), "what is remembered is no letter");
}
