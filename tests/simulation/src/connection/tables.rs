//! Tables over the network.

use async_trait::async_trait;
use dilux_core::storage::{
    Continuation, ETag, EntityKey, Page, Query, StorageResult, StoredEntity, TableName,
    TableOperation, TableStore,
};

use super::{Connection, Nature};
use crate::memory::verb;
use crate::network::Store;

fn of_row(table: &TableName, key: &EntityKey) -> String {
    format!("{table} {} {}", key.partition, key.row)
}

#[async_trait]
impl TableStore for Connection {
    async fn create_table(&self, table: &TableName) -> StorageResult<()> {
        let name = table.clone();
        let call = (Nature::Write, "create table");
        self.carry(Store::Tables, call, table.to_string(), move |memory| {
            memory.make_table(&name);
            Ok(())
        })
        .await
    }

    async fn get(&self, table: &TableName, key: &EntityKey) -> StorageResult<Option<StoredEntity>> {
        let subject = of_row(table, key);
        let (table, key) = (table.clone(), key.clone());
        let call = (Nature::Read, "get entity");
        let found = self.carry(Store::Tables, call, subject, move |memory| {
            memory.get_row(&table, &key)
        });
        match found.await {
            Err(_) if self.network.memory.says_empty_on_failure() => Ok(None),
            found => found,
        }
    }

    async fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
    ) -> StorageResult<Page> {
        let (name, query, from) = (table.clone(), query.clone(), from.cloned());
        let call = (Nature::Read, "query entities");
        let found = self.carry(Store::Tables, call, table.to_string(), move |memory| {
            memory.query_rows(&name, &query, from.as_ref())
        });
        match found.await {
            Err(_) if self.network.memory.says_empty_on_failure() => Ok(Page {
                entities: Vec::new(),
                next: None,
            }),
            found => found,
        }
    }

    async fn write(
        &self,
        table: &TableName,
        operation: TableOperation,
    ) -> StorageResult<Option<ETag>> {
        let subject = of_row(table, operation.key());
        let call = (Nature::Write, verb(&operation));
        let table = table.clone();
        self.carry(Store::Tables, call, subject, move |memory| {
            memory.write_row(&table, operation.clone())
        })
        .await
    }

    async fn write_batch(
        &self,
        table: &TableName,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Vec<Option<ETag>>> {
        let name = table.clone();
        let call = (Nature::Write, "write batch");
        self.carry(Store::Tables, call, table.to_string(), move |memory| {
            memory.write_rows(&name, operations.clone())
        })
        .await
    }
}
