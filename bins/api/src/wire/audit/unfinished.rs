//! Intents without a result.

use dilux_core::model::AuditEntry;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Entry;
use crate::input::{Filters, FromQuery};

/// Days to look back when none are asked for, and at most.
const DAYS: u64 = 7;
const MOST_DAYS: u64 = 31;

/// How far to look back.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnfinishedQuery {
    /// Days to look back, 7 when absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 31)]
    pub(crate) days: u32,
}

impl FromQuery for UnfinishedQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let days = filters.number("days", 1..=MOST_DAYS).unwrap_or(DAYS);
        Some(Self {
            days: u32::try_from(days).ok()?,
        })
    }
}

/// What was begun and of whose end nothing is known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditUnfinished)]
pub(crate) struct Unfinished {
    /// The intents, newest first.
    intents: Vec<Entry>,
    /// How many they are.
    count: usize,
}

impl From<Vec<AuditEntry>> for Unfinished {
    fn from(intents: Vec<AuditEntry>) -> Self {
        Self {
            count: intents.len(),
            intents: intents.into_iter().map(Entry::from).collect(),
        }
    }
}
