//! First-run setup.

use serde_json::{Value, json};

use crate::support::{
    self, Content, Visitor,
    login::{self, Ask, VERIFIER},
};

const PASSWORD: &str = "a password for the first administrator";

fn body(secret: &str, slug: &str) -> Value {
    json!({
        "bootstrap_secret": secret,
        "tenant": { "slug": slug, "name": "Acme" },
        "admin": { "username": "Root", "email": "root@example.org", "password": PASSWORD },
    })
}

#[tokio::test]
async fn setup_is_done_once_by_whoever_holds_the_secret() {
    let node = support::start(Content::Empty);
    let (setup, status) = (node.at("/setup"), node.at("/setup/status"));
    let secret = node.bootstrap.clone().unwrap();
    let mut visitor = Visitor::new();
    assert_eq!(visitor.get(&node.at("/setup/check")).await.json(), json!({ "required": true }));
    assert_eq!(visitor.get(&status).await.json(), json!({ "status": "required" }));
    assert_eq!(visitor.get(&node.at("/.well-known/jwks.json")).await.status, 404);
    assert_eq!(visitor.get(&node.at("/")).await.page(), "home");

    let wrong = visitor.send_json(&setup, &body("vlt_bs_wrong", "acme")).await;
    assert_eq!((wrong.status, wrong.text("code").as_str()), (403, "denied"));
    for (pointer, value, expected) in [
        ("/tenant/slug", json!("Not A Slug"), 422),
        ("/tenant/name", json!(""), 422),
        ("/admin/username", json!("a b"), 422),
        ("/admin/email", json!("nowhere"), 422),
        ("/admin/password", json!("too short"), 422),
        ("/admin/password", json!(7), 400),
        ("/extra", json!(1), 400),
    ] {
        let mut bad = body(&secret, "acme");
        match bad.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => bad["extra"] = value,
        }
        let answer = visitor.send_json(&setup, &bad).await;
        assert_eq!(answer.status, expected, "{pointer}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{answer:?}");
        assert!(!answer.body.contains(&secret));
    }
    assert_eq!(visitor.get(&status).await.json(), json!({ "status": "required" }));

    // Two at once: one wins, the other learns that it did not.
    let (bodies, mut other) = ([body(&secret, "acme"), body(&secret, "globex")], Visitor::new());
    let (one, two) =
        tokio::join!(visitor.send_json(&setup, &bodies[0]), other.send_json(&setup, &bodies[1]));
    let (won, lost) = if one.status == 201 { (one, two) } else { (two, one) };
    assert_eq!(won.status, 201, "{won:?}");
    assert_eq!(won.text("issuer"), node.url);
    assert_eq!(won.text("tenant_id").len(), 36);
    assert!(matches!(lost.status, 409 | 410), "{lost:?}");

    assert_eq!(visitor.get(&node.at("/setup/check")).await.json(), json!({ "required": false }));
    assert_eq!(visitor.get(&status).await.json(), json!({ "status": "complete" }));
    let closed = visitor.send_json(&setup, &body(&secret, "initech")).await;
    assert_eq!(closed.status, 410, "{closed:?}");
    assert_eq!(visitor.get(&node.at("/.well-known/jwks.json")).await.status, 200);
}

#[tokio::test]
async fn the_first_administrator_signs_in() {
    let node = support::start(Content::Empty);
    let secret = node.bootstrap.clone().unwrap();
    let done = Visitor::new().send_json(&node.at("/setup"), &body(&secret, "acme")).await;
    assert_eq!(done.status, 201, "{done:?}");

    let redirect_uri = "http://127.0.0.1:4000/callback";
    let ask = Ask::of(node.url.clone(), "vaultara-cli", redirect_uri)
        .with("scope", "openid read write platform")
        .with("resource", &node.at("/api"));
    let code = login::sign_in(&ask, ("root", PASSWORD)).await.sent_back("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", VERIFIER),
        ("client_id", "vaultara-cli"),
    ];
    let answer = Visitor::new().post(&node.at("/oauth/token"), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.text("scope"), "openid platform read write");
}
