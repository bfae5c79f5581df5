//! Databases of an import. They are found by id, else by their name on the engine, and come without
//! passwords.

use dilux_core::model::{
    AuthMethod, Compression, CredentialSource, Database, Engine, EntraIdentity, PolicySource,
};
use dilux_core::repository::Versioned;
use dilux_core::schedule::DEFAULT_POLICY;

use super::plan::{ImportKind, PlannedItem, Planner, Rewrite, Write};
use crate::app::databases::{differing, dropped_secret};
use crate::wire::configuration::DatabaseEntry;
use crate::wire::database::PolicyChoice;
use crate::wire::sign_in::{identity_problems, keeps_secret, needs_secret};

impl Planner<'_> {
    /// Plans the databases, after the engines.
    pub(super) fn plan_databases(&mut self, entries: &[DatabaseEntry]) {
        for (index, entry) in entries.iter().enumerate() {
            let item = self.plan_database(format!("databases.{index}"), entry);
            self.items.push(item);
        }
    }

    fn plan_database(&mut self, place: String, entry: &DatabaseEntry) -> PlannedItem {
        let (kind, name) = (ImportKind::Database, entry.name.as_str());
        let Some(engine) = self.engine_of(entry) else {
            let mut item = PlannedItem::new(kind, place, entry.id.as_str(), name);
            let reason = format!(
                "there is no engine '{}', here or in the document",
                entry.engine_id
            );
            item.refuse("engine_id", reason);
            return item;
        };
        let found = self.present_database(entry, &engine);
        let before = found.as_ref().map(|row| &row.value);
        let id = before.map_or(&entry.id, |database| &database.id);
        let mut item = PlannedItem::new(kind, place, id.as_str(), name);
        if self.databases.values().any(|planned| planned.id == *id) {
            item.refuse("id", "an earlier entry means the same database");
        }
        if before.is_some_and(|before| before.engine_id != engine.id) {
            item.refuse(
                "engine_id",
                "is on another engine here; move it by PUT /api/databases/{id}, which opens it there \
                 first",
            );
        }
        if let Some(holder) = self.name_holder(entry, &engine, id.as_str()) {
            let reason = format!("is registered on this engine already, as '{holder}'");
            item.refuse("database_name", reason);
        }
        let after = self.database_after(&mut item, before, (entry, &engine));
        item.needs_password = needs_password(&after, &engine);
        self.databases.insert(entry.id.clone(), after.clone());
        let fields = before.map_or_else(Vec::new, |before| differing(before, &after));
        let before = found.map(|row| (row.value, row.version));
        let is_new = before.is_none();
        item.decide(
            is_new,
            fields,
            Write::Database(Box::new(Rewrite { before, after })),
        );
        item
    }

    /// The engine of an entry, as it will be.
    fn engine_of(&self, entry: &DatabaseEntry) -> Option<Engine> {
        let planned = self.engines.get(&entry.engine_id);
        let mut present = self.present.engines.iter().map(|row| &row.value);
        planned
            .or_else(|| present.find(|engine| engine.id == entry.engine_id))
            .cloned()
    }

    fn present_database(
        &self,
        entry: &DatabaseEntry,
        engine: &Engine,
    ) -> Option<Versioned<Database>> {
        let find = |is_it: &dyn Fn(&Database) -> bool| {
            let mut present = self.present.databases.iter();
            present.find(|row| is_it(&row.value)).cloned()
        };
        let is_named = |database: &Database| {
            database.engine_id == engine.id && database.database_name == entry.database_name
        };
        find(&|database| database.id == entry.id).or_else(|| find(&is_named))
    }

    /// The label of the other database that has the name on the engine, as things will be.
    fn name_holder(&self, entry: &DatabaseEntry, engine: &Engine, id: &str) -> Option<String> {
        let planned = self.databases.values();
        let present = self.present.databases.iter().map(|row| &row.value);
        let untouched =
            present.filter(|database| !self.databases.values().any(|it| it.id == database.id));
        planned
            .chain(untouched)
            .find(|other| {
                other.id.as_str() != id
                    && other.engine_id == engine.id
                    && other.database_name == entry.database_name
            })
            .map(|other| other.label.to_string())
    }

    /// The database as it shall be.
    fn database_after(
        &self,
        item: &mut PlannedItem,
        before: Option<&Database>,
        (entry, engine): (&DatabaseEntry, &Engine),
    ) -> Database {
        let base = before.cloned();
        let mut database = base.unwrap_or_else(|| self.empty_database(entry, engine));
        database.label = entry.name.clone();
        database.database_name = entry.database_name.clone();
        database.credentials = credentials(entry, &database.credentials);
        if let CredentialSource::Own {
            auth_method,
            identity,
            ..
        } = &database.credentials
        {
            for (field, reason) in identity_problems(Some(*auth_method), identity) {
                item.refuse(field, reason);
            }
        }
        database.policy = self.policy_source(item, before, entry);
        database.enabled = entry.enabled.unwrap_or(database.enabled);
        database.rpo_minutes = entry.rpo_minutes.clone().over(database.rpo_minutes);
        database.compression = entry.compression.over(database.compression);
        database.destination = entry.destination.clone().over(database.destination);
        if let Some(tags) = &entry.tags {
            database.tags = tags.0.clone();
        }
        if before.is_some_and(|before| dropped_secret(before, &database).is_some()) {
            item.refuse(
                "use_engine_credentials",
                "or another way to sign in would delete the secret that is kept here; change it \
                 by PUT /api/databases/{id} first",
            );
        }
        database.updated_at = self.now;
        database
    }

    fn policy_source(
        &self,
        item: &mut PlannedItem,
        before: Option<&Database>,
        entry: &DatabaseEntry,
    ) -> PolicySource {
        let (id, present) = match (&entry.policy, before) {
            (PolicyChoice::Engine, _) => return PolicySource::Engine,
            (PolicyChoice::Default, Some(before)) => return before.policy.clone(),
            (PolicyChoice::Default, None) => (DEFAULT_POLICY.parse().ok(), DEFAULT_POLICY),
            (PolicyChoice::Own(id), _) => (self.policy_here(id), id.as_str()),
        };
        if let Some(id) = id {
            return PolicySource::Own(id);
        }
        item.refuse("policy_id", format!("there is no policy '{present}'"));
        PolicySource::Engine
    }

    fn empty_database(&self, entry: &DatabaseEntry, engine: &Engine) -> Database {
        let settings = self.present.settings.as_ref();
        let compression = settings.map_or_else(Compression::default, |settings| {
            settings.value.default_compression
        });
        Database {
            id: entry.id.clone(),
            engine_id: engine.id.clone(),
            label: entry.name.clone(),
            database_name: entry.database_name.clone(),
            credentials: CredentialSource::Engine,
            policy: PolicySource::Engine,
            enabled: true,
            rpo_minutes: None,
            compression,
            destination: None,
            tags: std::collections::BTreeMap::new(),
            created_at: self.now,
            updated_at: self.now,
            created_by: Some(self.author.to_owned()),
        }
    }
}

/// How a database signs in that signs in so now.
fn credentials(entry: &DatabaseEntry, present: &CredentialSource) -> CredentialSource {
    if entry.use_engine_credentials {
        return CredentialSource::Engine;
    }
    let nobody = EntraIdentity::default();
    let (method, username, identity, secret) = match present.clone() {
        CredentialSource::Engine => (AuthMethod::UserPassword, None, nobody, None),
        CredentialSource::Own {
            auth_method,
            username,
            identity,
            secret,
        } => (auth_method, username, identity, secret),
    };
    let auth_method = entry.auth_method.unwrap_or(method);
    let named = entry.identity.over(identity.clone(), auth_method == method);
    let keeps = keeps_secret((Some(method), &identity), (Some(auth_method), &named));
    CredentialSource::Own {
        auth_method,
        username: entry.username.clone().or(username),
        identity: named,
        secret: secret.filter(|_| keeps),
    }
}

/// Whether a database cannot sign in for want of a password.
fn needs_password(database: &Database, engine: &Engine) -> bool {
    let (method, identity, secret) = match &database.credentials {
        CredentialSource::Engine => (engine.auth_method, &engine.identity, &engine.secret),
        CredentialSource::Own {
            auth_method,
            identity,
            secret,
            ..
        } => (Some(*auth_method), identity, secret),
    };
    secret.is_none() && needs_secret(method, identity)
}
