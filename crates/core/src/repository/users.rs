//! Users: table `users`, partition `users`.
//!
//! Beside the people, the partition has a row for each e-mail, one for each subject of the identity
//! provider that is somebody, one that says that there was a first
//! admin, and one that every change counts up which takes an admin away. They are written in one
//! batch with the person, so that no two people share an e-mail or a subject, there is one first admin, and no
//! two changes each take away the last admin but one. Their keys begin with `~`, which no id does,
//! and which sorts behind all ids.

use std::sync::Arc;

use super::api_tokens::read_hash;
use super::collection::{Listing, Version, Versioned, decode, list_rows, versioned};
use super::row::{Row, RowFault, RowReader, RowWriter};
use crate::model::{Email, Invitation, PageSize, PasswordHash, SecretHash, User, UserId};
use crate::storage::{
    Comparison, Condition, Entity, EntityKey, Filter, Property, Query, StorageErrorKind,
    StorageResult, TableName, TableOperation, TableStore, Value,
};

const PARTITION: &str = "users";

/// What the keys begin with that are no ids.
const MARK: &str = "~";

/// Row that says that there was a first admin.
const FIRST: &str = "~first";

/// Row that counts changes that took an admin away.
const DEPARTURES: &str = "~departures";

/// The version of the count of departures; `None` before the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departures(Option<Version>);

/// The users.
#[derive(Debug, Clone)]
pub struct UserRepository {
    tables: Arc<dyn TableStore>,
    table: TableName,
}

impl UserRepository {
    pub(super) fn new(tables: Arc<dyn TableStore>, table: TableName) -> Self {
        Self { tables, table }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    /// Reads one; `None` when there is none.
    pub async fn get(&self, id: &UserId) -> StorageResult<Option<Versioned<User>>> {
        let row = self.tables.get(&self.table, &key(id.as_str())).await?;
        row.map(|row| decode(&row)).transpose()
    }

    /// Reads all, in the order of their ids.
    pub async fn list(&self) -> StorageResult<Listing<Versioned<User>>> {
        let people = Filter::compare(
            Property::RowKey,
            Comparison::Less,
            Value::String(MARK.to_owned()),
        );
        let query = Query {
            filter: Some(Filter::partition(PARTITION).and(people)),
            ..Query::default()
        };
        list_rows(&*self.tables, &self.table, query).await
    }

    /// Reads the one with this e-mail, whatever its case. Rows of the Python product have no row
    /// for their e-mail and are found by looking through all.
    pub async fn with_email(&self, email: &Email) -> StorageResult<Option<Versioned<User>>> {
        let is_them = |user: &Versioned<User>| user.value.email.is_same(email);
        let found = self.tables.get(&self.table, &email_key(email)).await?;
        let id = found.and_then(|row| match row.entity.properties.get("user_id") {
            Some(Value::String(id)) => id.parse().ok(),
            _ => None,
        });
        if let Some(id) = id
            && let Some(user) = self.get(&id).await?.filter(is_them)
        {
            return Ok(Some(user));
        }
        Ok(self.list().await?.items.into_iter().find(is_them))
    }

    /// Reads the one who is this subject of the identity provider. Rows of the Python product have
    /// the subject as their id.
    pub async fn with_subject(&self, subject: &UserId) -> StorageResult<Option<Versioned<User>>> {
        let is_them = |user: &Versioned<User>| {
            let user = &user.value;
            match &user.subject {
                Some(theirs) => theirs == subject,
                None => !user.id.is_pending() && user.id == *subject,
            }
        };
        if let Some(user) = self.get(subject).await?.filter(is_them) {
            return Ok(Some(user));
        }
        let found = self.tables.get(&self.table, &subject_key(subject)).await?;
        let id = found.and_then(|row| match row.entity.properties.get("user_id") {
            Some(Value::String(id)) => id.parse().ok(),
            _ => None,
        });
        match id {
            Some(id) => Ok(self.get(&id).await?.filter(is_them)),
            None => Ok(None),
        }
    }

    /// Creates one; `AlreadyExists` when the id, the e-mail or the subject is taken.
    pub async fn create(&self, user: User) -> StorageResult<Versioned<User>> {
        self.insert(user, Vec::new()).await
    }

    /// Creates the first admin; `AlreadyExists` when there was one. Of N callers exactly one
    /// succeeds.
    pub async fn create_first(&self, user: User) -> StorageResult<Versioned<User>> {
        let mark = Entity::new(key(FIRST)).with("user_id", Value::String(user.id.to_string()));
        self.insert(user, vec![TableOperation::Insert(mark)]).await
    }

    async fn insert(
        &self,
        user: User,
        marks: Vec<TableOperation>,
    ) -> StorageResult<Versioned<User>> {
        let email =
            Entity::new(email_key(&user.email)).with("user_id", Value::String(user.id.to_string()));
        let mut operations = vec![
            TableOperation::Insert(entity(&user)),
            TableOperation::Insert(email),
        ];
        operations.extend(subject_mark(&user));
        operations.extend(marks);
        self.write(user, operations).await
    }

    /// Replaces one, in the version that was read, who has a subject from now on; `AlreadyExists`
    /// when the subject is somebody else by now.
    pub async fn bind(&self, user: User, version: &Version) -> StorageResult<Versioned<User>> {
        let condition = Condition::Matches(version.clone());
        let mut operations = vec![TableOperation::Replace(entity(&user), condition)];
        operations.extend(subject_mark(&user));
        self.write(user, operations).await
    }

    /// Replaces one in the version that was read; `PreconditionFailed` when it is another by now.
    pub async fn replace(&self, user: User, version: &Version) -> StorageResult<Versioned<User>> {
        let condition = Condition::Matches(version.clone());
        let operations = vec![TableOperation::Replace(entity(&user), condition)];
        self.write(user, operations).await
    }

    /// The count of departures, to be read before looking who else is an admin.
    pub async fn departures(&self) -> StorageResult<Departures> {
        let row = self.tables.get(&self.table, &key(DEPARTURES)).await?;
        Ok(Departures(row.map(|row| row.etag)))
    }

    /// Replaces one who thereby ceases to be an admin; fails when somebody else did since
    /// `departures` was read.
    pub async fn replace_departing(
        &self,
        user: User,
        version: &Version,
        departures: &Departures,
    ) -> StorageResult<Versioned<User>> {
        let condition = Condition::Matches(version.clone());
        let operations = vec![
            TableOperation::Replace(entity(&user), condition),
            departures.count(),
        ];
        self.write(user, operations).await
    }

    /// Deletes one in the version that was read; for an admin with `departures`. One that is gone
    /// already counts as deleted.
    pub async fn delete(
        &self,
        user: &Versioned<User>,
        departures: Option<&Departures>,
    ) -> StorageResult<()> {
        let row = key(user.value.id.as_str());
        let condition = Condition::Matches(user.version.clone());
        let mut operations = vec![TableOperation::Delete(row.clone(), condition)];
        let subject = user.value.subject.as_ref().map(subject_key);
        for mark in [email_key(&user.value.email)].into_iter().chain(subject) {
            if let Some(found) = self.tables.get(&self.table, &mark).await?
                && found.entity.properties.get("user_id")
                    == Some(&Value::String(user.value.id.to_string()))
            {
                let condition = Condition::Matches(found.etag);
                operations.push(TableOperation::Delete(mark, condition));
            }
        }
        operations.extend(departures.map(Departures::count));
        match self.tables.write_batch(&self.table, operations).await {
            Ok(_) => Ok(()),
            Err(error) => match self.tables.get(&self.table, &row).await? {
                None => Ok(()),
                Some(_) => Err(error),
            },
        }
    }

    /// Carries out a batch whose first operation writes `user`. A batch whose answer got lost meets
    /// its own effect when it is tried again: then the row holds just what was to be written.
    async fn write(
        &self,
        user: User,
        operations: Vec<TableOperation>,
    ) -> StorageResult<Versioned<User>> {
        let error = match self.tables.write_batch(&self.table, operations).await {
            Ok(versions) => return versioned(user, versions.into_iter().next().flatten()),
            Err(error) => error,
        };
        let is_refusal = matches!(
            error.kind(),
            StorageErrorKind::AlreadyExists
                | StorageErrorKind::PreconditionFailed
                | StorageErrorKind::NotFound
        );
        if is_refusal {
            let wanted = entity(&user);
            let found = self.tables.get(&self.table, &wanted.key).await?;
            if let Some(found) = found.filter(|found| found.entity == wanted) {
                return versioned(user, Some(found.etag));
            }
        }
        Err(error)
    }
}

impl Departures {
    fn count(&self) -> TableOperation {
        let row = Entity::new(key(DEPARTURES));
        match &self.0 {
            None => TableOperation::Insert(row),
            Some(version) => TableOperation::Replace(row, Condition::Matches(version.clone())),
        }
    }
}

fn key(row: &str) -> EntityKey {
    EntityKey::new(PARTITION, row)
}

/// The key of an e-mail's row. Addresses may hold characters that keys may not.
fn email_key(email: &Email) -> EntityKey {
    key(&format!(
        "{MARK}email-{}",
        SecretHash::of(&email.folded()).to_hex()
    ))
}

/// The key of a subject's row.
fn subject_key(subject: &UserId) -> EntityKey {
    key(&format!("{MARK}subject-{subject}"))
}

/// What makes the subject of `user` theirs alone.
fn subject_mark(user: &User) -> Option<TableOperation> {
    let key = subject_key(user.subject.as_ref()?);
    let row = Entity::new(key).with("user_id", Value::String(user.id.to_string()));
    Some(TableOperation::Insert(row))
}

fn entity(user: &User) -> Entity {
    let mut row = RowWriter::new(key(user.id.as_str()));
    user.write(&mut row);
    row.finish()
}

impl Row for User {
    fn row_key(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, row: &mut RowWriter) {
        row.text("email", self.email.as_str());
        row.text("name", self.name.as_str());
        row.text("role", self.role.as_str());
        row.text("grants", self.grants.to_string());
        row.flag("enabled", self.enabled);
        row.flag("dark_mode", self.dark_mode);
        row.small("page_size", self.page_size.get());
        row.optional_text(
            "password_hash",
            self.password.as_ref().map(PasswordHash::as_str),
        );
        if let Some(invitation) = &self.invitation {
            row.text("invitation_hash", invitation.hash.to_hex());
            row.instant("invitation_expires_at", invitation.expires_at);
        }
        row.optional_text("subject", self.subject.as_ref().map(UserId::as_str));
        row.small("epoch", self.epoch);
        row.instant("created_at", self.created_at);
        row.instant("updated_at", self.updated_at);
        row.optional_instant("last_login", self.last_login);
        row.optional_text("created_by", self.created_by.as_deref());
    }

    fn read(row: &RowReader<'_>) -> Result<Self, RowFault> {
        let page_size = row.optional_number("page_size")?;
        Ok(Self {
            id: row.key_parsed()?,
            email: row.parsed("email")?,
            name: row.parsed("name")?,
            role: row.parsed("role")?,
            grants: row.optional_parsed("grants")?.unwrap_or_default(),
            enabled: row.flag("enabled", true)?,
            dark_mode: row.flag("dark_mode", false)?,
            // The Python product did not check it in every version; a preference damages no row.
            page_size: page_size
                .and_then(|size| PageSize::try_from(size).ok())
                .unwrap_or_default(),
            password: row
                .optional_text("password_hash")?
                .map(|text| PasswordHash::new(text.to_owned())),
            invitation: read_invitation(row)?,
            subject: row.optional_parsed("subject")?,
            epoch: row.count("epoch")?,
            created_at: row.instant("created_at")?,
            updated_at: row.instant("updated_at")?,
            last_login: row.optional_instant("last_login")?,
            created_by: row.optional_text("created_by")?.map(str::to_owned),
        })
    }
}

fn read_invitation(row: &RowReader<'_>) -> Result<Option<Invitation>, RowFault> {
    if row.optional_text("invitation_hash")?.is_none() {
        return Ok(None);
    }
    Ok(Some(Invitation {
        hash: read_hash(row, "invitation_hash")?,
        expires_at: row.instant("invitation_expires_at")?,
    }))
}
