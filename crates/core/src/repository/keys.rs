//! Key layouts: days and inverted ticks.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The documented maximum, .NET's last tick. The subtrahend counts from 1970 although the constant
/// counts from year 1; that is how the rows in use were written, and the order is the same.
const MAX_TICKS: i128 = 3_155_378_975_999_999_999;

/// 19 digits that are smaller the later the instant is, so that ascending order is newest first.
/// A tick is 100 ns.
pub fn inverted_ticks(at: Timestamp) -> String {
    let ticks = at.as_nanosecond() / 100;
    format!("{:019}", MAX_TICKS - ticks)
}

/// The partition of an instant: its day in UTC, `YYYY-MM-DD`.
pub fn day_of(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// A day so written that ascending order is newest first: nines' complement of its digits.
pub(super) fn inverted_day(day: &str) -> String {
    day.chars()
        .map(|c| {
            c.to_digit(10)
                .and_then(|digit| char::from_digit(9 - digit, 10))
                .unwrap_or(c)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverted_ticks_follow_the_documented_formula() {
        let at: Timestamp = "2025-12-05T10:00:00Z".parse().unwrap();
        let expected = 3_155_378_975_999_999_999_i128 - i128::from(at.as_second()) * 10_000_000;
        assert_eq!(inverted_ticks(at), expected.to_string());
        assert_eq!(inverted_ticks(at).len(), 19);
    }

    #[test]
    fn later_instants_sort_first() {
        let early: Timestamp = "2025-12-05T10:00:00Z".parse().unwrap();
        let late: Timestamp = "2025-12-05T10:00:00.0000001Z".parse().unwrap();
        assert!(inverted_ticks(late) < inverted_ticks(early));
        assert!(inverted_day("2026-01-01") < inverted_day("2025-12-31"));
        assert_eq!(inverted_day(&inverted_day("2025-12-31")), "2025-12-31");
    }
}
