//! The one place that chooses a storage adapter.
