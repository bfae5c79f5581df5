//! What an import of a configuration would do, or did.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{ImportAction, ImportPlan, PlannedItem};

/// What an import would do, or did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigurationImported {
    /// Whether it was only looked.
    dry_run: bool,
    /// Things that are new.
    created: usize,
    /// Things that differ.
    updated: usize,
    /// Things that are as they shall be.
    unchanged: usize,
    /// Things that an import cannot bring about; while there is one nothing is imported.
    conflicts: usize,
    /// Each entry of the document, in the order in which it is carried out.
    items: Vec<ImportedItem>,
}

/// An entry of the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportedItem {
    /// `settings`, `policy`, `engine` or `database`.
    #[schema(example = "engine")]
    kind: &'static str,
    /// Its id here. It differs from that of the document where the thing was found by its name.
    id: String,
    /// Its label.
    name: String,
    /// `create`, `update`, `unchanged` or `conflict`.
    #[schema(example = "create")]
    action: &'static str,
    /// Fields that an update changes.
    fields: Vec<String>,
    /// Why.
    reasons: Vec<String>,
    /// Whether it cannot sign in afterwards until somebody sets a password.
    needs_password: bool,
}

impl From<&PlannedItem> for ImportedItem {
    fn from(item: &PlannedItem) -> Self {
        Self {
            kind: item.kind.as_str(),
            id: item.id.clone(),
            name: item.name.clone(),
            action: item.action.as_str(),
            fields: item.fields.clone(),
            reasons: item.reasons(),
            needs_password: item.needs_password,
        }
    }
}

impl ConfigurationImported {
    /// The answer to a plan that was carried out, or only made.
    pub(crate) fn new(plan: &ImportPlan, dry_run: bool) -> Self {
        let count = |action| {
            let items = plan.items.iter();
            items.filter(|item| item.action == action).count()
        };
        Self {
            dry_run,
            created: count(ImportAction::Create),
            updated: count(ImportAction::Update),
            unchanged: count(ImportAction::Unchanged),
            conflicts: count(ImportAction::Conflict),
            items: plan.items.iter().map(ImportedItem::from).collect(),
        }
    }
}
