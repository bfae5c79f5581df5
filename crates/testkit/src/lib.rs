//! Conformance suites and throwaway servers, for tests only.

pub mod azurite;
pub mod canary;
pub mod conformance;
pub mod entra;
pub mod fault_proxy;
pub mod mariadb;
pub mod postgres;
pub mod proxy;
pub mod retention_oracle;
pub mod samples;
pub mod schedule_oracle;
mod seed;
mod server_process;
pub mod sql_server;
pub mod tls;
pub mod transfer;
