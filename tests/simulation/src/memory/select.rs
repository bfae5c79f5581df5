//! Filters on rows.

use std::cmp::Ordering;

use dilux_core::storage::{Comparison, EntityKey, Filter, Property, Value};

use super::{Properties, cut};

/// The one partition that a filter allows, where it says so plainly.
pub(super) fn partition_of(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::And(all) => all.iter().find_map(partition_of),
        Filter::Compare {
            property: Property::PartitionKey,
            comparison: Comparison::Equal,
            value: Value::String(key),
        } => Some(key),
        _ => None,
    }
}

/// Whether `filter` holds for a row.
pub(super) fn matches(filter: &Filter, key: &EntityKey, properties: &Properties) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|part| matches(part, key, properties)),
        Filter::Or(any) => any.iter().any(|part| matches(part, key, properties)),
        Filter::Compare {
            property,
            comparison,
            value,
        } => {
            let order = match property {
                Property::PartitionKey => order_of_text(&key.partition, value),
                Property::RowKey => order_of_text(&key.row, value),
                Property::Named(name) => properties.get(name).and_then(|found| order(found, value)),
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

fn order_of_text(found: &str, wanted: &Value) -> Option<Ordering> {
    match wanted {
        Value::String(wanted) => Some(found.cmp(wanted)),
        _ => None,
    }
}

/// How two values of one type stand to each other; values of two types do not.
fn order(found: &Value, wanted: &Value) -> Option<Ordering> {
    match (found, wanted) {
        (Value::String(found), wanted) => order_of_text(found, wanted),
        (Value::I32(found), Value::I32(wanted)) => Some(found.cmp(wanted)),
        (Value::I64(found), Value::I64(wanted)) => Some(found.cmp(wanted)),
        (Value::F64(found), Value::F64(wanted)) => found.partial_cmp(wanted),
        (Value::Bool(found), Value::Bool(wanted)) => Some(found.cmp(wanted)),
        (Value::DateTime(found), Value::DateTime(wanted)) => Some(found.cmp(&cut(*wanted))),
        (Value::Guid(found), Value::Guid(wanted)) => Some(found.cmp(wanted)),
        (Value::Binary(found), Value::Binary(wanted)) => Some(found.cmp(wanted)),
        _ => None,
    }
}
