//! Links to the data of a backup, on the wire.

use std::time::Duration;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::Link;
use crate::input::{Filters, FromQuery};

/// Which blob to give a link to.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DownloadQuery {
    /// Blob of a backup, as in `blob_name` of the list.
    pub(crate) blob_name: String,
    /// Accepted as before; links never live longer than 15 minutes.
    #[param(value_type = Option<u64>, minimum = 1)]
    expiry_hours: Option<u64>,
}

impl DownloadQuery {
    /// How long the link shall live.
    pub(crate) fn life(&self) -> Option<Duration> {
        let seconds = self.expiry_hours?.saturating_mul(3600);
        Some(Duration::from_secs(seconds))
    }
}

impl FromQuery for DownloadQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        Some(Self {
            expiry_hours: filters.number("expiry_hours", 1..=8760),
            blob_name: filters.required("blob_name")?.to_owned(),
        })
    }
}

/// A link to the data of a backup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DownloadLink {
    /// Where the data is. A link of the store needs nothing else; one of this API needs the bearer
    /// token.
    download_url: String,
    /// The backup.
    backup_id: String,
    /// The blob.
    blob_name: String,
    /// Name to save it under.
    file_name: String,
    /// How long the link lives, in hours; `null` when it does not expire.
    expires_in_hours: Option<f64>,
    /// Whether the link needs the bearer token.
    needs_token: bool,
}

impl DownloadLink {
    /// `link`, as seen by a client that called under `origin`.
    pub(crate) fn new(link: Link, origin: &str) -> Self {
        let needs_token = link.direct.is_none();
        let (download_url, life) = match link.direct {
            Some((url, life)) => (url.to_string(), Some(life)),
            None => (format!("{origin}/api/backups/{}/data", link.backup), None),
        };
        Self {
            download_url,
            backup_id: link.backup.to_string(),
            blob_name: link.blob_name,
            file_name: link.file_name,
            expires_in_hours: life.map(|life| life.as_secs_f64() / 3600.0),
            needs_token,
        }
    }
}
