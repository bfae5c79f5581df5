//! Decorators that retry transient failures: the one layer that does.
