//! CORS: what scripts of other origins may see, on a whole node.

use std::collections::BTreeMap;

use actors::{
    Asker,
    demo::{self, SERVICE_SECRET},
    tenants::{self, Address},
};
use identity::{
    clients::{self, Authentication, Client},
    command::Command,
    id::{ClientId, TenantId},
    stamp::Placement,
    table::{self, Record as _},
};
use reqwest::Method;

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, Ask, VERIFIER},
    visitor::basic,
};

/// Where the demo browser client runs.
const HOME: &str = "http://localhost:3001";

/// The endpoints that a page calls, and how.
const ENDPOINTS: [(&str, &str); 3] =
    [("/oauth/token", "POST"), ("/oauth/userinfo", "GET, POST"), ("/oauth/revoke", "POST")];

const DOCUMENTS: [&str; 3] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
];

async fn preflight(url: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    Visitor::new().send(Method::OPTIONS, url, &headers, None).await
}

/// Every header of CORS that an answer has, and `Vary`.
fn cross_origin(answer: &Answer) -> BTreeMap<String, String> {
    let headers = answer.headers.iter();
    let named = headers.filter(|(name, _)| {
        name.as_str().starts_with("access-control-") || name.as_str() == "vary"
    });
    named.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const EXPOSED: (&str, &str) = (
    "access-control-expose-headers",
    "WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id",
);

/// What an answer to the client's own page carries.
fn shared() -> BTreeMap<String, String> {
    pairs(&[("access-control-allow-origin", HOME), EXPOSED, ("vary", "Origin")])
}

/// What an answer to any other page carries.
fn unshared() -> BTreeMap<String, String> {
    pairs(&[("vary", "Origin")])
}

fn demo_tenant(node: &TestNode) -> TenantId {
    let reading = node.context.local();
    tenants::find(&reading.view().unwrap(), &Address::Slug(demo::TENANT.into())).unwrap()
}

async fn write(node: &TestNode, command: clients::Command) {
    let placement = Placement::Tenant(demo_tenant(node));
    node.context.write(&Asker::system(), placement, Command::Clients(command)).await.unwrap();
}

fn browser_client(node: &TestNode) -> ClientId {
    let reading = node.context.local();
    let (table, index) = (Client::TABLE, clients::BY_CLIENT_ID);
    let view = reading.view().unwrap();
    let found = table::unique(&view, demo_tenant(node), table, index, b"browser-demo");
    ClientId::from_bytes(found.unwrap().unwrap())
}

fn settings(redirect_uri: &str, enabled: bool) -> clients::Settings {
    clients::Settings {
        client_id: "browser-demo".into(),
        name: "Demo browser application".into(),
        enabled,
        authentication: Authentication::None,
        native: false,
        redirect_uris: vec![redirect_uri.into()],
        grant_types: [clients::GrantType::AuthorizationCode].into(),
        scopes: Default::default(),
        id_token_algorithm: identity::keys::Algorithm::Rs256,
        access_token_algorithm: identity::keys::Algorithm::Es256,
        access_token_lifetime_s: None,
        admin_api: false,
        roles: Default::default(),
        refresh: Default::default(),
        cors_origins: Default::default(),
        dpop_bound_access_tokens: false,
    }
}

#[tokio::test]
async fn a_page_of_a_client_may_call_its_endpoints() {
    let node = support::demo();
    for (path, methods) in ENDPOINTS {
        let answer = preflight(&node.demo_at(path), HOME).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}: {answer:?}");
        let mut expected = shared();
        expected.extend(pairs(&[
            ("access-control-allow-methods", methods),
            ("access-control-allow-headers", "Authorization, Content-Type, DPoP"),
            ("access-control-max-age", "7200"),
        ]));
        assert_eq!(cross_origin(&answer), expected, "{path}");
    }

    let redirect_uri = format!("{HOME}/");
    let ask = Ask::of(node.demo_at(""), "browser-demo", &redirect_uri);
    let code = login::alice(&ask).await.sent_back("code").unwrap();
    let mut page = Visitor::new();
    let origin = ("origin", HOME);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", VERIFIER),
        ("client_id", "browser-demo"),
    ];
    let tokens = page.send_form(&node.demo_at("/oauth/token"), &[origin], &form).await;
    assert_eq!((tokens.status, cross_origin(&tokens)), (200, shared()), "{tokens:?}");
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let bearer = format!("Bearer {access}");
    let headers = [origin, ("authorization", bearer.as_str())];
    let userinfo = node.demo_at("/oauth/userinfo");
    for method in [Method::GET, Method::POST] {
        let answer = page.send(method, &userinfo, &headers, None).await;
        assert_eq!((answer.status, cross_origin(&answer)), (200, shared()), "{answer:?}");
    }
    let form = [("client_id", "browser-demo"), ("token", refresh.as_str())];
    let answer = page.send_form(&node.demo_at("/oauth/revoke"), &[origin], &form).await;
    assert_eq!((answer.status, cross_origin(&answer)), (200, shared()), "{answer:?}");
}

#[tokio::test]
async fn a_page_of_a_client_may_also_read_refusals() {
    let node = support::demo();
    let mut page = Visitor::new();
    let origin = ("origin", HOME);
    let json = ("content-type", "application/json");
    let token = node.demo_at("/oauth/token");
    let unknown = [("client_id", "nobody"), ("grant_type", "refresh_token")];
    let used = [
        ("client_id", "browser-demo"),
        ("grant_type", "refresh_token"),
        ("refresh_token", "vlt_rt_used"),
    ];
    for (status, answer) in [
        (401, page.send_form(&token, &[origin], &unknown).await),
        (400, page.send_form(&token, &[origin], &used).await),
        (400, page.send_form(&format!("{token}?code=1"), &[origin], &used).await),
        (415, page.send(Method::POST, &token, &[origin, json], Some("{}".into())).await),
        (405, page.send(Method::GET, &token, &[origin], None).await),
        // No preflight: it asks for nothing.
        (405, page.send(Method::OPTIONS, &token, &[origin], None).await),
        (401, page.send(Method::GET, &node.demo_at("/oauth/userinfo"), &[origin], None).await),
    ] {
        assert_eq!((answer.status, cross_origin(&answer)), (status, shared()), "{answer:?}");
        assert!(!answer.text("error").is_empty());
    }
}

#[tokio::test]
async fn every_other_origin_sees_nothing() {
    let node = support::demo();
    let same = node.url.as_str();
    let others = [
        // Of the confidential and the native client, and of the server itself.
        "http://localhost:3000",
        "http://127.0.0.1",
        same,
        "http://localhost:300",
        "http://localhost:30011",
        "http://localhost:3001/",
        "http://localhost:3001.evil.example",
        "https://localhost:3001",
        "HTTP://LOCALHOST:3001",
        "http://127.0.0.1:3001",
        "http://localhost:3001, http://localhost:3001",
        "null",
        "*",
        "",
    ];
    for (path, _) in ENDPOINTS {
        let url = node.demo_at(path);
        for origin in others {
            let answer = preflight(&url, origin).await;
            let seen = (answer.status, cross_origin(&answer));
            assert_eq!(seen, (204, unshared()), "{path} {origin}");
            let answer = Visitor::new().send_form(&url, &[("origin", origin)], &[]).await;
            assert!((400..500).contains(&answer.status), "{answer:?}");
            assert_eq!(cross_origin(&answer), unshared(), "{path} {origin}");
        }
        // Who names no origin, or two, is answered for nobody else.
        let answer = Visitor::new().post(&url, &[]).await;
        assert_eq!(cross_origin(&answer), unshared(), "{path}");
        let twice = [("origin", HOME), ("origin", HOME)];
        let answer = Visitor::new().send_form(&url, &twice, &[]).await;
        assert_eq!(cross_origin(&answer), unshared(), "{path}");
        // The client is another tenant's.
        let answer = preflight(&node.at(path), HOME).await;
        assert_eq!((answer.status, cross_origin(&answer)), (204, unshared()), "{path}");
        let answer = preflight(&node.at(&format!("/t/nobody{path}")), HOME).await;
        assert_eq!((answer.status, cross_origin(&answer)), (404, unshared()), "{path}");
    }
}

#[tokio::test]
async fn public_documents_are_for_every_page_and_never_with_credentials() {
    let node = support::demo();
    let everyone = pairs(&[("access-control-allow-origin", "*"), EXPOSED]);
    for path in DOCUMENTS {
        for (url, status) in [
            (node.demo_at(path), 200),
            (node.at(path), 200),
            (node.at(&format!("/t/x{path}")), 404),
        ] {
            for headers in [&[][..], &[("origin", "https://anywhere.example")]] {
                let answer = Visitor::new().send(Method::GET, &url, headers, None).await;
                assert_eq!((answer.status, cross_origin(&answer)), (status, everyone.clone()));
            }
            let answer = preflight(&url, "https://anywhere.example").await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "*"));
            assert_eq!(answer.header("access-control-allow-methods"), "GET");
            assert_eq!(answer.header("access-control-allow-credentials"), "");
        }
    }
}

#[tokio::test]
async fn pages_introspection_and_administration_are_for_no_script() {
    let node = support::demo();
    let service = basic("service-demo", SERVICE_SECRET);
    let headers = [("origin", HOME), ("authorization", service.as_str())];
    for path in ["/oauth/authorize", "/oauth/introspect", "/login", "/account", "/api/v1/tenants"] {
        for url in [node.demo_at(path), node.at(path)] {
            let answer = preflight(&url, HOME).await;
            assert_ne!(answer.status, 204, "{url}");
            assert_eq!(cross_origin(&answer), BTreeMap::new(), "{url}");
            let answer = Visitor::new().send_form(&url, &headers, &[("token", "x")]).await;
            assert_eq!(cross_origin(&answer), BTreeMap::new(), "{url}");
        }
    }
}

#[tokio::test]
async fn a_changed_client_is_seen_at_once() {
    let node = support::start(Content::Demo);
    let token = node.demo_at("/oauth/token");
    let id = browser_client(&node);
    let allowed = async |origin: &str| {
        let answer = preflight(&token, origin).await;
        answer.header("access-control-allow-origin").to_owned()
    };
    let update = async |settings| {
        let secret = None;
        write(&node, clients::Command::Update { id, expected: None, settings, secret }).await;
    };
    let moved = "https://moved.example";
    assert_eq!((allowed(HOME).await.as_str(), allowed(moved).await.as_str()), (HOME, ""));
    update(settings("https://moved.example/callback", true)).await;
    assert_eq!((allowed(HOME).await.as_str(), allowed(moved).await.as_str()), ("", moved));
    update(settings("https://moved.example/callback", false)).await;
    assert_eq!(allowed(moved).await, "");
    update(settings("http://localhost:3001/", true)).await;
    assert_eq!(allowed(HOME).await, HOME);
    write(&node, clients::Command::Delete { id, expected: None }).await;
    assert_eq!(allowed(HOME).await, "");
}
