//! The embedded adapter: SQLite for tables, queue and secrets; files for blobs.
