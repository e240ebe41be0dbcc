//! The consent page: a person allows a client what it asks for, or does not.

use identity::{
    id::TenantId,
    oauth::{
        self,
        error::{Code, Error as OAuthError},
    },
    secret::Digest,
};

use super::{
    Answer, Flow, Problem, Visit, account, advance,
    form::{Form, FormStep},
    issue, look, refused, session,
};
use crate::{context::Context, error::Error, runtime::secret::Token};

/// What a person says to a client's wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All of them are granted, and remembered.
    Allow,
    /// None is.
    Deny,
}

/// What the page posts.
pub struct Decision {
    /// The sealed request.
    pub form: String,
    /// What was said; none if the form does not say.
    pub verdict: Option<Verdict>,
}

/// Answers a posted consent page.
///
/// # Errors
/// What kept the node from answering.
pub async fn decide(
    ctx: &Context,
    tenant: TenantId,
    decision: &Decision,
    visit: &Visit,
) -> Result<Answer, Error> {
    let form = match Form::open(ctx, tenant, &decision.form, visit.browser.as_ref()) {
        Ok(form) => form,
        Err(problem) => return Ok(Answer::Lost(problem)),
    };
    let (FormStep::Consent(asked), Some(verdict)) = (form.step, decision.verdict) else {
        return Ok(Answer::Lost(Problem::NotGenuine));
    };
    let Form { request, .. } = form;
    if verdict == Verdict::Deny {
        let error = OAuthError::new(Code::AccessDenied, "the person did not allow it");
        return Ok(Answer::Next(refused(request.to, error)));
    }
    let Some(client) = account::known(ctx, tenant, &request).await? else {
        return Ok(account::unknown_client());
    };
    let browser = visit.browser.as_ref().map_or_else(|| Digest::of(b""), Token::digest);
    let flow = Flow { ctx, tenant, client: &client, request, browser, source: &visit.source };
    let shown = visit.session.as_ref();
    // Only who was asked can answer: another session is asked for itself.
    let same = shown.and_then(session::presented).is_some_and(|shown| shown.session == asked);
    let found = if same { look(&flow, shown).await? } else { None };
    Ok(Answer::Next(match found {
        Some(found) => issue(flow, &found, oauth::Command::Allow).await?,
        None => advance(flow, shown).await?,
    }))
}
