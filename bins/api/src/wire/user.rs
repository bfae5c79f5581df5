//! People on the wire.

mod sign_in;

use dilux_core::accounts::{NewUser, Preferences, UserChange};
use dilux_core::model::{self, Grant, PageSize, Role};
use dilux_core::secret::SecretValue;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(crate) use sign_in::{
    AcceptedInvitation, AuthEvent, FirstAdmin, PasswordChange, SignIn, SignedIn, Success,
};

use super::Damaged;
use crate::app::{Position, Start, UserPage};
use crate::caller::Caller;
use crate::input::{Fields, Filters, FromFields, FromQuery};

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    /// Id.
    id: String,
    /// E-mail, unique whatever its case.
    #[schema(example = "ann@example.com")]
    email: String,
    /// Name.
    name: String,
    /// `viewer`, `operator` or `admin`.
    #[schema(example = "operator")]
    role: &'static str,
    /// What they may do beside, as an operator: `data`, `deletion`.
    grants: Vec<&'static str>,
    /// Whether they may sign in.
    enabled: bool,
    /// Whether they were invited and have not come yet.
    is_pending: bool,
    /// Preferred look.
    dark_mode: bool,
    /// Preferred rows a page.
    page_size: u32,
    /// Creation.
    created_at: String,
    /// Last change.
    updated_at: String,
    /// Last sign-in.
    last_login: Option<String>,
    /// Id of who created them.
    created_by: Option<String>,
}

impl From<&model::User> for User {
    fn from(user: &model::User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.to_string(),
            name: user.name.to_string(),
            role: user.role.as_str(),
            grants: user.grants.iter().map(Grant::as_str).collect(),
            enabled: user.enabled,
            is_pending: user.password.is_none() && user.last_login.is_none(),
            dark_mode: user.dark_mode,
            page_size: user.page_size.get(),
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
            last_login: user.last_login.map(|at| at.to_string()),
            created_by: user.created_by.clone(),
        }
    }
}

impl User {
    /// A caller who is no person, in the shape of one.
    pub(crate) fn of_program(caller: &Caller, now: &str) -> Self {
        Self {
            id: caller.user_id.clone(),
            email: caller.user_email.clone(),
            name: caller.user_email.clone(),
            role: caller.rights.as_str(),
            grants: caller.rights.grants().iter().map(Grant::as_str).collect(),
            enabled: true,
            is_pending: false,
            dark_mode: false,
            page_size: PageSize::default().get(),
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
            last_login: None,
            created_by: None,
        }
    }
}

/// Oneself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// Who calls.
    pub(crate) user: User,
    /// Whether nobody was registered yet.
    pub(crate) is_first_run: bool,
}

/// One person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneUser {
    /// The person.
    pub(crate) user: User,
}

/// A person who was registered or changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserSaved {
    /// What was done.
    pub(crate) message: String,
    /// The person.
    pub(crate) user: User,
}

/// A person who was invited.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserInvited {
    /// What was done.
    message: String,
    /// The person.
    user: User,
    /// What they need to choose a password, once, within seven days. Shown this once.
    invitation: String,
}

impl UserInvited {
    /// The answer that shows the invitation.
    pub(crate) fn new(user: &model::User, text: &SecretValue) -> Self {
        Self {
            message: "User created. They choose a password with the invitation.".to_owned(),
            user: User::from(user),
            invitation: text.expose().to_owned(),
        }
    }
}

/// A page of people, by e-mail.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserList {
    /// The people.
    users: Vec<User>,
    /// People in this answer.
    count: usize,
    /// People that match, on all pages.
    total_count: usize,
    /// As asked; `null` when a cursor was sent.
    page: Option<usize>,
    /// As asked.
    page_size: usize,
    /// Whether more follow.
    has_more: bool,
    /// Where the next page starts; `null` on the last one.
    next_cursor: Option<String>,
    /// Requests for access that nobody has decided.
    pending_requests_count: usize,
    /// Rows that cannot be read.
    damaged: Vec<Damaged>,
}

impl UserList {
    /// The answer to `filter`.
    pub(crate) fn new(found: &UserPage, filter: &UserFilter) -> Self {
        Self {
            users: found.page.items.iter().map(User::from).collect(),
            count: found.page.items.len(),
            total_count: found.page.total,
            page: filter.cursor.is_none().then_some(filter.page),
            page_size: filter.page_size,
            has_more: found.page.next.is_some(),
            next_cursor: found.page.next.as_ref().map(Position::to_string),
            pending_requests_count: found.pending_requests,
            damaged: found.damaged.iter().map(Damaged::from).collect(),
        }
    }
}

/// Which people to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserFilter {
    /// Which page, from 1; or `cursor` instead.
    #[param(value_type = Option<u64>, minimum = 1)]
    page: usize,
    /// Where the page starts: `next_cursor` of an earlier one.
    #[param(value_type = Option<String>)]
    cursor: Option<Position>,
    /// People a page, 1–1000; 50 when absent.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    pub(crate) page_size: usize,
    /// Text in e-mail or name, whatever its case.
    search: Option<String>,
    /// `active` or `disabled`.
    #[param(value_type = Option<String>)]
    status: Option<bool>,
}

impl FromQuery for UserFilter {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let page = filters.number("page", 1..=u64::from(u32::MAX));
        let page_size = filters.number("page_size", 1..=1000);
        let status = match filters.text("status") {
            None => None,
            Some("active") => Some(true),
            Some("disabled") => Some(false),
            Some(_) => {
                filters.problem("status", "must be one of active, disabled");
                None
            }
        };
        Some(Self {
            page: usize::try_from(page.unwrap_or(1)).ok()?,
            cursor: filters.parsed("cursor"),
            page_size: usize::try_from(page_size.unwrap_or(50)).ok()?,
            search: filters.text("search").map(str::to_lowercase),
            status,
        })
    }
}

impl UserFilter {
    /// Where the page starts.
    pub(crate) fn start(&self) -> Start {
        let skipped = (self.page - 1).saturating_mul(self.page_size);
        let cursor = self.cursor.clone();
        cursor.map_or(Start::Offset(skipped), Start::After)
    }

    /// Whether somebody is to be listed.
    pub(crate) fn matches(&self, user: &model::User) -> bool {
        let is_found = self.search.as_ref().is_none_or(|text| {
            user.email.folded().contains(text) || user.name.as_str().to_lowercase().contains(text)
        });
        is_found && self.status.is_none_or(|enabled| user.enabled == enabled)
    }
}

/// Somebody to be invited.
#[derive(ToSchema)]
#[schema(as = NewUser)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct NewUserBody {
    /// E-mail.
    #[schema(example = "ann@example.com")]
    email: String,
    /// Name; what stands before the `@` when absent.
    name: Option<String>,
    /// `viewer` (when absent), `operator` or `admin`.
    role: Option<String>,
    /// What they may do beside, as an operator: `data`, `deletion`.
    grants: Option<Vec<String>>,
}

impl FromFields for NewUser {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let email = fields.required("email");
        let name = fields.optional("name");
        let role = fields.optional("role").unwrap_or(Role::Viewer);
        let grants: Vec<Grant> = fields.values("grants");
        Some(Self {
            email: email?,
            name,
            role,
            grants: grants.into_iter().collect(),
        })
    }
}

/// A change of somebody; absent fields stay as they are.
#[derive(ToSchema)]
#[schema(as = UserChange)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct UserChangeBody {
    /// Name.
    name: Option<String>,
    /// `viewer`, `operator` or `admin`.
    role: Option<String>,
    /// All that they may do beside, as an operator: `data`, `deletion`.
    grants: Option<Vec<String>>,
    /// Whether they may sign in.
    enabled: Option<bool>,
}

impl FromFields for UserChange {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let grants: Vec<Grant> = fields.values("grants");
        Some(Self {
            name: fields.changed("name"),
            role: fields.changed("role"),
            grants: fields.has("grants").then(|| grants.into_iter().collect()),
            enabled: fields.changed("enabled"),
        })
    }
}

/// Own preferences; absent fields stay as they are.
#[derive(ToSchema)]
#[schema(as = Preferences)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct PreferencesBody {
    /// Look.
    dark_mode: Option<bool>,
    /// Rows a page, 10–100.
    #[schema(minimum = 10, maximum = 100)]
    page_size: Option<u32>,
}

impl FromFields for Preferences {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            dark_mode: fields.changed("dark_mode"),
            page_size: fields.changed("page_size"),
        })
    }
}
