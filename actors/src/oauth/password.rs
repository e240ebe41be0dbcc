//! The password grant (RFC 6749 §4.3), for clients that are registered for it.
//!
//! A password that a client hands in is compared like one at the login page and counted like one,
//! by the address the client asks from: there is no browser that could be known. A wrong password,
//! an unknown name and a disabled account get one answer.

use std::collections::BTreeSet;

use identity::{
    attempts::Use,
    client_scopes::claims::defaults,
    clients::GrantType,
    id::GrantId,
    name,
    oauth::{
        self, authorize,
        error::Code,
        password::HandedIn,
        refresh::OFFLINE_ACCESS,
        scope::{self, SCOPE_MAX},
    },
    outcome::{IssueRefusal, Rejection, Reply},
    stamp::Placement,
};

use super::token::{self, Answer, TokenRequest, error};
use crate::{
    error::Error,
    proof::{self, Proof, Shown},
    runtime::secret::{Password, Token, TokenKind},
};

const ACTION: &str = "oauth.password";

/// Exchanges a person's password.
///
/// # Errors
/// The RFC's errors, [`Error::Throttled`], or what kept the node from answering.
pub(super) async fn exchange(request: &TokenRequest<'_>) -> Result<Answer, Error> {
    let TokenRequest { ctx, tenant, client, parameters, ref source, .. } = *request;
    if !client.grant_types.contains(&GrantType::Password) {
        return Err(error(Code::UnauthorizedClient, "the client may not use passwords"));
    }
    let required = |name: &str| {
        let hint = format!("{name} is missing");
        parameters.get(name).ok_or_else(|| error(Code::InvalidRequest, &hint))
    };
    let username = name::canonical_username(required("username")?);
    let password = Password::new(required("password")?.to_owned());
    let requested = parameters.get("scope").unwrap_or("");
    if requested.len() > SCOPE_MAX {
        return Err(error(Code::InvalidScope, "scope is longer than 4096 bytes"));
    }
    let mut scopes = scope::narrow(client, requested, true);
    if scopes.is_empty() && !requested.is_empty() {
        let hint = "none of these scopes is available to this client";
        return Err(error(Code::InvalidScope, hint));
    }
    scopes.extend(defaults(&ctx.tenant(tenant).await?.scopes, client));
    let api = authorize::target(parameters, client, &ctx.api_audience())?;
    let asking = Asking { request, api, scopes };
    let shown = Shown {
        username: &username,
        password: &password,
        device: None,
        source,
        through: Some(client.id),
    };
    let Some(mut proof) = proof::prove(ctx, tenant, shown, ACTION, None).await? else {
        return Err(asking.wrong());
    };
    let (mut reply, mut refresh) = asking.hand_in(&proof).await?;
    if reply.result == Err(Rejection::Stale) {
        // The credential moved between check and apply; look once more.
        let again = proof::prove(ctx, tenant, shown, ACTION, Some(proof)).await?;
        proof = again.ok_or_else(|| asking.wrong())?;
        (reply, refresh) = asking.hand_in(&proof).await?;
    }
    let gone = Rejection::Issue(IssueRefusal::UserDisabled);
    if matches!(&reply.result, Err(no) if *no == Rejection::Stale || *no == gone) {
        return Err(asking.wrong());
    }
    match token::told(tenant, reply) {
        Ok(agreed) => {
            proof.renew(ctx, tenant, &password);
            request.sign(&agreed, refresh).await
        }
        Err(refused) => {
            proof.unused(ctx, tenant, source).await?;
            Err(refused)
        }
    }
}

/// A client that hands in a password.
struct Asking<'a> {
    request: &'a TokenRequest<'a>,
    api: bool,
    scopes: BTreeSet<String>,
}

impl Asking<'_> {
    /// Proposes what a right password is for; with the refresh token that it may begin with.
    async fn hand_in(&self, proof: &Proof) -> Result<(Reply, Option<Token>), Error> {
        let TokenRequest { ctx, tenant, client, .. } = *self.request;
        let random = ctx.random();
        let refreshes = client.grant_types.contains(&GrantType::RefreshToken)
            && self.scopes.contains(OFFLINE_ACCESS);
        let refresh = refreshes.then(|| random.token(TokenKind::RefreshToken));
        let command = oauth::Command::Password(Box::new(HandedIn {
            user: proof.user.id,
            credential_revision: proof.user.credential_revision,
            client: client.id,
            scopes: self.scopes.clone(),
            api: self.api,
            grant: random.id(GrantId::from_bytes),
            refresh: refresh.as_ref().map(Token::digest),
        }));
        let command = proof.used(Use::Oauth(self.request.asked(command)));
        let asker = self.request.asker();
        let reply = ctx.propose(&asker, Placement::Tenant(tenant), command).await?;
        Ok((reply, refresh))
    }

    /// The one answer to whatever is not a person with this password.
    fn wrong(&self) -> Error {
        let TokenRequest { ctx, tenant, ref source, .. } = *self.request;
        let (what, now_ms) = ((ACTION, "wrong_credentials"), ctx.0.clock.wall_ms());
        ctx.denials().count(tenant, source, what, now_ms);
        error(Code::InvalidGrant, "the user name or the password is not correct")
    }
}
