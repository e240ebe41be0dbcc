//! The one table of errors, and what a handler returns when it refuses.
//!
//! A handler returns a `Failure`; it does not render it. The envelope renders it in the dialect of
//! the route family (`dialect`), with the request id, so no answer can be in the wrong form.
//! Invariant: every code here has a paragraph in `docs/ERRORS.md`, and nothing else makes codes.

pub mod dialect;
pub mod failure;
pub mod flow;
pub mod render;

use axum::http::StatusCode;

pub use self::{
    dialect::Dialect,
    failure::{Failure, FieldError},
};

/// One kind of error as the outside sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// Stable code; `/errors/<code>` in problem documents (RFC 9457 §3.1.1).
    pub code: &'static str,
    /// HTTP status.
    pub status: StatusCode,
    /// Short sentence for people, the same for every occurrence.
    pub title: &'static str,
    /// The `error` of OAuth answers (RFC 6749 §5.2, RFC 6750 §3.1, RFC 8628 §3.5).
    pub oauth: &'static str,
}

impl Class {
    /// Malformed input; field errors say where.
    pub const INVALID_REQUEST: Self = Self {
        code: "invalid_request",
        status: StatusCode::BAD_REQUEST,
        title: "The request is malformed.",
        oauth: "invalid_request",
    };
    /// A code, refresh token or verifier that is wrong, expired or used.
    pub const INVALID_GRANT: Self = Self {
        code: "invalid_grant",
        status: StatusCode::BAD_REQUEST,
        title: "The grant is not valid any more.",
        oauth: "invalid_grant",
    };
    /// A scope that is unknown or not allowed for the client.
    pub const INVALID_SCOPE: Self = Self {
        code: "invalid_scope",
        status: StatusCode::BAD_REQUEST,
        title: "The scope is not available.",
        oauth: "invalid_scope",
    };
    /// A client that may not use this grant type.
    pub const UNAUTHORIZED_CLIENT: Self = Self {
        code: "unauthorized_client",
        status: StatusCode::BAD_REQUEST,
        title: "The client may not use this grant type.",
        oauth: "unauthorized_client",
    };
    /// A grant type that this server does not offer.
    pub const UNSUPPORTED_GRANT_TYPE: Self = Self {
        code: "unsupported_grant_type",
        status: StatusCode::BAD_REQUEST,
        title: "The grant type is not supported.",
        oauth: "unsupported_grant_type",
    };
    /// A response type that this server does not offer.
    pub const UNSUPPORTED_RESPONSE_TYPE: Self = Self {
        code: "unsupported_response_type",
        status: StatusCode::BAD_REQUEST,
        title: "The response type is not supported.",
        oauth: "unsupported_response_type",
    };
    /// The client did not prove who it is.
    pub const INVALID_CLIENT: Self = Self {
        code: "invalid_client",
        status: StatusCode::UNAUTHORIZED,
        title: "The client could not be authenticated.",
        oauth: "invalid_client",
    };
    /// A bearer token that is missing, wrong or expired.
    pub const INVALID_TOKEN: Self = Self {
        code: "invalid_token",
        status: StatusCode::UNAUTHORIZED,
        title: "The access token is missing or not valid.",
        oauth: "invalid_token",
    };
    /// A proof of the client's key that is missing, wrong, too old, used, or of another request.
    pub const INVALID_DPOP_PROOF: Self = Self {
        code: "invalid_dpop_proof",
        status: StatusCode::BAD_REQUEST,
        title: "The DPoP proof is not valid.",
        oauth: "invalid_dpop_proof",
    };
    /// A valid token without the scope that the route asks for.
    pub const INSUFFICIENT_SCOPE: Self = Self {
        code: "insufficient_scope",
        status: StatusCode::FORBIDDEN,
        title: "The access token lacks a scope.",
        oauth: "insufficient_scope",
    };
    /// Not permitted, and the principal may know that the target exists.
    pub const DENIED: Self = Self {
        code: "denied",
        status: StatusCode::FORBIDDEN,
        title: "This is not permitted.",
        oauth: "access_denied",
    };
    /// A license limit is reached.
    pub const LICENSE_LIMIT: Self = Self {
        code: "license_limit",
        status: StatusCode::FORBIDDEN,
        title: "A limit of the license is reached.",
        oauth: "access_denied",
    };
    /// The license does not include a feature.
    pub const LICENSE_FEATURE: Self = Self {
        code: "license_feature",
        status: StatusCode::FORBIDDEN,
        title: "The license does not include this.",
        oauth: "access_denied",
    };
    /// Absent, or not visible to the principal.
    pub const NOT_FOUND: Self = Self {
        code: "not_found",
        status: StatusCode::NOT_FOUND,
        title: "There is nothing here.",
        oauth: "invalid_request",
    };
    /// The path exists, the method does not; `Allow` names those that do.
    pub const METHOD_NOT_ALLOWED: Self = Self {
        code: "method_not_allowed",
        status: StatusCode::METHOD_NOT_ALLOWED,
        title: "The method is not available here.",
        oauth: "invalid_request",
    };
    /// The body did not arrive in time.
    pub const REQUEST_TIMEOUT: Self = Self {
        code: "request_timeout",
        status: StatusCode::REQUEST_TIMEOUT,
        title: "The request body arrived too slowly.",
        oauth: "invalid_request",
    };
    /// A name or another unique value is taken.
    pub const ALREADY_EXISTS: Self = Self {
        code: "already_exists",
        status: StatusCode::CONFLICT,
        title: "It exists already.",
        oauth: "invalid_request",
    };
    /// The operation does not fit the present state.
    pub const CONFLICT: Self = Self {
        code: "conflict",
        status: StatusCode::CONFLICT,
        title: "The request conflicts with the present state.",
        oauth: "invalid_request",
    };
    /// Something that existed is gone for good.
    pub const GONE: Self = Self {
        code: "gone",
        status: StatusCode::GONE,
        title: "It is no longer available.",
        oauth: "invalid_request",
    };
    /// `If-Match` named another revision.
    pub const STALE: Self = Self {
        code: "stale",
        status: StatusCode::PRECONDITION_FAILED,
        title: "It changed since it was read.",
        oauth: "invalid_request",
    };
    /// The body is larger than the limit.
    pub const PAYLOAD_TOO_LARGE: Self = Self {
        code: "payload_too_large",
        status: StatusCode::PAYLOAD_TOO_LARGE,
        title: "The request body is too large.",
        oauth: "invalid_request",
    };
    /// The request target is longer than the limit.
    pub const URI_TOO_LONG: Self = Self {
        code: "uri_too_long",
        status: StatusCode::URI_TOO_LONG,
        title: "The address is too long.",
        oauth: "invalid_request",
    };
    /// A content type that the route does not read.
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self {
        code: "unsupported_media_type",
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        title: "The content type is not supported here.",
        oauth: "invalid_request",
    };
    /// A rule is violated that has no code of its own.
    pub const RULE_VIOLATED: Self = Self {
        code: "rule_violated",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: "A rule does not allow this.",
        oauth: "invalid_request",
    };
    /// Something that must stay as it is: the default tenant, its last administrator, a built-in.
    pub const PROTECTED: Self = Self {
        code: "protected",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: "This is protected.",
        oauth: "invalid_request",
    };
    /// The same `Idempotency-Key` came with another body.
    pub const IDEMPOTENCY_MISMATCH: Self = Self {
        code: "idempotency_mismatch",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: "The idempotency key belongs to another request.",
        oauth: "invalid_request",
    };
    /// The change needs `If-Match`.
    pub const PRECONDITION_REQUIRED: Self = Self {
        code: "precondition_required",
        status: StatusCode::PRECONDITION_REQUIRED,
        title: "The change needs an If-Match header.",
        oauth: "invalid_request",
    };
    /// The tenant lets in nobody from where the request comes.
    pub const SOURCE_BLOCKED: Self = Self {
        code: "source_blocked",
        status: StatusCode::FORBIDDEN,
        title: "Access from this address is blocked.",
        oauth: "access_denied",
    };
    /// Too many attempts; `Retry-After` says when again.
    pub const RATE_LIMITED: Self = Self {
        code: "rate_limited",
        status: StatusCode::TOO_MANY_REQUESTS,
        title: "There were too many attempts.",
        oauth: "slow_down",
    };
    /// Too many header fields, or too large ones.
    pub const HEADERS_TOO_LARGE: Self = Self {
        code: "headers_too_large",
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        title: "The request headers are too large.",
        oauth: "invalid_request",
    };
    /// A fault or a bug; the request id is in the log.
    pub const INTERNAL: Self = Self {
        code: "internal",
        status: StatusCode::INTERNAL_SERVER_ERROR,
        title: "The server failed to handle the request.",
        oauth: "server_error",
    };
    /// No leader, draining, or overloaded.
    pub const UNAVAILABLE: Self = Self {
        code: "unavailable",
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: "The service is not available right now.",
        oauth: "temporarily_unavailable",
    };
    /// The write may or may not have happened.
    pub const OUTCOME_UNKNOWN: Self = Self {
        code: "outcome_unknown",
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: "It is not known whether the change was made.",
        oauth: "temporarily_unavailable",
    };
    /// The answer took too long.
    pub const TIMED_OUT: Self = Self {
        code: "timed_out",
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: "The request took too long.",
        oauth: "temporarily_unavailable",
    };

    /// The class of an answer that only says a status: what the framework itself refuses.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::INVALID_TOKEN,
            StatusCode::FORBIDDEN => Self::DENIED,
            StatusCode::NOT_FOUND => Self::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED => Self::METHOD_NOT_ALLOWED,
            StatusCode::REQUEST_TIMEOUT => Self::REQUEST_TIMEOUT,
            StatusCode::CONFLICT => Self::CONFLICT,
            StatusCode::GONE => Self::GONE,
            StatusCode::PRECONDITION_FAILED => Self::STALE,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PAYLOAD_TOO_LARGE,
            StatusCode::URI_TOO_LONG => Self::URI_TOO_LONG,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::UNPROCESSABLE_ENTITY => Self::RULE_VIOLATED,
            StatusCode::TOO_MANY_REQUESTS => Self::RATE_LIMITED,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HEADERS_TOO_LARGE,
            StatusCode::SERVICE_UNAVAILABLE => Self::UNAVAILABLE,
            other if other.is_server_error() => Self::INTERNAL,
            _ => Self::INVALID_REQUEST,
        }
    }
}

#[cfg(test)]
mod tests;
