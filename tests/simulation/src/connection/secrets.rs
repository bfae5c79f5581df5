//! Secrets over the network.

use async_trait::async_trait;
use dilux_core::secret::{SecretName, SecretStore, SecretValue};
use dilux_core::storage::StorageResult;

use super::{Connection, Nature};
use crate::network::Store;

#[async_trait]
impl SecretStore for Connection {
    async fn set(&self, name: &SecretName, value: &SecretValue) -> StorageResult<()> {
        let subject = name.as_str().to_owned();
        let (name, value) = (name.clone(), value.clone());
        let call = (Nature::Write, "set secret");
        self.carry(Store::Secrets, call, subject, move |memory| {
            memory.set_secret(&name, &value);
            Ok(())
        })
        .await
    }

    async fn get(&self, name: &SecretName) -> StorageResult<Option<SecretValue>> {
        let subject = name.as_str().to_owned();
        let name = name.clone();
        let call = (Nature::Read, "get secret");
        self.carry(Store::Secrets, call, subject, move |memory| {
            Ok(memory.get_secret(&name))
        })
        .await
    }

    async fn delete(&self, name: &SecretName) -> StorageResult<()> {
        let subject = name.as_str().to_owned();
        let name = name.clone();
        let call = (Nature::Write, "delete secret");
        self.carry(Store::Secrets, call, subject, move |memory| {
            memory.delete_secret(&name);
            Ok(())
        })
        .await
    }

    async fn list(&self) -> StorageResult<Vec<SecretName>> {
        let call = (Nature::Read, "list secrets");
        self.carry(Store::Secrets, call, String::new(), |memory| {
            Ok(memory.list_secrets())
        })
        .await
    }
}
