//! Entries are found by their number without reading those before them, and counted.

use dilux_core::model::{AuditAction, BackupStatus};
use dilux_core::repository::{AuditFilter, Repositories, Stretch};
use dilux_core::storage::{Entity, EntityKey, Value};

use crate::tallies::{Write, line};
use crate::world::{World, entry};

/// Days with one entry more each, and one without any after it.
async fn append_days(world: &World) {
    for day in 1..=6 {
        for number in 0..day {
            let at = format!("2026-01-{:02}T10:{number:02}:00Z", day * 3);
            let id = format!("entry-{day}-{number}");
            let audit = &world.repositories.audit;
            audit.append(&entry(&id, &at)).await.unwrap();
        }
    }
}

fn old(partition: &str, row: &str, at: &str) -> Entity {
    Entity::new(EntityKey::new(partition, row))
        .with("id", Value::String(row.to_owned()))
        .with("timestamp", Value::String(at.to_owned()))
        .with("action", Value::String("database_updated".to_owned()))
        .with("resource_type", Value::String("database".to_owned()))
        .with("status", Value::String("success".to_owned()))
}

/// The entries after `after` but the first `left`.
async fn ids(
    world: &World,
    after: Option<&dilux_core::repository::Cursor>,
    filter: &AuditFilter,
    left: usize,
) -> Vec<String> {
    let (mut ids, audit) = (Vec::new(), &world.repositories.audit);
    let visit = |entry: dilux_core::model::AuditEntry, _| {
        ids.push(entry.id.to_string());
        true
    };
    audit.walk(after, filter, visit).await.unwrap();
    ids.split_off(left.min(ids.len()))
}

/// Fails unless every number leads to the entries that a walk over all of them finds there.
async fn check(world: &World, filter: &AuditFilter) {
    let all = ids(world, None, filter, 0).await;
    for skip in 0..=all.len() + 2 {
        let place = world.repositories.audit.place(filter, skip).await.unwrap();
        let place = place.unwrap();
        assert_eq!(place.total, all.len(), "{filter:?}");
        let found = ids(world, place.after.as_ref(), filter, place.left).await;
        assert_eq!(found, all[skip.min(all.len())..], "{skip} of {filter:?}");
    }
}

fn days(from: Option<&str>, until: Option<&str>) -> AuditFilter {
    let midnight = |day: &str| format!("{day}T00:00:00Z").parse().unwrap();
    AuditFilter {
        from: from.map(midnight),
        until: until.map(midnight),
        ..AuditFilter::default()
    }
}

#[tokio::test]
async fn every_number_leads_to_its_entry_while_the_log_grows() {
    let world = World::new().await;
    check(&world, &AuditFilter::default()).await;
    append_days(&world).await;
    let some_days = [
        days(None, None),
        days(Some("2026-01-06"), None),
        days(None, Some("2026-01-09")),
        days(Some("2026-01-05"), Some("2026-01-13")),
        days(Some("2027-01-01"), None),
    ];
    for filter in &some_days {
        check(&world, filter).await;
    }
    // On the newest day, on the day before it, and on a new one.
    for (id, at) in [
        ("more-1", "2026-01-18T23:00:00Z"),
        ("more-2", "2026-01-15T23:00:00Z"),
        ("more-3", "2026-01-19T01:00:00Z"),
        ("more-4", "2026-01-03T01:00:00Z"),
        ("more-5", "2026-01-20T01:00:00Z"),
    ] {
        let audit = &world.repositories.audit;
        audit.append(&entry(id, at)).await.unwrap();
        if id != "more-4" {
            // Of a day long past: counted from the next new day on.
            check(&world, &some_days[0]).await;
        }
    }
}

#[tokio::test]
async fn the_rows_of_the_python_product_are_counted_too() {
    let world = World::new().await;
    for (partition, row, at) in [
        ("202601", "8230000000000000_b", "2026-01-13T10:00:00"),
        ("202512", "8231000000000000_a", "2025-12-15T10:00:00"),
        (
            "2025-11-30",
            "3137999000000000000_y",
            "2025-11-30T08:00:00Z",
        ),
    ] {
        world.put(old(partition, row, at)).await;
    }
    append_days(&world).await;
    let audit = &world.repositories.audit;
    let at = "2026-02-01T10:00:00Z";
    audit.append(&entry("apart", at)).await.unwrap();
    check(&world, &days(None, None)).await;
    let some = days(Some("2026-01-06"), None);
    assert_eq!(audit.place(&some, 0).await.unwrap(), None);
}

#[tokio::test]
async fn what_only_reading_can_tell_is_not_guessed() {
    let world = World::new().await;
    append_days(&world).await;
    let noon: AuditFilter = AuditFilter {
        from: Some("2026-01-06T12:00:00Z".parse().unwrap()),
        ..AuditFilter::default()
    };
    let deleted = AuditFilter {
        action: Some(AuditAction::BackupDeleted),
        ..AuditFilter::default()
    };
    for filter in [noon, deleted] {
        let place = world.repositories.audit.place(&filter, 0).await.unwrap();
        assert_eq!(place, None, "{filter:?}");
    }
}

fn made(job: i64) -> dilux_core::model::Backup {
    line(&Write {
        database: 0,
        job,
        epoch: 1,
        status: BackupStatus::Completed,
        death: None,
    })
}

/// Fails unless every number leads to the line that a walk over all of them finds there.
async fn check_lines(reader: &Repositories) {
    let mut all = Vec::new();
    let visit = |_, cursor| {
        all.push(cursor);
        true
    };
    reader.backups.walk(Stretch::WHOLE, visit).await.unwrap();
    for number in 1..=all.len() + 2 {
        let found = reader.backups.nth(Stretch::WHOLE, number).await.unwrap();
        assert_eq!(found.as_ref(), all.get(number - 1), "{number}");
    }
}

#[tokio::test]
async fn every_number_leads_to_its_line_while_others_write_and_remove() {
    let world = World::new().await;
    let (reader, writer) = (&world.repositories, world.process());
    for job in 0..14 {
        writer.backups.put(&made(job)).await.unwrap();
        check_lines(reader).await;
    }
    for job in [13, 7, 5, 0] {
        let line = made(job);
        let read = writer.backups.get(&line.job_id, line.created_at).await;
        let stored = read.unwrap().unwrap();
        writer.backups.remove(&stored).await.unwrap();
        check_lines(reader).await;
    }
    for job in [5, 13, 0, 7] {
        writer.backups.put(&made(job)).await.unwrap();
        check_lines(reader).await;
    }
}
