//! Who follows a policy.

use std::fmt;

use dilux_core::Result;
use dilux_core::model::{Label, PolicyId, PolicySource};

use crate::app::{Application, effective_policy};

/// Names that a sentence gives before it only counts.
const NAMED: usize = 5;

/// The labels of those that follow a policy, sorted.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// Databases, by themselves or through their engine.
    pub(super) databases: Vec<Label>,
    /// Engines.
    pub(super) engines: Vec<Label>,
}

impl Usage {
    /// Whether nobody does.
    pub(super) fn is_empty(&self) -> bool {
        self.databases.is_empty() && self.engines.is_empty()
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("database", &self.databases), ("engine", &self.engines)];
        let parts: Vec<String> = kinds
            .into_iter()
            .filter(|(_, labels)| !labels.is_empty())
            .map(|(kind, labels)| counted(kind, labels))
            .collect();
        formatter.write_str(&parts.join(" and "))
    }
}

/// `2 database(s) (CRM, Orders)`.
fn counted(kind: &str, labels: &[Label]) -> String {
    let shown = labels.iter().take(NAMED).map(Label::as_str);
    let mut names = shown.collect::<Vec<&str>>().join(", ");
    if let Some(more) = labels.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names = format!("{names} and {more} more");
    }
    format!("{} {kind}(s) ({names})", labels.len())
}

impl Application {
    /// Who follows a policy. A database whose engine is gone counts by its own choice.
    pub(super) async fn usage_of(&self, id: &PolicyId) -> Result<Usage> {
        let engines = self.engines_by_id().await?;
        let databases = self.registered().await?;
        let databases = databases.items.iter().map(|row| &row.value);
        let follows =
            |database: &dilux_core::model::Database| match engines.get(&database.engine_id) {
                Some(engine) => effective_policy(database, engine) == id.as_str(),
                None => database.policy == PolicySource::Own(id.clone()),
            };
        let mut usage = Usage {
            databases: databases
                .filter(|database| follows(database))
                .map(|database| database.label.clone())
                .collect(),
            engines: engines
                .values()
                .filter(|engine| engine.policy_id.as_ref() == Some(id))
                .map(|engine| engine.name.clone())
                .collect(),
        };
        usage.databases.sort();
        usage.engines.sort();
        Ok(usage)
    }
}
