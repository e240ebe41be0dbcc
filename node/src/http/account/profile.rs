//! `POST /account/profile`: what people change of themselves, as far as the tenant lets them.

use std::collections::BTreeMap;

use actors::account::{
    self, Overview,
    profile::{self, Answer},
};
use axum::response::Response;

use super::{Said, back, not_genuine, page, said};
use crate::http::{
    cookie,
    error::Failure,
    pages::{Claim, Done, ProfileField},
    posted::Posted,
};

/// What was typed, and the claim whose value breaks a rule.
pub(super) struct Unfit<'a> {
    typed: &'a BTreeMap<&'static str, &'a str>,
    claim: String,
}

pub(super) async fn save(posted: Posted) -> Result<Response, Failure> {
    let Posted { ctx, tenant, source, language, .. } = &posted;
    let typed = |claim: Claim| (claim.name(), posted.get(claim.name()).unwrap_or_default());
    let typed: BTreeMap<&'static str, &str> = Claim::ALL.into_iter().map(typed).collect();
    let session = posted.cookie(cookie::Kind::Session);
    let shown = (session.as_ref(), posted.csrf());
    match profile::edit(ctx, tenant.id, shown, &typed, source.clone()).await? {
        Answer::Saved => Ok(said(tenant, Done::ProfileSaved)),
        Answer::Refused(claim) => {
            let Some(overview) = account::open(ctx, tenant.id, session.as_ref()).await? else {
                return Ok(back(tenant));
            };
            let unfit = Unfit { typed: &typed, claim };
            let said = Said { profile: Some(unfit), ..Said::default() };
            Ok(page(&overview, tenant, *language, &said))
        }
        Answer::SignedOut => Ok(back(tenant)),
        Answer::NotGenuine => Err(not_genuine()),
    }
}

/// What is known of a person and what they may tell, as typed if that breaks a rule.
pub(super) fn fields<'a>(
    overview: &'a Overview,
    unfit: Option<&'a Unfit<'_>>,
) -> Vec<ProfileField<'a>> {
    let mut fields = Vec::new();
    for claim in Claim::ALL {
        let editable = overview.editable.contains(claim.name());
        let kept = match claim {
            Claim::Email => overview.email.as_deref(),
            other => overview.profile.get(other.name()).map(String::as_str),
        };
        let typed = unfit.filter(|_| editable).and_then(|it| it.typed.get(claim.name()).copied());
        let blank = editable.then_some("");
        let Some(value) = typed.or(kept).or(blank) else { continue };
        let problem = unfit.filter(|it| it.claim == claim.name()).map(|_| claim.problem());
        fields.push(ProfileField { claim, value, editable, problem });
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_knows_every_claim_that_a_tenant_may_leave_to_people() {
        for offered in identity::profiles::OFFERED {
            assert!(Claim::ALL.iter().any(|claim| claim.name() == *offered), "{offered}");
        }
    }
}
