//! Three processes on one store: nothing is lost, nothing comes twice.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::{
    Condition, Entity, EntityKey, SendOptions, Storage, StorageErrorKind, TableOperation, Value,
};

use crate::support::{ports, queue, role, said, say, spawn, table};

const TEST: &str = "processes::three_processes_share_a_store";
const PROCESSES: i64 = 3;
const ROUNDS: i64 = 150;
const HIDDEN: Duration = Duration::from_mins(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_share_a_store() {
    if let Some((name, directory)) = role() {
        return work(&name, &directory).await;
    }
    let directory = tempfile::tempdir().unwrap();
    // All three find no store and make one at the same time.
    let mut children: Vec<_> = ["a", "b", "c"]
        .map(|name| spawn(TEST, name, directory.path()))
        .into();
    let mut drained = Vec::new();
    for child in &mut children {
        let mut output = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut output)
            .unwrap();
        assert!(
            child.wait().unwrap().success(),
            "a process failed:\n{output}"
        );
        drained.extend(output.lines().filter_map(said).map(str::to_owned));
    }
    let distinct: HashSet<_> = drained.iter().collect();
    assert_eq!(drained.len(), usize::try_from(PROCESSES * ROUNDS).unwrap());
    assert_eq!(distinct.len(), drained.len(), "a message came twice");

    let store = ports(directory.path());
    assert_eq!(counter(&store, "increments").await, PROCESSES * ROUNDS);
    assert_eq!(store.queues.approximate_count(&queue()).await.unwrap(), 0);
    for name in ["a", "b", "c"] {
        let secret = store.secrets.get(&secret_of(name)).await.unwrap();
        assert_eq!(
            secret.unwrap().expose(),
            name,
            "all three seal with one key"
        );
    }
}

fn secret_of(name: &str) -> SecretName {
    SecretName::new(format!("secret-of-{name}")).unwrap()
}

async fn work(name: &str, directory: &Path) {
    let store = ports(directory);
    store.tables.create_table(&table()).await.unwrap();
    store.queues.create_queue(&queue()).await.unwrap();
    store
        .secrets
        .set(&secret_of(name), &SecretValue::new(name))
        .await
        .unwrap();
    for round in 0..ROUNDS {
        increment(&store, "increments").await;
        let text = format!("{name} {round}");
        store
            .queues
            .send(&queue(), &text, SendOptions::default())
            .await
            .unwrap();
    }
    increment(&store, "senders").await;
    loop {
        let everything_is_sent = counter(&store, "senders").await == PROCESSES;
        let messages = store.queues.receive(&queue(), 5, HIDDEN).await.unwrap();
        if messages.is_empty() && everything_is_sent {
            break;
        }
        for message in messages {
            store
                .queues
                .delete(&queue(), &message.id, &message.receipt)
                .await
                .unwrap();
            say(&message.text);
        }
    }
}

async fn counter(store: &Storage, name: &str) -> i64 {
    let row = store
        .tables
        .get(&table(), &EntityKey::new("counter", name))
        .await
        .unwrap();
    match row.and_then(|row| row.entity.properties.get("value").cloned()) {
        Some(Value::I64(value)) => value,
        other => {
            assert!(other.is_none(), "the counter is {other:?}");
            0
        }
    }
}

async fn increment(store: &Storage, name: &str) {
    let key = EntityKey::new("counter", name);
    let holding = |value| Entity::new(key.clone()).with("value", Value::I64(value));
    loop {
        let row = store.tables.get(&table(), &key).await.unwrap();
        let write = match row {
            None => TableOperation::Insert(holding(1)),
            Some(row) => {
                let Some(Value::I64(value)) = row.entity.properties.get("value") else {
                    panic!("the counter is {row:?}")
                };
                TableOperation::Replace(holding(value + 1), Condition::Matches(row.etag))
            }
        };
        match store.tables.write(&table(), write).await {
            Ok(_) => return,
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    StorageErrorKind::AlreadyExists | StorageErrorKind::PreconditionFailed
                ),
                "{error}"
            ),
        }
    }
}
