//! Watches the machine's clock where no other clock contradicts it: over an embedded store, whose
//! time is this machine's. Each tick notes the time; a clock that was set back, or far ahead, is
//! known by that, and nothing is deleted until it has gone on steadily for a day.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Installation, LONGEST_SKEW};
use crate::storage::{Condition, Entity, EntityKey, StorageResult, TableOperation, Value};

/// A longer silence than a machine's that is switched off over a weekend is taken for a clock that
/// was set ahead. Less than half of the default grace period, which is all that a jump can take away
/// unnoticed.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_hours(72);

/// How long a clock goes on steadily before it is believed again.
const TRIAL: SignedDuration = SignedDuration::from_hours(24);

const PROPERTY: &str = "watch";

/// What was seen of the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ClockWatch {
    /// When it was looked at last.
    seen: Timestamp,
    /// Its last jump: what it showed before, and after it.
    jump: Option<(Timestamp, Timestamp)>,
}

impl ClockWatch {
    /// What is known after a look that showed `now`. The first look has nothing to compare with.
    fn after(known: Option<Self>, now: Timestamp) -> Self {
        let Some(known) = known else {
            return Self {
                seen: now,
                jump: None,
            };
        };
        let step = now.duration_since(known.seen);
        if step < -LONGEST_SKEW || step > LONGEST_SILENCE {
            return Self {
                seen: now,
                jump: Some((known.seen, now)),
            };
        }
        Self {
            seen: known.seen.max(now),
            jump: known.jump.filter(|(_, to)| now.duration_since(*to) < TRIAL),
        }
    }

    /// Why the clock is not believed, and what is to be done; `None` when it is.
    fn doubt(&self) -> Option<String> {
        let (from, to) = self.jump?;
        let until = to.saturating_add(TRIAL).unwrap_or(Timestamp::MAX);
        let what = if to < from {
            "was set back"
        } else {
            "was set ahead, or nothing ran for days"
        };
        Some(format!(
            "the clock of this machine {what}: it showed {from}, and then {to}; nothing expires \
             before {until}. If it is right now, nothing has to be done; if not, set it, and keep \
             it by NTP"
        ))
    }
}

impl Installation {
    /// Notes what the clock shows, where nothing else watches it.
    pub(super) async fn watch_clock(&self) -> StorageResult<()> {
        let (known, now) = (self.clock_watch().await?, self.clock.now());
        let watch = ClockWatch::after(known.clone(), now);
        if let Some(doubt) = watch.doubt().filter(|_| is_new(known.as_ref(), &watch)) {
            tracing::error!("{doubt}");
        }
        let entity = Entity::new(watch_key()).with(
            PROPERTY,
            Value::String(serde_json::json!(watch).to_string()),
        );
        let table = self.repositories.settings.table();
        let write = TableOperation::Replace(entity, Condition::None);
        self.storage.tables.write(table, write).await.map(drop)
    }

    /// Why this machine's clock is not believed; `None` when it is, and over a store that has a
    /// clock of its own.
    pub async fn clock_doubt(&self) -> StorageResult<Option<String>> {
        if self.storage.embedded.is_none() {
            return Ok(None);
        }
        let Some(known) = self.clock_watch().await? else {
            return Ok(None);
        };
        Ok(ClockWatch::after(Some(known), self.clock.now()).doubt())
    }

    /// What was seen; nothing as well where it cannot be read, since it is only compared with.
    async fn clock_watch(&self) -> StorageResult<Option<ClockWatch>> {
        let table = self.repositories.settings.table();
        let row = self.storage.tables.get(table, &watch_key()).await?;
        let text = row.and_then(|row| match row.entity.properties.get(PROPERTY) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        });
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }
}

fn watch_key() -> EntityKey {
    EntityKey::new("clock", "watch")
}

fn is_new(known: Option<&ClockWatch>, watch: &ClockWatch) -> bool {
    known.is_none_or(|known| known.jump != watch.jump)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn start() -> Timestamp {
        "2026-03-04T10:00:00Z".parse().unwrap()
    }

    /// The doubt after looks at these hours from the start.
    fn doubt(hours: &[i32]) -> Option<String> {
        let look = |known, hours: &i32| Some(ClockWatch::after(known, start() + HOUR * *hours));
        hours.iter().fold(None, look)?.doubt()
    }

    #[test]
    fn a_clock_that_goes_on_is_believed_also_after_a_weekend() {
        assert_eq!(doubt(&[0]), None);
        assert_eq!(doubt(&[0, 1, 2]), None);
        assert_eq!(doubt(&[0, 72]), None);
    }

    #[test]
    fn a_clock_that_jumped_is_believed_after_a_day_of_steady_time() {
        let year = 365 * 24;
        let ahead = doubt(&[0, year]).unwrap();
        assert!(ahead.contains("was set ahead"), "{ahead}");
        assert!(
            ahead.contains("nothing expires before 2027-03-05T10:00:00Z"),
            "{ahead}"
        );
        assert!(doubt(&[0, year, year + 23]).is_some());
        assert_eq!(doubt(&[0, year, year + 23, year + 24]), None);
        let back = doubt(&[0, year, 1]).unwrap();
        assert!(back.contains("was set back"), "{back}");
        assert!(doubt(&[0, year, 1, 24]).is_some());
        assert_eq!(doubt(&[0, year, 1, 25]), None);
    }
}
