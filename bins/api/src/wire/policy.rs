//! Policies on the wire: all five tiers, always with all their fields.

use dilux_core::model::{self, TierRule, TierSchedule};
use dilux_core::repository::{Listing, Versioned};
use serde::Serialize;
use utoipa::ToSchema;

use super::Damaged;

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
    /// Time of day, UTC.
    #[schema(example = "02:00")]
    time: String,
    /// 0 = Sunday … 6 = Saturday.
    day_of_week: u32,
    /// Day of the month.
    day_of_month: u32,
    /// Month of the year.
    month: u32,
}

impl Tier {
    fn off() -> Self {
        Self {
            enabled: false,
            keep_count: 0,
            interval_hours: 1,
            time: "02:00".to_owned(),
            day_of_week: 0,
            day_of_month: 1,
            month: 1,
        }
    }

    fn on(rule: &TierRule) -> Self {
        let mut tier = Self {
            enabled: true,
            keep_count: rule.keep.get(),
            ..Self::off()
        };
        match rule.schedule {
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
        }
        tier
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
    /// Creation.
    created_at: String,
    /// Last change.
    updated_at: String,
}

impl From<&model::BackupPolicy> for Policy {
    fn from(policy: &model::BackupPolicy) -> Self {
        let tier = |tier| policy.rule(tier).map_or_else(Tier::off, Tier::on);
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
            created_at: policy.created_at.to_string(),
            updated_at: policy.updated_at.to_string(),
        }
    }
}

/// All policies.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyList {
    /// The policies.
    policies: Vec<Policy>,
    /// Their number.
    count: usize,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl From<Listing<Versioned<model::BackupPolicy>>> for PolicyList {
    fn from(listing: Listing<Versioned<model::BackupPolicy>>) -> Self {
        let policies = listing.items.iter();
        Self {
            count: listing.items.len(),
            policies: policies.map(|policy| Policy::from(&policy.value)).collect(),
            damaged: listing.damaged.iter().map(Damaged::from).collect(),
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
