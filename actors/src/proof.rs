//! Proving who one is with a password: reserved, compared, and one answer for all that fails.

use identity::{
    attempts::{Attempt, Proven, Use},
    command::Command,
    id::{SessionId, TenantId, UserId},
    outcome::Rejection,
    principal::Source,
    stamp::Placement,
    table::{self, Record as _},
    users::{self, User},
};

use crate::{
    attempts::{self, Trying},
    context::{Asker, Context},
    error::Error,
    passwords,
    runtime::{
        hasher::Refused,
        secret::{Password, Token},
    },
};

/// What somebody shows to be let in.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// Canonical user name.
    pub username: &'a str,
    /// As typed.
    pub password: &'a Password,
    /// What the browser shows as a known one.
    pub device: Option<&'a Token>,
    /// From where.
    pub source: &'a Source,
}

/// A right password: what may now be done with it, once.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The account as it was when the password was compared.
    pub user: User,
    attempt: Attempt,
    needs_rehash: bool,
}

impl Proof {
    /// The command that uses the proof and settles its attempt.
    pub fn used(&self, by: Use) -> Command {
        Command::Proven(Box::new(Proven { attempt: self.attempt.clone(), by }))
    }

    /// Gives the attempt back when the proof is right but nothing can be done with it.
    ///
    /// # Errors
    /// As [`Context::write`].
    pub async fn unused(
        self,
        ctx: &Context,
        tenant: TenantId,
        source: &Source,
    ) -> Result<(), Error> {
        attempts::release(ctx, tenant, source, self.attempt).await
    }

    /// Renews the hash if it needs it, behind the answer; to be called once the proof was used.
    pub fn renew(&self, ctx: &Context, tenant: TenantId, password: &Password) {
        if self.needs_rehash {
            passwords::rehash(ctx, tenant, &self.user, password.clone());
        }
    }
}

/// Compares a password; none means that it is wrong, or that there is no such account, or that it
/// may not sign in: which, nobody learns. `before` is the proof of a first look that turned stale:
/// its attempt is the same one.
///
/// # Errors
/// [`Error::Throttled`] before anything is compared; [`Error::Overloaded`] without having counted
/// the attempt.
pub async fn prove(
    ctx: &Context,
    tenant: TenantId,
    shown: Shown<'_>,
    action: &'static str,
    before: Option<Proof>,
) -> Result<Option<Proof>, Error> {
    // What would not be compared anyway is refused before it is counted.
    ctx.hasher().admits(tenant)?;
    let Shown { username, device, source, .. } = shown;
    let reading = ctx.fresh().await?;
    let (user, looked) = {
        let view = reading.view()?;
        let name = username.as_bytes();
        let user = match table::unique(&view, tenant, User::TABLE, users::BY_USERNAME, name)? {
            Some(id) => table::record::<User>(&view, tenant, id)?.filter(User::live),
            None => None,
        };
        let trying = Trying { user: user.as_ref(), name: username, device, source };
        let looked = match &before {
            Some(_) => None,
            None => Some(attempts::look(ctx, &view, tenant, trying, action)?),
        };
        (user, looked)
    };
    drop(reading);
    let attempt = match (before, looked) {
        (Some(proof), _) => proof.attempt,
        (None, Some(attempt)) => {
            attempts::reserve(ctx, tenant, &attempt, source, action).await?;
            attempt
        }
        (None, None) => return Err(Error::Internal("an attempt was not looked at".into())),
    };
    let hash = user.as_ref().and_then(|user| user.password.clone());
    match ctx.hasher().verify(tenant, shown.password.clone(), hash).await {
        Ok(verdict) => {
            let needs_rehash = verdict.needs_rehash;
            let user = user.filter(|_| verdict.matched);
            Ok(user.map(|user| Proof { user, attempt, needs_rehash }))
        }
        Err(Refused::TooLong) => Ok(None),
        Err(refused) => {
            attempts::release(ctx, tenant, shown.source, attempt).await?;
            Err(refused.into())
        }
    }
}

/// A person's wish for another password.
pub struct Change<'a> {
    /// Whose.
    pub user: UserId,
    /// The one they have, as typed: fresh authentication.
    pub current: &'a Password,
    /// The one they want.
    pub new: Password,
    /// The session it happens in, which goes on; all others end.
    pub session: Option<SessionId>,
    /// What the browser shows as a known one.
    pub device: Option<&'a Token>,
}

/// What came of a wish for another password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Done.
    Done,
    /// The current password is wrong.
    Wrong,
}

/// Changes a person's own password. `asker` is that person; the current password is compared like
/// one at the login page, and counted like one.
///
/// # Errors
/// A violated rule at `/password`; [`Error::Throttled`]; what kept the node from answering.
pub async fn change(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    change: Change<'_>,
) -> Result<Changed, Error> {
    const ACTION: &str = "users.change_password";
    let user = {
        let reading = ctx.fresh().await?;
        table::record::<User>(&reading.view()?, tenant, change.user.bytes())?.filter(User::live)
    };
    let user = user.ok_or(Rejection::NotFound)?;
    let shown = Shown {
        username: &user.username,
        password: change.current,
        device: change.device,
        source: &asker.source,
    };
    let proof = prove(ctx, tenant, shown, ACTION, None).await?;
    let Some(proof) = proof.filter(|proof| proof.user.id == change.user) else {
        let what = (ACTION, "wrong_credentials");
        ctx.denials().count(tenant, &asker.source, what, ctx.0.clock.wall_ms());
        return Ok(Changed::Wrong);
    };
    let owner = (user.username.as_str(), user.email.as_deref().unwrap_or_default());
    let password = match passwords::hashed(ctx, tenant, owner, change.new).await {
        Ok(password) => password,
        Err(error) => {
            proof.unused(ctx, tenant, &asker.source).await?;
            return Err(error);
        }
    };
    let command = proof.used(Use::Users(users::Command::ChangePassword {
        id: change.user,
        credential_revision: proof.user.credential_revision,
        password,
        session: change.session,
    }));
    ctx.write(asker, Placement::Tenant(tenant), command).await?;
    Ok(Changed::Done)
}
