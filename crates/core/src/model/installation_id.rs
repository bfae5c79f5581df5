//! The id of an installation: made once, and the same for as long as its tables live.

use std::fmt;
use std::str::FromStr;

use super::InvalidName;
use crate::random::{Random, hex_text};

/// Random bytes of an id.
const BYTES: usize = 6;

/// Twelve hexadecimal digits that tell installations apart and say nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallationId(String);

impl InstallationId {
    /// A new id.
    pub fn random(random: &dyn Random) -> Self {
        Self(hex_text(random, BYTES))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstallationId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if text.len() == 2 * BYTES && text.chars().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName("must be 12 hexadecimal digits".to_owned()))
        }
    }
}

impl fmt::Display for InstallationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
