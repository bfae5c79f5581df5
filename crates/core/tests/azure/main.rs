//! The Azure adapter against Azurite and against faults.

#![cfg(test)]

mod conformance;
mod faults;
mod identity;
mod key_vault;
mod leaks;
mod signing;
mod tokens;
mod transport;

use std::sync::Arc;

use dilux_core::clock::{SharedClock, SystemClock};
use dilux_core::secret::SecretValue;
use dilux_core::storage::azure::{AzureConfig, AzureStorage};
use dilux_testkit::azurite::Azurite;

fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

fn config(connection_string: &str) -> AzureConfig {
    AzureConfig::from_connection_string(&SecretValue::new(connection_string)).unwrap()
}

/// An Azurite and the stores of its account, signed with the account's key.
fn start() -> (Azurite, AzureStorage) {
    let azurite = Azurite::start().unwrap();
    let storage = AzureStorage::connect(&config(&azurite.connection_string()), &clock()).unwrap();
    (azurite, storage)
}
