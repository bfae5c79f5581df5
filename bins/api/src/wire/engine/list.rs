//! Lists of engines on the wire.

use dilux_core::model::EngineType;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Engine;
use crate::app::{EnginePage, Position, Start};
use crate::caller::Caller;
use crate::input::{Filters, FromQuery};
use crate::wire::Damaged;

/// Which engines to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EngineFilter {
    /// Most engines in the answer, 1–1000; 100 when absent.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    pub(crate) limit: usize,
    /// Engines to pass over; or `cursor` instead.
    #[param(value_type = Option<u64>)]
    offset: usize,
    /// Where the page starts: `next_cursor` of an earlier one.
    #[param(value_type = Option<String>)]
    cursor: Option<Position>,
    /// Text in name or host, whatever its case.
    pub(crate) search: Option<String>,
    /// Of this type.
    #[param(value_type = Option<String>)]
    pub(crate) engine_type: Option<EngineType>,
}

impl EngineFilter {
    /// Where the page starts.
    pub(crate) fn start(&self) -> Start {
        let cursor = self.cursor.clone();
        cursor.map_or(Start::Offset(self.offset), Start::After)
    }
}

impl FromQuery for EngineFilter {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let limit = filters.number("limit", 1..=1000).unwrap_or(100);
        let offset = filters.number("offset", 0..=u64::from(u32::MAX));
        Some(Self {
            limit: usize::try_from(limit).ok()?,
            offset: usize::try_from(offset.unwrap_or(0)).ok()?,
            cursor: filters.parsed("cursor"),
            search: filters.text("search").map(str::to_lowercase),
            engine_type: filters.parsed("engine_type"),
        })
    }
}

/// A page of engines, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EngineList {
    /// The engines.
    items: Vec<Engine>,
    /// Engines that match, on all pages.
    total: usize,
    /// As asked.
    limit: usize,
    /// As asked; `null` when a cursor was sent.
    offset: Option<usize>,
    /// Where the next page starts; `null` on the last one.
    next_cursor: Option<String>,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl EngineList {
    /// The answer to `filter`, as the caller may see it.
    pub(crate) fn new(page: &EnginePage, filter: &EngineFilter, caller: &Caller) -> Self {
        let shown = |view| Engine::from(view).seen_by(caller);
        Self {
            items: page.page.items.iter().map(shown).collect(),
            total: page.page.total,
            limit: filter.limit,
            offset: filter.cursor.is_none().then_some(filter.offset),
            next_cursor: page.page.next.as_ref().map(Position::to_string),
            damaged: page.damaged.iter().map(Damaged::from).collect(),
        }
    }
}
