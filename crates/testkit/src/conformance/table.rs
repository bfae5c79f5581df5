//! The suite for [`TableStore`].

mod batches;
mod comparisons;
mod filters;
mod limits;
mod pages;
mod races;
mod rows;
mod versions;

use std::sync::Arc;

use dilux_core::storage::{
    Comparison, Continuation, ETag, Entity, EntityKey, Filter, Property, Query, StoredEntity,
    TableName, TableOperation, TableStore, Value,
};

use super::{Gaps, Report, unique};

/// Runs every check of the table port on `store`.
pub async fn table_store(store: Arc<dyn TableStore>, gaps: &Gaps) -> anyhow::Result<()> {
    let bench = Bench { store };
    let mut report = Report::new("table_store");
    rows::run(&bench, &mut report).await;
    versions::run(&bench, &mut report).await;
    comparisons::run(&bench, gaps, &mut report).await;
    filters::run(&bench, &mut report).await;
    pages::run(&bench, &mut report).await;
    batches::run(&bench, &mut report).await;
    limits::run(&bench, &mut report).await;
    races::run(&bench, &mut report).await;
    report.finish()
}

struct Bench {
    store: Arc<dyn TableStore>,
}

impl Bench {
    async fn table(&self) -> anyhow::Result<TableName> {
        let table = TableName::new(unique("conformance"))?;
        self.store.create_table(&table).await?;
        Ok(table)
    }

    /// Inserts rows, in batches of one partition each.
    async fn fill(&self, table: &TableName, entities: Vec<Entity>) -> anyhow::Result<()> {
        for partition in entities.chunk_by(|a, b| a.key.partition == b.key.partition) {
            for chunk in partition.chunks(100) {
                let inserts = chunk.iter().cloned().map(TableOperation::Insert).collect();
                self.store.write_batch(table, inserts).await?;
            }
        }
        Ok(())
    }

    async fn insert(&self, table: &TableName, entity: Entity) -> anyhow::Result<ETag> {
        let etag = self
            .store
            .write(table, TableOperation::Insert(entity))
            .await?;
        etag.ok_or_else(|| anyhow::anyhow!("an insert gave no ETag"))
    }

    async fn row(&self, table: &TableName, key: &EntityKey) -> anyhow::Result<StoredEntity> {
        let row = self.store.get(table, key).await?;
        row.ok_or_else(|| anyhow::anyhow!("the row {key:?} is missing"))
    }

    /// All rows of a query, page by page.
    async fn all(&self, table: &TableName, query: &Query) -> anyhow::Result<Vec<StoredEntity>> {
        let mut rows = Vec::new();
        let mut from: Option<Continuation> = None;
        loop {
            let page = self.store.query(table, query, from.as_ref()).await?;
            rows.extend(page.entities);
            match page.next {
                None => return Ok(rows),
                Some(next) => {
                    anyhow::ensure!(
                        from.as_ref() != Some(&next),
                        "the continuation stands still"
                    );
                    from = Some(next);
                }
            }
        }
    }

    /// The row keys that a filter finds, joined with blanks.
    async fn found(&self, table: &TableName, filter: Filter) -> anyhow::Result<String> {
        let query = Query {
            filter: Some(filter),
            ..Query::default()
        };
        let rows = self.all(table, &query).await?;
        let keys: Vec<_> = rows.into_iter().map(|row| row.entity.key.row).collect();
        Ok(keys.join(" "))
    }
}

fn compare(name: &str, comparison: Comparison, value: Value) -> Filter {
    Filter::compare(Property::Named(name.to_owned()), comparison, value)
}

fn key(partition: &str, row: &str) -> EntityKey {
    EntityKey::new(partition, row)
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// A row with one text property `name`.
fn named(partition: &str, row: &str, name: &str) -> Entity {
    Entity::new(key(partition, row)).with("name", text(name))
}
