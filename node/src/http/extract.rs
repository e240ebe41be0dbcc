//! Request bodies and parameters as values, with refusals that say where.

pub mod bearer;
pub mod client_credentials;
pub mod dpop;
pub mod json;
pub mod parameters;
pub mod pointer;
pub mod source;
pub mod tenant;

pub use self::{
    bearer::AccessToken, client_credentials::ClientForm, dpop::Dpop, json::Json,
    parameters::Parameters, source::Source, tenant::Tenant,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt as _, LengthLimitError};

use crate::http::{
    error::{Class, Failure},
    layer::body::TooSlow,
};

/// Reads a guarded body to its end.
pub(crate) async fn whole(body: Body) -> Result<Bytes, Failure> {
    body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|error| {
        let error: axum::BoxError = error.into();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
        while let Some(inner) = cause {
            if inner.is::<LengthLimitError>() {
                return Failure::new(Class::PAYLOAD_TOO_LARGE);
            }
            if inner.is::<TooSlow>() {
                return Failure::new(Class::REQUEST_TIMEOUT);
            }
            cause = inner.source();
        }
        Failure::new(Class::INVALID_REQUEST).detail("the request body could not be read")
    })
}

/// The media type without parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
