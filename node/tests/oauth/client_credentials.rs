//! A service signs in.

use actors::demo::{SERVICE_SECRET, WEB_SECRET};
use reqwest::Method;

use crate::support::{self, Answer, TestNode, Visitor, login, visitor::basic};

async fn ask(node: &TestNode, authorization: &str, form: &[(&str, &str)]) -> Answer {
    let headers = [("authorization", authorization)];
    let headers = if authorization.is_empty() { &[][..] } else { &headers[..] };
    Visitor::new().send_form(&node.demo_at("/oauth/token"), headers, form).await
}

fn service() -> String {
    basic("service-demo", SERVICE_SECRET)
}

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_service_gets_a_token_with_what_it_is_registered_for() {
    let node = support::demo();
    let answer = ask(&node, &service(), &[GRANT]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], "read write");
    assert!(body["expires_in"].as_u64().unwrap() > 0);
    assert!(body.get("id_token").is_none() && body.get("refresh_token").is_none());

    let live = login::introspect(&node, &answer.text("access_token")).await.json();
    assert_eq!(live["active"], true);
    assert_eq!(live["client_id"], "service-demo");
    assert_eq!(live["sub"], "service-demo");
    assert_eq!(live["iss"], node.demo_at(""));
}

#[tokio::test]
async fn a_scope_is_narrowed_and_one_it_does_not_have_is_refused() {
    let node = support::demo();
    let answer = ask(&node, &service(), &[GRANT, ("scope", "read")]).await;
    assert_eq!(answer.text("scope"), "read");
    let answer = ask(&node, &service(), &[GRANT, ("scope", "everything")]).await;
    assert_eq!(answer.oauth_error(), (400, "invalid_scope".to_owned()));
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_client_get_one_answer_and_a_challenge() {
    let node = support::demo();
    let wrong = ask(&node, &basic("service-demo", "not-the-secret"), &[GRANT]).await;
    let unknown = ask(&node, &basic("nobody", SERVICE_SECRET), &[GRANT]).await;
    for answer in [&wrong, &unknown] {
        assert_eq!(answer.oauth_error(), (401, "invalid_client".to_owned()));
        assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{answer:?}");
    }
    assert_eq!(wrong.body, unknown.body);
}

#[tokio::test]
async fn only_the_registered_method_counts() {
    let node = support::demo();
    let form = [GRANT, ("client_id", "service-demo"), ("client_secret", SERVICE_SECRET)];
    let posted = ask(&node, "", &form).await;
    assert_eq!(posted.oauth_error(), (401, "invalid_client".to_owned()));
    assert_eq!(posted.header("www-authenticate"), "", "the header was not tried");
    let in_header = ask(&node, &basic("web-demo", WEB_SECRET), &[GRANT]).await;
    assert_eq!(in_header.oauth_error(), (401, "invalid_client".to_owned()));
    let nothing = ask(&node, "", &[GRANT, ("client_id", "service-demo")]).await;
    assert_eq!(nothing.oauth_error(), (401, "invalid_client".to_owned()));
    let nobody = ask(&node, "", &[GRANT]).await;
    assert_eq!(nobody.oauth_error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn two_methods_at_once_are_refused() {
    let node = support::demo();
    let both = [GRANT, ("client_id", "service-demo"), ("client_secret", SERVICE_SECRET)];
    let answer = ask(&node, &service(), &both).await;
    assert_eq!(answer.oauth_error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_malformed_request_is_refused_in_oauth_words() {
    let node = support::demo();
    let cases = [
        (&[][..], 400, "invalid_request"),
        (&[("grant_type", "urn:example:other")], 400, "unsupported_grant_type"),
        (&[("grant_type", "password")], 400, "unauthorized_client"),
        (&[GRANT, GRANT], 400, "invalid_request"),
        (&[GRANT, ("scope", "read"), ("scope", "write")], 400, "invalid_request"),
        (&[GRANT, ("resource", "https://elsewhere.example")], 400, "invalid_target"),
    ];
    for (form, status, error) in cases {
        let answer = ask(&node, &service(), form).await;
        assert_eq!(answer.oauth_error(), (status, error.to_owned()), "{form:?}");
    }
    let api = node.at("/api");
    let answer = ask(&node, &service(), &[GRANT, ("resource", &api)]).await;
    assert_eq!(answer.oauth_error(), (400, "invalid_target".to_owned()));
    let native = ask(&node, "", &[GRANT, ("client_id", "native-demo")]).await;
    assert_eq!(native.oauth_error(), (400, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn other_methods_content_types_and_secrets_in_the_address_are_refused() {
    let node = support::demo();
    let url = node.demo_at("/oauth/token");
    let got = Visitor::new().get(&url).await;
    assert_eq!(got.oauth_error().0, 405);
    assert_eq!(got.header("allow"), "POST");

    let authorization = service();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = Some("{\"grant_type\":\"client_credentials\"}".to_owned());
    let json = Visitor::new().send(Method::POST, &url, &headers, body).await;
    assert_eq!(json.oauth_error(), (415, "invalid_request".to_owned()));

    let address = format!("{url}?client_id=service-demo&client_secret={SERVICE_SECRET}");
    let answer = Visitor::new().post(&address, &[GRANT]).await;
    assert_eq!(answer.oauth_error(), (400, "invalid_request".to_owned()));
    assert!(!answer.body.contains(SERVICE_SECRET));
}

#[tokio::test]
async fn credentials_of_one_tenant_are_worth_nothing_at_another() {
    let node = support::demo();
    let authorization = service();
    let headers = [("authorization", authorization.as_str())];
    let answer = Visitor::new().send_form(&node.at("/oauth/token"), &headers, &[GRANT]).await;
    assert_eq!(answer.oauth_error(), (401, "invalid_client".to_owned()));
    let admin = node.admin_token().await;
    assert_eq!(login::introspect(&node, &admin).await.json(), serde_json::json!({"active": false}));
    assert_eq!(login::userinfo(&node, &admin).await.oauth_error().0, 401);
}
