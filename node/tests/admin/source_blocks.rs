//! Source blocks: what is refused of them, where they are asked, and how one gets out again.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use actors::demo;
use reqwest::Method;
use serde_json::{Value, json};
use vaultara_node::telemetry::timestamp::Rfc3339;

use crate::{
    api::{Api, id_of, pointers},
    support::{
        self, Answer, Content, TestNode, Visitor,
        login::{Ask, open},
        visitor::{basic, encoded},
    },
};

const BLOCKED: &str = "198.51.100.7";
const FREE: &str = "203.0.113.9";
/// Some moment; nodes of some tests stand still.
const NOW_MS: u64 = 1_790_000_000_000;

/// Every route at which a tenant lets in whoever comes; a new one belongs here.
const ROUTES: [(Method, &str); 22] = [
    (Method::GET, "/oauth/authorize"),
    (Method::POST, "/oauth/authorize"),
    (Method::POST, "/oauth/token"),
    (Method::POST, "/oauth/introspect"),
    (Method::POST, "/oauth/revoke"),
    (Method::GET, "/oauth/userinfo"),
    (Method::POST, "/oauth/userinfo"),
    (Method::GET, "/oauth/logout"),
    (Method::POST, "/oauth/logout"),
    (Method::POST, "/oauth/logout/confirm"),
    (Method::POST, "/login"),
    (Method::POST, "/login/account"),
    (Method::POST, "/login/consent"),
    (Method::GET, "/account"),
    (Method::POST, "/account/sign-in"),
    (Method::GET, "/account/signed-out"),
    (Method::POST, "/account/sign-out"),
    (Method::POST, "/account/sessions/end"),
    (Method::POST, "/account/sessions/end-all"),
    (Method::POST, "/account/consents/revoke"),
    (Method::POST, "/account/password"),
    (Method::POST, "/account/profile"),
];

fn block(network: &str) -> Value {
    json!({ "network": network, "reason": "guesses passwords of the board" })
}

async fn knock(method: Method, url: &str, from: &str) -> Answer {
    let form = (method == Method::POST).then(|| encoded(&[("x", "y")]));
    let headers =
        [("x-forwarded-for", from), ("content-type", "application/x-www-form-urlencoded")];
    Visitor::new().send(method, url, &headers, form).await
}

/// Status and code, in whatever form it is said.
fn refused(answer: &Answer) -> bool {
    assert!(!answer.body.contains("board"), "the reason is nobody's: {answer:?}");
    let by_code = ["source_blocked", "Access from this address is blocked."];
    answer.status == 403 && by_code.iter().any(|text| answer.body.contains(text))
}

async fn blocks_of(platform: &Api, slug: &str) -> String {
    format!("/api/v1/tenants/{}/source-blocks", platform.tenant_id(slug).await)
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_its_pointer() {
    let platform = Api::platform().await;
    let blocks = format!("{}/source-blocks", platform.own_tenant().await);
    for (body, status, pointer) in [
        (block("example.org"), 422, "/network"),
        (block("192.0.2.0/33"), 422, "/network"),
        (block("192.0.2.1/24"), 422, "/network"),
        (block("127.0.0.0/8"), 422, "/network"),
        (block("0.0.0.0/0"), 422, "/network"),
        (block("::/0"), 422, "/network"),
        (json!({ "network": "192.0.2.0/24", "reason": "x".repeat(257) }), 422, "/reason"),
        (json!({ "network": "192.0.2.0/24", "ends_at": "soon" }), 400, "/ends_at"),
        (json!({ "network": "192.0.2.0/24", "force": true }), 400, "/force"),
    ] {
        let refused = platform.post(&blocks, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
    }
    let refused = platform.post(&blocks, &block("192.0.2.1/24")).await;
    assert!(refused.body.contains("it is 192.0.2.0/24"), "{refused:?}");
}

#[tokio::test]
async fn whoever_comes_from_a_blocked_network_gets_in_nowhere_and_everybody_else_does() {
    let platform = Api::on(support::start(Content::Demo)).await;
    let node = &platform.node;
    let blocks = blocks_of(&platform, demo::TENANT).await;
    for (method, route) in ROUTES {
        let answer = knock(method.clone(), &node.demo_at(route), BLOCKED).await;
        assert!(!refused(&answer), "nothing is blocked yet: {method} {route} {answer:?}");
    }
    let made = platform.made(&blocks, &block("198.51.100.0/24")).await;
    for (method, route) in ROUTES {
        let url = node.demo_at(route);
        let answer = knock(method.clone(), &url, BLOCKED).await;
        assert!(refused(&answer), "{method} {route} {answer:?}");
        for (url, from) in [(&url, FREE), (&url, "127.0.0.1"), (&node.at(route), BLOCKED)] {
            let answer = knock(method.clone(), url, from).await;
            assert!(!refused(&answer), "{method} {url} from {from}: {answer:?}");
        }
    }
    // In the form of the route: a page for people, OAuth's JSON for clients.
    let page = knock(Method::GET, &node.demo_at("/account"), BLOCKED).await;
    assert_eq!((page.status, page.page()), (403, "error"));
    let client = knock(Method::POST, &node.demo_at("/oauth/token"), BLOCKED).await;
    assert_eq!(client.oauth_error(), (403, "access_denied".into()));
    // What everybody keeps copies of is answered, and so is the administration API.
    for path in ["/.well-known/openid-configuration", "/.well-known/jwks.json"] {
        assert_eq!(knock(Method::GET, &node.demo_at(path), BLOCKED).await.status, 200, "{path}");
    }
    let path = format!("{blocks}/{}", id_of(&made));
    let from = [("x-forwarded-for", BLOCKED)];
    assert_eq!(platform.send(Method::GET, &path, &from, None).await.status, 200);
    assert_eq!(platform.send(Method::DELETE, &path, &from, None).await.status, 204);
    let answer = knock(Method::GET, &node.demo_at("/account"), BLOCKED).await;
    assert_eq!((answer.status, answer.page()), (200, "login"), "a deleted block counts no more");
}

#[tokio::test]
async fn a_right_password_and_a_right_secret_are_of_no_use_and_tries_are_counted() {
    // Its clock stands still: no minute ends, so nobody else takes what is counted.
    let platform = Api::on(support::start_at(Content::Demo, NOW_MS)).await;
    let node = &platform.node;
    let blocks = blocks_of(&platform, demo::TENANT).await;
    let mut alice = Visitor::new();
    let page = open(&mut alice, &Ask::web(node)).await;
    assert!(tried(node, &page, &mut alice, "192.0.2.1").await);
    platform.made(&blocks, &block("2001:db8::/32")).await;
    platform.made(&blocks, &block("192.0.2.1")).await;
    node.context.denials().take(0, true);
    for from in ["2001:db8:1::7", "192.0.2.1", "::ffff:192.0.2.1"] {
        let mut alice = Visitor::new();
        let page = open(&mut alice, &Ask::web(node)).await;
        assert!(!tried(node, &page, &mut alice, from).await, "{from}");
    }
    let basic = basic("service-demo", demo::SERVICE_SECRET);
    let headers = [("authorization", basic.as_str()), ("x-forwarded-for", "192.0.2.1")];
    let (url, form) = (node.demo_at("/oauth/token"), [("grant_type", "client_credentials")]);
    let answer = Visitor::new().send_form(&url, &headers, &form).await;
    assert_eq!(answer.oauth_error(), (403, "access_denied".into()));
    assert_eq!(Visitor::new().send_form(&url, &headers[..1], &form).await.status, 200);
    let counted = node.context.denials().take(0, true);
    let refused = counted.iter().filter(|counted| counted.denials.reason == "source_blocked");
    assert_eq!(refused.map(|counted| counted.denials.count).sum::<u32>(), 4, "{counted:?}");
}

/// Whether alice gets in with her password from there.
async fn tried(node: &TestNode, page: &Answer, alice: &mut Visitor, from: &str) -> bool {
    let form =
        [("csrf", page.hidden("csrf")), ("username", "alice"), ("password", demo::ALICE_PASSWORD)];
    let headers = [("x-forwarded-for", from), ("sec-fetch-site", "same-origin")];
    let answer = alice.send_form(&node.demo_at("/login"), &headers, &form).await;
    assert!(answer.status == 303 || refused(&answer), "{answer:?}");
    answer.status == 303
}

#[tokio::test]
async fn a_block_ends_by_itself() {
    let platform = Api::on(support::start_at(Content::Demo, NOW_MS)).await;
    let node = &platform.node;
    let blocks = blocks_of(&platform, demo::TENANT).await;
    let mut until = block("198.51.100.0/24");
    until["ends_at"] = json!(Rfc3339(node.context.now_ms() + 60_000).to_string());
    platform.made(&blocks, &until).await;
    let account = node.demo_at("/account");
    assert!(refused(&knock(Method::GET, &account, BLOCKED).await));
    node.pass_ms(61_000);
    assert_eq!(knock(Method::GET, &account, BLOCKED).await.status, 200);
}

/// The tenant of a request is looked up in three files: by the extractor, which asks the blocks,
/// for documents that everybody may read, and for the permission of a browser's other origin, which
/// lets nobody in.
#[test]
fn nobody_finds_the_tenant_of_a_request_past_the_blocks() {
    let http = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    let mut folders = vec![http.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("tenant_at(")) {
                found.insert(path.strip_prefix(&http).unwrap().to_owned());
            }
        }
    }
    let known = ["http/extract/tenant.rs", "http/oauth/cross_origin.rs", "http/oauth/documents.rs"];
    assert_eq!(found, known.map(PathBuf::from).into());
}
