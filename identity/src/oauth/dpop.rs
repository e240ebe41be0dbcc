//! Clients with a key: what they ask for is bound to it (DPoP, RFC 9449).
//!
//! A flow verifies the proof; here it is used up, once, in the same command that issues something
//! for it. The key itself is known by its thumbprint (RFC 7638) alone. A code is bound to a key
//! that the authorization request announces, refresh tokens of a client without a secret to the key
//! that the family began with. Invariant: what was refused leaves its proof unused.

use serde::{Deserialize, Serialize};

use super::{Command, client_token, code, password, pkce, refresh};
use crate::{
    applying::Applying,
    clients::Client,
    codec::Persisted,
    outcome::{Outcome, ProofRefusal, Rejection, Stop},
    secret::Digest,
    table::TablesMut,
};

/// Thumbprint of the key that a client showed or announced; none for a client without.
pub(crate) type Key<'a> = Option<&'a str>;

/// A command of a client with a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    /// Thumbprint of the key: base64url of SHA-256 (RFC 7638).
    pub thumbprint: String,
    /// The verified proof that it has the key; none where it only announces the key.
    pub proof: Option<Proof>,
    /// What it asks for: an exchange with a proof, a code without.
    pub command: Command,
}

/// A proof that a flow verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What it is used up by: see [`used`].
    pub used: Digest,
    /// When it is too old, state time in milliseconds.
    pub expires_at_ms: u64,
}

/// A proof that was used, found by [`used`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedProof {
    /// When nobody would take it any more, state time in milliseconds.
    pub expires_at_ms: u64,
}

impl Persisted for UsedProof {
    const KIND: [u8; 2] = *b"dp";
}

/// Digest that a proof is used up by: nobody can use up a proof of another key.
pub fn used(thumbprint: &str, jti: &str) -> Digest {
    Digest::of(format!("{thumbprint}.{jti}").as_bytes())
}

/// Whether a text has the form of a thumbprint.
pub fn is_thumbprint(text: &str) -> bool {
    // Both are base64url of a SHA-256.
    pkce::is_challenge(text)
}

/// A command as its client asks it: as it is, or for a key.
pub fn asked(command: Command, key: Option<(&str, Option<Proof>)>) -> Command {
    match key {
        None => command,
        Some((thumbprint, proof)) => {
            Command::Keyed(Box::new(Keyed { thumbprint: thumbprint.to_owned(), proof, command }))
        }
    }
}

impl Keyed {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let key = Some(self.thumbprint.as_str());
        let Some(proof) = &self.proof else {
            return match &self.command {
                Command::SignIn(sign_in) => code::sign_in(at, sign_in, key),
                Command::Continue(further) => code::go_on(at, further, key),
                Command::Allow(further) => code::allow(at, further, key),
                _ => Err(ProofRefusal::Missing.into()),
            };
        };
        proof.use_up(at)?;
        match &self.command {
            Command::RedeemCode(redemption) => code::redeem(at, redemption, key),
            Command::Refresh(shown) => refresh::refresh(at, shown, key),
            Command::Password(handed_in) => password::issue(at, handed_in, key),
            Command::IssueClientToken { client, scopes, api } => {
                client_token(at, *client, scopes, *api, key)
            }
            _ => Err(Rejection::invalid("/command", "needs no proof").into()),
        }
    }
}

impl Proof {
    fn use_up<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<(), Stop> {
        // Its row is kept until then, so that no proof outlives the memory of its use.
        if at.now_ms >= self.expires_at_ms {
            return Err(ProofRefusal::Expired.into());
        }
        if at.flow::<UsedProof>(self.used.bytes())?.is_some() {
            return Err(ProofRefusal::Used.into());
        }
        let row = UsedProof { expires_at_ms: self.expires_at_ms };
        at.put_flow(self.used.bytes(), &row, self.expires_at_ms);
        Ok(())
    }
}

/// Refuses a client that is registered to show a key and shows none (RFC 9449 §5.2).
///
/// # Errors
/// [`ProofRefusal::Missing`].
pub(crate) fn demanded(client: &Client, shown: Key<'_>) -> Result<(), Stop> {
    if client.dpop_bound_access_tokens && shown.is_none() {
        return Err(ProofRefusal::Missing.into());
    }
    Ok(())
}

/// Whether what is bound to a key, if to any, is shown with it.
///
/// # Errors
/// `other` for another key, [`ProofRefusal::Missing`] for none.
pub(crate) fn same(bound: Key<'_>, shown: Key<'_>, other: impl Into<Stop>) -> Result<(), Stop> {
    match (bound, shown) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(ProofRefusal::Missing.into()),
        (Some(bound), Some(shown)) if bound == shown => Ok(()),
        (Some(_), Some(_)) => Err(other.into()),
    }
}
