//! Pages of lists that are sorted by a name or by time: by offset, or after the last entry of an earlier page,
//! which neither skips nor repeats an entry while others are added or removed.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use dilux_core::model::InvalidName;
use dilux_core::repository::DamagedRow;
use jiff::Timestamp;

/// What a list is sorted by: a name or [`newest_first`], and what tells apart those of the same.
pub(crate) type SortKey = (String, String);

/// A text that sorts a later instant before an earlier one.
pub(crate) fn newest_first(at: Timestamp) -> String {
    format!(
        "{:021}",
        Timestamp::MAX.as_nanosecond() - at.as_nanosecond()
    )
}

/// The place of an entry in a sorted list. Clients see it as opaque text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position(SortKey);

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// After so many entries.
    Offset(usize),
    /// After the entry at this place, whether it is still there or not.
    After(Position),
}

/// Entries of one page.
#[derive(Debug)]
pub(crate) struct Page<T> {
    /// In their order.
    pub(crate) items: Vec<T>,
    /// Entries on all pages.
    pub(crate) total: usize,
    /// Where the next page starts, when there is one.
    pub(crate) next: Option<Position>,
}

/// A page of what is stored.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    /// The page.
    pub(crate) page: Page<T>,
    /// Rows that cannot be read.
    pub(crate) damaged: Vec<DamagedRow>,
}

impl<T> Page<T> {
    /// At most `limit` of `items`, sorted by `key`, from `start` on.
    pub(crate) fn cut(
        items: Vec<T>,
        start: &Start,
        limit: usize,
        key: impl Fn(&T) -> SortKey,
    ) -> Self {
        let mut keyed: Vec<(SortKey, T)> = items.into_iter().map(|it| (key(&it), it)).collect();
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        let total = keyed.len();
        let skipped = match start {
            Start::Offset(offset) => (*offset).min(total),
            Start::After(Position(last)) => keyed.partition_point(|(key, _)| key <= last),
        };
        let mut shown = keyed.split_off(skipped);
        let has_more = shown.len() > limit;
        shown.truncate(limit);
        let last = shown.last().filter(|_| has_more);
        Self {
            next: last.map(|(key, _)| Position(key.clone())),
            items: shown.into_iter().map(|(_, item)| item).collect(),
            total,
        }
    }

    /// The same page of what `show` makes of its entries.
    pub(crate) fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(show).collect(),
            total: self.total,
            next: self.next,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, id) = &self.0;
        let text = format!("{}:{name}{id}", name.len());
        formatter.write_str(&BASE64URL_NOPAD.encode(text.as_bytes()))
    }
}

impl FromStr for Position {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let read = || {
            let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (length, key) = text.split_once(':')?;
            let (name, id) = key.split_at_checked(length.parse().ok()?)?;
            Some(Self((name.to_owned(), id.to_owned())))
        };
        read().ok_or_else(|| InvalidName("is no cursor; send `next_cursor` as it was".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &&str) -> SortKey {
        (text.to_string(), String::new())
    }

    #[test]
    fn a_page_after_another_neither_skips_nor_repeats_while_entries_come_and_go() {
        let first = Page::cut(vec!["d", "b", "f"], &Start::Offset(0), 2, key);
        assert_eq!((first.items, first.total), (vec!["b", "d"], 3));
        let start = Start::After(first.next.unwrap());
        let now = vec!["a", "b", "c", "e", "f"];
        let second = Page::cut(now, &start, 2, key);
        assert_eq!((second.items, second.next), (vec!["e", "f"], None));
    }

    #[test]
    fn the_last_page_has_no_next_one_and_an_offset_beyond_the_end_shows_nothing() {
        let all = Page::cut(vec!["a", "b"], &Start::Offset(0), 2, key);
        assert_eq!((all.items.len(), all.next), (2, None));
        let beyond = Page::cut(vec!["a", "b"], &Start::Offset(9), 2, key);
        assert_eq!((beyond.items.len(), beyond.total), (0, 2));
    }

    #[test]
    fn later_instants_come_first() {
        let mut instants = ["0001-01-01", "1969-12-31", "2026-01-31", "9999-12-30"]
            .map(|day| format!("{day}T00:00:00.000000001Z").parse().unwrap())
            .to_vec();
        instants.extend([Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH]);
        instants.sort_by_key(|at| newest_first(*at));
        assert!(
            instants.is_sorted_by(|one, next| one > next),
            "{instants:?}"
        );
    }

    #[test]
    fn a_position_is_read_as_it_was_written_and_nothing_else_is() {
        for (name, id) in [("", ""), ("shop", "1"), ("ä:ö", "x:y"), ("12:", "")] {
            let position = Position((name.to_owned(), id.to_owned()));
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for text in ["", "!", "AAAA", "OTk6YQ"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
