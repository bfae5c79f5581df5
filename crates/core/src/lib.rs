//! The shared core of Dilux: models, planners, and the storage ports with their adapters.
//!
//! `model`, `schedule` and `retention` are pure. Everything that touches the outside world sits
//! behind a port in `storage` or `secret`, or behind [`clock::Clock`].

pub mod access;
pub mod accounts;
pub mod alert;
pub mod api_tokens;
pub mod bootstrap;
pub mod catalog;
pub mod clock;
pub mod component;
pub mod config;
pub mod connection_string;
pub mod crash;
pub mod custody;
pub mod dispatch;
pub mod entra;
pub mod error;
pub mod expiry;
pub mod health;
pub mod installation;
pub mod model;
pub mod network;
pub mod private_file;
pub mod random;
pub mod recount;
pub mod repository;
pub mod retention;
pub mod rpo;
pub mod schedule;
pub mod secret;
pub mod service;
pub mod storage;
pub mod telemetry;
pub mod timer;
pub mod timetable;
pub mod transfer;
pub mod turn;

pub use error::{Error, Result};
