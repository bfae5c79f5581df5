//! Storage ports and their adapters.
//!
//! A port is a trait whose documentation is its contract; `dilux-testkit` holds one conformance
//! suite per port that every adapter passes.

mod blob;
mod error;
mod filter;
mod limits;
mod queue;
mod retry;
mod select;
mod table;

pub mod azure;
pub mod embedded;

pub use blob::{
    BlobEntry, BlobName, BlobPage, BlobProperties, BlobStore, BlobVersion, BlockId, ContainerName,
    PutCondition, PutOptions,
};
pub use error::{StorageError, StorageErrorKind, StorageResult};
pub use filter::{Comparison, Filter, Property};
pub use limits::{LimitedBlobStore, LimitedQueueStore, LimitedTableStore};
pub use queue::{
    MessageId, QueueName, QueueStore, Receipt, ReceivedMessage, SendOptions, TimeToLive,
};
pub(crate) use retry::Retry;
pub use retry::{
    RetryPolicy, RetryingBlobStore, RetryingQueueStore, RetryingSecretStore, RetryingTableStore,
};
pub use select::{Profile, Storage, open};
pub use table::{
    Condition, Continuation, ETag, Entity, EntityKey, Nth, Page, Query, Span, StoredEntity,
    TableName, TableOperation, TableStore, Value,
};
