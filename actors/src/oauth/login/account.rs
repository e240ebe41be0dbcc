//! The choice between the account that is signed in and another one (`prompt=select_account`).

use identity::{
    id::TenantId,
    oauth::{
        authorize::{Refusal, Request},
        error::{Code, Error as OAuthError},
        prompt::Prompt,
    },
    secret::Digest,
};

use super::{
    Answer, Flow, Next, Problem, Visit, advance, credentials,
    form::{Form, FormStep},
    session,
};
use crate::{clients, context::Context, error::Error, runtime::secret::Token};

/// Which account a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The one that is signed in.
    Same,
    /// Another one, which has to sign in.
    Other,
}

/// What the page posts.
pub struct Choice {
    /// The sealed request.
    pub form: String,
    /// What was chosen; none if the form does not say.
    pub account: Option<Account>,
}

/// Answers a posted choice.
///
/// # Errors
/// What kept the node from answering.
pub async fn choose(
    ctx: &Context,
    tenant: TenantId,
    choice: &Choice,
    visit: &Visit,
) -> Result<Answer, Error> {
    let form = match Form::open(ctx, tenant, &choice.form, visit.browser.as_ref()) {
        Ok(form) => form,
        Err(problem) => return Ok(Answer::Lost(problem)),
    };
    let (FormStep::Account(chosen), Some(account)) = (form.step, choice.account) else {
        return Ok(Answer::Lost(Problem::NotGenuine));
    };
    let Form { request, .. } = form;
    let Some(client) = known(ctx, tenant, &request).await? else {
        return Ok(unknown_client());
    };
    // Whoever signed in meanwhile was not what the person saw: they are asked once more.
    let shown = visit.session.as_ref().and_then(session::presented);
    let seen = shown.is_some_and(|shown| shown.session == chosen);
    let browser = visit.browser.as_ref().map_or_else(|| Digest::of(b""), Token::digest);
    let mut flow = Flow { ctx, tenant, client: &client, request, browser, source: &visit.source };
    let chosen = Prompt { select_account: false, ..flow.request.prompt };
    Ok(Answer::Next(match account {
        Account::Same if seen => {
            flow.request.prompt = chosen;
            advance(flow, visit.session.as_ref()).await?
        }
        Account::Same => advance(flow, visit.session.as_ref()).await?,
        Account::Other => {
            flow.request.prompt = Prompt { login: true, ..chosen };
            flow.request.login_hint = None;
            credentials(&flow).await?
        }
    }))
}

/// The client of a request, as it is now.
pub(super) async fn known(
    ctx: &Context,
    tenant: TenantId,
    request: &Request,
) -> Result<Option<identity::clients::Client>, Error> {
    let reading = ctx.fresh().await?;
    clients::find(&reading.view()?, tenant, &request.client_id)
}

/// Whose client is gone has nowhere to be sent.
pub(super) fn unknown_client() -> Answer {
    let error = OAuthError::new(Code::InvalidRequest, "the client is not known here");
    Answer::Next(Next::Refused(Refusal::Page(error)))
}
