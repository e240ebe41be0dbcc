//! What a flow can answer besides success. `node` maps each to a status in one table.

use identity::{fault::Fault, oauth, outcome::Rejection};

use crate::runtime::{limiter::Limited, verifier::dpop::ProofRefused};

/// How a flow ends early.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The rules said no; part of the replicated result.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// An OAuth error in the RFC's own words.
    #[error(transparent)]
    OAuth(#[from] oauth::error::Error),
    /// No or no good bearer token.
    #[error("the access token is missing, expired or not valid here")]
    Unauthenticated,
    /// The proof beside an access token does not show that the caller has the token's key.
    #[error("the DPoP proof is not valid: {0}")]
    Proof(ProofRefused),
    /// The token is good but its scope does not open this.
    #[error("the access token lacks the scope {0}")]
    InsufficientScope(String),
    /// Too much at once; try again after this many seconds.
    #[error("overloaded")]
    Overloaded {
        /// For `Retry-After`, seconds.
        retry_after_s: u32,
    },
    /// Too many attempts failed here: nothing is compared before this many seconds have passed.
    #[error("too many attempts")]
    Throttled {
        /// For `Retry-After`, seconds.
        retry_after_s: u32,
    },
    /// The request comes from a network that the tenant lets in nowhere.
    #[error("the tenant blocks where the request comes from")]
    Blocked,
    /// More requests than a limit lets in.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// What follows a position of the change feed is not kept any more.
    #[error("changes before entry {first} are not kept any more")]
    Trimmed {
        /// The log index of the first entry whose changes are.
        first: u64,
        /// The cluster's life, which positions name from the second on.
        life: Option<String>,
    },
    /// No leader, or this node cannot serve now.
    #[error("not available: {0}")]
    Unavailable(String),
    /// A write was handed over and its answer never came: it may or may not have been applied.
    #[error("the outcome is not known; ask again with the same idempotency key")]
    Unknown,
    /// A fault of this node or a bug; the text goes to the log, never to the wire.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Internal(fault.to_string())
    }
}

impl From<identity::outcome::Stop> for Error {
    fn from(stop: identity::outcome::Stop) -> Self {
        match stop {
            identity::outcome::Stop::Rejected(rejection) => Self::Rejected(rejection),
            identity::outcome::Stop::Fault(fault) => fault.into(),
        }
    }
}

impl From<crate::runtime::hasher::Refused> for Error {
    fn from(refused: crate::runtime::hasher::Refused) -> Self {
        use crate::runtime::hasher::Refused;
        match refused {
            Refused::Overloaded { retry_after_s } => Self::Overloaded { retry_after_s },
            Refused::TooLong => {
                Self::Rejected(Rejection::invalid("/password", "must be at most 256 bytes"))
            }
            other => Self::Internal(other.to_string()),
        }
    }
}
