//! Whatever happens while entries are appended, none is lost and no verification is alarmed.

use dilux_core::repository::AuditFinding;
use dilux_core::storage::{Entity, EntityKey, Value};

use crate::world::{Life, World, entry};

#[tokio::test]
async fn an_empty_log_is_sound() {
    let world = World::new().await;
    let verdict = world.is_sound(0).await;
    assert_eq!((verdict.days, verdict.checkpoint), (0, None));
}

#[tokio::test]
async fn entries_appended_again_late_or_out_of_order_keep_the_chain_whole() {
    let world = World::new().await;
    let audit = &world.repositories.audit;
    for (id, at) in [
        ("b", "2026-01-01T10:00:00Z"),
        ("c", "2026-01-01T09:00:00Z"),
        ("d", "2026-01-02T00:00:00Z"),
        // Late: of a day that was opened and left.
        ("e", "2026-01-01T23:59:59Z"),
        ("a", "2025-12-31T23:59:59Z"),
        ("b", "2026-01-01T10:00:00Z"),
    ] {
        audit.append(&entry(id, at)).await.unwrap();
    }
    assert_eq!(world.listed().await, ["d", "e", "b", "c", "a"]);
    let verdict = world.is_sound(5).await;
    assert_eq!(verdict.days, 3);
}

#[tokio::test]
async fn writers_in_several_processes_lose_nothing_while_the_log_is_verified() {
    let world = World::new().await;
    let days = ["2026-01-30", "2026-01-31", "2026-02-01"];
    let mut writers = tokio::task::JoinSet::new();
    for process in 0..3 {
        let repositories = world.process();
        for writer in 0..4 {
            let repositories = repositories.clone();
            writers.spawn(async move {
                for number in 0..8 {
                    let id = format!("entry-{process}-{writer}-{number}");
                    let day = days[(number + writer) % 3];
                    let at = format!("{day}T10:0{process}:0{writer}Z");
                    repositories.audit.append(&entry(&id, &at)).await.unwrap();
                }
            });
        }
    }
    let mut verifications = 0;
    while !writers.is_empty() {
        let verdict = world.repositories.audit.verify(None).await.unwrap();
        assert_eq!(verdict.findings, []);
        verifications += 1;
        while let Some(writer) = writers.try_join_next() {
            writer.unwrap();
        }
    }
    assert!(verifications > 1);
    assert_eq!(world.listed().await.len(), 96);
    let verdict = world.is_sound(96).await;
    assert_eq!(verdict.days, 3);
}

#[tokio::test]
async fn a_writer_that_dies_at_any_operation_leaves_a_sound_chain() {
    let mut deaths = 0;
    for ends_after_effect in [false, true] {
        for operations in 0.. {
            let world = World::new().await;
            let life = Life::of(operations, ends_after_effect);
            let mortal = world.mortal(&life).audit;
            let entries = [
                entry("first", "2026-01-31T23:59:59Z"),
                entry("second", "2026-02-01T00:00:00Z"),
                entry("third", "2026-02-01T00:00:00Z"),
            ];
            let mut acknowledged = Vec::new();
            for entry in &entries {
                if mortal.append(entry).await.is_ok() {
                    acknowledged.push(entry.id.to_string());
                }
            }
            let found = world.repositories.audit.verify(None).await.unwrap();
            assert_eq!(found.findings, [], "{operations} operations");
            let listed = world.listed().await;
            assert!(acknowledged.iter().all(|id| listed.contains(id)));
            // Whoever comes next goes on, and may append the same entries again.
            for entry in &entries {
                world.repositories.audit.append(entry).await.unwrap();
            }
            assert_eq!(world.listed().await.len(), 3);
            world.is_sound(3).await;
            if !life.is_over() {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 40, "only {deaths} deaths");
}

#[tokio::test]
async fn processes_that_start_together_agree_on_one_key() {
    let world = World::new().await;
    let mut starts = tokio::task::JoinSet::new();
    for process in 0..8 {
        let audit = world.process().audit;
        let entry = entry(&format!("entry-{process}"), "2026-01-31T12:00:00Z");
        starts.spawn(async move { audit.append(&entry).await.unwrap() });
    }
    starts.join_all().await;
    world.is_sound(8).await;
}

#[tokio::test]
async fn rows_from_before_the_chain_are_told_apart_and_guarded_from_then_on() {
    let world = World::new().await;
    let old = |partition: &str, row: &str, at: &str| {
        Entity::new(EntityKey::new(partition, row))
            .with("id", Value::String(row.to_owned()))
            .with("timestamp", Value::String(at.to_owned()))
            .with("action", Value::String("database_updated".to_owned()))
            .with("resource_type", Value::String("database".to_owned()))
            .with("status", Value::String("success".to_owned()))
    };
    let of_month = old("202601", "8230000000000000_x", "2026-01-15T10:00:00");
    let of_day = old(
        "2026-01-31",
        "3137000000000000000_y",
        "2026-01-31T08:00:00Z",
    );
    world.put(of_month.clone()).await;
    world.put(of_day.clone()).await;
    let audit = &world.repositories.audit;
    assert_eq!(world.is_sound(0).await.older, 2);
    let first = entry("first", "2026-01-31T12:00:00Z");
    audit.append(&first).await.unwrap();
    assert_eq!(world.is_sound(1).await.older, 2);

    let changed = of_day
        .clone()
        .with("status", Value::String("failed".to_owned()));
    world.put(changed).await;
    let verdict = audit.verify(None).await.unwrap();
    let older = AuditFinding::Older("2026-01-31".to_owned());
    assert_eq!(verdict.findings, [older]);
    world.put(of_day).await;
    let late = old("202602", "8220000000000000_z", "2026-02-01T10:00:00");
    world.put(late.clone()).await;
    let verdict = audit.verify(None).await.unwrap();
    assert_eq!(verdict.findings, [AuditFinding::Foreign(late.key)]);
}
