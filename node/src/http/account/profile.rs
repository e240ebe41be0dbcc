//! `POST /account/profile`: what people change of themselves, as far as the tenant lets them.

use std::collections::BTreeMap;

use actors::account::{
    self, Overview,
    profile::{self, Answer},
};
use axum::response::Response;
use identity::profiles::schema::{self, Access, Giver};

use super::{Said, back, not_genuine, page, said};
use crate::http::{
    cookie,
    error::Failure,
    pages::{Claim, Done, ProfileField, Subject},
    posted::Posted,
};

/// What was typed, and the claim whose value breaks a rule.
pub(super) struct Unfit<'a> {
    typed: &'a BTreeMap<String, &'a str>,
    claim: String,
}

pub(super) async fn save(posted: Posted) -> Result<Response, Failure> {
    let Posted { ctx, tenant, source, language, .. } = &posted;
    let schema = schema::schema(&ctx.local().view()?, tenant.id).map_err(actors::Error::from)?;
    let theirs = schema.fields.into_iter().filter(|(_, field)| field.edited_by(Giver::Person));
    let claims = Claim::ALL.into_iter().map(|claim| claim.name().to_owned());
    let names = claims.chain(theirs.map(|(name, _)| name));
    let typed = |name: String| {
        let value = posted.get(&name).unwrap_or_default();
        (name, value)
    };
    let typed: BTreeMap<String, &str> = names.map(typed).collect();
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
    let seen = overview.editable.schema.fields.iter();
    let seen = seen.filter(|(_, field)| field.person != Access::None);
    let own = seen.map(|(name, field)| Subject::Field(name, field));
    for subject in Claim::ALL.into_iter().map(Subject::from).chain(own) {
        let name = match subject {
            Subject::Claim(claim) => claim.name(),
            Subject::Field(name, _) => name,
        };
        let editable = overview.editable.has(name);
        let kept = match subject {
            Subject::Claim(Claim::Email) => overview.email.as_deref(),
            _ => overview.profile.get(name).map(String::as_str),
        };
        let typed = unfit.filter(|_| editable).and_then(|it| it.typed.get(name).copied());
        let blank = editable.then_some("");
        let Some(value) = typed.or(kept).or(blank) else { continue };
        let problem = unfit.filter(|it| it.claim == name).map(|_| match subject {
            Subject::Claim(claim) => claim.problem(),
            Subject::Field(..) => "account-profile-unfit",
        });
        fields.push(ProfileField { subject, value, editable, problem });
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
