//! The content of a database, read by a script in one snapshot.

use dilux_core::model::{DatabaseName, Fingerprint, ObjectFingerprint, TableFingerprint};
use dilux_core::transfer::Failure;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::session::Session;

const SCRIPT: &str = include_str!("fingerprint.sql");

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Table {
        table: String,
        rows: u64,
        content: String,
    },
    Object {
        object: String,
        definition: String,
    },
}

/// Takes the fingerprint.
pub(super) async fn take(
    session: &Session<'_>,
    database: &DatabaseName,
) -> Result<Fingerprint, Failure> {
    let mut fingerprint = Fingerprint::default();
    let limit = session.settings.deadlines.total;
    session
        .for_each(database.as_str(), (SCRIPT, limit), &mut |line| match line {
            Line::Table {
                table,
                rows,
                content,
            } => {
                fingerprint
                    .tables
                    .insert(table, TableFingerprint { rows, content });
            }
            Line::Object { object, definition } => {
                let definition = data_encoding::HEXLOWER.encode(&Sha256::digest(&definition));
                fingerprint
                    .objects
                    .insert(object, ObjectFingerprint { definition });
            }
        })
        .await?;
    Ok(fingerprint)
}
