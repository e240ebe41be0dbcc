//! Samples of authorization codes.

use identity::oauth::code::AuthorizationCode;

use crate::{
    Sample, older,
    records::{AT, CLIENT, GRANT, SESSION, USER},
    sample,
};

fn code() -> AuthorizationCode {
    AuthorizationCode {
        client: CLIENT,
        user: USER,
        session: SESSION,
        redirect_uri: "https://app.example/cb".into(),
        scopes: ["openid".into()].into(),
        nonce: Some("n-0".into()),
        challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into()),
        api: true,
        authenticated_at_ms: AT,
        expires_at_ms: AT + 60_000,
        redeemed: Some(GRANT),
        credential_revision: 3,
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        older("authorization-code", AuthorizationCode { credential_revision: u64::MAX, ..code() }),
        sample("authorization-code-2", code()),
    ]
}
