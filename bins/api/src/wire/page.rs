//! Pages of lists that are given whole to whoever asks for no page.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::{Page, Position, Start};
use crate::input::{Filters, FromQuery};

/// Which page of a list; all of it when nothing is said.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageWish {
    /// Most entries in the answer, 1–1000; all when absent.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Where the page starts: `next_cursor` of an earlier one.
    #[param(value_type = Option<String>)]
    cursor: Option<Position>,
}

impl FromQuery for PageWish {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let limit = filters.number("limit", 1..=1000);
        Some(Self {
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            cursor: filters.parsed("cursor"),
        })
    }
}

impl PageWish {
    /// Where the page starts.
    pub(crate) fn start(&self) -> Start {
        let cursor = self.cursor.clone();
        cursor.map_or(Start::Offset(0), Start::After)
    }

    /// How many entries it has at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }
}

/// What lists say of their pages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageNotes {
    /// How many entries there are in this answer.
    count: usize,
    /// Entries on all pages.
    total: usize,
    /// Where the next page starts; `null` on the last one.
    next_cursor: Option<String>,
}

impl<T> From<&Page<T>> for PageNotes {
    fn from(page: &Page<T>) -> Self {
        Self {
            count: page.items.len(),
            total: page.total,
            next_cursor: page.next.as_ref().map(Position::to_string),
        }
    }
}
