//! Policies: list, read, make, change, remove. Who follows one is in `usage`.

mod usage;

use dilux_core::error::FieldProblem;
use dilux_core::model::{
    AuditAction, AuditResourceType, BackupPolicy, Label, PolicyId, Tier, Timing,
};
use dilux_core::repository::{Listing, Versioned};
use dilux_core::storage::StorageErrorKind;
use dilux_core::{Error, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::audit::Event;
use super::{Application, Listed, Page, RACES, too_many_races, write_error};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::wire::page::PageWish;
use crate::wire::policy::{NewPolicy, PolicyChange, PolicySettings};

impl Application {
    /// The policies, those of the product first, then by name.
    pub(crate) async fn list_policies(&self, wish: &PageWish) -> Result<Listed<BackupPolicy>> {
        let Listing { items, damaged } = self.installation.repositories.policies.list().await?;
        let items = items.into_iter().map(|row| row.value).collect();
        let page = Page::cut(
            items,
            &wish.start(),
            wish.limit(),
            |policy: &BackupPolicy| {
                let rank = if policy.is_system { '0' } else { '1' };
                let name = policy.name.as_str().to_lowercase();
                (format!("{rank}{name}"), policy.id.to_string())
            },
        );
        Ok(Listed { page, damaged })
    }

    /// One policy.
    async fn policy(&self, id: &PolicyId) -> Result<Versioned<BackupPolicy>> {
        let found = self.installation.repositories.policies.get(id).await?;
        found.ok_or_else(|| Error::NotFound {
            what: "Policy",
            id: id.to_string(),
        })
    }

    /// One policy, and how many databases follow it, by themselves or through their engine.
    pub(crate) async fn view_policy(
        &self,
        id: &PolicyId,
    ) -> Result<(Versioned<BackupPolicy>, usize)> {
        let policy = self.policy(id).await?;
        let usage = self.usage_of(id).await?;
        Ok((policy, usage.databases.len()))
    }

    /// Makes a policy.
    pub(crate) async fn create_policy(
        &self,
        new: NewPolicy,
        caller: &Caller,
    ) -> Result<Versioned<BackupPolicy>> {
        let turn = self.registration.take().await?;
        let id = PolicyId::of(&new.name, &*self.installation.random);
        if new.id.is_some_and(|sent| sent != id) {
            let reason = "is made of the name by the service; leave it out";
            return Err(Error::invalid("id", reason));
        }
        let policies = &self.installation.repositories.policies;
        if policies.get(&id).await?.is_some() {
            return Err(taken(&id));
        }
        self.require_free_label(&new.name, &id).await?;
        let now = self.installation.clock.now();
        let empty = BackupPolicy {
            id: id.clone(),
            name: new.name,
            description: None,
            is_system: false,
            rules: Vec::new(),
            timing: Timing::default(),
            created_at: now,
            updated_at: now,
        };
        turn.require()?;
        let stored = policies.insert(changed(&empty, &new.settings, now)?).await;
        let stored = stored.map_err(|error| match error.kind() {
            StorageErrorKind::AlreadyExists => taken(&id),
            _ => error.into(),
        })?;
        drop(turn);
        self.record(caller, written(None, &stored.value)).await;
        Ok(stored)
    }

    /// Changes a policy. Its id stays.
    pub(crate) async fn update_policy(
        &self,
        id: &PolicyId,
        change: &PolicyChange,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<Versioned<BackupPolicy>> {
        let turn = self.registration.take().await?;
        let policies = &self.installation.repositories.policies;
        for _ in 0..RACES {
            let present = self.policy(id).await?;
            if_match.check(&present.version)?;
            check_unchangeable(change, &present.value)?;
            let now = self.installation.clock.now();
            let mut policy = changed(&present.value, &change.settings, now)?;
            if let Some(name) = &change.name
                && !is_same_label(name, &present.value.name)
            {
                self.require_free_label(name, id).await?;
            }
            policy.name = change.name.clone().unwrap_or(policy.name);
            turn.require()?;
            let stored = policies.replace(policy, &present.version).await;
            match stored.map_err(write_error) {
                Err(Error::Conflict(_)) if !if_match.is_conditional() => {}
                Err(error) => return Err(error),
                Ok(stored) => {
                    let event = written(Some(&present.value), &stored.value);
                    self.record(caller, event).await;
                    return Ok(stored);
                }
            }
        }
        too_many_races()
    }

    /// Removes a policy that neither came with the product nor is in use.
    pub(crate) async fn delete_policy(
        &self,
        id: &PolicyId,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<()> {
        // Had by everybody who lets a database or an engine follow a policy, from the look at the
        // policy until the row is written.
        let turn = self.registration.take().await?;
        let policy = self.policy(id).await?;
        if_match.check(&policy.version)?;
        if policy.value.is_system {
            return Err(Error::Refused(
                "System policies cannot be deleted".to_owned(),
            ));
        }
        let usage = self.usage_of(id).await?;
        if !usage.is_empty() {
            return Err(Error::Refused(format!(
                "Policy is in use by {usage}. Reassign them first."
            )));
        }
        let policies = &self.installation.repositories.policies;
        turn.require()?;
        let deleted = policies.delete(id, &policy.version).await;
        deleted.map_err(write_error)?;
        drop(turn);
        let details = json!({
            "description": policy.value.description,
            "summary": policy.value.summary(),
            "is_system": policy.value.is_system,
        });
        let event = event(AuditAction::PolicyDeleted, &policy.value, details);
        self.record(caller, event).await;
        Ok(())
    }

    /// Fails when another policy than `id` has the name, whatever its case. The caller has the
    /// turn at registering.
    async fn require_free_label(&self, name: &Label, id: &PolicyId) -> Result<()> {
        let all = self.installation.repositories.policies.list().await?.items;
        let holder = all
            .iter()
            .map(|policy| &policy.value)
            .find(|policy| policy.id != *id && is_same_label(&policy.name, name));
        match holder {
            None => Ok(()),
            Some(holder) => Err(Error::AlreadyExists(format!(
                "The policy '{}' has this name already; choose another one",
                holder.id
            ))),
        }
    }
}

/// Whether two names are the same to people.
pub(super) fn is_same_label(one: &Label, other: &Label) -> bool {
    one.as_str().trim().to_lowercase() == other.as_str().trim().to_lowercase()
}

fn taken(id: &PolicyId) -> Error {
    Error::AlreadyExists(format!("Policy with ID '{id}' already exists"))
}

/// A policy after a change, its name apart.
pub(super) fn changed(
    present: &BackupPolicy,
    settings: &PolicySettings,
    now: Timestamp,
) -> Result<BackupPolicy> {
    let timing = settings.timing(&present.timing);
    Ok(BackupPolicy {
        description: settings.description(present.description.as_deref()),
        rules: settings.rules(&present.rules),
        timing: timing.map_err(|error| Error::invalid("blackouts", error.to_string()))?,
        updated_at: now,
        ..present.clone()
    })
}

/// The id and the origin of a policy stay.
fn check_unchangeable(change: &PolicyChange, present: &BackupPolicy) -> Result<()> {
    let is_other_origin = change
        .is_system
        .is_some_and(|wanted| wanted != present.is_system);
    let problems: Vec<FieldProblem> = [
        (
            "id",
            change.id.as_ref().is_some_and(|id| *id != present.id),
            "cannot be changed; make another policy instead",
        ),
        ("is_system", is_other_origin, "cannot be changed"),
    ]
    .into_iter()
    .filter(|(_, is_changed, _)| *is_changed)
    .map(|(field, _, reason)| FieldProblem {
        field: field.to_owned(),
        reason: reason.to_owned(),
    })
    .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}

/// Names of the fields that differ.
pub(super) fn updated_fields(before: &BackupPolicy, after: &BackupPolicy) -> Vec<&'static str> {
    let (old, new) = (&before.timing, &after.timing);
    let tiers = Tier::ALL.map(|tier| (tier.as_str(), before.rule(tier) != after.rule(tier)));
    [
        ("name", before.name != after.name),
        ("description", before.description != after.description),
    ]
    .into_iter()
    .chain(tiers)
    .chain([
        ("time_zone", old.zone() != new.zone()),
        ("blackouts", old.blackouts() != new.blackouts()),
        ("jitter_minutes", old.jitter() != new.jitter()),
        ("catch_up_hours", old.catch_up() != new.catch_up()),
    ])
    .filter_map(|(name, is_changed)| is_changed.then_some(name))
    .collect()
}

/// What the audit log says of a policy that was made, or changed from what it was before.
pub(super) fn written(before: Option<&BackupPolicy>, after: &BackupPolicy) -> Event {
    let (action, details) = match before {
        None => (
            AuditAction::PolicyCreated,
            json!({ "description": after.description, "summary": after.summary() }),
        ),
        Some(before) => (
            AuditAction::PolicyUpdated,
            json!({
                "updated_fields": updated_fields(before, after),
                "summary": after.summary(),
            }),
        ),
    };
    event(action, after, details)
}

fn event(action: AuditAction, policy: &BackupPolicy, details: Value) -> Event {
    Event {
        action,
        resource_type: AuditResourceType::Policy,
        resource_id: policy.id.to_string(),
        resource_name: policy.name.to_string(),
        details,
        failure: None,
    }
}
