//! How the API is reached: by which name, through whom, and how often.

use std::num::NonZeroU32;

use url::Url;

use crate::network::TrustedProxies;

/// How requests get to the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessSettings {
    /// How browsers reach the API, without a path; `None` when nobody said.
    pub public_url: Option<Url>,
    /// Whose word about the requests that they pass on is believed.
    pub trusted_proxies: TrustedProxies,
    /// How many of them are answered.
    pub limits: RequestLimits,
    /// Whether callers must say who they are.
    pub authentication: Authentication,
}

/// Whether callers must say who they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Authentication {
    /// They must.
    #[default]
    Required,
    /// Everybody who reaches the API is one admin. For trying things out on one machine.
    Off,
}

/// Requests that one process of the API answers; `None` means all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestLimits {
    /// A minute, of one caller: a person, an API token, the bootstrap token.
    pub callers: Option<NonZeroU32>,
    /// A minute, from one address, of those who do not say who they are.
    pub strangers: Option<NonZeroU32>,
    /// A minute, of one caller, for what starts work, calls servers or reads everything.
    pub costly: Option<NonZeroU32>,
    /// At the same time, until the answer begins.
    pub at_once: Option<NonZeroU32>,
    /// Backups sent at the same time.
    pub downloads_at_once: Option<NonZeroU32>,
}
