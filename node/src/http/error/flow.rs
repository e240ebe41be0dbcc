//! The one mapping from what a flow answers to classes of the table.
//!
//! The text of an inner error never reaches the caller: it goes to the log under the request id.
//! Invariant: `outcome_unknown` is said only where a write may have happened.

use actors::{
    Error,
    runtime::limiter::{Left, Limited},
};
use axum::http::header;
use identity::{
    oauth::error::{Code, Error as OAuthError},
    outcome::{LicenseRefusal, Rejection},
};

use crate::http::{
    admin::position,
    error::{Class, Failure},
    extract::{bearer::challenge, dpop},
    layer::{self, Arrival},
};

/// When another attempt makes sense while there is no leader, seconds.
const RETRY_S: u32 = 1;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(rejection) => rejection.into(),
            Error::OAuth(error) => error.into(),
            // RFC 6750 §3.1.
            Error::Unauthenticated => Self::new(Class::INVALID_TOKEN)
                .header(header::WWW_AUTHENTICATE, challenge("invalid_token", None)),
            // RFC 9449 §7.1: at a resource it is a matter of authentication.
            Error::Proof(refused) => dpop::refusal(refused),
            Error::InsufficientScope(scope) => Self::new(Class::INSUFFICIENT_SCOPE)
                .detail(format!("it needs {scope}"))
                .header(header::WWW_AUTHENTICATE, challenge("insufficient_scope", Some(&scope))),
            Error::Overloaded { retry_after_s } => {
                Self::new(Class::UNAVAILABLE).detail("overloaded").retry_after_s(retry_after_s)
            }
            Error::Throttled { retry_after_s } => {
                Self::new(Class::RATE_LIMITED).retry_after_s(retry_after_s)
            }
            Error::Blocked => Self::new(Class::SOURCE_BLOCKED),
            Error::Limited(limited) => limited.into(),
            Error::Trimmed { first, life } => {
                let left = position::of_life(&life, position::text(first.saturating_sub(1)));
                Self::new(Class::GONE)
                    .detail(format!(
                        "what followed is not there any more; the feed goes on after {left}"
                    ))
                    .field("after", format!("is too old or of before; go on after {left}"))
            }
            Error::Unavailable(reason) => {
                tracing::info!(reason, request_id = request_id(), "cannot serve");
                Self::new(Class::UNAVAILABLE).retry_after_s(RETRY_S)
            }
            Error::Unknown => Self::new(Class::OUTCOME_UNKNOWN).retry_after_s(RETRY_S),
            Error::Internal(reason) => {
                tracing::error!(reason, request_id = request_id(), "a flow failed");
                Self::new(Class::INTERNAL)
            }
        }
    }
}

impl From<Limited> for Failure {
    fn from(Limited { kind, rate, retry_after_s }: Limited) -> Self {
        let detail = format!("the limit of requests of one {} is reached", kind.name());
        let failure = Self::new(Class::RATE_LIMITED).detail(detail).retry_after_s(retry_after_s);
        let none = Left { kind, rate, requests: 0, reset_s: retry_after_s };
        let fields = layer::rates::fields([none].iter()).into_iter().flatten();
        fields.fold(failure, |failure, (name, value)| failure.header(name, value))
    }
}

fn request_id() -> String {
    Arrival::current().map_or_else(String::new, |arrival| arrival.request_id().to_owned())
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound => Self::new(Class::NOT_FOUND),
            Rejection::AlreadyExists(field) => Self::new(Class::ALREADY_EXISTS)
                .detail(format!("{field} is taken"))
                .field(format!("/{field}"), "is taken"),
            Rejection::Stale => Self::new(Class::STALE),
            Rejection::Denied(permission) => {
                Self::new(Class::DENIED).detail(format!("the permission {permission} is missing"))
            }
            Rejection::Invalid { field, reason } => {
                Self::new(Class::RULE_VIOLATED).detail("a field breaks a rule").field(field, reason)
            }
            Rejection::Expired => Self::new(Class::UNAVAILABLE).retry_after_s(RETRY_S),
            Rejection::SetupClosed => {
                Self::new(Class::GONE).detail("setup has been completed and is closed for ever")
            }
            Rejection::SetupOpen => Self::new(Class::CONFLICT).detail("another setup is under way"),
            Rejection::BootstrapSecret => {
                Self::new(Class::DENIED).detail("the bootstrap secret is wrong")
            }
            Rejection::IdempotencyMismatch => Self::new(Class::IDEMPOTENCY_MISMATCH),
            Rejection::Issue(refusal) => {
                Self::new(Class::INVALID_GRANT).detail(refusal.to_string())
            }
            Rejection::Code(refusal) => Self::new(Class::INVALID_GRANT).detail(refusal.to_string()),
            Rejection::Refresh(refusal) => {
                Self::new(Class::INVALID_GRANT).detail(refusal.to_string())
            }
            Rejection::Protected(what) => Self::new(Class::PROTECTED).detail(what),
            Rejection::FeatureLevel => {
                Self::new(Class::CONFLICT).detail("the cluster is still being upgraded")
            }
            Rejection::Poison => Self::new(Class::INTERNAL),
            Rejection::Throttled { .. } => Self::new(Class::RATE_LIMITED),
            Rejection::Proof(refusal) => {
                Self::new(Class::INVALID_DPOP_PROOF).detail(refusal.to_string())
            }
            Rejection::License(refusal) => {
                let class = match refusal {
                    LicenseRefusal::Limit { .. } => Class::LICENSE_LIMIT,
                    LicenseRefusal::Feature { .. } => Class::LICENSE_FEATURE,
                };
                Self::new(class).detail(refusal.to_string())
            }
            Rejection::InUse(what) => Self::new(Class::CONFLICT).detail(what),
            Rejection::JoinToken => Self::new(Class::DENIED).detail("the join token is not valid"),
        }
    }
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        let class = match error.code {
            Code::InvalidRequest
            | Code::RequestNotSupported
            | Code::RequestUriNotSupported
            | Code::InvalidTarget
            | Code::LoginRequired
            | Code::ConsentRequired
            | Code::UnsupportedTokenType => Class::INVALID_REQUEST,
            Code::InvalidClient => Class::INVALID_CLIENT,
            Code::InvalidGrant => Class::INVALID_GRANT,
            Code::UnauthorizedClient => Class::UNAUTHORIZED_CLIENT,
            Code::UnsupportedGrantType => Class::UNSUPPORTED_GRANT_TYPE,
            Code::UnsupportedResponseType => Class::UNSUPPORTED_RESPONSE_TYPE,
            Code::InvalidScope => Class::INVALID_SCOPE,
            Code::AccessDenied => Class::DENIED,
            Code::ServerError => Class::INTERNAL,
            Code::TemporarilyUnavailable => Class::UNAVAILABLE,
            Code::InvalidToken => Class::INVALID_TOKEN,
            Code::InvalidDpopProof => Class::INVALID_DPOP_PROOF,
            Code::InsufficientScope => Class::INSUFFICIENT_SCOPE,
        };
        // A code without a class of its own keeps the RFC's name on the wire.
        let oauth = error.code.name();
        Self::new(Class { oauth, ..class }).detail(error.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn license(limit: Option<u32>) -> Rejection {
        let license = "free".into();
        Rejection::License(match limit {
            Some(limit) => LicenseRefusal::Limit { resource: "users".into(), limit, license },
            None => LicenseRefusal::Feature { feature: "saml".into(), license },
        })
    }

    #[test]
    fn every_rejection_has_its_class() {
        for (rejection, status, code) in [
            (Rejection::NotFound, 404, "not_found"),
            (Rejection::AlreadyExists("slug".into()), 409, "already_exists"),
            (Rejection::Stale, 412, "stale"),
            (Rejection::Denied("users:read".into()), 403, "denied"),
            (Rejection::invalid("/name", "must not be empty"), 422, "rule_violated"),
            (Rejection::Expired, 503, "unavailable"),
            (Rejection::SetupClosed, 410, "gone"),
            (Rejection::SetupOpen, 409, "conflict"),
            (Rejection::BootstrapSecret, 403, "denied"),
            (Rejection::IdempotencyMismatch, 422, "idempotency_mismatch"),
            (Rejection::Protected("built in".into()), 422, "protected"),
            (Rejection::FeatureLevel, 409, "conflict"),
            (Rejection::Poison, 500, "internal"),
            (Rejection::Throttled { until_ms: 1 }, 429, "rate_limited"),
            (license(Some(10)), 403, "license_limit"),
            (license(None), 403, "license_feature"),
            (Rejection::InUse("roles hold it".into()), 409, "conflict"),
            (Rejection::JoinToken, 403, "denied"),
        ] {
            let class = Failure::from(rejection.clone()).class();
            assert_eq!((class.status.as_u16(), class.code), (status, code), "{rejection:?}");
        }
    }

    #[test]
    fn inner_texts_stay_inside() {
        for error in [Error::Internal("/data/x".into()), Error::Unavailable("node 10.0.0.1".into())]
        {
            let occurrence = Failure::from(error).into_occurrence();
            assert_eq!(occurrence.detail, None);
            assert!(occurrence.errors.is_empty());
        }
    }

    #[test]
    fn a_token_that_does_not_count_is_challenged() {
        let occurrence = Failure::from(Error::Unauthenticated).into_occurrence();
        assert_eq!(occurrence.class, Class::INVALID_TOKEN);
        assert_eq!(occurrence.headers[0].0, header::WWW_AUTHENTICATE);
        let occurrence = Failure::from(Error::InsufficientScope("write".into())).into_occurrence();
        let challenge = occurrence.headers[0].1.to_str().unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\", scope=\"write\""), "{challenge}");
    }
}
