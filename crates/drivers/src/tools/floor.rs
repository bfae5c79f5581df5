//! The oldest versions of client tools without known flaws that a hostile server or dump can use
//! to run code where the tool runs.

use super::{Family, Version};

/// CVE-2026-18408, which completes CVE-2025-8714: a dump could leave psql's restricted mode.
const POSTGRESQL: [&[u32]; 5] = [&[14, 24], &[15, 19], &[16, 15], &[17, 11], &[18, 6]];

/// CVE-2024-21096: line ends in names became commands in a dump.
const MARIADB: [&[u32]; 8] = [
    &[10, 5, 25],
    &[10, 6, 18],
    &[10, 11, 8],
    &[11, 0, 6],
    &[11, 1, 5],
    &[11, 2, 4],
    &[11, 3, 3],
    &[11, 4, 2],
];

/// CVE-2024-21096.
const MYSQL: [&[u32]; 2] = [&[8, 0, 37], &[8, 4, 0]];

/// The version to upgrade to, if `version` is older than the fixes.
pub(super) fn missed(family: Family, version: &Version) -> Option<Version> {
    // The numbers that name a release series, which gets fixes of its own.
    let (floors, series): (&[&[u32]], usize) = match family {
        Family::PostgreSql => (&POSTGRESQL, 1),
        Family::MariaDb => (&MARIADB, 2),
        Family::MySql => (&MYSQL, 2),
    };
    let numbers = version.numbers();
    let own = floors
        .iter()
        .find(|floor| numbers.get(..series) == floor.get(..series));
    let floor = match own {
        Some(floor) => floor,
        // A series that is older than all that got fixes, or between them; a newer one has them.
        None => floors.iter().find(|floor| numbers < **floor)?,
    };
    (numbers < *floor).then(|| Version::of(floor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_the_fixes_of_their_series_are_named() {
        for (family, version, fixed_in) in [
            (Family::PostgreSql, "15.18", Some("15.19")),
            (Family::PostgreSql, "15.19", None),
            (Family::PostgreSql, "13.22", Some("14.24")),
            (Family::PostgreSql, "18.6", None),
            (Family::PostgreSql, "19.1", None),
            (Family::MariaDb, "10.11.7", Some("10.11.8")),
            (Family::MariaDb, "10.11.19", None),
            (Family::MariaDb, "11.8.6", None),
            (Family::MariaDb, "10.3.39", Some("10.5.25")),
            (Family::MySql, "5.7.44", Some("8.0.37")),
            (Family::MySql, "8.0.36", Some("8.0.37")),
            (Family::MySql, "9.7.4", None),
        ] {
            let found = missed(family, &Version::parse(version).unwrap());
            assert_eq!(
                found.map(|found| found.to_string()).as_deref(),
                fixed_in,
                "{version}"
            );
        }
    }
}
