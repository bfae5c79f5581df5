//! Filters here: a range of keys that SQLite walks, and a predicate for what is in it.

use std::cmp::Ordering;

use super::codec;
use crate::storage::{Comparison, Entity, Filter, Property, Value};

/// Bounds of a key, both included; absent where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Interval {
    pub(super) low: Option<String>,
    pub(super) high: Option<String>,
}

/// A superset of the keys that a filter can match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KeyRange {
    pub(super) partition: Interval,
    pub(super) row: Interval,
}

/// The keys among which the matches of `filter` are; `None` when nothing can match.
pub(super) fn key_range(filter: &Filter) -> Option<KeyRange> {
    match filter {
        Filter::And(all) => all.iter().try_fold(KeyRange::default(), |range, part| {
            Some(range.intersect(key_range(part)?))
        }),
        Filter::Or(any) => any.iter().filter_map(key_range).reduce(KeyRange::hull),
        Filter::Compare {
            property: Property::Named(_),
            ..
        } => Some(KeyRange::default()),
        Filter::Compare {
            property,
            comparison,
            value,
        } => {
            let Value::String(key) = value else {
                return None;
            };
            let interval = Interval::of(*comparison, key);
            Some(match property {
                Property::RowKey => KeyRange {
                    row: interval,
                    ..KeyRange::default()
                },
                _ => KeyRange {
                    partition: interval,
                    ..KeyRange::default()
                },
            })
        }
    }
}

impl KeyRange {
    fn intersect(self, other: Self) -> Self {
        Self {
            partition: self.partition.intersect(other.partition),
            row: self.row.intersect(other.row),
        }
    }

    fn hull(self, other: Self) -> Self {
        Self {
            partition: self.partition.hull(other.partition),
            row: self.row.hull(other.row),
        }
    }
}

impl Interval {
    fn of(comparison: Comparison, key: &str) -> Self {
        let bound = || Some(key.to_owned());
        match comparison {
            Comparison::Equal => Self {
                low: bound(),
                high: bound(),
            },
            Comparison::Less | Comparison::LessOrEqual => Self {
                low: None,
                high: bound(),
            },
            Comparison::Greater | Comparison::GreaterOrEqual => Self {
                low: bound(),
                high: None,
            },
            Comparison::NotEqual => Self::default(),
        }
    }

    fn intersect(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: match (self.high, other.high) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }

    fn hull(self, other: Self) -> Self {
        Self {
            low: self.low.zip(other.low).map(|(one, two)| one.min(two)),
            high: self.high.zip(other.high).map(|(one, two)| one.max(two)),
        }
    }
}

/// Whether a filter asks for no property.
pub(super) fn names_keys_only(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().all(names_keys_only),
        Filter::Compare { property, .. } => {
            matches!(property, Property::PartitionKey | Property::RowKey)
        }
    }
}

/// Whether `filter` holds for `entity`.
pub(super) fn matches(filter: &Filter, entity: &Entity) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|part| matches(part, entity)),
        Filter::Or(any) => any.iter().any(|part| matches(part, entity)),
        Filter::Compare {
            property,
            comparison,
            value,
        } => {
            let order = match property {
                Property::PartitionKey => order_of_text(&entity.key.partition, value),
                Property::RowKey => order_of_text(&entity.key.row, value),
                Property::Named(name) => entity
                    .properties
                    .get(name)
                    .and_then(|present| order(present, value)),
            };
            order.is_some_and(|order| holds(order, *comparison))
        }
    }
}

fn holds(order: Ordering, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

fn order_of_text(present: &str, wanted: &Value) -> Option<Ordering> {
    match wanted {
        Value::String(wanted) => Some(present.cmp(wanted)),
        _ => None,
    }
}

/// How two values of one type stand to each other; values of two types do not.
fn order(present: &Value, wanted: &Value) -> Option<Ordering> {
    match (present, wanted) {
        (Value::String(present), wanted) => order_of_text(present, wanted),
        (Value::I32(present), Value::I32(wanted)) => Some(present.cmp(wanted)),
        (Value::I64(present), Value::I64(wanted)) => Some(present.cmp(wanted)),
        (Value::F64(present), Value::F64(wanted)) => present.partial_cmp(wanted),
        (Value::Bool(present), Value::Bool(wanted)) => Some(present.cmp(wanted)),
        (Value::DateTime(present), Value::DateTime(wanted)) => {
            Some(present.cmp(&codec::cut(*wanted)))
        }
        (Value::Guid(present), Value::Guid(wanted)) => Some(present.cmp(wanted)),
        (Value::Binary(present), Value::Binary(wanted)) => Some(present.cmp(wanted)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(comparison: Comparison, key: &str) -> Filter {
        Filter::compare(
            Property::PartitionKey,
            comparison,
            Value::String(key.to_owned()),
        )
    }

    fn interval(low: Option<&str>, high: Option<&str>) -> Interval {
        Interval {
            low: low.map(str::to_owned),
            high: high.map(str::to_owned),
        }
    }

    fn partitions_of(filter: &Filter) -> Option<Interval> {
        key_range(filter).map(|range| range.partition)
    }

    #[test]
    fn both_sides_of_and_narrow_the_range() {
        let filter = partition(Comparison::Greater, "b").and(partition(Comparison::Less, "d"));
        let filter = filter.and(partition(Comparison::GreaterOrEqual, "a"));
        assert_eq!(partitions_of(&filter), Some(interval(Some("b"), Some("d"))));
    }

    #[test]
    fn or_covers_both_sides() {
        let either = Filter::Or(vec![
            partition(Comparison::Equal, "d"),
            partition(Comparison::Equal, "b"),
        ]);
        assert_eq!(partitions_of(&either), Some(interval(Some("b"), Some("d"))));
        let open = Filter::Or(vec![either, Filter::equal("name", Value::I32(1))]);
        assert_eq!(partitions_of(&open), Some(Interval::default()));
    }

    #[test]
    fn key_of_another_type_and_empty_or_match_nothing() {
        let number = Filter::compare(Property::RowKey, Comparison::NotEqual, Value::I32(1));
        assert_eq!(key_range(&number), None);
        assert_eq!(key_range(&Filter::Or(vec![])), None);
        assert_eq!(
            key_range(&Filter::partition("p").and(Filter::Or(vec![]))),
            None
        );
        assert_eq!(key_range(&Filter::And(vec![])), Some(KeyRange::default()));
    }
}
