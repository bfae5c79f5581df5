//! Policies on the wire: all five tiers, always with all their fields. What clients send is in
//! `change`.

mod body;
mod change;

use dilux_core::model::{self, TierRule, TierSchedule};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use body::{NewPolicyBody, PolicyChangeBody};
pub(crate) use change::{NewPolicy, PolicyChange, PolicySettings};

use super::Damaged;
use super::page::PageNotes;
use crate::app::Listed;

/// When a tier backs up and how many backups it keeps. Fields that a tier has no use for hold
/// their documented defaults.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tier {
    /// Whether it backs up at all.
    enabled: bool,
    /// How many backups it keeps.
    #[schema(example = 7)]
    keep_count: u32,
    /// Hours between two hourly backups.
    #[schema(example = 1)]
    interval_hours: u32,
    /// Time of day, in the policy's time zone.
    #[schema(example = "02:00")]
    time: String,
    /// 0 = Sunday … 6 = Saturday.
    day_of_week: u32,
    /// Day of the month; 29–31 mean the last day of shorter months, so 31 is the last day of every
    /// month.
    day_of_month: u32,
    /// Month of the year.
    month: u32,
    /// Cron expression (minute, hour, day of the month, month, day of the week) that stands in
    /// place of the fields above; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "30 2 * * MON-FRI")]
    cron: Option<String>,
}

impl Tier {
    /// A tier of a policy.
    pub(crate) fn of(policy: &model::BackupPolicy, tier: model::Tier) -> Self {
        policy.rule(tier).map_or_else(Self::off, Self::on)
    }

    fn off() -> Self {
        Self {
            enabled: false,
            keep_count: 0,
            interval_hours: 1,
            time: "02:00".to_owned(),
            day_of_week: 0,
            day_of_month: 1,
            month: 1,
            cron: None,
        }
    }

    fn on(rule: &TierRule) -> Self {
        let mut tier = Self {
            enabled: true,
            keep_count: rule.keep.get(),
            ..Self::off()
        };
        match &rule.schedule {
            TierSchedule::Hourly { every } => tier.interval_hours = every.get(),
            TierSchedule::Daily { at } => tier.time = at.to_string(),
            TierSchedule::Weekly { day, at } => {
                tier.day_of_week = day.get();
                tier.time = at.to_string();
            }
            TierSchedule::Monthly { day, at } => {
                tier.day_of_month = day.get();
                tier.time = at.to_string();
            }
            TierSchedule::Yearly { month, day, at } => {
                tier.month = month.get();
                tier.day_of_month = day.get();
                tier.time = at.to_string();
            }
            TierSchedule::Cron { expression, .. } => tier.cron = Some(expression.to_string()),
        }
        tier
    }
}

/// A time of the day in which no scheduled backup starts; slots in it wait for its end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Blackout {
    /// Days of the week on which it begins, 0 = Sunday; empty means every day.
    days: Vec<u32>,
    /// When it begins, in the policy's time zone.
    #[schema(example = "08:00")]
    from: String,
    /// When it ends; on the next day when that is not later than `from`.
    #[schema(example = "18:00")]
    until: String,
}

/// The timing that all tiers share.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timing {
    /// IANA time zone in which all times of the policy are meant.
    #[schema(example = "Europe/Madrid")]
    time_zone: String,
    /// When no scheduled backup starts.
    blackouts: Vec<Blackout>,
    /// Minutes over which the databases of the policy spread their starts.
    jitter_minutes: u32,
    /// Hours after its slot during which a missed backup is still made; `null` means until the next
    /// slot of its tier.
    catch_up_hours: Option<u32>,
}

impl From<&model::Timing> for Timing {
    fn from(timing: &model::Timing) -> Self {
        let blackouts = timing.blackouts().iter().map(|blackout| Blackout {
            days: blackout.days().iter().map(|day| day.get()).collect(),
            from: blackout.from().to_string(),
            until: blackout.until().to_string(),
        });
        Self {
            time_zone: timing.zone().to_string(),
            blackouts: blackouts.collect(),
            jitter_minutes: timing.jitter().map_or(0, model::JitterMinutes::get),
            catch_up_hours: timing.catch_up().map(model::CatchUpHours::get),
        }
    }
}

/// A backup policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Policy {
    /// Id.
    #[schema(example = "production-standard")]
    id: String,
    /// Label.
    #[schema(example = "Production Standard")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Whether it came with the product.
    is_system: bool,
    /// `24h/15d/8w/4m/2y`.
    #[schema(example = "12h/7d/4w/2m/1y")]
    summary: String,
    /// Every one to twelve hours.
    hourly: Tier,
    /// Every day.
    daily: Tier,
    /// Every week.
    weekly: Tier,
    /// Every month.
    monthly: Tier,
    /// Every year.
    yearly: Tier,
    #[serde(flatten)]
    timing: Timing,
    /// Creation.
    created_at: String,
    /// Last change.
    updated_at: String,
}

impl From<&model::BackupPolicy> for Policy {
    fn from(policy: &model::BackupPolicy) -> Self {
        let tier = |tier| Tier::of(policy, tier);
        Self {
            id: policy.id.to_string(),
            name: policy.name.to_string(),
            description: policy.description.clone(),
            is_system: policy.is_system,
            summary: policy.summary(),
            hourly: tier(model::Tier::Hourly),
            daily: tier(model::Tier::Daily),
            weekly: tier(model::Tier::Weekly),
            monthly: tier(model::Tier::Monthly),
            yearly: tier(model::Tier::Yearly),
            timing: Timing::from(&policy.timing),
            created_at: policy.created_at.to_string(),
            updated_at: policy.updated_at.to_string(),
        }
    }
}

/// The policies, those of the product first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyList {
    /// The policies.
    policies: Vec<Policy>,
    #[serde(flatten)]
    notes: PageNotes,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl From<Listed<model::BackupPolicy>> for PolicyList {
    fn from(found: Listed<model::BackupPolicy>) -> Self {
        Self {
            notes: PageNotes::from(&found.page),
            policies: found.page.items.iter().map(Policy::from).collect(),
            damaged: found.damaged.iter().map(Damaged::from).collect(),
        }
    }
}

/// One policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OnePolicy {
    /// The policy.
    pub(crate) policy: Policy,
    /// Databases that follow it, by themselves or through their engine.
    pub(crate) usage_count: usize,
}

/// A policy that was made or changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicySaved {
    /// What was done.
    #[schema(example = "Backup policy created")]
    pub(crate) message: String,
    /// The policy.
    pub(crate) policy: Policy,
}
