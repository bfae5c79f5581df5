//! Which tool and which server took part in a backup.

use serde::{Deserialize, Serialize};

/// A client tool as found on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolIdentity {
    /// `pg_dump`, `mariadb-dump`, `mysqldump`.
    pub name: String,
    /// Absolute path.
    pub path: String,
    /// As the tool says: `15.20`.
    pub version: String,
}

/// A database server as probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerIdentity {
    /// `postgresql`, `mariadb` or `mysql`: the flavour, finer than the engine type.
    pub flavour: String,
    /// As the server says: `15.20`, `10.11.19-MariaDB`.
    pub version: String,
}
