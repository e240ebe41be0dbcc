//! Userinfo, introspection and revocation.

use actors::demo::{SERVICE_SECRET, WEB_SECRET};
use reqwest::Method;
use serde_json::json;

use crate::support::{self, Answer, TestNode, Visitor, login, visitor::basic};

async fn userinfo(
    node: &TestNode,
    method: Method,
    query: &str,
    authorization: Option<&str>,
    form: &str,
) -> Answer {
    let mut headers = Vec::new();
    if let Some(value) = authorization {
        headers.push(("authorization", value));
    }
    if !form.is_empty() {
        headers.push(("content-type", "application/x-www-form-urlencoded"));
    }
    let url = format!("{}{query}", node.demo_at("/oauth/userinfo"));
    Visitor::new().send(method, &url, &headers, Some(form.to_owned())).await
}

async fn revoke(node: &TestNode, token: &str) -> Answer {
    let form = [("client_id", "web-demo"), ("client_secret", WEB_SECRET), ("token", token)];
    Visitor::new().post(&node.demo_at("/oauth/revoke"), &form).await
}

#[tokio::test]
async fn userinfo_takes_the_token_in_the_header_or_the_form() {
    let node = support::demo();
    let token = login::tokens(&node).await.text("access_token");
    let (bearer, body) = (format!("Bearer {token}"), format!("access_token={token}"));
    let first = userinfo(&node, Method::GET, "", Some(&bearer), "").await;
    assert_eq!(first.status, 200);
    for answer in [
        userinfo(&node, Method::POST, "", Some(&bearer), "").await,
        userinfo(&node, Method::POST, "", None, &body).await,
    ] {
        assert_eq!((answer.status, answer.json()), (200, first.json()));
    }
    let both = userinfo(&node, Method::POST, "", Some(&bearer), &body).await;
    assert_eq!(both.oauth_error(), (400, "invalid_request".to_owned()));
    let query = userinfo(&node, Method::GET, &format!("?{body}"), None, "").await;
    assert_eq!(query.oauth_error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn userinfo_challenges_whoever_shows_no_good_token() {
    let node = support::demo();
    let none = userinfo(&node, Method::GET, "", None, "").await;
    assert_eq!(none.status, 401);
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"vaultara\"");

    let id_token = login::tokens(&node).await.text("id_token");
    for token in ["nonsense", "a.b.c", "a,b", id_token.as_str()] {
        let answer = userinfo(&node, Method::GET, "", Some(&format!("Bearer {token}")), "").await;
        assert_eq!(answer.oauth_error(), (401, "invalid_token".to_owned()), "{token}");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    let service = format!("Bearer {}", node.service_token().await);
    let answer = userinfo(&node, Method::GET, "", Some(&service), "").await;
    assert_eq!(answer.oauth_error(), (403, "insufficient_scope".to_owned()));
    assert!(answer.header("www-authenticate").contains("scope=\"openid\""), "{answer:?}");
}

#[tokio::test]
async fn a_token_is_active_until_it_is_revoked() {
    let node = support::demo();
    let token = login::tokens(&node).await.text("access_token");
    let live = login::introspect(&node, &token).await;
    assert_eq!(live.header("cache-control"), "no-store");
    let live = live.json();
    assert_eq!(live["active"], true);
    assert_eq!(live["username"], "alice");
    assert_eq!(live["client_id"], "web-demo");

    let done = revoke(&node, &token).await;
    assert_eq!((done.status, done.body.as_str()), (200, ""));
    assert_eq!(login::introspect(&node, &token).await.json(), json!({ "active": false }));
    assert_eq!(login::userinfo(&node, &token).await.oauth_error().0, 401);
    assert_eq!(revoke(&node, &token).await.status, 200, "a second time is no error");
}

#[tokio::test]
async fn what_is_no_token_is_revoked_and_inactive() {
    let node = support::demo();
    let long = "x".repeat(100_000);
    for text in ["not-a-token", "a.b.c", "\"'<>\u{e9}", long.as_str()] {
        assert_eq!(revoke(&node, text).await.status, 200);
        let answer = login::introspect(&node, text).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "active": false })));
    }
    let id_token = login::tokens(&node).await.text("id_token");
    assert_eq!(login::introspect(&node, &id_token).await.json(), json!({ "active": false }));
}

#[tokio::test]
async fn only_its_own_client_revokes_a_token() {
    let node = support::demo();
    let token = node.service_token().await;
    assert_eq!(revoke(&node, &token).await.oauth_error(), (400, "unauthorized_client".to_owned()));
    assert_eq!(login::introspect(&node, &token).await.json()["active"], true);
}

#[tokio::test]
async fn strangers_and_public_clients_learn_nothing() {
    let node = support::demo();
    let token = node.service_token().await;
    let (introspect, revoke) = (node.demo_at("/oauth/introspect"), node.demo_at("/oauth/revoke"));
    let wrong = basic("service-demo", "wrong");
    let headers = [("authorization", wrong.as_str())];
    for url in [&introspect, &revoke] {
        let answer = Visitor::new().send_form(url, &headers, &[("token", &token)]).await;
        assert_eq!(answer.oauth_error(), (401, "invalid_client".to_owned()));
        assert!(answer.header("www-authenticate").starts_with("Basic "));
        let answer = Visitor::new().post(url, &[("token", &token)]).await;
        assert_eq!(answer.oauth_error(), (401, "invalid_client".to_owned()));
        let answer = Visitor::new().get(url).await;
        assert_eq!(answer.oauth_error().0, 405);
    }
    let public = [("client_id", "native-demo"), ("token", token.as_str())];
    let answer = Visitor::new().post(&introspect, &public).await;
    assert_eq!(answer.oauth_error(), (401, "invalid_client".to_owned()));

    let service = basic("service-demo", SERVICE_SECRET);
    let headers = [("authorization", service.as_str())];
    for url in [&introspect, &revoke] {
        let answer = Visitor::new().send_form(url, &headers, &[]).await;
        assert_eq!(answer.oauth_error(), (400, "invalid_request".to_owned()));
    }
}
