//! Typed query filters: rendered to OData by the Azure adapter, to a range plus a predicate by
//! the embedded one. Caller text never becomes filter syntax.

use super::Value;

/// What a comparison looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// The partition key.
    PartitionKey,
    /// The row key.
    RowKey,
    /// A named property of the row.
    Named(String),
}

/// How a property is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal. A row without the property does not match.
    NotEqual,
    /// Less than.
    Less,
    /// Less than or equal.
    LessOrEqual,
    /// Greater than.
    Greater,
    /// Greater than or equal.
    GreaterOrEqual,
}

/// A condition on rows. A missing property and a value of another type never match, whatever the
/// comparison; strings compare by ordinal order. At most 15 comparisons (Azure's limit).
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All must hold. Empty holds always.
    And(Vec<Filter>),
    /// At least one must hold. Empty never holds.
    Or(Vec<Filter>),
    /// One comparison.
    Compare {
        /// Left side.
        property: Property,
        /// Operator.
        comparison: Comparison,
        /// Right side.
        value: Value,
    },
}

impl Filter {
    /// Rows of one partition.
    pub fn partition(key: impl Into<String>) -> Self {
        Self::compare(
            Property::PartitionKey,
            Comparison::Equal,
            Value::String(key.into()),
        )
    }

    /// A comparison.
    pub fn compare(property: Property, comparison: Comparison, value: Value) -> Self {
        Self::Compare {
            property,
            comparison,
            value,
        }
    }

    /// A named property equals `value`.
    pub fn equal(name: impl Into<String>, value: Value) -> Self {
        Self::compare(Property::Named(name.into()), Comparison::Equal, value)
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                all.push(other);
                Self::And(all)
            }
            single => Self::And(vec![single, other]),
        }
    }

    /// How many comparisons it holds.
    pub fn comparisons(&self) -> usize {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().map(Self::comparisons).sum(),
            Self::Compare { .. } => 1,
        }
    }
}
