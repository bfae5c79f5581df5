//! Changes of people and their removal. An admin who can sign in always remains.

use super::{Accounts, Preferences, RACES, UserChange, is_lost_race, too_many_races};
use crate::error::{Error, Result};
use crate::model::{User, UserId};
use crate::repository::{Version, Versioned};

impl Accounts {
    /// Sets own preferences.
    pub async fn prefer(
        &self,
        id: &UserId,
        wished: Preferences,
        accepts: &(dyn Fn(&Version) -> Result<()> + Sync),
    ) -> Result<Versioned<User>> {
        let (_, user) = self
            .edit(id, accepts, &|user| {
                user.dark_mode = wished.dark_mode.unwrap_or(user.dark_mode);
                user.page_size = wished.page_size.unwrap_or(user.page_size);
                Ok(())
            })
            .await?;
        Ok(user)
    }

    /// Changes somebody whose version `accepts` takes. Another role, other grants or being disabled
    /// ends their sessions in the same write. Answers them before and after.
    pub async fn change(
        &self,
        id: &UserId,
        change: &UserChange,
        accepts: &(dyn Fn(&Version) -> Result<()> + Sync),
    ) -> Result<(User, Versioned<User>)> {
        self.edit(id, accepts, &|user| {
            let before = (user.role, user.grants, user.enabled);
            if let Some(name) = &change.name {
                user.name = name.clone();
            }
            user.role = change.role.unwrap_or(user.role);
            user.grants = change.grants.unwrap_or(user.grants);
            user.enabled = change.enabled.unwrap_or(user.enabled);
            if before != (user.role, user.grants, user.enabled) {
                user.epoch += 1;
            }
            Ok(())
        })
        .await
    }

    /// Removes somebody whose version `accepts` takes; their sessions end with them.
    pub async fn remove(
        &self,
        id: &UserId,
        accepts: &(dyn Fn(&Version) -> Result<()> + Sync),
    ) -> Result<User> {
        for _ in 0..RACES {
            let departures = self.users().departures().await?;
            let present = self.user(id).await?;
            accepts(&present.version)?;
            let is_admin = present.value.is_acting_admin();
            if is_admin {
                self.require_another_admin(id).await?;
            }
            let departures = is_admin.then_some(&departures);
            match self.users().delete(&present, departures).await {
                Ok(()) => return Ok(present.value),
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        too_many_races()
    }

    /// Applies `apply` to somebody as they are when it is written.
    pub(super) async fn edit(
        &self,
        id: &UserId,
        accepts: &(dyn Fn(&Version) -> Result<()> + Sync),
        apply: &(dyn Fn(&mut User) -> Result<()> + Sync),
    ) -> Result<(User, Versioned<User>)> {
        for _ in 0..RACES {
            // Read before anybody is looked at: whoever departs later makes the write fail.
            let departures = self.users().departures().await?;
            let present = self.user(id).await?;
            accepts(&present.version)?;
            let mut changed = present.value.clone();
            apply(&mut changed)?;
            if changed == present.value {
                return Ok((present.value.clone(), present));
            }
            changed.updated_at = self.now();
            let departs = present.value.is_acting_admin() && !changed.is_acting_admin();
            let outcome = if departs {
                self.require_another_admin(id).await?;
                let users = self.users();
                users
                    .replace_departing(changed, &present.version, &departures)
                    .await
            } else {
                self.users().replace(changed, &present.version).await
            };
            match outcome {
                Ok(stored) => return Ok((present.value, stored)),
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        too_many_races()
    }

    async fn require_another_admin(&self, id: &UserId) -> Result<()> {
        let all = self.users().list().await?.items;
        let is_another = |user: &Versioned<User>| user.value.id != *id;
        if all
            .iter()
            .any(|user| is_another(user) && user.value.is_acting_admin())
        {
            Ok(())
        } else {
            Err(Error::Refused(
                "this is the last admin who can sign in; make somebody else an admin first"
                    .to_owned(),
            ))
        }
    }
}
