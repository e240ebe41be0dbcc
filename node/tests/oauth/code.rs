//! The authorization code grant.

use actors::demo::{ALICE_PASSWORD, SERVICE_SECRET, WEB_SECRET};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    self, Answer, TestNode, Visitor,
    login::{self, Ask, VERIFIER, WEB_REDIRECT, redeem},
    visitor::basic,
};

async fn code(ask: &Ask) -> String {
    login::alice(ask).await.sent_back("code").unwrap()
}

/// One of the first two parts of a token.
fn part(token: &str, index: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn refused(answer: &Answer) -> (u16, String) {
    assert!(!answer.body.contains("access_token"), "{answer:?}");
    answer.oauth_error()
}

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

async fn published(node: &TestNode) -> Vec<Value> {
    let keys = Visitor::new().get(&node.demo_at("/.well-known/jwks.json")).await.json();
    keys["keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_code_becomes_tokens_that_say_who_signed_in() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let answer = redeem(&node, &code(&ask).await, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["token_type"], "Bearer");

    let (access, id) = (answer.text("access_token"), answer.text("id_token"));
    let (access_head, id_head) = (part(&access, 0), part(&id, 0));
    assert_eq!((&access_head["typ"], &access_head["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert_eq!(id_head["alg"], "RS256");
    let keys = published(&node).await;
    for head in [access_head, id_head] {
        let named = |key: &&Value| key["kid"] == head["kid"] && key["alg"] == head["alg"];
        assert_eq!(keys.iter().filter(named).count(), 1, "{head}");
    }

    let (access_claims, id_claims) = (part(&access, 1), part(&id, 1));
    assert_eq!(id_claims["iss"], node.demo_at(""));
    assert_eq!(id_claims["aud"], "web-demo");
    assert_eq!(id_claims["nonce"], ask.get("nonce"));
    assert_eq!(id_claims["sub"], access_claims["sub"]);
    assert!(id_claims.get("email").is_none() && id_claims.get("name").is_none());

    let person = login::userinfo(&node, &access).await;
    assert_eq!(person.status, 200, "{person:?}");
    assert_eq!(person.header("cache-control"), "no-store");
    let person = person.json();
    assert_eq!(person["sub"], id_claims["sub"]);
    assert_eq!(person["preferred_username"], "alice");
    assert_eq!(person["email_verified"], true);
    assert!(person.get("address").is_none(), "the scope was not asked for");
}

#[tokio::test]
async fn a_wrong_proof_is_refused_and_the_code_stays_good() {
    let node = support::demo();
    let code = code(&Ask::web(&node)).await;
    let wrong = "another-verifier-that-is-as-long-as-the-rule-wants";
    for changes in [
        &[("code_verifier", wrong)][..],
        &[("code_verifier", "short")],
        &[("code_verifier", "")],
        &[("redirect_uri", "http://127.0.0.1:3000/callback")],
        &[("redirect_uri", "")],
        &[("code", "vlt_ac_nobody")],
    ] {
        let answer = redeem(&node, &code, changes).await;
        assert_eq!(refused(&answer), invalid_grant(), "{changes:?}");
    }
    let secret = redeem(&node, &code, &[("client_secret", "not-the-secret")]).await;
    assert_eq!(refused(&secret), (401, "invalid_client".to_owned()));
    let missing = redeem(&node, &code, &[("code", "")]).await;
    assert_eq!(refused(&missing), (400, "invalid_request".to_owned()));
    assert_eq!(redeem(&node, &code, &[]).await.status, 200);
}

#[tokio::test]
async fn a_code_of_another_client_is_refused() {
    let node = support::demo();
    let code = code(&Ask::web(&node)).await;
    let native = [("client_id", "native-demo"), ("client_secret", "")];
    assert_eq!(refused(&redeem(&node, &code, &native).await), invalid_grant());

    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", WEB_REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let authorization = basic("service-demo", SERVICE_SECRET);
    let headers = [("authorization", authorization.as_str())];
    let url = node.demo_at("/oauth/token");
    let service = Visitor::new().send_form(&url, &headers, &form).await;
    assert_eq!(refused(&service), (400, "unauthorized_client".to_owned()));
    assert_eq!(redeem(&node, &code, &[]).await.status, 200);
}

#[tokio::test]
async fn a_reused_code_is_refused_and_takes_the_first_tokens_with_it() {
    let node = support::demo();
    let code = code(&Ask::web(&node)).await;
    let token = redeem(&node, &code, &[]).await.text("access_token");
    assert_eq!(login::userinfo(&node, &token).await.status, 200);

    assert_eq!(refused(&redeem(&node, &code, &[]).await), invalid_grant());
    let answer = login::userinfo(&node, &token).await;
    assert_eq!(answer.oauth_error(), (401, "invalid_token".to_owned()));
    assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
    assert_eq!(login::introspect(&node, &token).await.json(), json!({ "active": false }));
}

#[tokio::test]
async fn of_many_who_present_one_code_at_once_at_most_one_wins() {
    let node = support::demo();
    let code = code(&Ask::web(&node)).await;
    let tries = (0..8).map(|_| redeem(&node, &code, &[]));
    let answers = futures::future::join_all(tries).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused(answer), invalid_grant());
    }
}

#[tokio::test]
async fn proofs_may_neither_be_dropped_nor_invented() {
    let node = support::demo();
    let without = Ask::web(&node).with("code_challenge", "").with("code_challenge_method", "");
    // A confidential client may go without; then a verifier was never asked for.
    let code = code(&without).await;
    assert_eq!(refused(&redeem(&node, &code, &[]).await), invalid_grant());
    assert_eq!(redeem(&node, &code, &[("code_verifier", "")]).await.status, 200);
}

#[tokio::test]
async fn a_native_client_signs_in_on_any_loopback_port() {
    let node = support::demo();
    let redirect_uri = "http://127.0.0.1:49999/callback";
    let ask = Ask::of(node.demo_at(""), "native-demo", redirect_uri);
    let code = code(&ask).await;
    let changes =
        [("client_id", "native-demo"), ("client_secret", ""), ("redirect_uri", redirect_uri)];
    let answer = redeem(&node, &code, &changes).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(part(&answer.text("id_token"), 1)["aud"], "native-demo");
}

#[tokio::test]
async fn a_code_of_one_tenant_is_unknown_at_another() {
    let node = support::demo();
    let code = code(&Ask::web(&node)).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1/callback"),
        ("code_verifier", VERIFIER),
        ("client_id", "vaultara-cli"),
    ];
    let answer = Visitor::new().post(&node.at("/oauth/token"), &form).await;
    assert_eq!(refused(&answer), invalid_grant());
    assert!(!answer.body.contains(ALICE_PASSWORD) && !answer.body.contains(WEB_SECRET));
}
