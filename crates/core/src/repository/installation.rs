//! What is made once for an installation: table `settings`, partition `installation`. The row `id`
//! tells it from others; the row `bootstrap_token` says which secret is the bootstrap token.

use std::sync::Arc;

use super::api_tokens::read_hash;
use super::collection::{Version, Versioned, decode};
use super::row::{Row, RowError, RowFault, RowReader, RowWriter};
use crate::model::{InstallationId, SecretHash};
use crate::secret::SecretName;
use crate::storage::{
    Condition, Entity, EntityKey, StorageErrorKind, StorageResult, TableName, TableOperation,
    TableStore,
};

const PARTITION: &str = "installation";
const ID: &str = "id";
const BOOTSTRAP_TOKEN: &str = "bootstrap_token";

/// Which token makes the first admin. Its text is in the secret store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapRow {
    /// Name of the secret.
    pub secret: SecretName,
    /// Hash of the text.
    pub hash: SecretHash,
}

/// The rows of the installation itself.
#[derive(Debug, Clone)]
pub struct InstallationRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl InstallationRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    /// The id of the installation; `None` while it has none.
    pub async fn id(&self) -> StorageResult<Option<InstallationId>> {
        Ok(self
            .read(ID)
            .await?
            .map(|row: Versioned<IdRow>| row.value.0))
    }

    /// Gives the installation this id, unless it has one. Of N callers one succeeds; all must read
    /// afterwards.
    pub async fn propose_id(&self, id: &InstallationId) -> StorageResult<()> {
        let mut row = RowWriter::new(EntityKey::new(PARTITION, ID));
        IdRow(id.clone()).write(&mut row);
        self.insert(row.finish()).await
    }

    /// Which token makes the first admin; `None` when there is none.
    pub async fn bootstrap_token(&self) -> StorageResult<Option<Versioned<BootstrapRow>>> {
        self.read(BOOTSTRAP_TOKEN).await
    }

    /// Names the bootstrap token, unless one is named. Of N callers one succeeds; all must read
    /// afterwards.
    pub async fn propose_bootstrap_token(&self, token: &BootstrapRow) -> StorageResult<()> {
        let mut row = RowWriter::new(EntityKey::new(PARTITION, BOOTSTRAP_TOKEN));
        token.write(&mut row);
        self.insert(row.finish()).await
    }

    /// Removes the bootstrap token in the version that was read; one that is gone, or another by
    /// now, is left alone.
    pub async fn forget_bootstrap_token(&self, version: &Version) -> StorageResult<()> {
        let key = EntityKey::new(PARTITION, BOOTSTRAP_TOKEN);
        let operation = TableOperation::Delete(key, Condition::Matches(version.clone()));
        match self.tables.write(&self.table, operation).await {
            Err(error)
                if !matches!(
                    error.kind(),
                    StorageErrorKind::NotFound | StorageErrorKind::PreconditionFailed
                ) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    async fn read<T: Row>(&self, row: &str) -> StorageResult<Option<Versioned<T>>> {
        let key = EntityKey::new(PARTITION, row);
        let found = self.tables.get(&self.table, &key).await?;
        found.map(|row| decode(&row)).transpose()
    }

    async fn insert(&self, row: Entity) -> StorageResult<()> {
        let operation = TableOperation::Insert(row);
        match self.tables.write(&self.table, operation).await {
            Err(error) if error.kind() != StorageErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// The row of the id.
struct IdRow(InstallationId);

impl Row for IdRow {
    fn row_key(&self) -> String {
        ID.to_owned()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("installation_id", self.0.as_str());
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        Ok(Self(row.parsed("installation_id")?))
    }
}

impl Row for BootstrapRow {
    fn row_key(&self) -> String {
        BOOTSTRAP_TOKEN.to_owned()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("secret", self.secret.as_str());
        row.text("hash", self.hash.to_hex());
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let secret = SecretName::new(row.text("secret")?).map_err(|error| RowError {
            property: "secret".to_owned(),
            reason: error.to_string(),
        })?;
        let hash = read_hash(row, "hash")?;
        Ok(Self { secret, hash })
    }
}
