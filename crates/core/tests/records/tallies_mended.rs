//! Tallies that are missing, damaged, older than what they should tell, or of lines that are gone.

use dilux_core::model::BackupStatus;
use dilux_core::repository::Recount;
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation, Value};

use crate::tallies::{Write, agree, database, line};
use crate::world::World;

#[tokio::test]
async fn tallies_that_are_missing_or_damaged_are_mended_and_block_no_line() {
    let world = World::new().await;
    let write = |job| Write {
        database: 0,
        job,
        epoch: 1,
        status: BackupStatus::Completed,
        death: None,
    };
    let backups = &world.repositories.backups;
    for job in 0..5 {
        backups.put(&line(&write(job))).await.unwrap();
    }
    let table = |name: &str| TableName::new(name).unwrap();
    let tally = (table("backupindex"), EntityKey::new("db-0", "~tally"));
    let copy = (table("backuptallies"), EntityKey::new("database", "db-0"));
    for (table, key) in [&tally, &copy] {
        let delete = TableOperation::Delete(key.clone(), Condition::Exists);
        world.tables.write(table, delete).await.unwrap();
        assert_eq!(
            backups.recount(&database(0)).await.unwrap(),
            Recount::Mended
        );
        agree(&world).await.unwrap();
        let odd = Entity::new(key.clone()).with("ever", Value::String("?".to_owned()));
        let damage = TableOperation::Replace(odd, Condition::None);
        world.tables.write(table, damage).await.unwrap();
        backups.put(&line(&write(6))).await.unwrap();
        agree(&world).await.unwrap();
    }
    assert_eq!(backups.recount(&database(0)).await.unwrap(), Recount::Right);
}

#[tokio::test]
async fn a_line_that_is_removed_is_counted_no_more() {
    let world = World::new().await;
    let backups = &world.repositories.backups;
    let write = |job, status| Write {
        database: 0,
        job,
        epoch: 1,
        status,
        death: None,
    };
    let writes = [
        write(0, BackupStatus::Failed),
        write(2, BackupStatus::Missed),
        write(3, BackupStatus::Completed),
    ];
    for write in &writes {
        backups.put(&line(write)).await.unwrap();
    }
    for write in &writes[..2] {
        let line = line(write);
        let stored = backups.get(&line.job_id, line.created_at).await.unwrap();
        backups.remove(&stored.unwrap()).await.unwrap();
        agree(&world).await.unwrap();
    }
}

#[tokio::test]
async fn a_tally_that_does_not_know_the_first_failure_finds_it_at_the_next() {
    let world = World::new().await;
    let backups = &world.repositories.backups;
    let failed = |job| Write {
        database: 0,
        job,
        epoch: 1,
        status: BackupStatus::Failed,
        death: None,
    };
    for job in [4, 3] {
        backups.put(&line(&failed(job))).await.unwrap();
    }
    let (table, key) = (
        TableName::new("backupindex").unwrap(),
        EntityKey::new("db-0", "~tally"),
    );
    let mut row = world.tables.get(&table, &key).await.unwrap().unwrap();
    let Value::String(streak) = &row.entity.properties["streak"] else {
        panic!("a streak is text")
    };
    let mut streak: serde_json::Value = serde_json::from_str(streak).unwrap();
    streak.as_object_mut().unwrap().remove("first").unwrap();
    let older = Value::String(streak.to_string());
    row.entity.properties.insert("streak".to_owned(), older);
    let write = TableOperation::Replace(row.entity, Condition::None);
    world.tables.write(&table, write).await.unwrap();
    backups.put(&line(&failed(2))).await.unwrap();
    agree(&world).await.unwrap();
}
