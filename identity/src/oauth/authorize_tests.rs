//! Every way an authorization request can be wrong, and where its error goes.

use super::*;
use crate::{
    clients::{Authentication, Settings},
    id::ClientId,
    keys::Algorithm,
};

const API: &str = "https://id.example/api";
/// Parameters set or, with none, left out.
type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn client(authentication: Authentication, admin_api: bool) -> Client {
    let settings = Settings {
        client_id: "web".into(),
        name: "Web".into(),
        enabled: true,
        authentication,
        native: false,
        redirect_uris: vec!["https://app.example/cb".into(), "https://app.example/b".into()],
        grant_types: BTreeSet::from([GrantType::AuthorizationCode]),
        scopes: BTreeSet::from(["orders".into()]),
        id_token_algorithm: Algorithm::Rs256,
        access_token_algorithm: Algorithm::Es256,
        access_token_lifetime_s: None,
        admin_api,
        roles: BTreeSet::new(),
        refresh: Default::default(),
        cors_origins: Default::default(),
        dpop_bound_access_tokens: false,
    };
    Client::new(ClientId::from_bytes([1; 16]), &settings, None, 0)
}

fn parameters(changes: Changes<'_>) -> Parameters {
    let mut map: BTreeMap<&str, &str> = BTreeMap::from([
        ("client_id", "web"),
        ("redirect_uri", "https://app.example/cb"),
        ("response_type", "code"),
        ("scope", "openid orders unknown"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    for (name, value) in changes {
        match value {
            Some(value) => map.insert(name, value),
            None => map.remove(name),
        };
    }
    let pairs = map.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Parameters::collect(pairs).unwrap()
}

#[test]
fn a_good_request_is_taken_and_its_scopes_narrowed() {
    let client = client(Authentication::ClientSecretBasic, false);
    let request = decide(&parameters(&[("extra", Some("x"))]), Some(&client), API).unwrap();
    assert_eq!(request.scopes, BTreeSet::from(["openid".to_owned(), "orders".to_owned()]));
    assert_eq!(request.to.client_state.as_deref(), Some("s"));
    assert_eq!(request.challenge.as_deref(), Some(CHALLENGE));
    assert!(!request.api);
}

#[test]
fn nothing_is_redirected_before_client_and_redirect_uri_are_proven() {
    let known = client(Authentication::ClientSecretBasic, false);
    let cases: [(Changes<'_>, Option<&Client>); 5] = [
        (&[("client_id", None)], Some(&known)),
        (&[], None),
        (&[("redirect_uri", Some("https://app.example/cb/x"))], Some(&known)),
        (&[("redirect_uri", Some("https://app.example/cb?x"))], Some(&known)),
        (&[("redirect_uri", None)], Some(&known)),
    ];
    for (changes, client) in cases {
        let refusal = decide(&parameters(changes), client, API).unwrap_err();
        assert!(matches!(refusal, Refusal::Page(_)), "{changes:?}: {refusal:?}");
    }
}

#[test]
fn every_other_error_goes_back_with_the_state() {
    let table: [(Changes<'_>, Code); 14] = [
        (&[("response_type", None)], Code::InvalidRequest),
        (&[("response_type", Some("token"))], Code::UnsupportedResponseType),
        (&[("response_type", Some("code id_token"))], Code::UnsupportedResponseType),
        (&[("response_mode", Some("fragment"))], Code::InvalidRequest),
        (&[("request", Some("x"))], Code::RequestNotSupported),
        (&[("request_uri", Some("https://x"))], Code::RequestUriNotSupported),
        (&[("prompt", Some("create"))], Code::InvalidRequest),
        (&[("max_age", Some("-1"))], Code::InvalidRequest),
        (&[("prompt", Some("none login"))], Code::InvalidRequest),
        (&[("scope", Some("unknown"))], Code::InvalidScope),
        (&[("code_challenge_method", Some("plain"))], Code::InvalidRequest),
        (&[("code_challenge_method", None)], Code::InvalidRequest),
        (&[("code_challenge", Some("short"))], Code::InvalidRequest),
        (&[("resource", Some(API))], Code::InvalidTarget),
    ];
    let client = client(Authentication::ClientSecretBasic, false);
    for (changes, code) in table {
        match decide(&parameters(changes), Some(&client), API).unwrap_err() {
            Refusal::Client { to, error } => {
                assert_eq!(error.code, code, "{changes:?}");
                assert_eq!(to.redirect_uri, "https://app.example/cb");
                assert_eq!(to.client_state.as_deref(), Some("s"));
            }
            Refusal::Page(error) => panic!("{changes:?} gave a page: {error}"),
        }
    }
}

#[test]
fn a_public_client_must_use_pkce_and_a_confidential_one_may() {
    let bare: Changes<'_> = &[("code_challenge", None), ("code_challenge_method", None)];
    let public = client(Authentication::None, false);
    assert!(decide(&parameters(bare), Some(&public), API).is_err());
    let confidential = client(Authentication::ClientSecretPost, false);
    assert!(decide(&parameters(bare), Some(&confidential), API).unwrap().challenge.is_none());
}

#[test]
fn the_api_audience_is_only_for_clients_marked_for_it() {
    let marked = client(Authentication::None, true);
    let request = decide(&parameters(&[("resource", Some(API))]), Some(&marked), API).unwrap();
    assert!(request.api);
}

#[test]
fn a_repeated_parameter_is_refused() {
    let pairs = [("scope", "a"), ("scope", "b")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(Parameters::collect(pairs).unwrap_err().code, Code::InvalidRequest);
}

#[test]
fn the_answer_travels_as_asked() {
    let client = client(Authentication::ClientSecretBasic, false);
    for (asked, mode) in [
        (None, ResponseMode::Query),
        (Some("query"), ResponseMode::Query),
        (Some("form_post"), ResponseMode::FormPost),
    ] {
        let request = decide(&parameters(&[("response_mode", asked)]), Some(&client), API);
        assert_eq!(request.unwrap().to.mode, mode);
    }
}

#[test]
fn what_the_person_must_be_asked_is_read() {
    let client = client(Authentication::ClientSecretBasic, false);
    let ask = |changes: Changes<'_>| decide(&parameters(changes), Some(&client), API).unwrap();
    assert_eq!((ask(&[]).prompt, ask(&[]).max_age_s), (Prompt::default(), None));
    let asked = ask(&[("prompt", Some("login consent")), ("ui_locales", Some("de en"))]);
    assert_eq!(asked.prompt, Prompt { login: true, consent: true, ..Prompt::default() });
    assert_eq!(asked.to.ui_locales.as_deref(), Some("de en"));
    for (text, expected) in [("0", 0), ("86400", 86_400), ("99999999999999999999", u32::MAX)] {
        assert_eq!(ask(&[("max_age", Some(text))]).max_age_s, Some(expected));
    }
    for (name, value) in [("acr_values", "1 2"), ("display", "popup"), ("claims_locales", "se")] {
        ask(&[(name, Some(value))]);
    }
}
