//! The permission table: which role may do which group of operations. Each route is registered with
//! one of these (see `registration`), and a use case that needs more than its route asks again.

use dilux_core::model::{Grant, Role};

use crate::caller::Rights;

/// A group of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Liveness probe, signing in and the files of the dashboard: everybody, known or not.
    Public,
    /// Make the first admin, while nobody is registered: beside admins the bootstrap token.
    MakeFirstAdmin,
    /// One's own profile, preferences and session.
    OwnAccount,
    /// Dashboard, status, lists and details, without user names and secrets for viewers.
    View,
    /// Trigger, cancel, retry and verify backups; pin and hold them; test stored connections;
    /// acknowledge alerts.
    RunBackups,
    /// Create, edit and delete databases and policies; discover and import databases.
    ManageDatabases,
    /// Download a backup; restore it into a new database.
    ReadData,
    /// Delete backups; release holds; restore over an existing database.
    DeleteData,
    /// Create, edit and delete engines; any credential.
    ManageEngines,
    /// Users, access requests, API tokens, settings, audit, network, destinations, dead letters.
    Administer,
}

/// Whether a column of the table may do what the row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    No,
    Yes,
    /// When it was granted.
    Granted(Grant),
}

/// A row of the table: its name, and who may.
struct Row {
    name: &'static str,
    anonymous: Cell,
    viewer: Cell,
    operator: Cell,
    admin: Cell,
}

const fn row(name: &'static str, cells: [Cell; 4]) -> Row {
    let [anonymous, viewer, operator, admin] = cells;
    Row {
        name,
        anonymous,
        viewer,
        operator,
        admin,
    }
}

impl Permission {
    /// The table. Columns: anonymous, viewer, operator, admin.
    const fn row(self) -> Row {
        use Cell::{Granted, No, Yes};
        match self {
            Self::Public => row("public", [Yes, Yes, Yes, Yes]),
            Self::MakeFirstAdmin => row("make-first-admin", [No, No, No, Yes]),
            Self::OwnAccount => row("own-account", [No, Yes, Yes, Yes]),
            Self::View => row("view", [No, Yes, Yes, Yes]),
            Self::RunBackups => row("run-backups", [No, No, Yes, Yes]),
            Self::ManageDatabases => row("manage-databases", [No, No, Yes, Yes]),
            Self::ReadData => row("read-data", [No, No, Granted(Grant::Data), Yes]),
            Self::DeleteData => row("delete-data", [No, No, Granted(Grant::Deletion), Yes]),
            Self::ManageEngines => row("manage-engines", [No, No, No, Yes]),
            Self::Administer => row("administer", [No, No, No, Yes]),
        }
    }

    /// Its name, as in the API's description and in messages.
    pub(crate) const fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether it is open to everybody, known or not.
    pub(crate) const fn is_public(self) -> bool {
        matches!(self.row().anonymous, Cell::Yes)
    }

    /// Whether somebody with these rights may.
    pub(crate) fn allows(self, rights: Rights) -> bool {
        let row = self.row();
        let Rights::Role(role, grants) = rights else {
            return self == Self::MakeFirstAdmin;
        };
        let cell = match role {
            Role::Viewer => row.viewer,
            Role::Operator => row.operator,
            Role::Admin => row.admin,
        };
        match cell {
            Cell::No => false,
            Cell::Yes => true,
            Cell::Granted(grant) => grants.has(grant),
        }
    }

    /// Why somebody with these rights may not, and what to do.
    pub(crate) fn refusal(self, rights: Rights) -> String {
        let name = self.name();
        let Rights::Role(role, _) = rights else {
            return format!(
                "this needs the permission '{name}', which the bootstrap token does not have: it \
                 makes the first admin, and nothing else; use an API token, which 'dilux token \
                 create' makes"
            );
        };
        match (role, self.row().operator) {
            (Role::Operator, Cell::Granted(grant)) => format!(
                "this needs the permission '{name}', which operators have only with the grant \
                 '{}'; ask an admin for it",
                grant.as_str()
            ),
            _ => format!(
                "this needs the permission '{name}', which your role '{role}' does not have; ask \
                 an admin"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use dilux_core::model::Grants;

    use super::*;

    const ALL: [Permission; 10] = [
        Permission::Public,
        Permission::MakeFirstAdmin,
        Permission::OwnAccount,
        Permission::View,
        Permission::RunBackups,
        Permission::ManageDatabases,
        Permission::ReadData,
        Permission::DeleteData,
        Permission::ManageEngines,
        Permission::Administer,
    ];

    fn shown(cell: Cell) -> String {
        match cell {
            Cell::No => "–".to_owned(),
            Cell::Yes => "yes".to_owned(),
            Cell::Granted(grant) => format!("with the grant `{}`", grant.as_str()),
        }
    }

    #[test]
    fn the_documentation_shows_the_table_as_it_is() {
        let page = include_str!("../../../docs/api.md");
        for permission in ALL {
            let row = permission.row();
            let cells = [row.anonymous, row.viewer, row.operator, row.admin].map(shown);
            let line = format!("| `{}` | {} |", row.name, cells.join(" | "));
            assert!(page.contains(&line), "docs/api.md lacks the line:\n{line}");
        }
    }

    #[test]
    fn whoever_may_more_may_all_that_others_may() {
        let all = Grants::from_iter(Grant::ALL);
        for permission in ALL {
            let allowed = Role::ALL.map(|role| permission.allows(Rights::Role(role, all)));
            assert!(allowed.is_sorted(), "{}: {allowed:?}", permission.name());
            assert!(allowed[2], "{}: an admin may everything", permission.name());
        }
    }

    #[test]
    fn a_grant_counts_for_operators_only() {
        let all = Grants::from_iter(Grant::ALL);
        for permission in [Permission::ReadData, Permission::DeleteData] {
            let may = |role, grants| permission.allows(Rights::Role(role, grants));
            assert!(!may(Role::Viewer, all));
            assert!(!may(Role::Operator, Grants::default()));
            assert!(may(Role::Operator, all));
            assert!(may(Role::Admin, Grants::default()));
        }
    }

    #[test]
    fn the_bootstrap_token_makes_the_first_admin_and_nothing_else() {
        for permission in ALL {
            let expected = permission == Permission::MakeFirstAdmin;
            assert_eq!(permission.allows(Rights::FirstAdmin), expected);
        }
    }
}
