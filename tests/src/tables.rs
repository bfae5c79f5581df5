//! Whole tables, behind the services.

use std::collections::BTreeMap;

use anyhow::Result;
use dilux_core::installation::Installation;
use dilux_core::storage::{Condition, EntityKey, Query, TableName, TableOperation, Value};

/// The properties of rows by their keys.
pub type Rows = BTreeMap<EntityKey, BTreeMap<String, Value>>;

/// How the key of a tally begins.
const TALLY: &str = "~tally";

/// All rows of a table, without the count of how often a tally was written: another way to the same
/// content has another number of writes.
pub async fn rows(installation: &Installation, table: &str) -> Result<Rows> {
    let table = TableName::new(table)?;
    let (mut rows, mut from) = (Rows::new(), None);
    loop {
        let tables = &installation.storage.tables;
        let page = tables
            .query(&table, &Query::default(), from.as_ref())
            .await?;
        for mut row in page.entities {
            if row.entity.key.row.starts_with(TALLY) {
                row.entity.properties.remove("revision");
            }
            rows.insert(row.entity.key, row.entity.properties);
        }
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok(rows),
        }
    }
}

/// Deletes the rows of a table, or of one partition of it.
pub async fn lose(installation: &Installation, table: &str, partition: Option<&str>) -> Result<()> {
    let name = TableName::new(table)?;
    for key in rows(installation, table).await?.into_keys() {
        if partition.is_none_or(|wanted| wanted == key.partition) {
            let delete = TableOperation::Delete(key, Condition::Exists);
            installation.storage.tables.write(&name, delete).await?;
        }
    }
    Ok(())
}

/// Entries of the audit log by (action, resource).
pub async fn audited(installation: &Installation) -> Result<BTreeMap<(String, String), usize>> {
    let mut found = BTreeMap::new();
    for properties in rows(installation, "auditlogs").await?.into_values() {
        let text = |name| match properties.get(name) {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        let key = (text("action"), text("resource_id"));
        *found.entry(key).or_insert(0) += 1;
    }
    Ok(found)
}
