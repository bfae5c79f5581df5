//! The Azure adapter: Table, Queue, Blob, Key Vault.
