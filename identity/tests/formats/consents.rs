//! Samples of consents and of who must have them.

use identity::consents::{self, Consent, Requirement};

use crate::{
    Sample,
    records::{AT, CLIENT, USER},
    sample,
};

pub(crate) fn samples() -> Vec<Sample> {
    let consent = Consent {
        id: consents::id_of(USER, CLIENT),
        revision: 2,
        user: USER,
        client: CLIENT,
        scopes: ["openid".into(), "email".into()].into(),
        given_at_ms: AT,
        withdrawn_at_ms: Some(AT + 9),
    };
    let requirement = Requirement { required: true, ..Requirement::none(CLIENT) };
    vec![sample("consent", consent), sample("consent-requirement", requirement)]
}
