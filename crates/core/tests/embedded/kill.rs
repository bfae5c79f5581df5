//! What was acknowledged survives `kill -9` of the writer, whole; what was not is whole or absent.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::{
    BlobStore, Entity, EntityKey, PutOptions, SendOptions, Storage, TableOperation, Value,
};
use jiff::SignedDuration;

use crate::support::{
    below, blob, block, commit, container, content, fetch, files, open_now, ports, queue, role,
    said, say, spawn, sqlite, table,
};

const TEST: &str = "kill::acknowledged_writes_survive_kill_9";
const ROUNDS: usize = 20;
const VISIBLE: Duration = Duration::from_secs(1);

/// Numbers that were acknowledged, by what was done with them.
type Acknowledged = BTreeMap<String, BTreeSet<u64>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kill_9() {
    if let Some((first, directory)) = role() {
        return write_for_ever(first.parse().unwrap(), &directory).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for round in 0..ROUNDS {
        // Two writers at once, numbers far apart; each dies after some acknowledgements.
        let first = |writer: usize| ((2 * round + writer) * 1_000_000).to_string();
        let writers = [0, 1].map(|writer| spawn(TEST, &first(writer), directory.path()));
        for writer in writers {
            listen_and_kill(writer, below(40), &mut acknowledged);
        }
        let check: String = sqlite(directory.path())
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        let store = ports(directory.path());
        check_everything(&store, &acknowledged).await;
    }
    let total: usize = acknowledged.values().map(BTreeSet::len).sum();
    assert!(total >= ROUNDS, "only {total} writes were acknowledged");
    nothing_is_left_after_a_sweep(directory.path(), &acknowledged).await;
}

/// Reads `patience` acknowledgements, kills the writer, and reads what it had said by then.
fn listen_and_kill(mut writer: Child, patience: u64, acknowledged: &mut Acknowledged) {
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut heard = 0;
    while heard < patience {
        let line = lines.next().expect("the writer ended by itself").unwrap();
        heard += note(&line, acknowledged);
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    // The last line may be cut off by the kill; it then lacks its end mark.
    for line in lines.map_while(Result::ok) {
        note(&line, acknowledged);
    }
}

fn note(line: &str, acknowledged: &mut Acknowledged) -> u64 {
    let Some(words) = said(line).and_then(|words| words.strip_suffix(" done")) else {
        return 0;
    };
    let (what, number) = words.split_once(' ').unwrap();
    acknowledged
        .entry(what.to_owned())
        .or_default()
        .insert(number.parse().unwrap());
    1
}

/// One write after the other, each acknowledged when it has returned.
async fn write_for_ever(first: u64, directory: &Path) {
    let store = ports(directory);
    store.tables.create_table(&table()).await.unwrap();
    store.queues.create_queue(&queue()).await.unwrap();
    store.blobs.create_container(&container()).await.unwrap();
    for number in first.. {
        write_small_things(&store, number).await;
        write_blobs(store.blobs.as_ref(), number).await;
    }
}

fn done(what: &str, number: u64) {
    say(&format!("{what} {number} done"));
}

async fn write_small_things(store: &Storage, number: u64) {
    let row = Entity::new(key(number)).with("text", Value::String(text(number)));
    store
        .tables
        .write(&table(), TableOperation::Insert(row))
        .await
        .unwrap();
    done("row", number);
    let message = number.to_string();
    store
        .queues
        .send(&queue(), &message, SendOptions::default())
        .await
        .unwrap();
    done("message", number);
    store
        .secrets
        .set(&secret(number), &SecretValue::new(text(number)))
        .await
        .unwrap();
    done("secret", number);
    for message in store.queues.receive(&queue(), 1, VISIBLE).await.unwrap() {
        // The other writer may hold it by now.
        if store
            .queues
            .delete(&queue(), &message.id, &message.receipt)
            .await
            .is_ok()
        {
            done("deleted", message.text.parse().unwrap());
        }
    }
}

async fn write_blobs(store: &dyn BlobStore, number: u64) {
    let name = format!("put-{number}");
    let bytes = content(&name, 30_000);
    store
        .put(&container(), &blob(&name), bytes, PutOptions::default())
        .await
        .unwrap();
    done("put", number);
    let latest = content(&format!("latest-{number}"), 100_000);
    let latest = [number.to_le_bytes().as_slice(), &latest].concat().into();
    store
        .put(&container(), &blob("latest"), latest, PutOptions::default())
        .await
        .unwrap();
    done("latest", number);
    // Even numbers are committed in the order of staging, odd ones in another.
    let name = format!("staged-{number}");
    let whole = content(&name, 50_000);
    let order = if number.is_multiple_of(2) {
        [1, 2, 3]
    } else {
        [3, 1, 2]
    };
    for part in order {
        let start = usize::from(part - 1) * 20_000;
        let bytes = whole.slice(start..whole.len().min(start + 20_000));
        store
            .stage_block(&container(), &blob(&name), block(part), bytes)
            .await
            .unwrap();
    }
    done("staged", number);
    commit(store, &name, &[1, 2, 3]).await.unwrap();
    done("committed", number);
    let never = blob(&format!("never-{number}"));
    store
        .stage_block(&container(), &never, block(1), content("never", 1_000))
        .await
        .unwrap();
    done("never", number);
}

fn key(number: u64) -> EntityKey {
    EntityKey::new((number % 7).to_string(), number.to_string())
}

fn text(number: u64) -> String {
    format!("{number} ").repeat(50)
}

fn secret(number: u64) -> SecretName {
    SecretName::new(format!("secret-{number}")).unwrap()
}

async fn check_everything(store: &Storage, acknowledged: &Acknowledged) {
    let numbers = |what: &str| acknowledged.get(what).cloned().unwrap_or_default();
    for number in numbers("row") {
        let row = store.tables.get(&table(), &key(number)).await.unwrap();
        let row = row.unwrap_or_else(|| panic!("row {number} is lost"));
        assert_eq!(row.entity.properties["text"], Value::String(text(number)));
    }
    for number in numbers("secret") {
        let value = store.secrets.get(&secret(number)).await.unwrap();
        assert_eq!(
            value.map(|value| value.expose().to_owned()),
            Some(text(number))
        );
    }
    for number in numbers("put") {
        let name = format!("put-{number}");
        assert_eq!(
            fetch(store.blobs.as_ref(), &name).await,
            Some(content(&name, 30_000)),
            "{name}"
        );
    }
    for number in numbers("committed") {
        let name = format!("staged-{number}");
        assert_eq!(
            fetch(store.blobs.as_ref(), &name).await,
            Some(content(&name, 50_000)),
            "{name}"
        );
    }
    check_messages(store, &numbers("message"), &numbers("deleted")).await;
    check_listed_blobs(store, numbers("latest").last().copied()).await;
}

/// Every message that was sent and not deleted is there; none that was deleted is.
async fn check_messages(store: &Storage, sent: &BTreeSet<u64>, deleted: &BTreeSet<u64>) {
    if sent.is_empty() {
        return;
    }
    // Messages that a killed writer held become visible again by themselves.
    let expected: BTreeSet<_> = sent.difference(deleted).copied().collect();
    let waiting = async {
        loop {
            let visible = all_messages(store).await;
            if visible.is_superset(&expected) {
                return visible;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let visible = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    let visible = visible.expect("every message that was sent comes back");
    let risen: Vec<_> = visible.intersection(deleted).collect();
    assert!(risen.is_empty(), "deleted messages came back: {risen:?}");
}

/// The numbers of all visible messages: each is received and shown again at once.
async fn all_messages(store: &Storage) -> BTreeSet<u64> {
    let mut held = Vec::new();
    loop {
        let messages = store
            .queues
            .receive(&queue(), 32, Duration::from_mins(5))
            .await
            .unwrap();
        if messages.is_empty() {
            break;
        }
        held.extend(messages);
    }
    for message in &held {
        store
            .queues
            .renew(&queue(), &message.id, &message.receipt, Duration::ZERO)
            .await
            .unwrap();
    }
    held.iter()
        .map(|message| message.text.parse().unwrap())
        .collect()
}

/// Whatever is listed is whole, acknowledged or not; what was only staged is not listed.
async fn check_listed_blobs(store: &Storage, latest: Option<u64>) {
    if latest.is_none() {
        return;
    }
    let page = store
        .blobs
        .list(&container(), "", 5000, None)
        .await
        .unwrap();
    assert!(page.next.is_none());
    for entry in page.blobs {
        let name = entry.name.as_str();
        let bytes = fetch(store.blobs.as_ref(), name).await.unwrap();
        match name.split_once('-').map_or(name, |(kind, _)| kind) {
            "put" => assert_eq!(bytes, content(name, 30_000), "{name}"),
            "staged" => assert_eq!(bytes, content(name, 50_000), "{name}"),
            "latest" => {
                let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
                let expected = content(&format!("latest-{number}"), 100_000);
                assert_eq!(bytes.slice(8..), expected, "a mixture of versions");
            }
            _ => panic!("{name} was never committed"),
        }
    }
}

async fn nothing_is_left_after_a_sweep(directory: &Path, acknowledged: &Acknowledged) {
    let (embedded, clock) = open_now(directory);
    clock.advance(SignedDuration::from_hours(24 * 8));
    embedded
        .sweep(SignedDuration::from_hours(24 * 7))
        .await
        .unwrap();
    let store = ports(directory);
    let blobs = store
        .blobs
        .list(&container(), "", 5000, None)
        .await
        .unwrap()
        .blobs
        .len();
    assert_eq!(
        files(directory).len(),
        blobs,
        "one file a blob is left, and no other"
    );
    check_everything(&store, acknowledged).await;
}
