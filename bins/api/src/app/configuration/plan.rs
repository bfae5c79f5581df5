//! What an import would do: each entry of the document compared with what is there. Nothing is
//! written here.

use std::collections::HashMap;

use dilux_core::error::FieldProblem;
use dilux_core::model::{
    AppSettings, BackupPolicy, Database, DatabaseId, Engine, EngineId, PolicyId,
};
use dilux_core::repository::{Version, Versioned};
use jiff::Timestamp;

use crate::app::{Application, settings};
use crate::caller::Caller;
use crate::wire::configuration::ConfigurationImport;
use crate::wire::settings::SettingsChange;

/// What is there before an import.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) settings: Option<Versioned<AppSettings>>,
    pub(super) policies: Vec<Versioned<BackupPolicy>>,
    pub(super) engines: Vec<Versioned<Engine>>,
    pub(super) databases: Vec<Versioned<Database>>,
}

/// A kind of thing in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportKind {
    /// The settings.
    Settings,
    /// A policy.
    Policy,
    /// An engine.
    Engine,
    /// A database.
    Database,
}

impl ImportKind {
    /// The name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Policy => "policy",
            Self::Engine => "engine",
            Self::Database => "database",
        }
    }
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportAction {
    /// The thing is new.
    Create,
    /// It differs.
    Update,
    /// It is as it shall be.
    Unchanged,
    /// It cannot be brought about.
    Conflict,
}

impl ImportAction {
    /// The name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Unchanged => "unchanged",
            Self::Conflict => "conflict",
        }
    }
}

/// A row before and after. Without one before it is new.
#[derive(Debug)]
pub(super) struct Rewrite<T> {
    pub(super) before: Option<(T, Version)>,
    pub(super) after: T,
}

/// What is to be written for an entry.
#[derive(Debug)]
pub(super) enum Write {
    Settings(Rewrite<AppSettings>),
    Policy(Box<Rewrite<BackupPolicy>>),
    Engine(Box<Rewrite<Engine>>),
    Database(Box<Rewrite<Database>>),
}

/// An entry of the document.
#[derive(Debug)]
pub(crate) struct PlannedItem {
    /// Where it stands in the document.
    place: String,
    /// What it is.
    pub(crate) kind: ImportKind,
    /// Its id here.
    pub(crate) id: String,
    /// Its label.
    pub(crate) name: String,
    /// What becomes of it.
    pub(crate) action: ImportAction,
    /// Fields that an update changes.
    pub(crate) fields: Vec<String>,
    /// What stands against it, by field.
    problems: Vec<FieldProblem>,
    /// Why, where nothing stands against it.
    reason: &'static str,
    /// Whether it cannot sign in afterwards for want of a password.
    pub(crate) needs_password: bool,
    /// What is to be written; `None` when nothing is.
    pub(super) write: Option<Write>,
}

impl PlannedItem {
    /// An entry at this place, of which nothing is known yet.
    pub(super) fn new(kind: ImportKind, place: String, id: &str, name: &str) -> Self {
        Self {
            place,
            kind,
            id: id.to_owned(),
            name: name.to_owned(),
            action: ImportAction::Unchanged,
            fields: Vec::new(),
            problems: Vec::new(),
            reason: "it is so already",
            needs_password: false,
            write: None,
        }
    }

    /// Notes what stands against it.
    pub(super) fn refuse(&mut self, field: &str, reason: impl Into<String>) {
        self.action = ImportAction::Conflict;
        self.write = None;
        self.problems.push(FieldProblem {
            field: field.to_owned(),
            reason: reason.into(),
        });
    }

    /// Decides what becomes of it, unless something stands against it: `fields` differ.
    pub(super) fn decide(&mut self, is_new: bool, fields: Vec<String>, write: Write) {
        if self.action == ImportAction::Conflict {
            return;
        }
        if is_new {
            self.action = ImportAction::Create;
            self.reason = "nothing of its id or its name is there";
            self.write = Some(write);
        } else if !fields.is_empty() {
            self.action = ImportAction::Update;
            self.reason = "it differs in these fields";
            self.fields = fields;
            self.write = Some(write);
        }
    }

    /// Why this becomes of it.
    pub(crate) fn reasons(&self) -> Vec<String> {
        if self.problems.is_empty() {
            return vec![self.reason.to_owned()];
        }
        let problems = self.problems.iter();
        problems
            .map(|problem| format!("{} {}", problem.field, problem.reason))
            .collect()
    }
}

/// What an import does, in this order.
#[derive(Debug)]
pub(crate) struct ImportPlan {
    /// Policies before engines before databases, since they name each other in that direction.
    pub(crate) items: Vec<PlannedItem>,
}

impl ImportPlan {
    /// Compares a document with what is there.
    pub(super) fn new(
        app: &Application,
        import: &ConfigurationImport,
        present: Present,
        (now, caller): (Timestamp, &Caller),
    ) -> Self {
        let mut planner = Planner {
            app,
            present,
            now,
            author: &caller.user_email,
            items: Vec::new(),
            policies: HashMap::new(),
            engines: HashMap::new(),
            databases: HashMap::new(),
        };
        if let Some(change) = &import.settings {
            planner.plan_settings(change);
        }
        planner.plan_policies(&import.policies);
        planner.plan_engines(&import.engines);
        planner.plan_databases(&import.databases);
        Self {
            items: planner.items,
        }
    }

    /// Everything that stands against the import, by where it stands in the document.
    pub(super) fn conflicts(&self) -> Vec<FieldProblem> {
        let items = self.items.iter();
        let problems = items.flat_map(|item| {
            item.problems.iter().map(|problem| FieldProblem {
                field: format!("{}.{}", item.place, problem.field),
                reason: problem.reason.clone(),
            })
        });
        problems.collect()
    }
}

/// A plan in the making. The maps hold what will be there, under the ids of the document.
pub(super) struct Planner<'a> {
    pub(super) app: &'a Application,
    pub(super) present: Present,
    pub(super) now: Timestamp,
    pub(super) author: &'a str,
    pub(super) items: Vec<PlannedItem>,
    pub(super) policies: HashMap<PolicyId, BackupPolicy>,
    pub(super) engines: HashMap<EngineId, Engine>,
    pub(super) databases: HashMap<DatabaseId, Database>,
}

impl Planner<'_> {
    fn plan_settings(&mut self, change: &SettingsChange) {
        let found = self.present.settings.clone();
        let before = found.as_ref().map(|row| row.value.clone());
        let before = before.unwrap_or_default();
        let mut after = change.over(&before);
        let fields = settings::updated_fields(&before, &after);
        after.updated_at = Some(self.now);
        let kind = ImportKind::Settings;
        let mut item = PlannedItem::new(kind, "settings".to_owned(), "app-settings", "Settings");
        let before = found.map(|row| (row.value, row.version));
        item.decide(false, fields, Write::Settings(Rewrite { before, after }));
        self.items.push(item);
    }

    /// The id here of a policy that a document names.
    pub(super) fn policy_here(&self, id: &PolicyId) -> Option<PolicyId> {
        if let Some(policy) = self.policies.get(id) {
            return Some(policy.id.clone());
        }
        let mut present = self.present.policies.iter();
        present.any(|row| row.value.id == *id).then(|| id.clone())
    }
}
