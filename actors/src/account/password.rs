//! Another password, at a person's own account: with the one they have, in the session they have.

use identity::{id::TenantId, principal::Source};

use super::{Whose, themselves, whose};
use crate::{
    context::Context,
    error::Error,
    passwords::Violation,
    proof::{self, Change, Changed},
    runtime::secret::{Password, Token},
};

/// What the form says.
pub struct Wish {
    /// The token of the page's forms.
    pub form: String,
    /// The password they have, as typed.
    pub current: Password,
    /// The one they want, as typed.
    pub new: Password,
    /// The one they want, as typed once more.
    pub again: Password,
}

/// A browser, as its cookies tell.
pub struct Browser {
    /// Its login session's cookie.
    pub session: Option<Token>,
    /// What makes it known for an account.
    pub device: Option<Token>,
}

/// What the form came to.
#[derive(Debug)]
pub enum Answer {
    /// The password is another one; the browser keeps this cookie of the session from now on.
    Changed(Token),
    /// Nothing changed; the person is told why.
    Refused(Problem),
    /// Nobody is signed in with this browser.
    SignedOut,
    /// The form is too old, or of another session.
    NotGenuine,
}

/// Why a password is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// A field is empty.
    Incomplete,
    /// The password they have is not this one.
    Wrong,
    /// The two new ones differ.
    Different,
    /// The new one breaks a rule.
    Violates(Violation),
    /// No password can be checked right now.
    Busy {
        /// When the next attempt makes sense, seconds.
        retry_after_s: u32,
    },
    /// Too many attempts failed.
    Throttled {
        /// When the next one makes sense, seconds.
        retry_after_s: u32,
    },
}

/// Changes the password of whoever is signed in with this browser.
///
/// # Errors
/// What kept the node from answering.
pub async fn change(
    ctx: &Context,
    tenant: TenantId,
    browser: &Browser,
    wish: Wish,
    source: Source,
) -> Result<Answer, Error> {
    let found = match whose(ctx, tenant, browser.session.as_ref(), &wish.form).await? {
        Whose::Theirs(found) => found,
        Whose::SignedOut => return Ok(Answer::SignedOut),
        Whose::NotGenuine => return Ok(Answer::NotGenuine),
    };
    let Wish { current, new, again, .. } = wish;
    if [&current, &new, &again].iter().any(|password| password.expose().is_empty()) {
        return Ok(Answer::Refused(Problem::Incomplete));
    }
    if new.expose() != again.expose() {
        return Ok(Answer::Refused(Problem::Different));
    }
    let asker = themselves(tenant, found.user.id, source);
    let device = browser.device.as_ref();
    let change = Change { found: &found, current: &current, new, device };
    Ok(match proof::change(ctx, &asker, tenant, change).await {
        Ok(Changed::Done(cookie)) => Answer::Changed(cookie),
        Ok(Changed::Wrong) => Answer::Refused(Problem::Wrong),
        Ok(Changed::Violates(violation)) => Answer::Refused(Problem::Violates(violation)),
        Ok(Changed::SignedOut) => Answer::SignedOut,
        Err(Error::Throttled { retry_after_s }) => {
            Answer::Refused(Problem::Throttled { retry_after_s })
        }
        Err(Error::Overloaded { retry_after_s }) => {
            Answer::Refused(Problem::Busy { retry_after_s })
        }
        Err(error) => return Err(error),
    })
}
