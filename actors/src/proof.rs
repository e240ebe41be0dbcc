//! Proving who one is with a password: reserved, compared, and one answer for all that fails.

use identity::{
    attempts::{Attempt, Proven, Use},
    command::Command,
    id::{ClientId, TenantId},
    outcome::Rejection,
    principal::Source,
    sessions::Presented,
    stamp::Placement,
    table::{self, Record as _},
    users::{self, OwnPassword, User},
};

use crate::{
    attempts::{self, Trying},
    context::{Asker, Context},
    error::Error,
    oauth::login::session::{self, Found},
    passwords::{self, Violation},
    runtime::{
        hasher::Refused,
        secret::{Password, Token, TokenKind},
        session::Turn,
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
    /// The client that hands in what somebody typed there.
    pub through: Option<ClientId>,
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

    /// A turn in the session that the browser has, for the command that uses the proof. If it does
    /// not come in time the attempt is given back.
    ///
    /// # Errors
    /// As [`Context::turn`].
    pub(crate) async fn turn(
        &self,
        ctx: &Context,
        tenant: TenantId,
        presented: Option<Presented>,
        source: &Source,
    ) -> Result<Option<Turn>, Error> {
        let turn = session::turn(ctx, tenant, presented).await;
        if turn.is_err() {
            self.clone().unused(ctx, tenant, source).await?;
        }
        turn
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
    let Shown { username, device, source, through, .. } = shown;
    let reading = ctx.fresh().await?;
    let (user, looked) = {
        let view = reading.view()?;
        let name = username.as_bytes();
        let user = match table::unique(&view, tenant, User::TABLE, users::BY_USERNAME, name)? {
            Some(id) => table::record::<User>(&view, tenant, id)?.filter(User::live),
            None => None,
        };
        let trying = Trying { user: user.as_ref(), name: username, device, source, through };
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
pub(crate) struct Change<'a> {
    /// Who, and the session it happens in: it goes on with another cookie, all others end.
    pub(crate) found: &'a Found,
    /// The one they have, as typed: fresh authentication.
    pub(crate) current: &'a Password,
    /// The one they want.
    pub(crate) new: Password,
    /// What the browser shows as a known one.
    pub(crate) device: Option<&'a Token>,
}

/// What came of a wish for another password.
#[derive(Debug)]
pub(crate) enum Changed {
    /// Done; this is the session's new cookie.
    Done(Token),
    /// The current password is wrong.
    Wrong,
    /// The new one breaks a rule.
    Violates(Violation),
    /// The session ended meanwhile.
    SignedOut,
}

/// Changes a person's own password. `asker` is that person; the current password is compared like
/// one at the login page, and counted like one.
///
/// # Errors
/// [`Error::Throttled`]; what kept the node from answering.
pub(crate) async fn change(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    change: Change<'_>,
) -> Result<Changed, Error> {
    const ACTION: &str = "users.change_password";
    let Found { user, session, presented, .. } = change.found;
    let shown = Shown {
        username: &user.username,
        password: change.current,
        device: change.device,
        source: &asker.source,
        through: None,
    };
    let proof = prove(ctx, tenant, shown, ACTION, None).await?;
    let Some(proof) = proof.filter(|proof| proof.user.id == user.id) else {
        return Ok(wrong(ctx, tenant, &asker.source, ACTION));
    };
    let owner = (user.username.as_str(), user.email.as_deref().unwrap_or_default());
    let password = match passwords::hashed(ctx, tenant, owner, change.new).await {
        Ok(Ok(password)) => password,
        Ok(Err(violation)) => {
            proof.unused(ctx, tenant, &asker.source).await?;
            return Ok(Changed::Violates(violation));
        }
        Err(error) => {
            proof.unused(ctx, tenant, &asker.source).await?;
            return Err(error);
        }
    };
    let secret = ctx.random().token(TokenKind::Session);
    let command =
        proof.used(Use::Users(users::Command::ChangeOwnPassword(Box::new(OwnPassword {
            by: *presented,
            credential_revision: proof.user.credential_revision,
            password,
            cookie: secret.digest(),
        }))));
    let turn = proof.turn(ctx, tenant, Some(*presented), &asker.source).await?;
    let result = ctx.propose(asker, Placement::Tenant(tenant), command).await?.result;
    drop(turn);
    match result {
        Ok(_) => Ok(Changed::Done(session::cookie(session.id, &secret))),
        // Somebody else changed it between the look and the decision.
        Err(Rejection::Stale) => Ok(wrong(ctx, tenant, &asker.source, ACTION)),
        Err(Rejection::Issue(_)) => {
            proof.unused(ctx, tenant, &asker.source).await?;
            Ok(Changed::SignedOut)
        }
        Err(rejection) => Err(rejection.into()),
    }
}

fn wrong(ctx: &Context, tenant: TenantId, source: &Source, action: &'static str) -> Changed {
    ctx.denials().count(tenant, source, (action, "wrong_credentials"), ctx.0.clock.wall_ms());
    Changed::Wrong
}
