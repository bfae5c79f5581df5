//! Ids: opaque texts that are safe as row keys, blob name parts and path segments.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Label, SecretHash};
use crate::random::{Random, uuid_text};

/// Why an id was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1–{MAX_ID_LENGTH} letters, digits, '-', '_' or '.', starting with a letter or digit"
)]
pub struct InvalidId;

/// Longest id of any kind. Two of them and an inverted tick fit easily into a key of 1 KiB.
const MAX_ID_LENGTH: usize = 128;

fn check(text: &str) -> Result<(), InvalidId> {
    let is_valid = text.len() <= MAX_ID_LENGTH
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !text.ends_with('.');
    if is_valid { Ok(()) } else { Err(InvalidId) }
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                check(&text).map(|()| Self(text))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

macro_rules! random_id_type {
    ($(#[$doc:meta])* $name:ident) => {
        id_type!($(#[$doc])* $name);

        impl $name {
            /// A new id: a random UUID.
            pub fn random(random: &dyn Random) -> Self {
                Self(uuid_text(random))
            }
        }
    };
}

random_id_type!(
    /// Id of an engine.
    EngineId
);
random_id_type!(
    /// Id of a database. The Python product let clients choose it, so it need not be a UUID.
    DatabaseId
);
random_id_type!(
    /// Id of an access request.
    AccessRequestId
);
id_type!(
    /// Id of a user: the identity provider's, or one that was made here.
    UserId
);
id_type!(
    /// Id of a session: the hash of its text.
    SessionId
);
random_id_type!(
    /// Id of an API token.
    ApiTokenId
);
random_id_type!(
    /// Id of an audit entry.
    AuditId
);
random_id_type!(
    /// Id of one running worker process.
    WorkerId
);
random_id_type!(
    /// Id of one running process.
    ComponentId
);
id_type!(
    /// Id of a dead letter: a hash of its text.
    DeadLetterId
);
id_type!(
    /// Id of a requeue: a hash of the idempotency key that it was asked for with.
    RequeueId
);
id_type!(
    /// Id of an alert: a hash of what it tells of, which thing, and since what.
    AlertId
);
random_id_type!(
    /// Id of a policy: a slug made of its first name, a UUID where that leaves nothing.
    PolicyId
);

impl PolicyId {
    /// The id of a new policy: its name in lower case, with one dash for each run of anything but
    /// Latin letters and digits. A name without any of those gets a random id.
    pub fn of(name: &Label, random: &dyn Random) -> Self {
        let lower = name.as_str().to_lowercase();
        let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        // A label is shorter than the longest id.
        Self::try_from(words.join("-")).unwrap_or_else(|_| Self::random(random))
    }
}

id_type!(
    /// Id of a job: `{database id}.{26 characters}`. The first part names the partition of its row
    /// and the folder of its manifest, so nothing needs a second index to find a job; the second
    /// is a hash of what is owed, so the same debt booked twice is one job.
    JobId
);
id_type!(
    /// Id of a backup. A job makes at most one backup, so new ones carry their job's id; those of
    /// the Python product carry a UUID.
    BackupId
);

/// Characters of the hash part of a job id: 130 bits.
const JOB_HASH_LENGTH: usize = 26;

/// What ids begin with that were made here.
const PENDING: &str = "pending-";

impl UserId {
    /// The id of somebody who was registered before they ever signed in.
    pub fn pending(random: &dyn Random) -> Self {
        Self(format!("{PENDING}{}", uuid_text(random)))
    }

    /// The id of whom `issuer` calls `name`.
    pub fn of_subject(issuer: &str, name: &str) -> Self {
        let hash = hash_text(&[b"subject|", issuer.as_bytes(), b"|", name.as_bytes()]);
        Self(format!("oidc-{hash}"))
    }

    /// Whether it was made here, for somebody who was registered before they ever signed in.
    pub fn is_pending(&self) -> bool {
        self.0.starts_with(PENDING)
    }
}

impl SessionId {
    /// The id of the session whose text has this hash.
    pub(super) fn of_hash(hash: SecretHash) -> Self {
        Self(hash.to_hex())
    }
}

impl DeadLetterId {
    /// The id of the letter with this text.
    pub fn of_text(text: &str) -> Self {
        Self(hash_text(&[b"dead letter|", text.as_bytes()]))
    }
}

impl RequeueId {
    /// The id of the requeue with this idempotency key.
    pub fn of_key(key: &str) -> Self {
        Self(hash_text(&[b"requeue|", key.as_bytes()]))
    }
}

impl AlertId {
    /// The id of the alert that tells of `kind`, about `subject`, since `onset`. None of the three
    /// may contain a `|`.
    pub fn derive(kind: &str, subject: &str, onset: &str) -> Self {
        Self(hash_text(&[
            b"alert|",
            kind.as_bytes(),
            b"|",
            subject.as_bytes(),
            b"|",
            onset.as_bytes(),
        ]))
    }
}

impl AuditId {
    /// The id of the entry that tells of `key`, for entries that may be written more than once.
    pub fn derive(key: &str) -> Self {
        Self(hash_text(&[b"audit|", key.as_bytes()]))
    }
}

/// 130 bits of the SHA-256 of `parts`, in characters that ids may have.
fn hash_text(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut text = data_encoding::BASE32_NOPAD
        .encode(&hash.finalize())
        .to_ascii_lowercase();
    text.truncate(JOB_HASH_LENGTH);
    text
}

impl JobId {
    /// The id of the job that `key` (slot, or kind and idempotency key) owes to a database.
    pub fn derive(database: &DatabaseId, key: &str) -> Self {
        let hash = hash_text(&[b"v1|", database.as_str().as_bytes(), b"|", key.as_bytes()]);
        Self(format!("{database}.{hash}"))
    }

    /// The database that the job belongs to; `None` for an id that was not made here.
    pub fn database(&self) -> Option<DatabaseId> {
        let (database, hash) = self.0.rsplit_once('.')?;
        (hash.len() == JOB_HASH_LENGTH)
            .then(|| database.parse().ok())
            .flatten()
    }
}

impl WorkerId {
    /// The id under which one slot of the worker claims jobs: two slots that reach for one job at
    /// the same time must not take each other's claim for their own.
    #[must_use]
    pub fn in_slot(&self, slot: usize) -> Self {
        Self(format!("{}.{slot}", self.0))
    }
}

impl From<&JobId> for BackupId {
    fn from(job: &JobId) -> Self {
        Self(job.0.clone())
    }
}

impl BackupId {
    /// The job that made this backup; `None` for backups of the Python product.
    pub fn job(&self) -> Option<JobId> {
        let job = JobId(self.0.clone());
        job.database().is_some().then_some(job)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    #[test]
    fn the_same_debt_has_the_same_job_id_and_another_has_another() {
        let database: DatabaseId = "db-001".parse().unwrap();
        let other: DatabaseId = "db-002".parse().unwrap();
        let first = JobId::derive(&database, "slot|2026-01-01T02:00:00Z");
        assert_eq!(first, JobId::derive(&database, "slot|2026-01-01T02:00:00Z"));
        assert_ne!(first, JobId::derive(&database, "slot|2026-01-02T02:00:00Z"));
        assert_ne!(first, JobId::derive(&other, "slot|2026-01-01T02:00:00Z"));
        assert_eq!(first.database(), Some(database));
    }

    #[test]
    fn an_id_with_dots_still_names_its_database() {
        let database: DatabaseId = "crm.eu.prod".parse().unwrap();
        assert_eq!(JobId::derive(&database, "x").database(), Some(database));
    }

    /// Other bytes at each call.
    #[derive(Debug, Default)]
    struct Counter(AtomicU8);

    impl Random for Counter {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    #[test]
    fn the_id_of_a_policy_is_the_slug_of_its_name() {
        let counter = Counter::default();
        let id = |name: &str| PolicyId::of(&name.parse().unwrap(), &counter);
        for (name, slug) in [
            ("Nightly Archive", "nightly-archive"),
            ("weekly ONLY!", "weekly-only"),
            (" -- 24/7 (EU) -- ", "24-7-eu"),
            ("Größe", "gr-e"),
        ] {
            assert_eq!(id(name).as_str(), slug);
        }
        assert_eq!(id("日本").as_str().len(), 36, "a UUID");
        assert_ne!(id("日本"), id("日本"));
        assert_eq!(
            id(&"İ".repeat(100)).as_str().len(),
            36,
            "its slug is too long"
        );
    }

    #[test]
    fn slots_of_a_worker_have_ids_of_their_own() {
        let worker: WorkerId = "worker-1".parse().unwrap();
        assert_ne!(worker.in_slot(1), worker.in_slot(2));
        assert_eq!(worker.in_slot(1).as_str().parse(), Ok(worker.in_slot(1)));
    }

    #[test]
    fn ids_that_would_break_a_key_or_a_path_are_refused() {
        for text in [
            "", "a/b", "a\\b", "a#b", "a?b", "a b", "..", ".a", "a.", "é", "a%b", "a\nb",
        ] {
            assert!(text.parse::<DatabaseId>().is_err(), "{text:?}");
        }
        assert!("a".repeat(129).parse::<DatabaseId>().is_err());
    }
}
