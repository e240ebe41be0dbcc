//! The token endpoint: client_credentials and authorization_code here, the others beside it.
//! Nothing is signed before `apply` agreed, and only with keys at least as new as that agreement.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{
    client_scopes::claims::defaults,
    clients::{Client, GrantType},
    command::Command,
    grants::Issued,
    id::{GrantId, TenantId},
    incarnation,
    keys::{self, Algorithm},
    oauth::{
        self, authorize,
        authorize::Parameters,
        claims::{self, AccessToken},
        code,
        error::{Code, Error as OAuthError},
        pkce,
        refresh::{Handover, Refreshed},
        scope,
    },
    outcome::{Outcome, RefreshRefusal, Refusal, Rejection, Reply},
    principal::{ApiScopes, Principal, Source},
    secret::Digest,
    stamp::Placement,
    table::flow,
};
use serde::Serialize;

#[cfg(feature = "planted")]
use crate::planted;
use crate::{
    clients::{self, Credentials},
    context::{Asker, Context},
    error::Error,
    oauth::{
        dpop::{self, spent},
        mapped, password, refresh,
    },
    runtime::{
        secret::{Token, TokenKind},
        signer::SigningKey,
        tenant::TenantSnapshot,
        verifier::dpop::Proof,
    },
    tenants,
};

/// The answer of the token endpoint (RFC 6749 §5.1).
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The access token.
    pub access_token: String,
    /// `Bearer`, or `DPoP` for one that is bound to a key (RFC 9449 §5).
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u32,
    /// What was granted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The ID token, for `openid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The refresh token the client holds from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

pub(super) fn error(code: Code, hint: &str) -> Error {
    OAuthError::new(code, hint).into()
}

/// Answers a token request.
///
/// # Errors
/// The RFC's errors, or what kept the node from answering.
pub async fn issue(
    ctx: &Context,
    tenant: TenantId,
    credentials: &Credentials,
    parameters: &Parameters,
    proof: Option<&str>,
    source: Source,
) -> Result<Answer, Error> {
    let client = clients::authenticate(ctx, tenant, credentials, &source).await?;
    let key = match proof {
        Some(proof) => Some(dpop::at_token_endpoint(ctx, tenant, proof, &source).await?),
        // RFC 9449 §5.2; `apply` says the same, but leaves a trace.
        None if client.dpop_bound_access_tokens => {
            let hint = "the client is registered to send a DPoP proof with every request";
            return Err(error(Code::InvalidDpopProof, hint));
        }
        None => None,
    };
    let request = TokenRequest { ctx, tenant, client: &client, parameters, key, source };
    match parameters.get("grant_type") {
        Some("client_credentials") => client_credentials(&request).await,
        Some("authorization_code") => authorization_code(&request).await,
        Some("refresh_token") => refresh::exchange(&request).await,
        Some("password") => password::exchange(&request).await,
        Some(_) => Err(error(Code::UnsupportedGrantType, "this grant type is not supported")),
        None => Err(error(Code::InvalidRequest, "grant_type is missing")),
    }
}

pub(super) fn as_client(tenant: TenantId, client: &Client, source: Source) -> Asker {
    let principal = Principal::Client { tenant, client: client.id, scopes: ApiScopes::default() };
    Asker { principal, source, idempotency: None }
}

/// What a client that proved who it is asks for.
pub(super) struct TokenRequest<'a> {
    pub(super) ctx: &'a Context,
    pub(super) tenant: TenantId,
    pub(super) client: &'a Client,
    pub(super) parameters: &'a Parameters,
    /// The verified proof of its key, if it shows one.
    pub(super) key: Option<Proof>,
    pub(super) source: Source,
}

impl TokenRequest<'_> {
    /// The client, as who asks.
    pub(super) fn asker(&self) -> Asker {
        as_client(self.tenant, self.client, self.source.clone())
    }

    /// A command, as the holder of the key asks it.
    pub(super) fn asked(&self, command: oauth::Command) -> oauth::Command {
        let key = self.key.as_ref();
        oauth::dpop::asked(
            command,
            key.map(|proof| (proof.thumbprint.as_str(), Some(spent(proof)))),
        )
    }

    /// Proposes, and tells what the rules say.
    pub(super) async fn agreed(&self, command: oauth::Command) -> Result<Agreed, Error> {
        let (command, placement) = (self.asked(command), Placement::Tenant(self.tenant));
        let command = Command::Oauth(command);
        #[cfg(feature = "planted")]
        if let Some(reply) =
            planted::without_consensus(self.ctx, &self.asker(), placement, &command)
        {
            return told(self.tenant, reply?);
        }
        let reply = self.ctx.propose(&self.asker(), placement, command).await?;
        told(self.tenant, reply)
    }

    /// Signs what was agreed, for the key; `drawn` is the refresh token that goes along if a family
    /// began with it.
    pub(super) async fn sign(
        &self,
        agreed: &Agreed,
        drawn: Option<Token>,
    ) -> Result<Answer, Error> {
        sign(self.ctx, self.tenant, agreed, self.key.as_ref(), drawn).await
    }
}

async fn client_credentials(request: &TokenRequest<'_>) -> Result<Answer, Error> {
    let TokenRequest { ctx, client, parameters, .. } = *request;
    if !client.grant_types.contains(&GrantType::ClientCredentials) {
        let hint = "the client may not use client_credentials";
        return Err(error(Code::UnauthorizedClient, hint));
    }
    let api = authorize::target(parameters, client, &ctx.api_audience())?;
    let requested = parameters.get("scope").unwrap_or("");
    let scopes = match requested {
        // RFC 6749 §3.3: without a scope the client gets what it is registered for.
        "" => client.scopes.clone(),
        requested => {
            let mut scopes = scope::narrow(client, requested, false);
            scopes.extend(defaults(&ctx.tenant(request.tenant).await?.scopes, client));
            scopes
        }
    };
    // A service that asks for more than it may have has a mistake in its configuration: say so.
    let asked = requested.split(' ').filter(|scope| !scope.is_empty());
    if let Some(unknown) = asked.into_iter().find(|scope| !client.scopes.contains(*scope)) {
        let hint = format!("the scope {unknown} is not available to this client");
        return Err(error(Code::InvalidScope, &hint));
    }
    let command = oauth::Command::IssueClientToken { client: client.id, scopes, api };
    let agreed = request.agreed(command).await?;
    request.sign(&agreed, None).await
}

async fn authorization_code(request: &TokenRequest<'_>) -> Result<Answer, Error> {
    let TokenRequest { ctx, tenant, client, parameters, .. } = *request;
    if !client.grant_types.contains(&GrantType::AuthorizationCode) {
        let hint = "the client may not use authorization codes";
        return Err(error(Code::UnauthorizedClient, hint));
    }
    let presented =
        parameters.get("code").ok_or_else(|| error(Code::InvalidRequest, "code is missing"))?;
    let challenge = match parameters.get("code_verifier") {
        Some(verifier) if pkce::is_verifier(verifier) => Some(pkce::challenge(verifier)),
        Some(_) => {
            let hint = "code_verifier must be 43 to 128 unreserved characters";
            return Err(error(Code::InvalidGrant, hint));
        }
        None => None,
    };
    let digest = Digest::of(presented.as_bytes());
    known(ctx, tenant, digest).await?;
    let refreshes = client.grant_types.contains(&GrantType::RefreshToken);
    let refresh = refreshes.then(|| ctx.random().token(TokenKind::RefreshToken));
    let command = oauth::Command::RedeemCode(Box::new(oauth::Redemption {
        code: digest,
        client: client.id,
        redirect_uri: parameters.get("redirect_uri").map(str::to_owned),
        challenge,
        grant: ctx.random().id(GrantId::from_bytes),
        refresh: refresh.as_ref().map(Token::digest),
    }));
    let agreed = request.agreed(command).await?;
    request.sign(&agreed, refresh).await
}

/// A cheap refusal of codes that never were, so that strangers cannot fill the log; Fresh, because
/// a code may have been issued a moment ago by another node.
async fn known(ctx: &Context, tenant: TenantId, digest: Digest) -> Result<(), Error> {
    let reading = ctx.fresh().await?;
    let code = flow::<code::AuthorizationCode>(&reading.view()?, tenant, digest.bytes())?;
    if code.is_some() {
        return Ok(());
    }
    Err(error(Code::InvalidGrant, "the authorization code is not valid: it is unknown"))
}

/// What the rules agreed to.
pub(super) struct Agreed {
    /// Exactly what may be signed.
    issued: Issued,
    /// State time of the agreement, milliseconds.
    at_ms: u64,
    /// Which refresh token goes with it.
    pub(super) handover: Option<Handover>,
}

/// What the rules say, in the RFC's words.
pub(super) fn told(tenant: TenantId, reply: Reply) -> Result<Agreed, Error> {
    let Reply { result, at_ms, .. } = reply;
    match result {
        Ok(Outcome::Issued(issued)) => Ok(Agreed { issued, at_ms, handover: None }),
        Ok(Outcome::Refreshed(refreshed)) => {
            let Refreshed { issued, token } = *refreshed;
            Ok(Agreed { issued, at_ms, handover: Some(token) })
        }
        Ok(Outcome::Refused(Refusal::CodeReplayed)) => {
            Err(error(Code::InvalidGrant, "the authorization code was used before"))
        }
        Ok(Outcome::Refused(Refusal::RefreshReplayed)) => {
            tracing::warn!(%tenant, "a refresh token came again; its family was revoked");
            let hint = "the refresh token was used before; everything of its grant is revoked";
            Err(error(Code::InvalidGrant, hint))
        }
        Ok(_) => Err(Error::Internal("an issue answered with another outcome".into())),
        Err(Rejection::Code(refusal)) => {
            Err(error(Code::InvalidGrant, &Rejection::Code(refusal).to_string()))
        }
        Err(Rejection::Refresh(refusal)) => {
            let code = match refusal {
                RefreshRefusal::Target => Code::InvalidTarget,
                RefreshRefusal::Unknown
                | RefreshRefusal::Client
                | RefreshRefusal::Expired
                | RefreshRefusal::Ended
                | RefreshRefusal::Superseded
                | RefreshRefusal::Credential
                | RefreshRefusal::Key => Code::InvalidGrant,
            };
            Err(error(code, &Rejection::Refresh(refusal).to_string()))
        }
        Err(Rejection::Proof(refusal)) => {
            Err(error(Code::InvalidDpopProof, &Rejection::Proof(refusal).to_string()))
        }
        Err(Rejection::Issue(refusal)) => {
            use identity::outcome::IssueRefusal as No;
            let code = match refusal {
                No::ClientDisabled => Code::InvalidClient,
                No::GrantType => Code::UnauthorizedClient,
                No::Scope => Code::InvalidScope,
                No::TenantDisabled
                | No::UserDisabled
                | No::SessionEnded
                | No::RedirectUri
                | No::GrantEnded
                | No::Consent
                | No::LoginTooOld => Code::InvalidGrant,
            };
            Err(error(code, &refusal.to_string()))
        }
        Err(rejection) => Err(rejection.into()),
    }
}

async fn sign(
    ctx: &Context,
    tenant: TenantId,
    agreed: &Agreed,
    key: Option<&Proof>,
    drawn: Option<Token>,
) -> Result<Answer, Error> {
    let Agreed { issued, at_ms, .. } = agreed;
    let at_ms = *at_ms;
    let (snapshot, signing) = signer(ctx, tenant, issued.access_token_algorithm).await?;
    let api_audience = ctx.api_audience();
    let names = claims::Names { issuer: &snapshot.tenant.issuer, api_audience: &api_audience };
    let jti = URL_SAFE_NO_PAD.encode(ctx.random().bytes::<16>());
    let cnf = key.map(|proof| claims::Confirmation { jkt: proof.thumbprint.clone() });
    let mut access = AccessToken { cnf, ..claims::access_token(issued, names, jti, at_ms) };
    if issued.grant.is_none() {
        let life = incarnation::mark(&ctx.local().view()?)?;
        access.grant = Some(claims::own_grant(issued.client, life.as_deref()));
    }
    let internal = |error: crate::runtime::signer::SignFailed| Error::Internal(error.to_string());
    let mapped = mapped::of(ctx, tenant, &snapshot, issued)?;
    let access_token = mapped.sign_access(&signing, access, &api_audience).map_err(internal)?;
    let id_token = if issued.scopes.contains("openid") && issued.user.is_some() {
        let (_, signing) = signer(ctx, tenant, issued.id_token_algorithm).await?;
        let at_hash = half_hash(issued.id_token_algorithm, &access_token);
        match claims::id_token(issued, names, at_hash, at_ms) {
            Some(claims) => Some(mapped.sign_id(&signing, claims).map_err(internal)?),
            None => None,
        }
    } else {
        None
    };
    Ok(Answer {
        access_token,
        token_type: if key.is_some() { "DPoP" } else { "Bearer" },
        expires_in: issued.access_token_s,
        scope: scope::join(&issued.scopes),
        id_token,
        refresh_token: drawn
            .filter(|_| matches!(agreed.handover, Some(Handover::Begun)))
            .map(|token| token.expose().to_owned()),
    })
}

/// The active key of an algorithm; the first use of one makes it.
pub(super) async fn signer(
    ctx: &Context,
    tenant: TenantId,
    algorithm: Algorithm,
) -> Result<(Arc<TenantSnapshot>, Arc<SigningKey>), Error> {
    let snapshot = ctx.tenant(tenant).await?;
    if let Some(key) = snapshot.signers.get(&algorithm).cloned() {
        return Ok((snapshot, key));
    }
    let seeds = tenants::key_pair(ctx, tenant, algorithm).await?;
    let command = Command::Keys(keys::Command::Introduce(seeds));
    ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await?;
    let snapshot = ctx.tenant(tenant).await?;
    match snapshot.signers.get(&algorithm).cloned() {
        Some(key) => Ok((snapshot, key)),
        None => Err(Error::Internal(format!("no {} key after making one", algorithm.name()))),
    }
}

/// Left half of a token's hash (OIDC Core §3.1.3.6); Ed25519 hashes with SHA-512.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm {
        Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 => digest(&SHA256, token.as_bytes()),
        Algorithm::EdDsa => digest(&SHA512, token.as_bytes()),
    };
    let bytes = hash.as_ref();
    URL_SAFE_NO_PAD.encode(bytes.get(..bytes.len() / 2).unwrap_or(bytes))
}
