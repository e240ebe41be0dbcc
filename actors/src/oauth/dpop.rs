//! Clients with a key (DPoP, RFC 9449): the proofs that they show, at the token endpoint and beside
//! an access token.
//!
//! A proof for a token is used up in `apply`, by the command that issues it. A proof beside an
//! access token is remembered by this node alone. No nonce is handed out: proofs live for a minute
//! and are taken once.

use identity::{
    id::TenantId,
    oauth::{
        dpop::{self, Proof as Spent},
        error::{Code, Error as OAuthError},
    },
    principal::Source,
};

use crate::{
    context::Context,
    error::Error,
    runtime::{
        seen::Shown,
        verifier::dpop::{Demand, Proof, ProofRefused, verify},
    },
};

/// How a proof stands in a command.
pub(super) fn spent(proof: &Proof) -> Spent {
    let used = dpop::used(&proof.thumbprint, &proof.jti);
    Spent { used, expires_at_ms: proof.expires_at_ms }
}

/// Verifies what a client shows at the token endpoint of its tenant.
///
/// # Errors
/// `invalid_dpop_proof`, counted for the audit trail.
pub(super) async fn at_token_endpoint(
    ctx: &Context,
    tenant: TenantId,
    proof: &str,
    source: &Source,
) -> Result<Proof, Error> {
    let snapshot = ctx.tenant(tenant).await?;
    let address = format!("{}/oauth/token", snapshot.tenant.issuer);
    let demand =
        Demand { method: "POST", address: &address, access_token: None, now_ms: ctx.now_ms() };
    verify(proof, &demand).map_err(|refused| {
        let what = ("oauth.token", "invalid_dpop_proof");
        ctx.denials().count(tenant, source, what, ctx.0.clock.wall_ms());
        let hint = format!("the DPoP proof is not valid: {refused}");
        OAuthError::new(Code::InvalidDpopProof, hint).into()
    })
}

/// A proof that came beside an access token, and the request it came with.
#[derive(Debug, Clone, Copy)]
pub struct Possession<'a> {
    /// As it stands in the header.
    pub proof: &'a str,
    /// Of the request.
    pub method: &'a str,
    /// Of the request, as it was sent.
    pub path: &'a str,
}

impl Possession<'_> {
    /// Whether it shows the key that the access token is bound to; it is not used up yet.
    ///
    /// # Errors
    /// [`Error::Proof`], [`Error::Unauthenticated`] for another key.
    pub(crate) fn check(&self, ctx: &Context, token: &str, jkt: &str) -> Result<Proven, Error> {
        let now_ms = ctx.now_ms();
        let Self { proof, method, path } = *self;
        let address = &format!("{}{path}", ctx.settings().external_url);
        let demand = Demand { method, address, access_token: Some(token), now_ms };
        let proof = verify(proof, &demand).map_err(Error::Proof)?;
        if proof.thumbprint != jkt {
            return Err(Error::Unauthenticated);
        }
        Ok(Proven(proof))
    }
}

/// A good proof that is still to be used up.
pub(crate) struct Proven(Proof);

impl Proven {
    /// Uses it up; once everything else lets the request in, so that who is to try again later may
    /// do so with the same proof.
    ///
    /// # Errors
    /// [`Error::Proof`] for one that was shown before, [`Error::Overloaded`].
    pub(crate) fn spend(&self, ctx: &Context) -> Result<(), Error> {
        match ctx.0.seen.show(spent(&self.0).used, ctx.now_ms()) {
            Shown::First => Ok(()),
            Shown::Again => Err(Error::Proof(ProofRefused::Used)),
            Shown::Full => Err(Error::Overloaded { retry_after_s: 1 }),
        }
    }
}
