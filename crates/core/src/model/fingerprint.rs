//! What a database holds, boiled down so that two databases can be compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFingerprint {
    /// Exact count.
    pub rows: u64,
    /// Hash over all rows that does not depend on their order.
    pub content: String,
}

/// A definition that is not rows: a view, index, constraint, routine, trigger, sequence, type…
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectFingerprint {
    /// SHA-256 of the definition as the server prints it, names of the database itself left out.
    pub definition: String,
}

/// The content of a database, independent of its name and of physical order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// By qualified table name.
    pub tables: BTreeMap<String, TableFingerprint>,
    /// By `kind name`: `view public.totals`.
    pub objects: BTreeMap<String, ObjectFingerprint>,
}

impl Fingerprint {
    /// Rows in all tables.
    pub fn total_rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }

    /// What differs between the two, one sentence each; empty when they are equal.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, table) in &self.tables {
            match other.tables.get(name) {
                None => found.push(format!("table {name} is missing")),
                Some(twin) if twin.rows != table.rows => {
                    found.push(format!(
                        "table {name} has {} rows instead of {}",
                        twin.rows, table.rows
                    ));
                }
                Some(twin) if twin.content != table.content => {
                    found.push(format!("table {name} has other content"));
                }
                Some(_) => {}
            }
        }
        for name in other
            .tables
            .keys()
            .filter(|name| !self.tables.contains_key(*name))
        {
            found.push(format!("table {name} is new"));
        }
        for (name, object) in &self.objects {
            match other.objects.get(name) {
                None => found.push(format!("{name} is missing")),
                Some(twin) if twin != object => found.push(format!("{name} is defined otherwise")),
                Some(_) => {}
            }
        }
        for name in other
            .objects
            .keys()
            .filter(|name| !self.objects.contains_key(*name))
        {
            found.push(format!("{name} is new"));
        }
        found
    }
}
