//! What a command answers: an outcome, or a rejection with a stable code.
//!
//! Both are part of the replicated result, the same on every node. A rejection wrote nothing but
//! its audit event; a refusal that changes state (a replayed code) is an [`Outcome::Refused`].
//! Variants are only ever appended.

use serde::{Deserialize, Serialize};

use crate::{
    codec::Persisted, fault::Fault, grants::Issued, id::SagaId, oauth::refresh::Refreshed,
    secret::Sealed,
};

/// The rules say no. `code()` is what interfaces show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// The target does not exist, or the principal may not know of it.
    #[error("not found")]
    NotFound,
    /// A unique name is taken; the field that holds it.
    #[error("{0} is taken")]
    AlreadyExists(String),
    /// The target changed since it was read, or what was checked outside moved.
    #[error("changed in the meantime")]
    Stale,
    /// The principal lacks this permission.
    #[error("permission {0} is missing")]
    Denied(String),
    /// A rule is violated.
    #[error("{field}: {reason}")]
    Invalid {
        /// JSON pointer of the field.
        field: String,
        /// What the rule wants.
        reason: String,
    },
    /// The draft came too late, or claims to live too long.
    #[error("the request expired before it was applied")]
    Expired,
    /// Setup has closed for ever.
    #[error("setup has been completed")]
    SetupClosed,
    /// Another setup is under way.
    #[error("another setup is under way")]
    SetupOpen,
    /// The bootstrap secret is wrong.
    #[error("the bootstrap secret is wrong")]
    BootstrapSecret,
    /// The same idempotency key came with another body.
    #[error("the idempotency key was used with another body")]
    IdempotencyMismatch,
    /// The one gate of issuing said no.
    #[error("{0}")]
    Issue(IssueRefusal),
    /// The code is unknown, expired, of another client, or its proofs do not match.
    #[error("the authorization code is not valid: {0}")]
    Code(CodeRefusal),
    /// Protected: the default tenant, its last administrator, a built-in object.
    #[error("{0}")]
    Protected(String),
    /// The command is not known at the cluster's feature level.
    #[error("not available at this feature level")]
    FeatureLevel,
    /// This draft made the rules fail in a way that must not happen; nothing was written.
    #[error("the request could not be processed")]
    Poison,
    /// The refresh token is unknown, expired, used, of another client, or its family has ended.
    #[error("the refresh token is not valid: {0}")]
    Refresh(RefreshRefusal),
    /// Too many attempts failed; nothing is tried before this state time, milliseconds.
    #[error("too many attempts")]
    Throttled {
        /// Milliseconds.
        until_ms: u64,
    },
    /// The proof of a client's key is missing, too old, or was used before.
    #[error("the DPoP proof is not valid: {0}")]
    Proof(ProofRefusal),
    /// The license of the tenant does not give this.
    #[error("{0}")]
    License(LicenseRefusal),
    /// Others depend on the target as it is; the sentence says which.
    #[error("{0}")]
    InUse(String),
    /// The join token is unknown, over, used or taken back; a stranger is not told which.
    #[error("the join token is not valid")]
    JoinToken,
}

/// What a license does not give. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum LicenseRefusal {
    /// One more of something.
    #[error("the license ({license}) allows {limit} {resource}")]
    Limit {
        /// Of what.
        resource: String,
        /// How many there may be.
        limit: u32,
        /// The tier.
        license: String,
    },
    /// The use of something.
    #[error("the license ({license}) does not include {feature}")]
    Feature {
        /// Of what.
        feature: String,
        /// The tier.
        license: String,
    },
}

/// Why nothing is issued now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum IssueRefusal {
    /// The tenant is disabled or deleted.
    #[error("the tenant is disabled")]
    TenantDisabled,
    /// The client is disabled, deleted or unknown.
    #[error("the client is disabled")]
    ClientDisabled,
    /// The user is disabled, deleted or unknown.
    #[error("the user is disabled")]
    UserDisabled,
    /// The client is not registered for this grant type.
    #[error("the client may not use this grant type")]
    GrantType,
    /// A scope the client is not registered for.
    #[error("the client may not ask for this scope")]
    Scope,
    /// The session ended or never was.
    #[error("the session has ended")]
    SessionEnded,
    /// The redirect URI is not registered any more.
    #[error("the redirect URI is not registered")]
    RedirectUri,
    /// The grant was revoked or has ended.
    #[error("the grant has ended")]
    GrantEnded,
    /// The person proved who they are longer ago than the request allows.
    #[error("the sign-in is too long ago")]
    LoginTooOld,
    /// A third-party client asks for what the person has not allowed, or not any more.
    #[error("the person has not allowed this")]
    Consent,
}

/// Why a code is not redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CodeRefusal {
    /// No such code, or long gone.
    #[error("it is unknown")]
    Unknown,
    /// It lived its time.
    #[error("it has expired")]
    Expired,
    /// Another client presents it.
    #[error("it was issued to another client")]
    Client,
    /// The redirect URI differs from the one it was issued to.
    #[error("the redirect URI is not the one of the authorization request")]
    RedirectUri,
    /// The PKCE verifier is missing, unexpected or wrong.
    #[error("the code verifier does not match")]
    Verifier,
    /// A credential of the user changed since.
    #[error("the credentials of the user have changed")]
    Credential,
    /// It is bound to another key than the one shown.
    #[error("it is bound to another key")]
    Key,
}

/// Why a proof of a client's key does not count (RFC 9449 §4.3). Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ProofRefusal {
    /// What is asked for is bound to a key, and none was shown.
    #[error("it is missing")]
    Missing,
    /// It was made too long ago.
    #[error("it is too old")]
    Expired,
    /// It was used before.
    #[error("it was used before")]
    Used,
}

/// Why a refresh token is not exchanged. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RefreshRefusal {
    /// No such token, or long gone.
    #[error("it is unknown")]
    Unknown,
    /// Another client presents it.
    #[error("it was issued to another client")]
    Client,
    /// It was not used for too long, or its family lived its time.
    #[error("it has expired")]
    Expired,
    /// Its family was revoked.
    #[error("it was revoked")]
    Ended,
    /// Its successor is in use already; the family lives.
    #[error("its successor has been used")]
    Superseded,
    /// A credential of the user changed since.
    #[error("the credentials of the user have changed")]
    Credential,
    /// A resource that was not granted.
    #[error("it was not granted for this resource")]
    Target,
    /// It is bound to another key than the one shown; the family lives.
    #[error("it is bound to another key")]
    Key,
}

/// A refusal that changed state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// A code came a second time; what the first one issued is revoked.
    CodeReplayed,
    /// A refresh token came again after its grace; its family is revoked.
    RefreshReplayed,
}

impl Refusal {
    /// The stable code that the audit trail shows.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CodeReplayed => "code_replayed",
            Self::RefreshReplayed => "refresh_replayed",
        }
    }
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done, nothing to say.
    Done,
    /// A record was written.
    Written {
        /// Its id.
        id: [u8; 16],
        /// Its revision, the new ETag.
        revision: u64,
    },
    /// A saga is under way or was found under way.
    Saga(SagaId),
    /// Something may be issued with exactly these properties.
    Issued(Issued),
    /// Refused, and that was written down.
    Refused(Refusal),
    /// How many rows were removed.
    Swept(u32),
    /// Something may be issued with exactly these properties, and a refresh token with it.
    Refreshed(Box<Refreshed>),
    /// A node belongs to the cluster.
    Joined {
        /// Its number.
        node: u64,
    },
}

/// The answer to one draft, kept under its request id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Log index of its entry.
    pub index: u64,
    /// Its place in the entry.
    pub ordinal: u16,
    /// State time it was applied at, milliseconds.
    pub at_ms: u64,
    /// The result.
    pub result: Result<Outcome, Rejection>,
    /// Set when an idempotency key found an earlier answer: the sealed one-time secret of then.
    pub replayed: Option<Option<Sealed>>,
}

impl Persisted for Reply {
    const KIND: [u8; 2] = *b"_r";
}

/// How a command ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The rules say no.
    Rejected(Rejection),
    /// This node must stop.
    Fault(Fault),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<IssueRefusal> for Stop {
    fn from(refusal: IssueRefusal) -> Self {
        Self::Rejected(Rejection::Issue(refusal))
    }
}

impl From<CodeRefusal> for Stop {
    fn from(refusal: CodeRefusal) -> Self {
        Self::Rejected(Rejection::Code(refusal))
    }
}

impl From<RefreshRefusal> for Stop {
    fn from(refusal: RefreshRefusal) -> Self {
        Self::Rejected(Rejection::Refresh(refusal))
    }
}

impl From<ProofRefusal> for Stop {
    fn from(refusal: ProofRefusal) -> Self {
        Self::Rejected(Rejection::Proof(refusal))
    }
}

impl Rejection {
    /// The stable code interfaces and the audit trail show.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists(_) => "already_exists",
            Self::Stale => "stale",
            Self::Denied(_) => "denied",
            Self::Invalid { .. } => "invalid",
            Self::Expired => "expired",
            Self::SetupClosed => "setup_closed",
            Self::SetupOpen => "setup_open",
            Self::BootstrapSecret => "bootstrap_secret",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::Issue(_) => "issue_refused",
            Self::Code(_) | Self::Refresh(_) => "invalid_grant",
            Self::Protected(_) => "protected",
            Self::FeatureLevel => "feature_level",
            Self::Poison => "internal",
            Self::Throttled { .. } => "throttled",
            Self::Proof(_) => "invalid_dpop_proof",
            Self::License(LicenseRefusal::Limit { .. }) => "license_limit",
            Self::License(LicenseRefusal::Feature { .. }) => "license_feature",
            Self::InUse(_) => "in_use",
            Self::JoinToken => "join_token",
        }
    }

    /// A violated rule at a field.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }
}
