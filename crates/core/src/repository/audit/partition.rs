//! One chain under verification: its rows against its head.

use std::collections::BTreeMap;

use super::chain::{BROKEN, Head, Older, OlderRows, PREVIOUS, START, is_linked, sequence, text};
use super::finding::{AuditCheckpoint, AuditFinding};
use super::seal::{SEAL, SealKey};
use crate::repository::keys::day_of;
use crate::repository::row::RowReader;
use crate::storage::{Entity, EntityKey};

/// A row with a sound seal.
#[derive(Debug)]
struct Link {
    row: String,
    previous: String,
    seal: String,
}

/// A row without a place in a chain.
#[derive(Debug)]
pub(super) struct Bare {
    pub(super) key: EntityKey,
    /// The day that it tells of.
    pub(super) day: Option<String>,
}

/// The rows of a partition, gathered as they are read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    partition: String,
    links: BTreeMap<u64, Vec<Link>>,
    /// Places that changed rows say to have.
    claimed: Vec<u64>,
    bare: Vec<Bare>,
    bare_seal: OlderRows,
    findings: Vec<AuditFinding>,
}

/// What is known of a chain's end.
#[derive(Debug)]
pub(super) struct Ends {
    /// Its head before the rows were read; `None` when it is gone or not genuine.
    pub(super) before: Option<Head>,
    /// The same after.
    pub(super) after: Option<Head>,
}

impl Gathered {
    pub(super) fn new(partition: &str) -> Self {
        Self {
            partition: partition.to_owned(),
            ..Self::default()
        }
    }

    /// Takes a row.
    pub(super) fn add(&mut self, key: &SealKey, row: &Entity) {
        if !is_linked(row) {
            let time = RowReader(row).instant("timestamp").ok();
            self.bare.push(Bare {
                key: row.key.clone(),
                day: time.map(day_of),
            });
            self.bare_seal.add(key, row);
            return;
        }
        match sequence(row) {
            Some(sequence) if key.is_genuine(row) => {
                let link = Link {
                    row: row.key.row.clone(),
                    previous: text(row, PREVIOUS),
                    seal: text(row, SEAL),
                };
                self.links.entry(sequence).or_default().push(link);
            }
            place => {
                self.claimed.extend(place);
                self.findings.push(AuditFinding::Changed(row.key.clone()));
            }
        }
    }

    /// Rows with a sound seal.
    pub(super) fn sound(&self) -> u64 {
        self.links.values().map(|links| links.len() as u64).sum()
    }

    /// Whether any row has, or had, a place in a chain.
    pub(super) fn has_linked(&self) -> bool {
        !self.links.is_empty() || !self.findings.is_empty()
    }

    /// The rows without a place in a chain.
    pub(super) fn bare(&self) -> &[Bare] {
        &self.bare
    }

    /// The seal of the entry at this place.
    pub(super) fn seal_at(&self, place: u64) -> Option<&str> {
        let links = self.links.get(&place)?;
        links.first().map(|link| link.seal.as_str())
    }

    /// What contradicts an end of the chain that was noted when a later day was opened. A changed
    /// or dropped entry within the chain is told anyway.
    pub(super) fn judge_end(&self, ends: &Ends, noted: &AuditCheckpoint) -> Vec<AuditFinding> {
        let newest = self.links.keys().next_back().copied().unwrap_or(0);
        let length = ends.before.as_ref().map_or(newest, |head| head.sequence);
        let is_held = match self.seal_at(noted.sequence) {
            Some(seal) => seal == noted.seal,
            None => length >= noted.sequence,
        };
        if is_held {
            return Vec::new();
        }
        let cut_off = (length + 1)..=noted.sequence;
        let lost = cut_off.filter(|place| !self.links.contains_key(place));
        let mut findings: Vec<_> = lost.map(|place| self.missing(place)).collect();
        findings.push(AuditFinding::Head(self.partition.clone()));
        findings
    }

    fn missing(&self, place: u64) -> AuditFinding {
        let before = self.links.get(&(place - 1)).and_then(|links| links.first());
        AuditFinding::Missing {
            day: self.partition.clone(),
            sequence: place,
            follows: before.map(|link| link.row.clone()),
        }
    }

    /// The changed rows of a partition that has no chain.
    pub(super) fn changed(self) -> Vec<AuditFinding> {
        self.findings
    }

    /// What is wrong with the chain.
    pub(super) fn judge(mut self, ends: &Ends) -> Vec<AuditFinding> {
        let newest = self.links.keys().next_back().copied().unwrap_or(0);
        let is_covered = |head: &Head| head.sequence >= newest;
        let is_sound = ends.before.is_some() && ends.after.as_ref().is_some_and(is_covered);
        if !is_sound {
            let head = AuditFinding::Head(self.partition.clone());
            self.findings.push(head);
        }
        self.judge_bare(ends.before.as_ref().map(|head| &head.older));
        let length = ends.before.as_ref().map_or(newest, |head| head.sequence);
        self.judge_gaps(length);
        self.judge_links();
        if let Some(head) = &ends.before {
            let last = self.seal_at(head.sequence);
            if last.is_some_and(|seal| seal != head.last) {
                let head = AuditFinding::Head(self.partition.clone());
                self.findings.push(head);
            }
        }
        self.findings
    }

    fn judge_bare(&mut self, older: Option<&Older>) {
        let found = std::mem::take(&mut self.bare_seal).finish();
        match older {
            Some(older) if *older == found => {}
            Some(older) if older.rows > 0 => {
                let day = self.partition.clone();
                self.findings.push(AuditFinding::Older(day));
            }
            _ => {
                let keys = self.bare.iter().map(|row| row.key.clone());
                self.findings.extend(keys.map(AuditFinding::Foreign));
            }
        }
    }

    fn judge_gaps(&mut self, length: u64) {
        for place in 1..=length {
            if self.links.contains_key(&place) || self.claimed.contains(&place) {
                continue;
            }
            self.findings.push(self.missing(place));
        }
    }

    /// Each sound row follows the one before it, unless that is missing or changed, which is told.
    fn judge_links(&mut self) {
        let mut unlinked = Vec::new();
        let mut before: Option<(u64, &str)> = Some((0, START));
        for (place, links) in &self.links {
            for (index, link) in links.iter().enumerate() {
                let follows = match before {
                    Some((earlier, seal)) if earlier + 1 == *place => link.previous == seal,
                    _ => link.previous != BROKEN,
                };
                // Of two entries in one place at most one is right, and which is not to be told.
                if !follows || index > 0 {
                    let key = EntityKey::new(self.partition.as_str(), link.row.as_str());
                    unlinked.push(AuditFinding::Unlinked(key));
                }
            }
            before = links.first().map(|link| (*place, link.seal.as_str()));
        }
        self.findings.extend(unlinked);
    }
}
