//! Conformance suites and throwaway servers, for tests only.

pub mod azurite;
pub mod conformance;
