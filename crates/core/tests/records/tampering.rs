//! Whoever changes, drops, moves, copies or cuts off rows is found out, and the row is named.

use std::collections::BTreeMap;

use dilux_core::repository::{AuditCheckpoint, AuditFinding};
use dilux_core::storage::{Entity, EntityKey, Value};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::world::{World, entry};

const LEDGER: &str = "~ledger";
pub(crate) const HEAD: &str = "~head";
pub(crate) const DAYS: [&str; 4] = ["2025-12-31", "2026-01-01", "2026-01-30", "2026-01-31"];
const CASES: u32 = 600;

/// How a property is changed.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, String),
    Remove(Index),
    Add(String),
    /// Everything that tells of the chain is taken off.
    Strip,
}

/// What somebody does to the table.
#[derive(Debug, Clone)]
enum Tampering {
    Mutate(Index, Change),
    Drop(Index),
    Swap(Index, Index),
    Copy(Index, Index, String),
    Truncate(Index, Index),
    /// The newest entries are cut off, and the head made to fit as well as one can without the key.
    TruncateWithHead(Index, Index),
    DropDay(Index),
    Plant(Index, String),
    /// The newest entries are cut off, and the head that the day had then is put back.
    OlderHead(Index, Index),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let index = any::<Index>;
    let change = prop_oneof![
        4 => (index(), "[a-z0-9]{1,8}").prop_map(|(which, text)| Change::Set(which, text)),
        2 => index().prop_map(Change::Remove),
        1 => "[a-z]{1,8}".prop_map(Change::Add),
        1 => Just(Change::Strip),
    ];
    prop_oneof![
        6 => (index(), change).prop_map(|(row, change)| Tampering::Mutate(row, change)),
        3 => index().prop_map(Tampering::Drop),
        2 => (index(), index()).prop_map(|(one, other)| Tampering::Swap(one, other)),
        2 => (index(), index(), "[0-9]{6,19}_[a-z]{1,8}")
            .prop_map(|(row, day, key)| Tampering::Copy(row, day, key)),
        2 => (index(), index()).prop_map(|(day, count)| Tampering::Truncate(day, count)),
        1 => (index(), index()).prop_map(|(day, count)| Tampering::TruncateWithHead(day, count)),
        1 => index().prop_map(Tampering::DropDay),
        1 => (index(), "[0-9]{6,19}_[a-z]{1,8}").prop_map(|(day, key)| Tampering::Plant(day, key)),
        1 => (index(), index()).prop_map(|(day, count)| Tampering::OlderHead(day, count)),
    ]
}

/// A table to be tampered with, and what should be found.
pub(crate) struct Forgery {
    pub(crate) rows: BTreeMap<EntityKey, Entity>,
    expected: Vec<AuditFinding>,
    /// Genuine heads of earlier.
    heads: Vec<Entity>,
}

impl Forgery {
    pub(crate) fn of(rows: &[Entity]) -> Self {
        Self {
            rows: rows
                .iter()
                .map(|row| (row.key.clone(), row.clone()))
                .collect(),
            expected: Vec::new(),
            heads: Vec::new(),
        }
    }

    fn chosen(&self, index: Index) -> Entity {
        // The row that names the key holds no seal: without it, nothing can be verified.
        let rows: Vec<&Entity> = self
            .rows
            .values()
            .filter(|row| row.key.row != "~key")
            .collect();
        (*index.get(&rows)).clone()
    }

    fn entry(&self, index: Index) -> Entity {
        let rows: Vec<&Entity> = self.rows.values().filter(|row| is_entry(row)).collect();
        (*index.get(&rows)).clone()
    }

    /// The entries of a day in the order in which they were appended.
    pub(crate) fn chain(&self, day: &str) -> Vec<Entity> {
        let rows = self.rows.values();
        let mut of_day: Vec<Entity> = rows
            .filter(|row| row.key.partition == day && row.key.row != HEAD)
            .cloned()
            .collect();
        of_day.sort_by_key(sequence);
        of_day
    }

    fn expect_missing(&mut self, row: &Entity) {
        let place = sequence(row);
        let before = self
            .rows
            .values()
            .find(|other| {
                other.key.partition == row.key.partition
                    && other.key.row != HEAD
                    && other.key.row != "~key"
                    && sequence(other) + 1 == place
            })
            .map(|other| other.key.row.clone());
        self.expected.push(AuditFinding::Missing {
            day: row.key.partition.clone(),
            sequence: place,
            follows: before,
        });
    }

    fn apply(&mut self, tampering: &Tampering) {
        match tampering {
            Tampering::Mutate(row, change) => self.mutate(*row, change),
            Tampering::Drop(row) => {
                let row = self.chosen(*row);
                self.rows.remove(&row.key);
                if row.key.row == HEAD {
                    self.expected.push(AuditFinding::Head(row.key.partition));
                } else {
                    self.expect_missing(&row);
                }
            }
            Tampering::Swap(one, other) => {
                let (one, other) = (self.entry(*one), self.entry(*other));
                for (place, content) in [(&one, &other), (&other, &one)] {
                    let mut row = place.clone();
                    row.properties.clone_from(&content.properties);
                    if row != *place {
                        self.rows.insert(row.key.clone(), row);
                        self.expected.push(AuditFinding::Changed(place.key.clone()));
                    }
                }
            }
            Tampering::Copy(row, day, key) => {
                let mut row = self.entry(*row);
                row.key = EntityKey::new(*day.get(&DAYS), key.as_str());
                self.expected.push(AuditFinding::Changed(row.key.clone()));
                self.rows.insert(row.key.clone(), row);
            }
            Tampering::Truncate(day, count) => {
                let day = *day.get(&DAYS);
                self.truncate(day, *count);
            }
            Tampering::TruncateWithHead(day, count) => {
                let day = *day.get(&DAYS);
                let last = self.truncate(day, *count);
                let head = EntityKey::new(day, HEAD);
                let head = self.rows.get_mut(&head).unwrap();
                for name in ["chain_sequence", "chain_seal"] {
                    let value = last.properties[name].clone();
                    let name = name.replace("chain_seal", "chain_previous");
                    head.properties.insert(name, value);
                }
                self.expected = vec![AuditFinding::Head(day.to_owned())];
            }
            Tampering::DropDay(day) => {
                let day = *day.get(&DAYS);
                self.rows.retain(|key, _| key.partition != day);
                self.expected.push(AuditFinding::Day(day.to_owned()));
            }
            Tampering::Plant(day, key) => {
                let key = EntityKey::new(*day.get(&DAYS), key.as_str());
                let row = Entity::new(key.clone()).with("action", Value::Bool(true));
                self.rows.insert(key.clone(), row);
                self.expected.push(AuditFinding::Foreign(key));
            }
            Tampering::OlderHead(day, count) => self.put_older_head_back(*day, *count),
        }
    }

    /// Cuts entries of a past day off, and puts the head back that the day had then.
    fn put_older_head_back(&mut self, day: Index, count: Index) {
        // That of the newest day is found with a checkpoint only.
        let (_, past) = DAYS.split_last().unwrap();
        let day = *day.get(past);
        let last = self.truncate(day, count);
        let is_of_then =
            |head: &&Entity| head.key.partition == day && sequence(head) == sequence(&last);
        let head = self.heads.iter().find(is_of_then).unwrap().clone();
        self.rows.insert(head.key.clone(), head);
        self.expected.push(AuditFinding::Head(day.to_owned()));
    }

    fn mutate(&mut self, row: Index, change: &Change) {
        let row = self.chosen(row);
        let mut changed = row.clone();
        let names: Vec<String> = row.properties.keys().cloned().collect();
        match change {
            Change::Set(which, text) => {
                let value = Value::String(text.clone());
                changed.properties.insert(which.get(&names).clone(), value);
            }
            Change::Remove(which) => {
                changed.properties.remove(which.get(&names));
            }
            Change::Add(name) => {
                let name = format!("added_{name}");
                changed.properties.insert(name, Value::I32(1));
            }
            Change::Strip => changed
                .properties
                .retain(|name, _| !name.starts_with("chain_")),
        }
        let finding = match change {
            _ if row.key.row == HEAD => AuditFinding::Head(row.key.partition.clone()),
            Change::Strip => AuditFinding::Foreign(row.key.clone()),
            _ => AuditFinding::Changed(row.key.clone()),
        };
        self.expected.push(finding);
        self.rows.insert(row.key.clone(), changed);
    }

    /// Cuts off at least one of the newest entries, and leaves at least one. Gives the one that is
    /// the last now.
    fn truncate(&mut self, day: &str, count: Index) -> Entity {
        let chain = self.chain(day);
        let kept = 1 + count.index(chain.len() - 1);
        for row in &chain[kept..] {
            self.rows.remove(&row.key);
        }
        for (index, row) in chain.iter().enumerate().skip(kept) {
            let follows = (index == kept).then(|| chain[kept - 1].key.row.clone());
            self.expected.push(AuditFinding::Missing {
                day: day.to_owned(),
                sequence: sequence(row),
                follows,
            });
        }
        chain[kept - 1].clone()
    }
}

fn is_entry(row: &Entity) -> bool {
    row.key.partition != LEDGER && row.key.row != HEAD
}

pub(crate) fn sequence(row: &Entity) -> u64 {
    match row.properties.get("chain_sequence") {
        Some(Value::I64(number)) => u64::try_from(*number).unwrap(),
        _ => 0,
    }
}

/// A log of 24 entries on four days.
async fn log_of_four_days() -> World {
    let world = World::new().await;
    for number in 0..24_usize {
        let at = format!("{}T{:02}:15:30Z", DAYS[number % 4], number % 20);
        let entry = entry(&format!("entry-{number:02}"), &at);
        world.repositories.audit.append(&entry).await.unwrap();
    }
    world.is_sound(24).await;
    world
}

/// Makes the table hold just `rows`.
pub(crate) async fn write(world: &World, rows: &BTreeMap<EntityKey, Entity>) {
    let present = world.rows().await;
    let present: BTreeMap<_, _> = present
        .into_iter()
        .map(|row| (row.key.clone(), row))
        .collect();
    for key in present.keys().filter(|key| !rows.contains_key(*key)) {
        world.lose(key).await;
    }
    for (key, row) in rows {
        if present.get(key) != Some(row) {
            world.put(row.clone()).await;
        }
    }
}

#[test]
fn whatever_is_done_to_rows_is_found_and_the_row_is_named() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, heads) = runtime.block_on(days_in_turn());
    let genuine = runtime.block_on(world.rows());
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let outcome = runner.run(&tampering(), |tampering| {
        let mut forgery = Forgery::of(&genuine);
        forgery.heads.clone_from(&heads);
        forgery.apply(&tampering);
        prop_assume!(!forgery.expected.is_empty());
        let verdict = runtime.block_on(async {
            write(&world, &forgery.rows).await;
            world.repositories.audit.verify(None).await.unwrap()
        });
        for finding in &forgery.expected {
            prop_assert!(
                verdict.findings.contains(finding),
                "{finding:?} is not in {:?}",
                verdict.findings
            );
        }
        let blamed = verdict.findings.iter().filter_map(AuditFinding::row);
        for row in blamed {
            let is_meant = forgery.expected.iter().any(|it| it.row() == Some(row));
            prop_assert!(is_meant, "{row:?} is blamed, {:?}", verdict.findings);
        }
        Ok(())
    });
    outcome.unwrap();
    let genuine = Forgery::of(&genuine).rows;
    runtime.block_on(async {
        write(&world, &genuine).await;
        world.is_sound(20).await;
    });
}

#[tokio::test]
async fn what_was_done_to_a_head_or_a_day_stays_known_when_writers_go_on() {
    for victim in [HEAD, "day", "ledger"] {
        let world = log_of_four_days().await;
        let rows = world.rows().await;
        let day = DAYS[3];
        for row in &rows {
            let is_lost = match victim {
                HEAD => row.key == EntityKey::new(day, HEAD),
                "day" => row.key.partition == day,
                _ => row.key == EntityKey::new(LEDGER, HEAD),
            };
            if is_lost {
                world.lose(&row.key).await;
            }
        }
        let audit = world.process().audit;
        for (id, at) in [
            ("later-1", "2026-01-31T22:00:00Z"),
            ("later-2", "2026-02-01T00:00:00Z"),
        ] {
            audit.append(&entry(id, at)).await.unwrap();
        }
        assert!(world.listed().await.contains(&"later-1".to_owned()));
        let verdict = audit.verify(None).await.unwrap();
        assert!(!verdict.findings.is_empty(), "without {victim}");
    }
}

#[tokio::test]
async fn a_truncated_day_whose_head_was_made_to_fit_stays_broken_when_writers_go_on() {
    let world = log_of_four_days().await;
    let rows = world.rows().await;
    let mut forgery = Forgery::of(&rows);
    let mut chain = forgery.chain(DAYS[3]);
    let (last, first) = (chain.pop().unwrap(), chain.pop().unwrap());
    forgery.rows.remove(&last.key);
    let head = forgery
        .rows
        .get_mut(&EntityKey::new(DAYS[3], HEAD))
        .unwrap();
    let seal = first.properties["chain_seal"].clone();
    head.properties.insert("chain_previous".to_owned(), seal);
    let place = first.properties["chain_sequence"].clone();
    head.properties.insert("chain_sequence".to_owned(), place);
    write(&world, &forgery.rows).await;
    let audit = world.process().audit;
    let later = entry("later", "2026-01-31T23:00:00Z");
    audit.append(&later).await.unwrap();
    let verdict = audit.verify(None).await.unwrap();
    let blamed: Vec<_> = verdict
        .findings
        .iter()
        .filter_map(AuditFinding::row)
        .collect();
    assert_eq!(blamed.len(), 1, "{:?}", verdict.findings);
    assert!(blamed[0].row.ends_with("_later"));
}

/// A log of four days, each full before the next one is opened; and each genuine head that any of
/// its days ever had, with what the day held then.
pub(crate) async fn days_in_turn() -> (World, Vec<Entity>) {
    let world = World::new().await;
    let mut heads = Vec::new();
    for (number, day) in DAYS.into_iter().enumerate() {
        for hour in 0..5 {
            let at = format!("{day}T{hour:02}:15:30Z");
            let entry = entry(&format!("entry-{number}-{hour}"), &at);
            world.repositories.audit.append(&entry).await.unwrap();
            let rows = world.rows().await;
            let key = EntityKey::new(day, HEAD);
            heads.extend(rows.into_iter().find(|row| row.key == key));
        }
    }
    world.is_sound(20).await;
    (world, heads)
}

#[tokio::test]
async fn a_log_that_was_put_back_as_a_whole_is_found_with_a_checkpoint() {
    let world = log_of_four_days().await;
    let earlier = Forgery::of(&world.rows().await).rows;
    let audit = &world.repositories.audit;
    let newest = entry("newest", "2026-01-31T23:00:00Z");
    audit.append(&newest).await.unwrap();
    let noted = audit.checkpoint().await.unwrap().unwrap();
    let text = noted.to_string();
    let noted: AuditCheckpoint = text.parse().unwrap();
    assert_eq!(audit.verify(Some(&noted)).await.unwrap().findings, []);
    write(&world, &earlier).await;
    let verdict = audit.verify(Some(&noted)).await.unwrap();
    assert_eq!(verdict.findings, [AuditFinding::Checkpoint(text)]);
}

#[tokio::test]
async fn a_log_without_the_row_that_names_its_key_cannot_be_taken_for_sound() {
    let world = log_of_four_days().await;
    world.lose(&EntityKey::new(LEDGER, "~key")).await;
    let verdict = world.process().audit.verify(None).await.unwrap();
    assert_eq!(verdict.findings, [AuditFinding::Key]);
    // Entries are still taken, and the old ones are told.
    let audit = world.process().audit;
    let later = entry("later", "2026-01-31T23:00:00Z");
    audit.append(&later).await.unwrap();
    assert_eq!(world.listed().await.len(), 25);
    assert!(audit.verify(None).await.unwrap().findings.len() > 24);
}

#[tokio::test]
async fn a_key_that_somebody_else_could_know_is_refused() {
    let world = log_of_four_days().await;
    let secret = Value::String("dilux-db-1".to_owned());
    let row = Entity::new(EntityKey::new(LEDGER, "~key")).with("secret", secret);
    world.put(row).await;
    let error = world.process().audit.verify(None).await.unwrap_err();
    assert!(error.to_string().contains("was changed"), "{error}");
}
