//! Policies as clients send them. A tier that is sent is replaced as a whole.

use dilux_core::model::{
    Blackout, CatchUpHours, CronExpression, DayOfMonth, DayOfWeek, HourlyInterval, InvalidPolicy,
    JitterMinutes, KeepCount, Label, Month, PolicyId, PolicyZone, Tier, TierRule, TierSchedule,
    TimeOfDay, Timing,
};
use serde_json::Value;

use crate::input::{Fields, FromFields, FromJson, Patch};

/// Longest description, in characters.
const DESCRIPTION_LIMIT: usize = 1000;

/// What a policy is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description(String);

impl FromJson for Description {
    fn from_json(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be text")?;
        if text.chars().count() > DESCRIPTION_LIMIT {
            Err(format!(
                "must be at most {DESCRIPTION_LIMIT} characters long"
            ))
        } else if text.chars().any(|c| c.is_control() && c != '\n') {
            Err("must not contain control characters other than line ends".to_owned())
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// How many backups a tier keeps; forms send 0 for a disabled one.
struct SentKeepCount(Option<KeepCount>);

impl FromJson for SentKeepCount {
    fn from_json(value: &Value) -> Result<Self, String> {
        if value.as_u64() == Some(0) {
            return Ok(Self(None));
        }
        KeepCount::from_json(value).map(|keep| Self(Some(keep)))
    }
}

/// What a tier is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TierChange {
    tier: Tier,
    /// `None` disables it.
    rule: Option<TierRule>,
}

/// Everything of a policy but its name. What is absent stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicySettings {
    description: Patch<Description>,
    tiers: Vec<TierChange>,
    zone: Patch<PolicyZone>,
    /// All of them.
    blackouts: Option<Vec<Blackout>>,
    jitter: Patch<JitterMinutes>,
    catch_up: Patch<CatchUpHours>,
}

impl PolicySettings {
    /// The description after the change.
    pub(crate) fn description(&self, present: Option<&str>) -> Option<String> {
        let present = present.map(|text| Description(text.to_owned()));
        self.description
            .clone()
            .over(present)
            .map(|description| description.0)
    }

    /// The rules after the change, shortest tier first.
    pub(crate) fn rules(&self, present: &[TierRule]) -> Vec<TierRule> {
        let rule = |tier| match self.tiers.iter().find(|change| change.tier == tier) {
            Some(change) => change.rule.clone(),
            None => present
                .iter()
                .find(|rule| rule.schedule.tier() == tier)
                .cloned(),
        };
        Tier::ALL.into_iter().filter_map(rule).collect()
    }

    /// The timing after the change.
    pub(crate) fn timing(&self, present: &Timing) -> Result<Timing, InvalidPolicy> {
        let zone = self.zone.clone().over(Some(present.zone().clone()));
        let blackouts = self.blackouts.clone();
        Ok(Timing::in_zone(zone.unwrap_or_default())
            .with_blackouts(blackouts.unwrap_or_else(|| present.blackouts().to_vec()))?
            .with_jitter(self.jitter.clone().over(present.jitter()))
            .with_catch_up(self.catch_up.clone().over(present.catch_up())))
    }
}

impl FromFields for PolicySettings {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let tiers = Tier::ALL
            .into_iter()
            .filter(|tier| fields.has(tier.as_str()))
            .filter_map(|tier| read_tier(fields, tier));
        Some(Self {
            description: fields.patch("description"),
            tiers: tiers.collect(),
            zone: fields.patch("time_zone"),
            blackouts: fields.has("blackouts").then(|| read_blackouts(fields)),
            jitter: fields.patch("jitter_minutes"),
            catch_up: fields.patch("catch_up_hours"),
        })
    }
}

/// A new policy.
#[derive(Debug)]
pub(crate) struct NewPolicy {
    /// Id, which must be the one that follows from the name.
    pub(crate) id: Option<PolicyId>,
    /// Label.
    pub(crate) name: Label,
    /// Everything else.
    pub(crate) settings: PolicySettings,
}

impl FromFields for NewPolicy {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let name = fields.required("name");
        let id = fields.optional("id");
        if fields.optional("is_system") == Some(true) {
            fields.problem("is_system", "is true of the product's own policies only");
        }
        let settings = PolicySettings::read(fields);
        Some(Self {
            id,
            name: name?,
            settings: settings?,
        })
    }
}

/// A change of a policy.
#[derive(Debug)]
pub(crate) struct PolicyChange {
    /// Id, which cannot be changed.
    pub(crate) id: Option<PolicyId>,
    /// Whether it came with the product, which cannot be changed.
    pub(crate) is_system: Option<bool>,
    /// Label.
    pub(crate) name: Option<Label>,
    /// Everything else.
    pub(crate) settings: PolicySettings,
}

impl FromFields for PolicyChange {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            id: fields.optional("id"),
            is_system: fields.optional("is_system"),
            name: fields.changed("name"),
            settings: PolicySettings::read(fields)?,
        })
    }
}

/// Reads a tier. `None` means that a problem was noted.
fn read_tier(fields: &Fields<'_>, tier: Tier) -> Option<TierChange> {
    let name = tier.as_str();
    if fields.is_null(name) {
        let reason = "must be an object; {\"enabled\": false} switches the tier off";
        fields.problem(name, reason);
    }
    let fields = fields.object(name)?;
    let is_enabled = fields.optional("enabled").unwrap_or(false);
    let schedule = read_schedule(&fields, tier);
    let keep = read_keep_count(&fields, is_enabled);
    if !is_enabled {
        return Some(TierChange { tier, rule: None });
    }
    let (schedule, keep) = (schedule?, keep?);
    let rule = Some(TierRule { schedule, keep });
    Some(TierChange { tier, rule })
}

fn read_keep_count(fields: &Fields<'_>, is_enabled: bool) -> Option<KeepCount> {
    if is_enabled && !fields.is_given("keep_count") {
        fields.problem("keep_count", "is required for an enabled tier");
        return None;
    }
    let SentKeepCount(keep) = fields.optional("keep_count")?;
    if is_enabled && keep.is_none() {
        fields.problem("keep_count", "must be at least 1 for an enabled tier");
    }
    keep
}

/// Reads when a tier is due. All fields are checked, also those that the tier has no use for.
fn read_schedule(fields: &Fields<'_>, tier: Tier) -> Option<TierSchedule> {
    let every = or_default(fields, "interval_hours", || HourlyInterval::new(1));
    let at = or_default(fields, "time", || "02:00".parse::<TimeOfDay>());
    let weekday = or_default(fields, "day_of_week", || DayOfWeek::new(0));
    let day = or_default(fields, "day_of_month", || DayOfMonth::new(1));
    let month = or_default(fields, "month", || Month::new(1));
    if fields.is_given("cron") {
        let expression: CronExpression = fields.optional("cron")?;
        return Some(TierSchedule::Cron { tier, expression });
    }
    Some(match tier {
        Tier::Hourly => TierSchedule::Hourly { every: every? },
        Tier::Daily => TierSchedule::Daily { at: at? },
        Tier::Weekly => TierSchedule::Weekly {
            day: weekday?,
            at: at?,
        },
        Tier::Monthly => TierSchedule::Monthly { day: day?, at: at? },
        Tier::Yearly => TierSchedule::Yearly {
            month: month?,
            day: day?,
            at: at?,
        },
    })
}

/// A field, or its documented default when it is absent. `None` means that a problem was noted.
fn or_default<T: FromJson>(
    fields: &Fields<'_>,
    name: &str,
    default: impl FnOnce() -> Result<T, InvalidPolicy>,
) -> Option<T> {
    if fields.is_given(name) {
        fields.optional(name)
    } else {
        default().ok()
    }
}

/// Reads the blackouts, and checks that they leave room for backups.
fn read_blackouts(fields: &Fields<'_>) -> Vec<Blackout> {
    let windows = fields.objects("blackouts");
    let blackouts: Vec<Blackout> = windows.iter().filter_map(read_blackout).collect();
    if let Err(error) = Timing::default().with_blackouts(blackouts.clone()) {
        fields.problem("blackouts", error.to_string());
    }
    blackouts
}

fn read_blackout(window: &Fields<'_>) -> Option<Blackout> {
    let days = window.values("days");
    let (from, until) = (window.required("from"), window.required("until"));
    Some(Blackout::new(days, from?, until?))
}
