//! Versions of tools and servers.

use std::fmt;

/// A dotted version, compared number by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Version(Vec<u32>);

impl Version {
    /// From its numbers.
    pub(crate) fn of(numbers: &[u32]) -> Self {
        Self(numbers.to_vec())
    }

    /// The leading dotted numbers of `text`: `10.11.19-MariaDB`, `16beta1`, `15.18 (Debian …)`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = Vec::new();
        for part in text.split('.') {
            let digits = part
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.len());
            match part[..digits].parse() {
                Ok(number) => numbers.push(number),
                Err(_) => break,
            }
            if digits < part.len() {
                break;
            }
        }
        (!numbers.is_empty()).then_some(Self(numbers))
    }

    /// The version of the software in what a tool says to `--version`. Tools of the MySQL family
    /// print a version of their own first when they name their distribution.
    pub(crate) fn from_banner(banner: &str) -> Option<Self> {
        let after = |marker: &str| banner.split_once(marker).map(|(_, rest)| rest.trim_start());
        after("Distrib ")
            .or_else(|| after(" from ").filter(|_| banner.contains("-MariaDB")))
            .or_else(|| after("(PostgreSQL) "))
            .or_else(|| after("Ver "))
            .and_then(Self::parse)
    }

    /// The first number.
    pub(crate) fn major(&self) -> u32 {
        self.0.first().copied().unwrap_or(0)
    }

    /// The numbers.
    pub(crate) fn numbers(&self) -> &[u32] {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(u32::to_string).collect();
        formatter.write_str(&parts.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners_of_all_families_are_understood() {
        for (banner, version) in [
            (
                "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
                "15.18",
            ),
            ("psql (PostgreSQL) 19beta1", "19"),
            (
                "mysqldump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu",
                "10.11.19",
            ),
            (
                "mariadb-dump from 11.8.6-MariaDB, client 10.19 for debian-linux-gnu",
                "11.8.6",
            ),
            (
                "mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)",
                "8.0.36",
            ),
            (
                "mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)",
                "5.7.44",
            ),
            ("mysql  Ver 9.7.4 for Linux on x86_64 (Debian)", "9.7.4"),
        ] {
            let found = Version::from_banner(banner).map(|found| found.to_string());
            assert_eq!(found.as_deref(), Some(version), "{banner}");
        }
        assert_eq!(Version::from_banner("segmentation fault"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(Version::parse("10.11.9") < Version::parse("10.11.19"));
        assert!(Version::parse("9.6") < Version::parse("15"));
    }
}
