//! `GET /.well-known/jwks.json`: the public keys of a tenant (RFC 7517 §5).

use axum::{extract::State, response::Response};

use crate::http::{
    error::Failure,
    oauth::documents::{Addressed, Documents, answer},
};

/// Every published key, also those that are not used yet.
pub(super) async fn get(
    State(documents): State<Documents>,
    Addressed(address): Addressed,
) -> Result<Response, Failure> {
    Ok(answer(documents.find(&address).await?.keys()))
}
