//! First-run setup.

use serde_json::{Value, json};

use crate::support::{
    self, Content, Visitor,
    login::{self, Ask, VERIFIER},
};

const PASSWORD: &str = "a password for the first administrator";

/// Signed under the key whose public half the nodes of tests trust.
const LICENSE: &str = "\
    vlt_lic_1.eyJpZCI6IjAxMDEwMTAxLTAxMDEtMDEwMS0wMTAxLTAxMDEwMTAxMDEwMSIsInRpZXIiOiJzdGFy\
    dGVyIiwiaG9sZGVyIjoiQWNtZSIsInRlbmFudCI6bnVsbCwibGltaXRzIjp7InVzZXJzIjo1MCwiZ3JvdXBzIj\
    oyMCwiY2xpZW50cyI6MTB9LCJmZWF0dXJlcyI6WyJtZmEiLCJ3ZWJhdXRobiJdLCJpc3N1ZWRfYXRfbXMiOjE3\
    NjcyMjU2MDAwMDAsImV4cGlyZXNfYXRfbXMiOm51bGx9.xWcLfbQgVDXP1IQrDADInAbh4P3Q64NNtG-2OoAlb\
    qM6PbH99TMg2h0qkEUP8913gomPFpxviGOt0Zx5vX5PBw";
/// The same for one tenant that is not here, and one that has expired.
const OF_ANOTHER: &str = "\
    vlt_lic_1.eyJpZCI6IjAxMDEwMTAxLTAxMDEtMDEwMS0wMTAxLTAxMDEwMTAxMDEwMSIsInRpZXIiOiJzdGFy\
    dGVyIiwiaG9sZGVyIjoiQWNtZSIsInRlbmFudCI6IjAyMDIwMjAyLTAyMDItMDIwMi0wMjAyLTAyMDIwMjAyMD\
    IwMiIsImxpbWl0cyI6eyJ1c2VycyI6NTAsImdyb3VwcyI6MjAsImNsaWVudHMiOjEwfSwiZmVhdHVyZXMiOlsi\
    bWZhIiwid2ViYXV0aG4iXSwiaXNzdWVkX2F0X21zIjoxNzY3MjI1NjAwMDAwLCJleHBpcmVzX2F0X21zIjpudW\
    xsfQ.8gxQbKqUhRnfwI-nMB7FmHuZIaHtz8aq0KezuUGeD-wf8--s494hLnOo5u1AXtrEca2LP8RMJzSa-w5Vd\
    WPqBQ";
const EXPIRED: &str = "\
    vlt_lic_1.eyJpZCI6IjAxMDEwMTAxLTAxMDEtMDEwMS0wMTAxLTAxMDEwMTAxMDEwMSIsInRpZXIiOiJzdGFy\
    dGVyIiwiaG9sZGVyIjoiQWNtZSIsInRlbmFudCI6bnVsbCwibGltaXRzIjp7InVzZXJzIjo1MCwiZ3JvdXBzIj\
    oyMCwiY2xpZW50cyI6MTB9LCJmZWF0dXJlcyI6WyJtZmEiLCJ3ZWJhdXRobiJdLCJpc3N1ZWRfYXRfbXMiOjE3\
    NjcyMjU2MDAwMDAsImV4cGlyZXNfYXRfbXMiOjE3NjcyMjU2MDAwMDF9.2WBkRZExgEsPY3jxWdARQA1LNGMF0\
    yyXFa8SAeQwTlFSgEnzBiAnq0g22LlSNYILLvaEPHtHpvERS8_DX8VfAQ";

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

#[tokio::test]
async fn a_license_comes_with_setup_if_it_is_genuine_and_fits() {
    let node = support::start(Content::Empty);
    let (setup, secret) = (node.at("/setup"), node.bootstrap.clone().unwrap());
    let mut licensed = body(&secret, "acme");
    let forged = LICENSE.replace(".", ".A");
    for (key, reason) in [
        ("vlt_lic_1.e30.AA", "was not signed by an issuer that this server trusts"),
        ("nothing", "is not a license key"),
        (forged.as_str(), "is not a license key"),
        (OF_ANOTHER, "is for another tenant"),
        (EXPIRED, "has expired"),
    ] {
        licensed["license"] = json!(key);
        let refused = Visitor::new().send_json(&setup, &licensed).await;
        assert_eq!(refused.status, 422, "{key}: {refused:?}");
        let place = &refused.json()["errors"][0];
        assert_eq!(place["pointer"], "/license", "{refused:?}");
        assert_eq!(place["detail"], reason, "{key}");
    }
    licensed["license"] = json!(LICENSE);
    let done = Visitor::new().send_json(&setup, &licensed).await;
    assert_eq!(done.status, 201, "{done:?}");
    let tenant = done.text("tenant_id").parse().unwrap();
    let reading = node.context.fresh().await.unwrap();
    let license = identity::licenses::of(&reading.view().unwrap(), tenant).unwrap();
    let claims = license.installed.unwrap().claims;
    assert_eq!((claims.tier.name(), claims.holder.as_str()), ("starter", "Acme"));
    // The first administrator and the built-in client were not in its way.
    let users = identity::licenses::Resource::Users;
    let view = reading.view().unwrap();
    assert_eq!(identity::licenses::used(&view, tenant, users, 1000).unwrap(), 1);
}
