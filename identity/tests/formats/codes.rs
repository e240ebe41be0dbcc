//! Samples of authorization codes and of proofs that were used.

use identity::{
    command::Command,
    oauth::{
        self,
        code::AuthorizationCode,
        dpop::{self, Proof, UsedProof},
    },
    sessions::Presented,
};

use crate::{
    Sample,
    commands::draft,
    older,
    records::{AT, CLIENT, GRANT, SESSION, USER, digest},
    sample,
};

/// Of the key of RFC 9449 §4.2.
pub(crate) const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

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
        thumbprint: Some(THUMBPRINT.into()),
    }
}

/// What a client asks with a proof.
pub(crate) fn keyed() -> oauth::Command {
    let proof = Proof { used: digest(12), expires_at_ms: AT + 60_000 };
    let scopes = ["read".into()].into();
    let command = oauth::Command::IssueClientToken { client: CLIENT, scopes, api: false };
    dpop::asked(command, Some((THUMBPRINT, Some(proof))))
}

pub(crate) fn samples() -> Vec<Sample> {
    let asked = code();
    let further = oauth::Continue {
        presented: Presented { session: SESSION, cookie: digest(9) },
        ask: oauth::Ask {
            client: CLIENT,
            redirect_uri: asked.redirect_uri,
            scopes: asked.scopes,
            nonce: asked.nonce,
            challenge: asked.challenge,
            api: false,
        },
        code: digest(5),
        max_age_s: None,
    };
    let command = oauth::Command::Continue(Box::new(further));
    let announced = dpop::asked(command, Some((THUMBPRINT, None)));
    vec![
        older(
            "authorization-code",
            AuthorizationCode { credential_revision: u64::MAX, thumbprint: None, ..code() },
        ),
        older("authorization-code-2", AuthorizationCode { thumbprint: None, ..code() }),
        sample("authorization-code-3", code()),
        sample("used-proof", UsedProof { expires_at_ms: AT }),
        sample("draft-oauth-keyed-announced", draft(Command::Oauth(announced))),
    ]
}
