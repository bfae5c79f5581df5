//! Rows by their number: SQLite passes over index entries, which hold the keys and nothing else.

use rusqlite::{Connection, OptionalExtension, params};

use crate::storage::embedded::fault::Fault;
use crate::storage::{Nth, Span};

/// The row at `number`, from 1.
pub(super) fn nth(
    connection: &Connection,
    table: i64,
    span: &Span,
    number: usize,
) -> Result<Nth, Fault> {
    const ROWS: &str = "FROM entities
         WHERE table_id = ?1 AND partition_key = ?2 AND (?3 IS NULL OR row_key < ?3)";
    let passed = i64::try_from(number.saturating_sub(1)).unwrap_or(i64::MAX);
    let mut row = connection.prepare_cached(&format!(
        "SELECT row_key {ROWS} ORDER BY row_key LIMIT 1 OFFSET ?4"
    ))?;
    let (partition, end) = (&span.partition, &span.end);
    let found = row.query_row(params![table, partition, end, passed], |row| row.get(0));
    if let Some(key) = found.optional()? {
        return Ok(Nth::Row(key));
    }
    let mut count = connection.prepare_cached(&format!("SELECT count(*) {ROWS}"))?;
    let rows: i64 = count.query_row(params![table, partition, end], |row| row.get(0))?;
    Ok(Nth::Fewer(usize::try_from(rows).unwrap_or(0)))
}
