//! The cookie of a login session, and the session behind it.
//!
//! The cookie holds the session's id, by which its record is found, and a secret whose digest is in
//! the record. Both together are opaque to the browser.

use identity::{
    id::{SessionId, TenantId},
    oauth::prompt::SignedIn,
    sessions::{Presented, Session},
    table::{self, Tables},
    users::User,
};

use crate::{
    context::Context,
    error::Error,
    runtime::{
        secret::Token,
        session::{Purpose, Turn},
    },
};

/// Length of an id as text.
const ID_LEN: usize = 36;

/// Makes the cookie of a session.
pub(crate) fn cookie(session: SessionId, secret: &Token) -> Token {
    Token::new(format!("{session}_{}", secret.expose()))
}

/// What a cookie says; none if it is not of our making.
pub(crate) fn presented(cookie: &Token) -> Option<Presented> {
    let (id, secret) = cookie.expose().split_at_checked(ID_LEN)?;
    let secret = Token::new(secret.strip_prefix('_')?.to_owned());
    Some(Presented { session: id.parse().ok()?, cookie: secret.digest() })
}

/// Somebody who is signed in with this browser.
pub(crate) struct Found {
    pub(crate) session: Session,
    pub(crate) user: User,
    pub(crate) presented: Presented,
    /// Whether the client may have what it asks for; not so until somebody looked.
    pub(super) consented: bool,
}

impl Found {
    pub(super) fn signed_in(&self) -> SignedIn {
        let authenticated_at_ms = self.session.authenticated_at_ms;
        SignedIn { user: self.user.id, authenticated_at_ms, consented: self.consented }
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        name_of(&self.user)
    }
}

/// What people call a user.
pub(super) fn name_of(user: &User) -> String {
    user.profile.get("name").unwrap_or(&user.username).clone()
}

/// Looks up who is signed in.
///
/// # Errors
/// Faults only.
pub(crate) fn find(
    tables: &impl Tables,
    tenant: TenantId,
    cookie: Option<&Token>,
    now_ms: u64,
) -> Result<Option<Found>, Error> {
    let Some(presented) = cookie.and_then(presented) else {
        return Ok(None);
    };
    let session = table::record::<Session>(tables, tenant, presented.session.bytes())?;
    let Some(session) = session.filter(|session| presented.opens(session)) else {
        return Ok(None);
    };
    let user = table::record::<User>(tables, tenant, session.user.bytes())?;
    let user = user.filter(|user| session.counts(user, now_ms));
    Ok(user.map(|user| Found { session, user, presented, consented: false }))
}

/// A turn in the session that a browser has, if it has one.
///
/// # Errors
/// As [`Context::turn`].
pub(crate) async fn turn(
    ctx: &Context,
    tenant: TenantId,
    shown: Option<Presented>,
) -> Result<Option<Turn>, Error> {
    let Some(shown) = shown else { return Ok(None) };
    let session = {
        let reading = ctx.local();
        table::record::<Session>(&reading.view()?, tenant, shown.session.bytes())?
    };
    match session.filter(|session| shown.opens(session)) {
        Some(session) => ctx.turn(tenant, session.id, Purpose::Use).await.map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_reads_back_and_another_text_is_none() {
        let id = SessionId::from_bytes([7; 16]);
        let secret = Token::new("vlt_st_secret".into());
        let cookie = cookie(id, &secret);
        let expected = Presented { session: id, cookie: secret.digest() };
        assert_eq!(presented(&cookie), Some(expected));
        for text in ["", "vlt_st_secret", "07070707-0707-0707-0707-070707070707", "é"] {
            assert_eq!(presented(&Token::new(text.into())), None, "{text}");
        }
        let glued = format!("{id}-{}", secret.expose());
        assert_eq!(presented(&Token::new(glued)), None);
    }
}
