//! Users: accounts of people in one tenant.
//!
//! A password is only ever a hash here; whoever verified one outside names the credential revision it
//! was verified against, and `apply` answers `Stale` if that moved. Deletion is soft: invisible to
//! authentication, its names released.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    codec::Persisted,
    id::{RoleId, TenantId, UserId},
    name,
    outcome::{Outcome, Rejection, Stop},
    principal::Principal,
    secret::PasswordHash,
    table::{Record, TablesMut},
    tenants,
};

/// Unique index over canonical user names.
pub const BY_USERNAME: u8 = 1;
/// List by lower-case e-mail address.
pub const BY_EMAIL: u8 = 2;
/// List of users that hold a role, by role id.
pub const BY_ROLE: u8 = 3;

/// Reading users.
pub const READ: Permission = Permission::read("users");
/// Changing users.
pub const WRITE: Permission = Permission::write("users");

/// Standard claims a user may carry besides name parts (OIDC Core §5.1), all texts.
pub const PROFILE_CLAIMS: &[&str] = &[
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
];

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id, also the public subject.
    pub id: UserId,
    /// One more with every write.
    pub revision: u64,
    /// Canonical user name.
    pub username: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether it was shown to be theirs.
    pub email_verified: bool,
    /// Whether the phone number was shown to be theirs.
    pub phone_number_verified: bool,
    /// Standard claims by name, out of [`PROFILE_CLAIMS`].
    pub profile: BTreeMap<String, String>,
    /// Postal address members (OIDC Core §5.1.1).
    pub address: BTreeMap<String, String>,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// Roles.
    pub roles: BTreeSet<RoleId>,
    /// Hash of the password, if it has one.
    pub password: Option<PasswordHash>,
    /// One more with every change of a credential.
    pub credential_revision: u64,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
}

impl User {
    /// An enabled account without credentials.
    pub fn new(id: UserId, username: String, now_ms: u64) -> Self {
        Self {
            id,
            revision: 0,
            username,
            email: None,
            email_verified: false,
            phone_number_verified: false,
            profile: BTreeMap::new(),
            address: BTreeMap::new(),
            enabled: true,
            deleted_at_ms: None,
            roles: BTreeSet::new(),
            password: None,
            credential_revision: 1,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        }
    }

    /// Whether it may sign in and be issued to.
    pub const fn live(&self) -> bool {
        self.enabled && self.deleted_at_ms.is_none()
    }
}

impl Persisted for User {
    const KIND: [u8; 2] = *b"us";
}

impl Record for User {
    fn key(&self) -> [u8; 16] {
        self.id.bytes()
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }
}

/// What an administrator gives of a user; create and update share it and its checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Canonical user name.
    pub username: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether it was shown to be theirs.
    pub email_verified: bool,
    /// Whether the phone number was shown to be theirs.
    pub phone_number_verified: bool,
    /// Standard claims by name.
    pub profile: BTreeMap<String, String>,
    /// Postal address members.
    pub address: BTreeMap<String, String>,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Roles.
    pub roles: BTreeSet<RoleId>,
}

impl Settings {
    /// Every rule about a user's fields.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        name::username("/username", &self.username)?;
        if let Some(email) = &self.email {
            name::email("/email", email)?;
        }
        for (claim, value) in &self.profile {
            let field = format!("/profile/{claim}");
            if !PROFILE_CLAIMS.contains(&claim.as_str()) {
                return Err(Rejection::invalid(field, "is not a standard claim"));
            }
            name::text(&field, value)?;
        }
        const ADDRESS: &[&str] =
            &["formatted", "street_address", "locality", "region", "postal_code", "country"];
        for (member, value) in &self.address {
            let field = format!("/address/{member}");
            if !ADDRESS.contains(&member.as_str()) {
                return Err(Rejection::invalid(field, "is not a member of an address"));
            }
            name::text(&field, value)?;
        }
        if self.roles.iter().any(|role| *role != RoleId::ADMINISTRATOR) {
            return Err(Rejection::invalid("/roles", "names a role that does not exist"));
        }
        Ok(())
    }
}

/// Changes of users. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes an account.
    Create {
        /// Its id.
        id: UserId,
        /// Its fields.
        settings: Settings,
        /// Hash of its password, if it gets one.
        password: Option<PasswordHash>,
    },
    /// Changes an account.
    Update {
        /// Which.
        id: UserId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
        /// A new password's hash; none leaves the old one.
        password: Option<PasswordHash>,
    },
    /// Deletes an account, softly.
    Delete {
        /// Which.
        id: UserId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "users.create",
            Self::Update { .. } => "users.update",
            Self::Delete { .. } => "users.delete",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Create { id, settings, password } => {
                at.target(User::TABLE, id.bytes());
                at.require(WRITE)?;
                let mut user = User::new(*id, settings.username.clone(), at.now_ms);
                adopt(at, &mut user, settings)?;
                user.password.clone_from(password);
                insert(at, user)
            }
            Self::Update { id, expected, settings, password } => {
                let user = find(at, *id, *expected)?;
                replace(at, &user, settings, password.as_ref())
            }
            Self::Delete { id, expected } => {
                let user = find(at, *id, *expected)?;
                delete(at, &user)
            }
        }
    }
}

/// Writes a new account and its index rows.
pub(crate) fn insert<T: TablesMut>(at: &mut Applying<'_, T>, user: User) -> Result<Outcome, Stop> {
    let id = user.id.bytes();
    at.claim(User::TABLE, BY_USERNAME, &user.username, id, "username")?;
    index(at, &user, true);
    at.create(user)
}

fn index<T: TablesMut>(at: &mut Applying<'_, T>, user: &User, listed: bool) {
    let id = user.id.bytes();
    let mut entry = |index: u8, text: &str| {
        if listed {
            at.list(User::TABLE, index, text, id);
        } else {
            at.unlist(User::TABLE, index, text, id);
        }
    };
    if let Some(email) = &user.email {
        entry(BY_EMAIL, &email.to_ascii_lowercase());
    }
    for role in &user.roles {
        entry(BY_ROLE, &role.to_string());
    }
}

/// Checks and takes over settings.
fn adopt<T: TablesMut>(
    at: &Applying<'_, T>,
    user: &mut User,
    settings: &Settings,
) -> Result<(), Stop> {
    settings.check()?;
    let gains: Vec<_> = settings.roles.difference(&user.roles).copied().collect();
    if !gains.is_empty() {
        may_grant(at, at.tenant)?;
    }
    user.username.clone_from(&settings.username);
    user.email.clone_from(&settings.email);
    user.email_verified = settings.email_verified;
    user.phone_number_verified = settings.phone_number_verified;
    user.profile.clone_from(&settings.profile);
    user.address.clone_from(&settings.address);
    user.enabled = settings.enabled;
    user.roles.clone_from(&settings.roles);
    user.updated_at_ms = at.now_ms;
    Ok(())
}

/// Nobody grants what they do not hold: in the default tenant the role carries the platform.
pub(crate) fn may_grant<T: TablesMut>(at: &Applying<'_, T>, tenant: TenantId) -> Result<(), Stop> {
    if tenants::is_default(at, tenant)? { at.require(tenants::WRITE) } else { Ok(()) }
}

fn find<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: UserId,
    expected: Option<u64>,
) -> Result<User, Stop> {
    at.target(User::TABLE, id.bytes());
    at.require(WRITE)?;
    let user = at
        .record::<User>(id.bytes())?
        .filter(|user| user.deleted_at_ms.is_none())
        .ok_or(Rejection::NotFound)?;
    if expected.is_some_and(|revision| revision != user.revision) {
        return Err(Rejection::Stale.into());
    }
    // Nobody edits a principal that outranks them.
    if !user.roles.is_empty() {
        may_grant(at, at.tenant)?;
    }
    Ok(user)
}

fn replace<T: TablesMut>(
    at: &mut Applying<'_, T>,
    user: &User,
    settings: &Settings,
    password: Option<&PasswordHash>,
) -> Result<Outcome, Stop> {
    let mut after = user.clone();
    adopt(at, &mut after, settings)?;
    let loses = !after.enabled || !after.roles.contains(&RoleId::ADMINISTRATOR);
    if loses {
        keep_an_administrator(at, user)?;
    }
    if let Some(hash) = password {
        after.password = Some(hash.clone());
        after.credential_revision = after.credential_revision.saturating_add(1);
    }
    if after.username != user.username {
        at.claim(User::TABLE, BY_USERNAME, &after.username, user.id.bytes(), "username")?;
        at.release(User::TABLE, BY_USERNAME, &user.username);
    }
    index(at, user, false);
    index(at, &after, true);
    Ok(at.update(user, after))
}

fn delete<T: TablesMut>(at: &mut Applying<'_, T>, user: &User) -> Result<Outcome, Stop> {
    if at.principal_user() == Some(user.id) {
        return Err(Rejection::Protected("you cannot delete yourself".into()).into());
    }
    keep_an_administrator(at, user)?;
    at.release(User::TABLE, BY_USERNAME, &user.username);
    index(at, user, false);
    let after = User {
        deleted_at_ms: Some(at.now_ms),
        updated_at_ms: at.now_ms,
        password: None,
        credential_revision: user.credential_revision.saturating_add(1),
        ..user.clone()
    };
    Ok(at.update(user, after))
}

/// The default tenant's last administrator cannot lose the role, be disabled or be deleted.
fn keep_an_administrator<T: TablesMut>(at: &Applying<'_, T>, user: &User) -> Result<(), Stop> {
    let holds = user.live() && user.roles.contains(&RoleId::ADMINISTRATOR);
    if !holds || !tenants::is_default(at, at.tenant)? {
        return Ok(());
    }
    let role = RoleId::ADMINISTRATOR.to_string();
    let mut after: Option<(Vec<u8>, [u8; 16])> = None;
    loop {
        let span = crate::table::Span::Index {
            table: User::TABLE,
            index: BY_ROLE,
            prefix: role.as_bytes(),
            after: after.as_ref().map(|(text, id)| (text.as_slice(), Some(*id))),
            unique: false,
        };
        let found = at.scan(span, 100)?;
        let Some(last) = found.last() else {
            let reason = "the last administrator of the default tenant must stay one";
            return Err(Rejection::Protected(reason.into()).into());
        };
        for entry in &found {
            if let crate::table::FoundRow::Listed { id, .. } = entry.row
                && id != user.id.bytes()
                && at.record::<User>(id)?.is_some_and(|other| other.live())
            {
                return Ok(());
            }
        }
        after = match &last.row {
            crate::table::FoundRow::Listed { text, id, .. } => Some((text.clone(), *id)),
            crate::table::FoundRow::Record { .. }
            | crate::table::FoundRow::Unique { .. }
            | crate::table::FoundRow::Flow { .. }
            | crate::table::FoundRow::History { .. }
            | crate::table::FoundRow::Audit { .. }
            | crate::table::FoundRow::Expiry { .. }
            | crate::table::FoundRow::Request { .. }
            | crate::table::FoundRow::Outbox { .. } => None,
        };
        if after.is_none() {
            return Err(crate::fault::Fault::new("an index scan returned another row").into());
        }
    }
}

impl<T: TablesMut> Applying<'_, T> {
    /// The user of this tenant that asks, if it is one.
    pub(crate) fn principal_user(&self) -> Option<UserId> {
        match self.draft.principal {
            Principal::User { tenant, user, .. } if tenant == self.tenant => Some(user),
            Principal::User { .. }
            | Principal::Client { .. }
            | Principal::Anonymous
            | Principal::System
            | Principal::Bootstrap => None,
        }
    }
}
