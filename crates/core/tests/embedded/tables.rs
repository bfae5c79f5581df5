//! Tables: versions beside a faulty clock, bounded pages, layouts of other versions.

use dilux_core::storage::embedded::EmbeddedStore;
use dilux_core::storage::{
    Condition, Continuation, Entity, EntityKey, Filter, Query, StorageErrorKind, TableName,
    TableOperation, TableStore, Value,
};
use jiff::SignedDuration;

use crate::support::{open, open_at, open_now, refusal, sqlite, table};

fn row(number: usize) -> Entity {
    Entity::new(EntityKey::new("p", format!("{number:05}")))
}

async fn fill(store: &EmbeddedStore, rows: impl Iterator<Item = Entity>) {
    let rows: Vec<_> = rows.collect();
    for chunk in rows.chunks(100) {
        let inserts = chunk.iter().cloned().map(TableOperation::Insert).collect();
        store.write_batch(&table(), inserts).await.unwrap();
    }
}

#[tokio::test]
async fn versions_and_times_go_forward_when_the_clock_is_set_back() {
    let directory = tempfile::tempdir().unwrap();
    let (store, clock) = open_at(directory.path(), "2026-11-21T12:00:00Z");
    store.create_table(&table()).await.unwrap();
    let mut last = None;
    for step in [0, 0, -3600, 0, 60, -86_400] {
        clock.advance(SignedDuration::from_secs(step));
        let write = TableOperation::Replace(row(1), Condition::None);
        store.write(&table(), write).await.unwrap();
        let stored = store.get(&table(), &row(1).key).await.unwrap().unwrap();
        let now = (stored.timestamp, stored.etag.as_str().to_owned());
        assert!(last.as_ref() < Some(&now), "{now:?} came after {last:?}");
        last = Some(now);
    }
}

#[tokio::test]
async fn long_search_gives_empty_pages_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open_now(directory.path());
    store.create_table(&table()).await.unwrap();
    let needle = row(10_500).with("needle", Value::Bool(true));
    fill(&store, (0..10_500).map(row).chain([needle])).await;
    let filter = Some(Filter::equal("needle", Value::Bool(true)));
    let query = Query {
        filter,
        ..Query::default()
    };
    let (mut found, mut empty, mut from) = (0, 0, None);
    loop {
        let page = store.query(&table(), &query, from.as_ref()).await.unwrap();
        found += page.entities.len();
        empty += usize::from(page.entities.is_empty());
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!((found, empty), (1, 2));
}

#[tokio::test]
async fn page_of_wide_rows_ends_before_it_takes_all_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open_now(directory.path());
    store.create_table(&table()).await.unwrap();
    let wide = Value::String("w".repeat(30_000));
    fill(
        &store,
        (0..300).map(|number| row(number).with("wide", wide.clone())),
    )
    .await;
    let page = store
        .query(&table(), &Query::default(), None)
        .await
        .unwrap();
    assert!(
        (100..200).contains(&page.entities.len()),
        "{} rows",
        page.entities.len()
    );
    assert!(page.next.is_some());
}

#[tokio::test]
async fn merge_that_makes_a_row_too_large_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open_now(directory.path());
    store.create_table(&table()).await.unwrap();
    let half = |from: usize| {
        let wide = Value::String("w".repeat(32 * 1024));
        (from..from + 10).fold(row(1), |row, n| row.with(format!("wide{n}"), wide.clone()))
    };
    store
        .write(&table(), TableOperation::Insert(half(0)))
        .await
        .unwrap();
    let merge = TableOperation::Merge(half(10), Condition::Exists);
    refusal(
        store.write(&table(), merge).await,
        StorageErrorKind::Invalid,
    );
    let stored = store.get(&table(), &row(1).key).await.unwrap().unwrap();
    assert_eq!(stored.entity, half(0));
}

#[tokio::test]
async fn table_names_differ_by_more_than_case() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open_now(directory.path());
    store
        .create_table(&TableName::new("BackupHistory").unwrap())
        .await
        .unwrap();
    let lower = TableName::new("backuphistory").unwrap();
    store
        .write(&lower, TableOperation::Insert(row(1)))
        .await
        .unwrap();
}

#[tokio::test]
async fn foreign_continuation_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open_now(directory.path());
    store.create_table(&table()).await.unwrap();
    let foreign = Continuation::new("1!8!cGFydA--");
    let outcome = store
        .query(&table(), &Query::default(), Some(&foreign))
        .await;
    refusal(outcome, StorageErrorKind::Invalid);
}

#[tokio::test]
async fn the_version_of_a_table_changes_with_each_write_to_it_and_with_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (store, clock) = open_now(directory.path());
    // As another process sees it.
    let other = open(directory.path()).unwrap();
    let neighbour = TableName::new("neighbour").unwrap();
    store.create_table(&table()).await.unwrap();
    store.create_table(&neighbour).await.unwrap();
    let version = async || other.table_version(&table()).await.unwrap().unwrap();
    let mut seen = vec![version().await];
    for write in [
        TableOperation::Insert(row(1)),
        TableOperation::Replace(row(1), Condition::None),
        TableOperation::Merge(row(1), Condition::Exists),
        TableOperation::Delete(row(1).key, Condition::Exists),
        TableOperation::Insert(row(1)),
    ] {
        clock.advance(SignedDuration::from_secs(-1));
        store.write(&table(), write.clone()).await.unwrap();
        let now = version().await;
        assert!(!seen.contains(&now), "{write:?}");
        seen.push(now);
    }
    let batch = vec![TableOperation::Delete(row(1).key, Condition::Exists)];
    store.write_batch(&table(), batch).await.unwrap();
    let last = version().await;
    assert!(!seen.contains(&last));

    let insert = TableOperation::Insert(row(1));
    store.write(&neighbour, insert.clone()).await.unwrap();
    let missing = TableOperation::Delete(row(2).key, Condition::Exists);
    let refused = store.write(&table(), missing.clone()).await;
    refusal(refused, StorageErrorKind::NotFound);
    let refused = store.write_batch(&table(), vec![insert, missing]).await;
    refusal(refused, StorageErrorKind::NotFound);
    store.get(&table(), &row(1).key).await.unwrap();
    store.create_table(&table()).await.unwrap();
    assert_eq!(version().await, last);
}

#[tokio::test]
async fn store_of_the_first_layout_is_brought_to_this_one_with_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open_now(directory.path());
    store.create_table(&table()).await.unwrap();
    fill(&store, (0..3).map(row)).await;
    let rows: Vec<Entity> = (0..3).map(row).collect();
    drop(store);
    let first_layout = "
        ALTER TABLE tables DROP COLUMN version;
        ALTER TABLE entities RENAME TO rows;
        CREATE TABLE entities (
            table_id INTEGER NOT NULL,
            partition_key TEXT NOT NULL,
            row_key TEXT NOT NULL,
            version INTEGER NOT NULL,
            properties TEXT NOT NULL,
            PRIMARY KEY (table_id, partition_key, row_key)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO entities SELECT * FROM rows;
        DROP TABLE rows;
        PRAGMA user_version = 1;";
    sqlite(directory.path())
        .execute_batch(first_layout)
        .unwrap();
    for _ in 0..2 {
        let (store, _) = open_now(directory.path());
        let found = store.query(&table(), &Query::default(), None).await;
        let found: Vec<Entity> = found
            .unwrap()
            .entities
            .into_iter()
            .map(|it| it.entity)
            .collect();
        assert_eq!(found, rows);
        let tables =
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'entities%' AND type = 'table'";
        let tables: i64 = sqlite(directory.path())
            .query_row(tables, [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 1);
        let before = store.table_version(&table()).await.unwrap();
        let write = TableOperation::Replace(row(1), Condition::Exists);
        store.write(&table(), write).await.unwrap();
        assert_ne!(store.table_version(&table()).await.unwrap(), before);
    }
}

#[tokio::test]
async fn store_of_a_newer_version_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    sqlite(directory.path())
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = refusal(open(directory.path()), StorageErrorKind::Invalid);
    assert!(error.to_string().contains("layout 99"), "{error}");
}

#[tokio::test]
async fn file_that_is_no_database_is_named_as_damage() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("store.sqlite"),
        "not a database, ".repeat(300),
    )
    .unwrap();
    refusal(open(directory.path()), StorageErrorKind::Corrupt);
}
