//! What the commands do to accounts, and the rules they obey: one validator for create and update,
//! nobody grants or edits above themselves, the operator keeps an administrator.

use std::collections::BTreeSet;

use super::{
    BY_EMAIL, BY_GROUP, BY_ROLE, BY_USERNAME, Command, OwnPassword, Settings, User, WRITE,
};
use crate::{
    applying::Applying,
    attempts,
    fault::Fault,
    id::{RoleId, SessionId, UserId},
    licenses::{self, Resource},
    logout, name,
    outcome::{IssueRefusal, Outcome, Rejection, Stop},
    principal::Principal,
    profiles::{
        EMAIL,
        schema::{self, Giver},
    },
    roles::{self, Change},
    secret::PasswordHash,
    sessions::{self, Method, Session},
    table::{FoundRow, Record, Span, TablesMut},
};

impl Command {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Create { id, settings, password } => {
                at.require_for(User::TABLE, id.bytes(), WRITE)?;
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
            Self::Rehash { id, credential_revision, password } => {
                rehash(at, *id, *credential_revision, password)
            }
            Self::ChangePassword { id, credential_revision, password, session } => {
                change_password(at, *id, *credential_revision, (password, *session))
            }
            Self::ChangeOwnPassword(own) => change_own_password(at, own),
            Self::Unlock(id) => {
                find(at, *id, None)?;
                attempts::forget(at, &attempts::account(*id))?;
                Ok(Outcome::Done)
            }
        }
    }
}

/// Whatever was proven with the old password ends, but for the session it is changed in.
fn change_password<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: UserId,
    credential_revision: u64,
    (password, session): (&PasswordHash, Option<SessionId>),
) -> Result<Outcome, Stop> {
    at.target(User::TABLE, id.bytes());
    if at.principal_user() != Some(id) {
        return Err(Rejection::Denied("their own account".into()).into());
    }
    let user =
        at.record::<User>(id.bytes())?.filter(User::live).ok_or(IssueRefusal::UserDisabled)?;
    let after = with_password(&user, credential_revision, password)?;
    logout::leave(at, id)?;
    if let Some(session) = session {
        sessions::carry_over(at, session, &user, after.session_epoch)?;
    }
    attempts::forget(at, &attempts::account(id))?;
    Ok(at.update(&user, after))
}

/// As [`change_password`], by the cookie of the session, which is raised by it.
fn change_own_password<T: TablesMut>(
    at: &mut Applying<'_, T>,
    own: &OwnPassword,
) -> Result<Outcome, Stop> {
    let (session, user) = sessions::asked_from(at, &own.by)?;
    at.target(User::TABLE, user.id.bytes());
    let after = with_password(&user, own.credential_revision, &own.password)?;
    logout::leave(at, user.id)?;
    let raised = session.raised(own.cookie, Method::Password, at.now_ms);
    at.update(&session, Session { epoch: after.session_epoch, ..raised });
    attempts::forget(at, &attempts::account(user.id))?;
    Ok(at.update(&user, after))
}

fn with_password(
    user: &User,
    credential_revision: u64,
    password: &PasswordHash,
) -> Result<User, Rejection> {
    if user.credential_revision != credential_revision {
        return Err(Rejection::Stale);
    }
    Ok(User {
        password: Some(password.clone()),
        credential_revision: user.credential_revision.saturating_add(1),
        session_epoch: user.session_epoch.saturating_add(1),
        ..user.clone()
    })
}

/// The credential revision stays: nothing that was proven with the old hash ends.
fn rehash<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: UserId,
    credential_revision: u64,
    password: &PasswordHash,
) -> Result<Outcome, Stop> {
    at.target(User::TABLE, id.bytes());
    at.require_system()?;
    let user = at.record::<User>(id.bytes())?.ok_or(Rejection::NotFound)?;
    if user.credential_revision != credential_revision || user.password.is_none() {
        return Err(Rejection::Stale.into());
    }
    let after = User { password: Some(password.clone()), ..user.clone() };
    Ok(at.update(&user, after))
}

/// Writes a new account and its index rows.
pub(crate) fn insert<T: TablesMut>(at: &mut Applying<'_, T>, user: User) -> Result<Outcome, Stop> {
    licenses::require_room(at, Resource::Users)?;
    let id = user.id.bytes();
    at.claim(User::TABLE, BY_USERNAME, &user.username, id, "username")?;
    index(at, &user, true);
    at.create(user)
}

pub(super) fn index<T: TablesMut>(at: &mut Applying<'_, T>, user: &User, listed: bool) {
    let id = user.id.bytes();
    for (index, text) in entries(user) {
        if listed {
            at.list(User::TABLE, index, &text, id);
        } else {
            at.unlist(User::TABLE, index, &text, id);
        }
    }
}

/// Where an account stands in the lists.
fn entries(user: &User) -> BTreeSet<(u8, String)> {
    let email = user.email.iter().map(|email| (BY_EMAIL, email.to_ascii_lowercase()));
    let roles = user.roles.iter().map(|role| (BY_ROLE, role.to_string()));
    let groups = user.groups.iter().map(|group| (BY_GROUP, group.to_string()));
    email.chain(roles).chain(groups).collect()
}

/// Checks and takes over settings.
pub(super) fn adopt<T: TablesMut>(
    at: &Applying<'_, T>,
    user: &mut User,
    settings: &Settings,
) -> Result<(), Stop> {
    settings.check()?;
    let before = (user.revision > 0).then_some(&user.profile);
    let schema = schema::schema(at.tables, at.tenant)?;
    schema.admit(before, &settings.profile, Giver::Administrator)?;
    confer(at, user, &settings.roles)?;
    user.username.clone_from(&settings.username);
    user.email.clone_from(&settings.email);
    user.email_verified = settings.email_verified;
    user.phone_number_verified = settings.phone_number_verified;
    user.profile.clone_from(&settings.profile);
    user.address.clone_from(&settings.address);
    user.enabled = settings.enabled;
    Ok(())
}

/// Takes over roles that exist and that who asks holds.
fn confer<T: TablesMut>(
    at: &Applying<'_, T>,
    user: &mut User,
    wanted: &BTreeSet<RoleId>,
) -> Result<(), Stop> {
    roles::require_assignable(at, "/roles", &user.roles, wanted)?;
    let after = User { roles: wanted.clone(), ..user.clone() };
    at.require_may_confer("/roles", user, &after)?;
    *user = after;
    Ok(())
}

/// Changes what a user holds.
pub(crate) fn change_roles<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: UserId,
    change: &Change<RoleId>,
) -> Result<Outcome, Stop> {
    let user = find(at, id, None)?;
    let mut after = user.clone();
    confer(at, &mut after, &change.of(&user.roles)?)?;
    if !after.roles.contains(&RoleId::ADMINISTRATOR) {
        keep_an_administrator(at, &user)?;
    }
    Ok(rewrite(at, &user, after))
}

fn find<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: UserId,
    expected: Option<u64>,
) -> Result<User, Stop> {
    let user = at.find::<User>(WRITE, id.bytes(), expected)?;
    at.require_all_of(&user)?;
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
        // What failed with the old password says nothing about the new one.
        attempts::forget(at, &attempts::account(user.id))?;
    }
    // Sessions do not outlive the password they began with, nor do they return to an account that
    // was disabled.
    if password.is_some() || (user.enabled && !after.enabled) {
        after.session_epoch = after.session_epoch.saturating_add(1);
        logout::leave(at, user.id)?;
    }
    if after.username != user.username {
        at.claim(User::TABLE, BY_USERNAME, &after.username, user.id.bytes(), "username")?;
        at.release(User::TABLE, BY_USERNAME, &user.username);
    }
    Ok(rewrite(at, user, after))
}

/// Writes an account and its place in the lists anew; its name stays as it is.
pub(crate) fn rewrite<T: TablesMut>(at: &mut Applying<'_, T>, user: &User, after: User) -> Outcome {
    let (before, now) = (entries(user), entries(&after));
    let id = user.id.bytes();
    for (index, text) in before.difference(&now) {
        at.unlist(User::TABLE, *index, text, id);
    }
    for (index, text) in now.difference(&before) {
        at.list(User::TABLE, *index, text, id);
    }
    at.update(user, after)
}

fn delete<T: TablesMut>(at: &mut Applying<'_, T>, user: &User) -> Result<Outcome, Stop> {
    if at.principal_user() == Some(user.id) {
        return Err(Rejection::Protected("you cannot delete yourself".into()).into());
    }
    keep_an_administrator(at, user)?;
    at.release(User::TABLE, BY_USERNAME, &user.username);
    index(at, user, false);
    logout::leave(at, user.id)?;
    let after = User {
        deleted_at_ms: Some(at.now_ms),
        // Restoring the account returns no rights to it.
        roles: BTreeSet::new(),
        groups: BTreeSet::new(),
        password: None,
        credential_revision: user.credential_revision.saturating_add(1),
        session_epoch: user.session_epoch.saturating_add(1),
        ..user.clone()
    };
    Ok(at.update(user, after))
}

/// The default tenant's last administrator cannot lose the role, be disabled or be deleted.
fn keep_an_administrator<T: TablesMut>(at: &Applying<'_, T>, user: &User) -> Result<(), Stop> {
    let holds = user.live() && user.roles.contains(&RoleId::ADMINISTRATOR);
    if !holds || !at.is_default()? {
        return Ok(());
    }
    let reason = "the last administrator of the default tenant must stay one";
    let role = RoleId::ADMINISTRATOR.to_string();
    let mut after: Option<(Vec<u8>, [u8; 16])> = None;
    // Whoever is not among the first thousand is not looked for: a bound that is hit refuses.
    for _ in 0..10 {
        let span = Span::Index {
            table: User::TABLE,
            index: BY_ROLE,
            prefix: role.as_bytes(),
            after: after.as_ref().map(|(text, id)| (text.as_slice(), Some(*id))),
            unique: false,
        };
        let found = at.scan(span, 100)?;
        let Some(last) = found.last() else { break };
        for entry in &found {
            if let FoundRow::Listed { id, .. } = entry.row
                && id != user.id.bytes()
                && at.record::<User>(id)?.is_some_and(|other| other.live())
            {
                return Ok(());
            }
        }
        after = match &last.row {
            FoundRow::Listed { text, id, .. } => Some((text.clone(), *id)),
            FoundRow::Record { .. }
            | FoundRow::Unique { .. }
            | FoundRow::Flow { .. }
            | FoundRow::History { .. }
            | FoundRow::Audit { .. }
            | FoundRow::Expiry { .. }
            | FoundRow::Request { .. }
            | FoundRow::Outbox { .. } => None,
        };
        if after.is_none() {
            return Err(Fault::new("an index scan returned another row").into());
        }
    }
    Err(Rejection::Protected(reason.into()).into())
}

impl<T: TablesMut> Applying<'_, T> {
    /// The user of this tenant that asks, if it is one.
    pub(crate) fn principal_user(&self) -> Option<UserId> {
        match self.draft.principal {
            Principal::User { tenant, user, .. } | Principal::Person { tenant, user }
                if tenant == self.tenant =>
            {
                Some(user)
            }
            Principal::User { .. }
            | Principal::Person { .. }
            | Principal::Client { .. }
            | Principal::Anonymous
            | Principal::System
            | Principal::Bootstrap => None,
        }
    }
}

/// Where a claim stands in an account.
pub(crate) fn pointer(claim: &str) -> String {
    name::pointer(if claim == EMAIL { "" } else { "/profile" }, claim)
}

/// The rule about the value of a claim.
///
/// # Errors
/// [`Rejection::Invalid`] at the claim.
pub(crate) fn check_claim(claim: &str, value: &str) -> Result<(), Rejection> {
    let field = pointer(claim);
    if claim == EMAIL { name::email(&field, value) } else { name::text(&field, value) }
}

impl Settings {
    /// Every rule about a user's fields.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        name::username("/username", &self.username)?;
        if let Some(email) = &self.email {
            check_claim(EMAIL, email)?;
        }
        for (claim, value) in &self.profile {
            if !schema::is_standard(claim) && !schema::is_name(claim) {
                return Err(Rejection::invalid(pointer(claim), "is no field of the profile"));
            }
            check_claim(claim, value)?;
        }
        const ADDRESS: &[&str] =
            &["formatted", "street_address", "locality", "region", "postal_code", "country"];
        for (member, value) in &self.address {
            let field = name::pointer("/address", member);
            if !ADDRESS.contains(&member.as_str()) {
                return Err(Rejection::invalid(field, "is not a member of an address"));
            }
            name::text(&field, value)?;
        }
        Ok(())
    }
}
