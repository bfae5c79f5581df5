//! Numbers of a policy, each within its bounds.

use super::InvalidPolicy;

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $range:expr, $message:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);

        impl $name {
            /// Parses the number.
            pub fn new(number: i64) -> Result<Self, InvalidPolicy> {
                u32::try_from(number)
                    .ok()
                    .filter(|number| $range.contains(number))
                    .map(Self)
                    .ok_or_else(|| InvalidPolicy($message.to_owned()))
            }

            /// The number.
            pub fn get(self) -> u32 {
                self.0
            }
        }
    };
}

bounded!(
    /// Hours between two hourly slots, counted from midnight.
    HourlyInterval, (1..=12), "must be between 1 and 12"
);
bounded!(
    /// Day of the week: 0 = Sunday … 6 = Saturday, as documented.
    DayOfWeek, (0..=6), "must be between 0 (Sunday) and 6 (Saturday)"
);
bounded!(
    /// Day of the month. 29–31 mean the last day in shorter months, so 31 is the last day of every
    /// month.
    DayOfMonth, (1..=31), "must be between 1 and 31; 31 is the last day of every month"
);
bounded!(
    /// Month of the year.
    Month, (1..=12), "must be between 1 and 12"
);
bounded!(
    /// How many backups of a tier are kept; at least one, or the tier would protect nothing.
    KeepCount, (1..=100_000),
    "must be between 1 and 100000 for an enabled tier"
);
bounded!(
    /// Minutes over which the databases of a policy spread the starts of one slot.
    JitterMinutes, (0..=60), "must be between 0 and 60"
);
bounded!(
    /// Hours after its slot during which a missed backup is still worth making.
    CatchUpHours, (1..=8784), "must be between 1 and 8784"
);
