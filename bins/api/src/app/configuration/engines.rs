//! Engines of an import. They are found by id, else by address, and come without passwords.

use dilux_core::Error;
use dilux_core::model::{Engine, EntraIdentity, TlsMode};
use dilux_core::repository::Versioned;

use super::plan::{ImportKind, PlannedItem, Planner, Rewrite, Write};
use crate::app::engines::{EngineAddress, is_discoverable};
use crate::input::Patch;
use crate::wire::configuration::EngineEntry;
use crate::wire::sign_in::{identity_problems, keeps_secret, needs_secret};

/// What to do where a kept secret stands in the way.
const KEEPS_SECRET: &str = "would delete the secret that is kept here; change it by PUT \
                            /api/engines/{id} first";

impl Planner<'_> {
    /// Plans the engines, after the policies.
    pub(super) fn plan_engines(&mut self, entries: &[EngineEntry]) {
        for (index, entry) in entries.iter().enumerate() {
            let item = self.plan_engine(format!("engines.{index}"), entry);
            self.items.push(item);
        }
    }

    fn plan_engine(&mut self, place: String, entry: &EngineEntry) -> PlannedItem {
        let address = EngineAddress::new(entry.engine_type, &entry.host, entry.port);
        let found = self.present_engine(entry, &address);
        let before = found.as_ref().map(|row| &row.value);
        let id = before.map_or(&entry.id, |engine| &engine.id);
        let mut item =
            PlannedItem::new(ImportKind::Engine, place, id.as_str(), entry.name.as_str());
        let earlier = |is_it: &dyn Fn(&Engine) -> bool| self.engines.values().any(is_it);
        if earlier(&|engine| engine.id == *id || EngineAddress::of(engine) == address) {
            item.refuse("id", "an earlier entry means the same engine");
        }
        match before {
            Some(before) if EngineAddress::of(before) != address => item.refuse(
                "host",
                "is at another address here, and stored credentials go nowhere else; move it by \
                 PUT /api/engines/{id}/credentials",
            ),
            Some(_) => {}
            None => {
                if let Err(Error::Invalid(problems)) = self.app.require_allowed_host(&entry.host) {
                    for problem in problems {
                        item.refuse(&problem.field, problem.reason);
                    }
                }
            }
        }
        let after = self.engine_after(&mut item, before, entry);
        item.needs_password =
            after.secret.is_none() && needs_secret(after.auth_method, &after.identity);
        self.engines.insert(entry.id.clone(), after.clone());
        let fields = before.map_or_else(Vec::new, |before| differing(before, &after));
        let before = found.map(|row| (row.value, row.version));
        let is_new = before.is_none();
        item.decide(
            is_new,
            fields,
            Write::Engine(Box::new(Rewrite { before, after })),
        );
        item
    }

    fn present_engine(
        &self,
        entry: &EngineEntry,
        address: &EngineAddress,
    ) -> Option<Versioned<Engine>> {
        let find = |is_it: &dyn Fn(&Engine) -> bool| {
            let mut present = self.present.engines.iter();
            present.find(|row| is_it(&row.value)).cloned()
        };
        find(&|engine| engine.id == entry.id)
            .or_else(|| find(&|engine| EngineAddress::of(engine) == *address))
    }

    /// The engine as it shall be.
    fn engine_after(
        &self,
        item: &mut PlannedItem,
        before: Option<&Engine>,
        entry: &EngineEntry,
    ) -> Engine {
        let mut engine = before.cloned().unwrap_or_else(|| self.empty_engine(entry));
        engine.name = entry.name.clone();
        engine.tls_mode = entry.tls_mode.unwrap_or(engine.tls_mode);
        engine.auth_method = entry.auth_method.or(engine.auth_method);
        engine.username = entry.username.clone().or(engine.username);
        engine.max_jobs = entry.max_jobs.clone().over(engine.max_jobs);
        engine.policy_id = match &entry.policy_id {
            Patch::Keep => engine.policy_id,
            Patch::Clear => None,
            Patch::Set(id) => {
                let here = self.policy_here(id);
                if here.is_none() {
                    item.refuse("policy_id", format!("there is no policy '{id}'"));
                }
                here
            }
        };
        identify(item, &mut engine, entry, before);
        engine.discovery_enabled = is_discoverable(&engine);
        engine.updated_at = self.now;
        engine
    }

    fn empty_engine(&self, entry: &EngineEntry) -> Engine {
        Engine {
            id: entry.id.clone(),
            name: entry.name.clone(),
            engine_type: entry.engine_type,
            host: entry.host.clone(),
            port: entry.port,
            tls_mode: TlsMode::default(),
            auth_method: None,
            username: None,
            identity: EntraIdentity::default(),
            secret: None,
            policy_id: None,
            max_jobs: None,
            discovery_enabled: false,
            last_discovery: None,
            created_at: self.now,
            updated_at: self.now,
            created_by: Some(self.author.to_owned()),
        }
    }
}

/// Says who signs in, and refuses what would part a kept secret from its owner.
fn identify(
    item: &mut PlannedItem,
    engine: &mut Engine,
    entry: &EngineEntry,
    before: Option<&Engine>,
) {
    let method = before.and_then(|engine| engine.auth_method);
    let present = engine.identity.clone();
    let is_same_method = engine.auth_method == method;
    engine.identity = entry.identity.over(present.clone(), is_same_method);
    for (field, reason) in identity_problems(engine.auth_method, &engine.identity) {
        item.refuse(field, reason);
    }
    let after = (engine.auth_method, &engine.identity);
    if engine.secret.is_some() && !keeps_secret((method, &present), after) {
        let field = if is_same_method {
            "client_id"
        } else {
            "auth_method"
        };
        item.refuse(field, KEEPS_SECRET);
    }
}

/// Names of the fields that differ.
pub(super) fn differing(before: &Engine, after: &Engine) -> Vec<String> {
    [
        ("name", before.name != after.name),
        ("tls_mode", before.tls_mode != after.tls_mode),
        ("auth_method", before.auth_method != after.auth_method),
        ("username", before.username != after.username),
        (
            "tenant_id",
            before.identity.tenant_id != after.identity.tenant_id,
        ),
        (
            "client_id",
            before.identity.client_id != after.identity.client_id,
        ),
        ("policy_id", before.policy_id != after.policy_id),
        ("max_jobs", before.max_jobs != after.max_jobs),
    ]
    .into_iter()
    .filter(|(_, is_other)| *is_other)
    .map(|(name, _)| name.to_owned())
    .collect()
}
