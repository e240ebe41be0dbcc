//! Signing a person in by HTTP alone: authorization request, login page, redirect, code.

use actors::demo;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::oauth::pkce;

use super::{
    Answer, TestNode, Visitor,
    visitor::{basic, encoded},
};

/// Where the demo web client wants people sent back to.
pub(crate) const WEB_REDIRECT: &str = "http://localhost:3000/callback";
/// Long enough to be a code verifier.
pub(crate) const VERIFIER: &str = "a-code-verifier-that-is-long-enough-for-the-rule";

/// An authorization request that a test may change before it is sent.
#[derive(Clone)]
pub(crate) struct Ask {
    /// Base URL of the tenant.
    pub(crate) issuer: String,
    pub(crate) parameters: Vec<(&'static str, String)>,
}

impl Ask {
    /// The web client of the demo tenant, with PKCE, `state` and `nonce`.
    pub(crate) fn web(node: &TestNode) -> Self {
        Self::of(node.demo_at(""), "web-demo", WEB_REDIRECT)
    }

    pub(crate) fn of(issuer: String, client_id: &str, redirect_uri: &str) -> Self {
        let parameters = vec![
            ("response_type", "code".to_owned()),
            ("client_id", client_id.to_owned()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("scope", "openid profile email".to_owned()),
            ("state", "a state+with/odd=letters &é".to_owned()),
            ("nonce", "n-0S6_WzA2Mj".to_owned()),
            ("code_challenge", pkce::challenge(VERIFIER)),
            ("code_challenge_method", "S256".to_owned()),
        ];
        Self { issuer, parameters }
    }

    /// With another value, or without the parameter if that is empty.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.parameters.retain(|(given, _)| *given != name);
        if !value.is_empty() {
            self.parameters.push((name, value.to_owned()));
        }
        self
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(given, _)| *given == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/oauth/authorize?{}", self.issuer, encoded(&self.pairs()))
    }

    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// Opens the login page.
pub(crate) async fn open(visitor: &mut Visitor, ask: &Ask) -> Answer {
    let page = visitor.get(&ask.url()).await;
    assert_eq!((page.status, page.page()), (200, "login"), "{page:?}");
    page
}

/// Fills in and posts a login page.
pub(crate) async fn submit(
    visitor: &mut Visitor,
    ask: &Ask,
    page: &Answer,
    (username, password): (&str, &str),
) -> Answer {
    let form = [("csrf", page.hidden("csrf")), ("username", username), ("password", password)];
    // As a browser sends our form: no referrer, so no origin.
    let headers = [("sec-fetch-site", "same-origin"), ("origin", "null")];
    visitor.send_form(&format!("{}/login", ask.issuer), &headers, &form).await
}

/// Signs `alice` in and returns the redirect to the client.
pub(crate) async fn alice(ask: &Ask) -> Answer {
    sign_in(ask, ("alice", demo::ALICE_PASSWORD)).await
}

/// A browser in which `alice` is signed in, and the redirect that signing in ended with.
pub(crate) async fn alice_stays(ask: &Ask) -> (Visitor, Answer) {
    let mut visitor = Visitor::new();
    let page = open(&mut visitor, ask).await;
    let answer = submit(&mut visitor, ask, &page, ("alice", demo::ALICE_PASSWORD)).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    (visitor, answer)
}

/// The claims of a token.
pub(crate) fn claims(token: &str) -> serde_json::Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Signs somebody in and returns the redirect to the client.
pub(crate) async fn sign_in(ask: &Ask, credentials: (&str, &str)) -> Answer {
    let mut visitor = Visitor::new();
    let page = open(&mut visitor, ask).await;
    let answer = submit(&mut visitor, ask, &page, credentials).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    answer
}

/// Exchanges a code as the demo web client, with further parameters over the usual ones.
pub(crate) async fn redeem(node: &TestNode, code: &str, changes: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", WEB_REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_id", "web-demo"),
        ("client_secret", demo::WEB_SECRET),
    ];
    for (name, value) in changes {
        form.retain(|(given, _)| given != name);
        form.push((name, value));
    }
    form.retain(|(_, value)| !value.is_empty());
    Visitor::new().post(&node.demo_at("/oauth/token"), &form).await
}

/// Tokens of a fresh sign-in of `alice` at the demo web client.
pub(crate) async fn tokens(node: &TestNode) -> Answer {
    let code = alice(&Ask::web(node)).await.sent_back("code").unwrap();
    let answer = redeem(node, &code, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// Asks userinfo of the demo tenant.
pub(crate) async fn userinfo(node: &TestNode, token: &str) -> Answer {
    let value = format!("Bearer {token}");
    let headers = [("authorization", value.as_str())];
    let url = node.demo_at("/oauth/userinfo");
    Visitor::new().send(reqwest::Method::GET, &url, &headers, None).await
}

/// Asks the demo tenant's introspection endpoint as `service-demo`.
pub(crate) async fn introspect(node: &TestNode, token: &str) -> Answer {
    let basic = basic("service-demo", demo::SERVICE_SECRET);
    let headers = [("authorization", basic.as_str())];
    let url = node.demo_at("/oauth/introspect");
    Visitor::new().send_form(&url, &headers, &[("token", token)]).await
}
