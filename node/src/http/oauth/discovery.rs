//! Server metadata (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).

use actors::oauth::discovery::Document;
use axum::{extract::State, response::Response};

use crate::http::{
    error::Failure,
    oauth::documents::{Addressed, Documents, answer},
};

/// `GET /.well-known/openid-configuration`.
pub(super) async fn openid(
    State(documents): State<Documents>,
    Addressed(address): Addressed,
) -> Result<Response, Failure> {
    metadata(documents, address, Document::OpenId).await
}

/// `GET /.well-known/oauth-authorization-server`.
pub(super) async fn oauth(
    State(documents): State<Documents>,
    Addressed(address): Addressed,
) -> Result<Response, Failure> {
    metadata(documents, address, Document::OAuth).await
}

async fn metadata(
    documents: Documents,
    address: actors::tenants::Address,
    which: Document,
) -> Result<Response, Failure> {
    let found = documents.find(&address).await?;
    Ok(answer(documents.metadata(&found, which).await?))
}
