//! TLS mode: how the connection to a database server is protected.

use std::fmt;
use std::str::FromStr;

use super::InvalidName;

/// How the connection to a database server is protected. A greater one protects more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TlsMode {
    /// Encrypted when the server can, without looking at its certificate. Whoever controls the
    /// network can take the encryption away.
    #[default]
    Prefer,
    /// Encrypted or not at all, without looking at the certificate.
    Require,
    /// Encrypted, and the certificate is signed by a trusted authority and made for this host.
    VerifyFull,
}

impl TlsMode {
    /// Every mode, from the weakest to the strongest.
    pub const ALL: [Self; 3] = [Self::Prefer, Self::Require, Self::VerifyFull];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl FromStr for TlsMode {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let found = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        found.ok_or_else(|| InvalidName("must be one of prefer, require, verify-full".to_owned()))
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
