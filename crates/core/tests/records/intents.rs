//! Which intents nothing answers, over days and midnights.

use dilux_core::model::{AuditEntry, AuditStatus};
use jiff::{SignedDuration, Timestamp};

use crate::world::{World, entry};

/// When the first intent is written.
const START: &str = "2026-01-05T00:00:00Z";

/// Minutes between two intents: they drift over the windows in which they are compared.
const STRIDE: i64 = 97;

fn after(minutes: i64) -> Timestamp {
    let start: Timestamp = START.parse().unwrap();
    start + SignedDuration::from_mins(minutes)
}

fn written(id: &str, at: Timestamp, status: AuditStatus, answers: Option<&str>) -> AuditEntry {
    AuditEntry {
        status,
        intent_id: answers.map(|id| id.parse().unwrap()),
        ..entry(id, &at.to_string())
    }
}

/// Writes an intent, and what answers it: an entry up to 110 minutes later, for one in five its
/// closing beside the intents, for one in five nothing. Whether anything does.
async fn write(world: &World, number: i64) -> bool {
    let (audit, intents) = (&world.repositories.audit, &world.repositories.intents);
    let (id, at) = (format!("intent-{number}"), after(number * STRIDE));
    let intent = written(&id, at, AuditStatus::Intended, None);
    intents.append(&intent).await.unwrap();
    let later = at + SignedDuration::from_mins(number * 37 % 111);
    let answer = format!("answer-{number}");
    match number % 5 {
        0 => return false,
        1 => {
            let closing = written(&answer, later, AuditStatus::Success, Some(&id));
            intents.append(&closing).await.unwrap();
        }
        rest => {
            let status = [AuditStatus::Success, AuditStatus::Failed][usize::from(rest == 2)];
            let result = written(&answer, later, status, Some(&id));
            audit.append(&result).await.unwrap();
        }
    }
    true
}

async fn unanswered(world: &World, since: Timestamp, now: Timestamp) -> Vec<String> {
    let (audit, intents) = (&world.repositories.audit, &world.repositories.intents);
    let found = intents.unanswered_in(audit, since, now).await.unwrap();
    found.iter().map(|intent| intent.id.to_string()).collect()
}

#[tokio::test]
async fn exactly_those_intents_are_found_that_nothing_answers() {
    let world = World::new().await;
    let mut open = Vec::new();
    for number in 0..150 {
        // What nobody announced answers nothing.
        let alone = written(
            &format!("alone-{number}"),
            after(number),
            AuditStatus::Success,
            None,
        );
        world.repositories.audit.append(&alone).await.unwrap();
        if !write(&world, number).await {
            open.push((number * STRIDE, format!("intent-{number}")));
        }
    }
    open.reverse();
    for (since, now) in [
        (0, 20_000),
        (0, 5_000),
        (1_440, 2_880),
        (2_000, 14_000),
        (500, 510),
    ] {
        let expected: Vec<String> = open
            .iter()
            .filter(|(minute, _)| *minute >= since && *minute < now - 15)
            .map(|(_, id)| id.clone())
            .collect();
        let found = unanswered(&world, after(since), after(now)).await;
        assert_eq!(found, expected, "from {since} to {now}");
    }
}

#[tokio::test]
async fn both_logs_are_sealed_with_keys_of_their_own() {
    let world = World::new().await;
    for number in 0..10 {
        write(&world, number).await;
    }
    let intents = world.repositories.intents.verify(None).await.unwrap();
    assert_eq!((intents.findings, intents.sound), (vec![], 12));
    world.is_sound(6).await;
}
