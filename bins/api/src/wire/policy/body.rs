//! Policies as clients send them, for the OpenAPI document. The readers are in `change`.

use utoipa::ToSchema;

/// When a tier is to back up and how many backups it is to keep. What is absent takes its default,
/// not what the tier had before.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct TierBody {
    /// Whether it backs up at all; `false` when absent. Of a disabled tier nothing else is kept.
    enabled: Option<bool>,
    /// How many backups it keeps; at least 1 when it is enabled.
    #[schema(example = 7, minimum = 0, maximum = 100_000)]
    keep_count: Option<u32>,
    /// Hours between two hourly backups, counted from midnight; 1 when absent.
    #[schema(example = 1, minimum = 1, maximum = 12)]
    interval_hours: Option<u32>,
    /// Time of day in the policy's time zone; 02:00 when absent.
    #[schema(example = "02:00", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    time: Option<String>,
    /// 0 = Sunday … 6 = Saturday; Sunday when absent.
    #[schema(minimum = 0, maximum = 6)]
    day_of_week: Option<u32>,
    /// Day of the month, 1 when absent; 29–31 mean the last day of shorter months, so 31 is the last
    /// day of every month.
    #[schema(example = 1, minimum = 1, maximum = 31)]
    day_of_month: Option<u32>,
    /// Month of the year; January when absent.
    #[schema(example = 1, minimum = 1, maximum = 12)]
    month: Option<u32>,
    /// Cron expression (minute, hour, day of the month, month, day of the week) in place of the
    /// fields above. At least 15 minutes lie between two of its times.
    #[schema(example = "30 2 * * MON-FRI")]
    cron: Option<String>,
}

/// A time of the day in which no scheduled backup may start.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct BlackoutBody {
    /// Days of the week on which it begins, 0 = Sunday; every day when absent or empty.
    days: Option<Vec<u32>>,
    /// When it begins, in the policy's time zone.
    #[schema(example = "08:00")]
    from: String,
    /// When it ends; on the next day when that is not later than `from`.
    #[schema(example = "18:00")]
    until: String,
}

/// Everything of a policy but its name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct PolicySettingsBody {
    /// What it is for, at most 1000 characters; empty or `null` for nothing.
    description: Option<String>,
    /// Every one to twelve hours.
    hourly: Option<TierBody>,
    /// Every day.
    daily: Option<TierBody>,
    /// Every week.
    weekly: Option<TierBody>,
    /// Every month.
    monthly: Option<TierBody>,
    /// Every year.
    yearly: Option<TierBody>,
    /// IANA time zone in which all times are meant; empty or `null` for UTC.
    #[schema(example = "Europe/Madrid")]
    time_zone: Option<String>,
    /// When no scheduled backup starts: all windows, at most 20. They must leave at least an hour of
    /// the week.
    blackouts: Option<Vec<BlackoutBody>>,
    /// Minutes over which the databases of the policy spread their starts.
    #[schema(minimum = 0, maximum = 60)]
    jitter_minutes: Option<u32>,
    /// Hours after its slot during which a missed backup is still made; `null` for until the next
    /// slot of its tier.
    #[schema(minimum = 1, maximum = 8784)]
    catch_up_hours: Option<u32>,
}

/// A new policy. Tiers that are absent are disabled.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
#[schema(example = json!({
    "name": "Nightly Archive", "description": "Long term copies", "time_zone": "Europe/Madrid",
    "daily": {"enabled": true, "keep_count": 30, "time": "01:30"},
    "monthly": {"enabled": true, "keep_count": 12, "day_of_month": 31, "time": "04:30"},
    "blackouts": [{"days": [1, 2, 3, 4, 5], "from": "08:00", "until": "18:00"}],
}))]
pub(crate) struct NewPolicyBody {
    /// Label, which no other policy has; the id is made of it.
    #[schema(example = "Nightly Archive")]
    name: String,
    #[serde(flatten)]
    settings: PolicySettingsBody,
}

/// A change of a policy. What is absent stays; a tier that is sent is replaced as a whole.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
#[schema(example = json!({"daily": {"enabled": true, "keep_count": 14, "time": "23:00"}}))]
pub(crate) struct PolicyChangeBody {
    /// Must be the present one.
    id: Option<String>,
    /// Must be as it is.
    is_system: Option<bool>,
    /// Label, which no other policy has. The id stays.
    #[schema(example = "Nightly Archive")]
    name: Option<String>,
    #[serde(flatten)]
    settings: PolicySettingsBody,
}
