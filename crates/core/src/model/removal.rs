//! An engine's removal under way: what is still to be done, so that it is finished after a crash.

use jiff::Timestamp;

use super::{DatabaseId, EngineId, EngineType, Host, Label, Port};
use crate::secret::SecretName;

/// The removal of an engine with its databases. It is written before the first step and deleted
/// after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The engine.
    pub engine_id: EngineId,
    /// Its label.
    pub name: Label,
    /// Its type.
    pub engine_type: EngineType,
    /// Its host.
    pub host: Host,
    /// Its port.
    pub port: Port,
    /// Where its password is kept.
    pub secret: Option<SecretName>,
    /// The databases that are still to be removed.
    pub databases: Vec<DatabaseId>,
    /// Whether their backups are to go too.
    pub deletes_backups: bool,
    /// How many databases there were.
    pub total: u32,
    /// Id of who asked for it.
    pub user_id: String,
    /// E-mail of who asked for it.
    pub user_email: String,
    /// When.
    pub at: Timestamp,
}
