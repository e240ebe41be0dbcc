//! What an authorization request needs next (OIDC Core §3.1.2.1, §3.1.2.3): a sign-in, a choice of
//! account, a consent, or nothing more.
//!
//! `apply` decides again what it can see: that the session counts, how old its sign-in is.

use serde::{Deserialize, Serialize};

use super::{
    authorize::Request,
    error::{Code, Error},
};
use crate::id::UserId;

/// What a request wants the person to be asked, apart from what is needed anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prompt {
    /// Nothing at all may be shown.
    pub none: bool,
    /// The person must prove again who they are.
    pub login: bool,
    /// The person must be asked for consent again.
    pub consent: bool,
    /// The person must choose an account.
    pub select_account: bool,
}

impl Prompt {
    /// Reads the parameter.
    ///
    /// # Errors
    /// `invalid_request` for an unknown word, and for `none` beside another.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut prompt = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => {
                    let hint = "prompt may hold none, login, consent and select_account";
                    return Err(Error::new(Code::InvalidRequest, hint));
                }
            }
        }
        if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
            return Err(Error::new(Code::InvalidRequest, "prompt=none stands alone"));
        }
        Ok(prompt)
    }
}

/// Who is signed in with this browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// When they proved it, state time in milliseconds.
    pub authenticated_at_ms: u64,
    /// Whether the client may have what it asks for without asking the person.
    pub consented: bool,
}

/// What a request needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Somebody has to sign in.
    Login,
    /// The person chooses between going on and another account.
    Choose,
    /// The person must be asked whether the client may have this.
    Consent,
    /// A code can be issued.
    Issue,
    /// The client gets this error.
    Refuse(Error),
}

/// Decides it.
pub fn step(request: &Request, signed_in: Option<SignedIn>, now_ms: u64) -> Step {
    let prompt = request.prompt;
    let Some(signed_in) = signed_in else {
        return login(prompt, "nobody is signed in");
    };
    if prompt.select_account {
        return Step::Choose;
    }
    if request.subject.is_some_and(|subject| subject != signed_in.user) {
        return login(prompt, "another account than that of id_token_hint is signed in");
    }
    if too_old(request.max_age_s, signed_in.authenticated_at_ms, now_ms) {
        return login(prompt, "the sign-in is longer ago than max_age");
    }
    if prompt.login {
        return Step::Login;
    }
    match (signed_in.consented, prompt) {
        (false, Prompt { none: true, .. }) => {
            let hint = "the person has to allow this first";
            Step::Refuse(Error::new(Code::ConsentRequired, hint))
        }
        (false, _) | (true, Prompt { consent: true, .. }) => Step::Consent,
        (true, _) => Step::Issue,
    }
}

/// Whether somebody proved who they are longer ago than a request allows; no sign-in of before is
/// recent enough for 0.
pub fn too_old(max_age_s: Option<u32>, authenticated_at_ms: u64, now_ms: u64) -> bool {
    let age_ms = now_ms.saturating_sub(authenticated_at_ms);
    max_age_s.is_some_and(|max_s| max_s == 0 || age_ms > u64::from(max_s).saturating_mul(1000))
}

fn login(prompt: Prompt, hint: &str) -> Step {
    if prompt.none { Step::Refuse(Error::new(Code::LoginRequired, hint)) } else { Step::Login }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::authorize::{ResponseMode, ReturnTo},
        *,
    };

    const ALICE: UserId = UserId::from_bytes([1; 16]);
    const BOB: UserId = UserId::from_bytes([2; 16]);

    fn request(prompt: &str) -> Request {
        Request {
            client_id: "web".into(),
            to: ReturnTo {
                redirect_uri: "https://app.example/cb".into(),
                client_state: None,
                mode: ResponseMode::Query,
                client_name: "Web".into(),
                ui_locales: None,
            },
            scopes: BTreeSet::new(),
            nonce: None,
            challenge: None,
            api: false,
            login_hint: None,
            prompt: Prompt::parse(prompt).unwrap(),
            max_age_s: None,
            subject: None,
            thumbprint: None,
        }
    }

    #[test]
    fn a_prompt_is_read_word_by_word() {
        let plain = Prompt::default();
        for (text, expected) in [
            ("none", Some(Prompt { none: true, ..plain })),
            ("login", Some(Prompt { login: true, ..plain })),
            ("consent  login", Some(Prompt { login: true, consent: true, ..plain })),
            ("select_account", Some(Prompt { select_account: true, ..plain })),
            ("none login", None),
            ("select_account none", None),
            ("create", None),
            ("Login", None),
        ] {
            assert_eq!(Prompt::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn every_prompt_meets_every_session() {
        let (asked_s, now_ms) = (60, 1_000_000);
        let at = |age_s: u64| {
            let authenticated_at_ms = now_ms - age_s * 1000;
            Some(SignedIn { user: ALICE, authenticated_at_ms, consented: true })
        };
        let unasked = Some(SignedIn { consented: false, ..at(1).unwrap() });
        // Prompt, whose hint, max_age, who is signed in since how long, what is next.
        let table = [
            ("", None, None, None, "login"),
            ("", None, None, at(1), "issue"),
            ("", Some(ALICE), None, at(1), "issue"),
            ("", Some(BOB), None, at(1), "login"),
            ("", None, Some(asked_s), at(60), "issue"),
            ("", None, Some(asked_s), at(61), "login"),
            ("", None, Some(0), at(0), "login"),
            ("login", None, None, at(1), "login"),
            ("login", None, None, None, "login"),
            ("consent", None, None, None, "login"),
            ("consent", None, None, at(1), "consent"),
            ("consent login", None, None, at(1), "login"),
            ("", None, None, unasked, "consent"),
            ("", Some(BOB), None, unasked, "login"),
            ("login", None, None, unasked, "login"),
            ("select_account", None, None, unasked, "choose"),
            ("none", None, None, unasked, "consent_required"),
            ("none", None, Some(0), unasked, "login_required"),
            ("select_account", None, None, None, "login"),
            ("select_account", None, None, at(1), "choose"),
            ("select_account login", None, None, at(1), "choose"),
            ("select_account", Some(BOB), Some(0), at(1), "choose"),
            ("none", None, None, None, "login_required"),
            ("none", None, None, at(1), "issue"),
            ("none", Some(ALICE), Some(asked_s), at(60), "issue"),
            ("none", Some(BOB), None, at(1), "login_required"),
            ("none", None, Some(asked_s), at(61), "login_required"),
        ];
        for (prompt, subject, max_age_s, signed_in, expected) in table {
            let request = Request { subject, max_age_s, ..request(prompt) };
            let found = match step(&request, signed_in, now_ms) {
                Step::Login => "login",
                Step::Choose => "choose",
                Step::Issue => "issue",
                Step::Consent => "consent",
                Step::Refuse(error) => error.code.name(),
            };
            assert_eq!(found, expected, "{prompt} {subject:?} {max_age_s:?} {signed_in:?}");
        }
    }
}
