//! Policies of an import. They are found by id, else by name.

use dilux_core::Error;
use dilux_core::model::{BackupPolicy, Timing};
use dilux_core::repository::Versioned;

use super::plan::{ImportKind, PlannedItem, Planner, Rewrite, Write};
use crate::app::policies::{changed, is_same_label, updated_fields};
use crate::wire::configuration::PolicyEntry;

impl Planner<'_> {
    /// Plans the policies.
    pub(super) fn plan_policies(&mut self, entries: &[PolicyEntry]) {
        for (index, entry) in entries.iter().enumerate() {
            let item = self.plan_policy(format!("policies.{index}"), entry);
            self.items.push(item);
        }
    }

    fn plan_policy(&mut self, place: String, entry: &PolicyEntry) -> PlannedItem {
        let found = self.present_policy(entry);
        let id = found.as_ref().map_or(&entry.id, |row| &row.value.id);
        let mut item =
            PlannedItem::new(ImportKind::Policy, place, id.as_str(), entry.name.as_str());
        if self.policies.values().any(|planned| planned.id == *id) {
            item.refuse("id", "an earlier entry means the same policy");
        }
        if let Some(holder) = self.holder_of(entry, id) {
            let reason = format!("is the name of the policy '{holder}' already");
            item.refuse("name", reason);
        }
        let before = found.as_ref().map(|row| &row.value);
        match before {
            Some(before) if before.is_system != entry.is_system => {
                item.refuse("is_system", "cannot be changed");
            }
            None if entry.is_system => {
                item.refuse("is_system", "is true of the product's own policies only");
            }
            _ => {}
        }
        let base = before.cloned().unwrap_or_else(|| self.empty_policy(entry));
        match changed(&base, &entry.settings, self.now) {
            Ok(mut after) => {
                after.name = entry.name.clone();
                self.policies.insert(entry.id.clone(), after.clone());
                let fields = updated_fields(&base, &after);
                let fields = fields.into_iter().map(str::to_owned).collect();
                let before = found.map(|row| (row.value, row.version));
                let is_new = before.is_none();
                let rewrite = Box::new(Rewrite { before, after });
                item.decide(is_new, fields, Write::Policy(rewrite));
            }
            Err(Error::Invalid(problems)) => {
                for problem in problems {
                    item.refuse(&problem.field, problem.reason);
                }
            }
            Err(error) => item.refuse("id", error.to_string()),
        }
        item
    }

    fn present_policy(&self, entry: &PolicyEntry) -> Option<Versioned<BackupPolicy>> {
        let find = |is_it: &dyn Fn(&BackupPolicy) -> bool| {
            let mut present = self.present.policies.iter();
            present.find(|row| is_it(&row.value)).cloned()
        };
        find(&|policy| policy.id == entry.id)
            .or_else(|| find(&|policy| is_same_label(&policy.name, &entry.name)))
    }

    /// The other policy that has the name, as things will be.
    fn holder_of(&self, entry: &PolicyEntry, id: &dilux_core::model::PolicyId) -> Option<String> {
        let planned = self.policies.values();
        let present = self.present.policies.iter().map(|row| &row.value);
        let untouched =
            present.filter(|policy| !self.policies.values().any(|it| it.id == policy.id));
        planned
            .chain(untouched)
            .find(|policy| policy.id != *id && is_same_label(&policy.name, &entry.name))
            .map(|policy| policy.id.to_string())
    }

    fn empty_policy(&self, entry: &PolicyEntry) -> BackupPolicy {
        BackupPolicy {
            id: entry.id.clone(),
            name: entry.name.clone(),
            description: None,
            is_system: false,
            rules: Vec::new(),
            timing: Timing::default(),
            created_at: self.now,
            updated_at: self.now,
        }
    }
}
