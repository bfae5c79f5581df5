//! Which part of a history a walk is about.

use jiff::Timestamp;

use super::{Cursor, newer_than};
use crate::storage::Filter;

/// A part of a history, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// It begins behind this row; at the newest when absent.
    pub after: Option<&'a Cursor>,
    /// It ends before the rows that are older.
    pub since: Option<Timestamp>,
    /// How many of its rows the walk will look at, as far as that can be known. Whoever expects
    /// few is not charged for many.
    pub expected: usize,
}

impl<'a> Stretch<'a> {
    /// A whole history, all of which will be looked at.
    pub const WHOLE: Self = Self::newest(usize::MAX);

    /// The newest rows, of which about so many will be looked at.
    pub const fn newest(expected: usize) -> Self {
        Self {
            after: None,
            since: None,
            expected,
        }
    }

    /// The same, from behind a row.
    #[must_use]
    pub fn after(self, row: Option<&'a Cursor>) -> Self {
        Self { after: row, ..self }
    }

    /// The same, without rows that are older.
    #[must_use]
    pub fn since(self, oldest: Option<Timestamp>) -> Self {
        Self {
            since: oldest,
            ..self
        }
    }

    /// What its end says of row keys.
    pub(in crate::repository) fn end(&self) -> Option<Filter> {
        self.since.map(newer_than)
    }
}
