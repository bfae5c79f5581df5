//! Labels of backups on the wire.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use crate::input::{Fields, FromFields, Tags};

/// The labels that a backup is to have.
#[derive(Debug)]
pub(crate) struct Labels(pub(crate) Tags);

impl FromFields for Labels {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        fields.required("labels").map(Self)
    }
}

/// The labels that a backup is to have, in place of those that it has.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct LabelsBody {
    /// At most 50, keys of 1–64 and values of at most 256 characters.
    #[schema(example = json!({"release": "2026.1"}))]
    labels: BTreeMap<String, String>,
}
