//! The time zone in which a policy's times are meant.

use std::fmt;
use std::str::FromStr;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::InvalidPolicy;

/// An IANA time zone. Its rules are part of the program, never read from the machine: schedulers on
/// different machines must agree on every slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyZone(TimeZone);

impl PolicyZone {
    /// UTC.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The rules.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }

    /// The IANA name, such as `Europe/Madrid`.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Every zone that is known, by name.
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled()
            .available()
            .map(|name| name.as_str().to_owned())
            .filter(|name| name.parse::<Self>().is_ok())
            .collect()
    }
}

impl Default for PolicyZone {
    fn default() -> Self {
        Self::UTC
    }
}

impl FromStr for PolicyZone {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        TimeZoneDatabase::bundled()
            .get(text)
            .ok()
            .filter(|zone| zone.iana_name().is_some() && !zone.is_unknown())
            .map(Self)
            .ok_or_else(|| {
                InvalidPolicy("must be an IANA time zone, such as UTC or Europe/Madrid".to_owned())
            })
    }
}

impl fmt::Display for PolicyZone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_by_its_iana_name_and_nothing_else_is_one() {
        for name in ["UTC", "Europe/Madrid", "America/Argentina/Buenos_Aires"] {
            assert_eq!(name.parse::<PolicyZone>().unwrap().name(), name);
        }
        for name in ["", "Mars/Olympus", "+02:00", "Etc/Unknown", "../zone"] {
            assert!(name.parse::<PolicyZone>().is_err(), "{name:?}");
        }
        assert!(PolicyZone::names().len() > 550);
    }
}
