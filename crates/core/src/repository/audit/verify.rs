//! Verification of the audit log: every partition against its head, and the days against the
//! ledger. Each head is read before the rows that it covers, so that what writers append meanwhile
//! is no finding.

use std::collections::BTreeSet;

use super::LEDGER;
use super::chain::{Chains, ENDS, Head, StoredHead, entries_of, is_linked, sequence, text};
use super::finding::{AuditCheckpoint, AuditFinding, AuditVerdict};
use super::legacy::next_after;
use super::partition::{Ends, Gathered};
use super::seal::SealKey;
use crate::repository::keys::inverted_day;
use crate::repository::rows::Rows;
use crate::storage::{EntityKey, Query, StorageResult};

/// The end of the log.
pub(super) async fn checkpoint(chains: &Chains) -> StorageResult<Option<AuditCheckpoint>> {
    let Some(key) = chains.keys.existing().await? else {
        return Ok(None);
    };
    let mut days = Rows::new(&*chains.tables, &chains.log.table, entries_of(LEDGER));
    let mut opened = Vec::new();
    while let Some(day) = days.next().await? {
        opened.push(day.entity.key.row);
    }
    for day in opened.into_iter().rev() {
        let head = chains.head(&key, &day).await?.map(|stored| stored.head);
        if let Some(head) = head.filter(|head| head.sequence > 0) {
            return Ok(Some(AuditCheckpoint {
                day,
                sequence: head.sequence,
                seal: head.last,
            }));
        }
    }
    Ok(None)
}

/// Verifies the log.
pub(super) async fn verify(
    chains: &Chains,
    noted: Option<&AuditCheckpoint>,
) -> StorageResult<AuditVerdict> {
    let verdict = verify_once(chains, noted).await?;
    let lacks_key = verdict.findings.contains(&AuditFinding::Key);
    if lacks_key && chains.keys.existing().await?.is_some() {
        // The first entry of all came after the look for the key and before that for the rows.
        return verify_once(chains, noted).await;
    }
    Ok(verdict)
}

async fn verify_once(
    chains: &Chains,
    noted: Option<&AuditCheckpoint>,
) -> StorageResult<AuditVerdict> {
    let mut verdict = AuditVerdict::default();
    let key = chains.keys.existing().await?;
    if let Some(key) = &key {
        let mut verification = Verification {
            chains,
            key,
            noted,
            verdict: &mut verdict,
            ledger: Ledger::default(),
        };
        verification.run().await?;
        verdict.checkpoint = checkpoint(chains).await?;
    } else {
        count_older(chains, &mut verdict).await?;
        let noted = noted.map(|noted| AuditFinding::Checkpoint(noted.to_string()));
        verdict.findings.extend(noted);
    }
    verdict.findings.sort();
    verdict.findings.dedup();
    Ok(verdict)
}

/// The days that have chains.
#[derive(Debug, Default)]
struct Ledger {
    days: BTreeSet<String>,
    /// The one on which the chain began.
    first: Option<String>,
    /// Where days ended when later ones were opened.
    ends: Vec<AuditCheckpoint>,
}

struct Verification<'a> {
    chains: &'a Chains,
    key: &'a SealKey,
    noted: Option<&'a AuditCheckpoint>,
    verdict: &'a mut AuditVerdict,
    ledger: Ledger,
}

impl Verification<'_> {
    async fn run(&mut self) -> StorageResult<()> {
        self.read_ledger().await?;
        for day in self.ledger.days.clone() {
            self.day(&day).await?;
        }
        let is_held = |day: &String| self.ledger.days.contains(day);
        if let Some(noted) = self.noted.filter(|noted| !is_held(&noted.day)) {
            self.note(AuditFinding::Checkpoint(noted.to_string()));
        }
        let mut passed = String::new();
        while let Some(partition) = self.partition_after(&passed).await? {
            if partition != LEDGER && !self.ledger.days.contains(&partition) {
                self.other(&partition).await?;
            }
            passed = partition;
        }
        Ok(())
    }

    fn note(&mut self, finding: AuditFinding) {
        self.verdict.findings.push(finding);
    }

    async fn partition_after(&self, passed: &str) -> StorageResult<Option<String>> {
        next_after(&*self.chains.tables, &self.chains.log.table, passed).await
    }

    async fn head(&self, partition: &str) -> StorageResult<Option<StoredHead>> {
        self.chains.head(self.key, partition).await
    }

    async fn read_ledger(&mut self) -> StorageResult<()> {
        let before = self.head(LEDGER).await?;
        let gathered = self.gather(LEDGER).await?;
        let after = self.head(LEDGER).await?;
        let ends = ends(before, after);
        self.verdict.findings.extend(gathered.judge(&ends));
        Ok(())
    }

    async fn gather(&mut self, partition: &str) -> StorageResult<Gathered> {
        let mut gathered = Gathered::new(partition);
        let chains = self.chains;
        let query = entries_of(partition);
        let mut rows = Rows::new(&*chains.tables, &chains.log.table, query);
        while let Some(row) = rows.next().await? {
            gathered.add(self.key, &row.entity);
            if partition == LEDGER {
                let is_first = sequence(&row.entity) == Some(1);
                if self.key.is_genuine(&row.entity) {
                    let ends = text(&row.entity, ENDS);
                    let ends = ends.split(' ').filter_map(|end| end.parse().ok());
                    self.ledger.ends.extend(ends);
                }
                let day = row.entity.key.row;
                if is_first {
                    self.ledger.first = Some(day.clone());
                }
                self.ledger.days.insert(day);
            }
        }
        Ok(gathered)
    }

    /// A day of the ledger.
    async fn day(&mut self, day: &str) -> StorageResult<()> {
        let before = self.head(day).await?;
        let gathered = self.gather(day).await?;
        let after = self.head(day).await?;
        self.verdict.days += 1;
        self.verdict.sound += gathered.sound();
        self.compare_with_note(day, &gathered);
        if before.is_none() && !gathered.has_linked() {
            self.note(AuditFinding::Day(day.to_owned()));
            return Ok(());
        }
        let ends = ends(before, after);
        let noted = self.ledger.ends.iter().filter(|noted| noted.day == day);
        let findings = noted.flat_map(|noted| gathered.judge_end(&ends, noted));
        self.verdict.findings.extend(findings);
        self.verdict.older += ends.before.as_ref().map_or(0, |head| head.older.rows);
        self.verdict.findings.extend(gathered.judge(&ends));
        let marker = EntityKey::new(self.chains.log.table.as_str(), inverted_day(day));
        let days = &self.chains.log.days;
        if self.chains.tables.get(days, &marker).await?.is_none() {
            self.note(AuditFinding::Unlisted(day.to_owned()));
        }
        Ok(())
    }

    fn compare_with_note(&mut self, day: &str, gathered: &Gathered) {
        let is_held = |noted: &&AuditCheckpoint| {
            gathered.seal_at(noted.sequence) == Some(noted.seal.as_str())
        };
        let of_day = self.noted.filter(|noted| noted.day == day);
        if let Some(noted) = of_day.filter(|noted| !is_held(noted)) {
            self.note(AuditFinding::Checkpoint(noted.to_string()));
        }
    }

    /// A partition that the ledger did not name when it was read.
    async fn other(&mut self, partition: &str) -> StorageResult<()> {
        let gathered = self.gather(partition).await?;
        let entry = EntityKey::new(LEDGER, partition);
        let (tables, log) = (&self.chains.tables, &self.chains.log);
        if tables.get(&log.table, &entry).await?.is_some() {
            // Opened since.
            return self.day(partition).await;
        }
        if gathered.has_linked() {
            self.note(AuditFinding::Unknown(partition.to_owned()));
        }
        for row in gathered.bare() {
            let first = self.ledger.first.as_ref();
            if first.is_none_or(|first| row.day.as_ref().is_none_or(|day| day <= first)) {
                self.verdict.older += 1;
            } else {
                self.note(AuditFinding::Foreign(row.key.clone()));
            }
        }
        self.verdict.findings.extend(gathered.changed());
        Ok(())
    }
}

fn ends(before: Option<StoredHead>, after: Option<StoredHead>) -> Ends {
    let genuine = |stored: Option<StoredHead>| -> Option<Head> {
        stored
            .filter(|stored| stored.is_genuine)
            .map(|stored| stored.head)
    };
    Ends {
        before: genuine(before),
        after: genuine(after),
    }
}

/// Counts the rows of a log without a key. Either nothing was ever sealed, or the row that names
/// the key is gone.
async fn count_older(chains: &Chains, verdict: &mut AuditVerdict) -> StorageResult<()> {
    let mut rows = Rows::new(&*chains.tables, &chains.log.table, Query::default());
    while let Some(row) = rows.next().await? {
        if is_linked(&row.entity) {
            verdict.findings = vec![AuditFinding::Key];
        } else {
            verdict.older += 1;
        }
    }
    Ok(())
}
