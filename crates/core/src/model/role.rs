//! Roles of people and API tokens, and what operators are granted one by one.

use std::fmt;
use std::str::FromStr;

use super::InvalidName;

/// What somebody may do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Runs backups and manages databases and policies.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = InvalidName;

    /// Reads the name, whatever its case.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| InvalidName("must be one of admin, operator, viewer".to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What an operator may do only when it was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// Read the data of backups: download it, restore it into a new database.
    Data,
    /// Delete backups and release holds.
    Deletion,
}

impl Grant {
    /// Every grant.
    pub const ALL: [Self; 2] = [Self::Data, Self::Deletion];

    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Deletion => "deletion",
        }
    }
}

impl FromStr for Grant {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|grant| grant.as_str() == text)
            .ok_or_else(|| InvalidName("must be one of data, deletion".to_owned()))
    }
}

/// A set of grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grants {
    data: bool,
    deletion: bool,
}

impl Grants {
    /// Whether this was granted.
    pub fn has(self, grant: Grant) -> bool {
        match grant {
            Grant::Data => self.data,
            Grant::Deletion => self.deletion,
        }
    }

    /// Those that were granted.
    pub fn iter(self) -> impl Iterator<Item = Grant> {
        Grant::ALL.into_iter().filter(move |grant| self.has(*grant))
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<T: IntoIterator<Item = Grant>>(grants: T) -> Self {
        let mut all = Self::default();
        for grant in grants {
            match grant {
                Grant::Data => all.data = true,
                Grant::Deletion => all.deletion = true,
            }
        }
        all
    }
}

impl FromStr for Grants {
    type Err = InvalidName;

    /// Reads names with commas between.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let names = text.split(',').filter(|name| !name.is_empty());
        names.map(str::parse).collect()
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Grant::as_str).collect();
        formatter.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_whatever_their_case_and_ordered_by_what_they_may() {
        assert_eq!("Operator".parse(), Ok(Role::Operator));
        assert!("root".parse::<Role>().is_err());
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    }

    #[test]
    fn grants_come_back_from_their_text() {
        for text in ["", "data", "deletion", "data,deletion"] {
            let grants: Grants = text.parse().unwrap();
            assert_eq!(grants.to_string(), text);
        }
        assert!("data,everything".parse::<Grants>().is_err());
    }
}
