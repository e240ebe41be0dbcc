//! What people change of themselves, at their own account.

use std::collections::BTreeMap;

use identity::{
    command::Command,
    id::TenantId,
    outcome::Rejection,
    principal::Source,
    profiles::{Command as Profiles, Editable},
    stamp::Placement,
};

use super::{Whose, themselves, whose};
use crate::{context::Context, error::Error, runtime::secret::Token};

/// What the form came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is saved, or was so before.
    Saved,
    /// The value of this claim breaks a rule; nothing is saved.
    Refused(String),
    /// Nobody is signed in with this browser.
    SignedOut,
    /// The form is too old, or of another session.
    NotGenuine,
}

/// Saves what whoever is signed in with this browser typed. What the tenant does not leave to them
/// comes along with the form and is not looked at.
///
/// # Errors
/// What kept the node from answering.
pub async fn edit(
    ctx: &Context,
    tenant: TenantId,
    (cookie, form): (Option<&Token>, &str),
    typed: &BTreeMap<String, &str>,
    source: Source,
) -> Result<Answer, Error> {
    let found = match whose(ctx, tenant, cookie, form).await? {
        Whose::Theirs(found) => found,
        Whose::SignedOut => return Ok(Answer::SignedOut),
        Whose::NotGenuine => return Ok(Answer::NotGenuine),
    };
    let editable = Editable::of(&ctx.local().view()?, tenant)?;
    let typed = typed.iter().filter(|(claim, _)| editable.has(claim));
    let claims = typed.map(|(claim, value)| (claim.clone(), value.trim().to_owned()));
    let command = Profiles::EditOwn { by: found.presented, claims: claims.collect() };
    let asker = themselves(tenant, found.user.id, source);
    let placement = Placement::Tenant(tenant);
    match ctx.propose(&asker, placement, Command::Profiles(command)).await?.result {
        Ok(_) => Ok(Answer::Saved),
        Err(Rejection::Invalid { field, .. }) => {
            let claim = field.rsplit('/').next().unwrap_or_default();
            Ok(Answer::Refused(claim.to_owned()))
        }
        Err(Rejection::Issue(_)) => Ok(Answer::SignedOut),
        Err(rejection) => Err(rejection.into()),
    }
}
