//! The refresh token grant, as a client sees it.

use actors::demo::WEB_SECRET;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, Ask, redeem},
};

/// Some moment; nodes of these tests stand still until they are moved.
const NOW_MS: u64 = 1_790_000_000_000;

fn standing_still() -> TestNode {
    support::start_at(Content::Demo, NOW_MS)
}

async fn refresh(node: &TestNode, token: &str, changes: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "web-demo"),
        ("client_secret", WEB_SECRET),
    ];
    for (name, value) in changes {
        form.retain(|(given, _)| given != name);
        form.push((name, value));
    }
    form.retain(|(_, value)| !value.is_empty());
    Visitor::new().post(&node.demo_at("/oauth/token"), &form).await
}

async fn signed_in(node: &TestNode, scope: &str) -> Answer {
    let code = login::alice(&Ask::web(node).with("scope", scope)).await.sent_back("code").unwrap();
    let answer = redeem(node, &code, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn refused(answer: &Answer) -> (u16, String) {
    assert!(
        !answer.body.contains("vlt_rt_") && !answer.body.contains("access_token"),
        "{answer:?}"
    );
    answer.oauth_error()
}

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

async fn dead(node: &TestNode, access_token: &str) -> bool {
    login::userinfo(node, access_token).await.status == 401
}

/// Asks introspection as the client that holds the token.
async fn introspect(node: &TestNode, token: &str) -> Value {
    let form = [("client_id", "web-demo"), ("client_secret", WEB_SECRET), ("token", token)];
    Visitor::new().post(&node.demo_at("/oauth/introspect"), &form).await.json()
}

#[tokio::test]
async fn a_refresh_brings_new_tokens_that_say_the_same() {
    let node = standing_still();
    let first = signed_in(&node, "openid profile").await;
    node.pass_ms(5_000);
    let second = refresh(&node, &first.text("refresh_token"), &[]).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(second.header("cache-control"), "no-store");
    assert_eq!(second.json()["scope"], "openid profile");
    let (old, new) = (first.text("refresh_token"), second.text("refresh_token"));
    assert!(new.starts_with("vlt_rt_") && new.len() == 50 && new != old);
    assert_eq!(login::userinfo(&node, &second.text("access_token")).await.status, 200);

    // OIDC Core §12.2.
    let (before, after) = (claims(&first.text("id_token")), claims(&second.text("id_token")));
    for same in ["iss", "sub", "aud", "auth_time", "sid"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(after["iat"].as_u64().unwrap(), before["iat"].as_u64().unwrap() + 5);
    assert_eq!((&before["nonce"], after.get("nonce")), (&json!("n-0S6_WzA2Mj"), None));
    let (before, after) =
        (claims(&first.text("access_token")), claims(&second.text("access_token")));
    assert_eq!(before["grant"], after["grant"]);
    assert_ne!(before["jti"], after["jti"]);
}

#[tokio::test]
async fn the_same_token_again_is_the_same_successor_until_the_grace_is_over() {
    let node = standing_still();
    let first = signed_in(&node, "openid").await;
    let token = first.text("refresh_token");
    let second = refresh(&node, &token, &[]).await;
    node.pass_ms(9_999);
    let again = refresh(&node, &token, &[]).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(again.text("refresh_token"), second.text("refresh_token"));
    assert_ne!(again.text("access_token"), second.text("access_token"), "a request of its own");
    assert_eq!(refused(&refresh(&node, &token, &[("client_secret", "wrong")]).await).0, 401);

    node.pass_ms(1);
    assert_eq!(refused(&refresh(&node, &token, &[]).await), invalid_grant());
    for answer in [&first, &second, &again] {
        assert!(dead(&node, &answer.text("access_token")).await);
    }
    let successor = refresh(&node, &second.text("refresh_token"), &[]).await;
    assert_eq!(refused(&successor), invalid_grant());
}

#[tokio::test]
async fn a_used_successor_makes_the_predecessor_worthless_and_harmless() {
    let node = support::demo();
    let token = login::tokens(&node).await.text("refresh_token");
    let second = refresh(&node, &token, &[]).await.text("refresh_token");
    let third = refresh(&node, &second, &[]).await;
    assert_eq!(refused(&refresh(&node, &token, &[]).await), invalid_grant());
    assert!(!dead(&node, &third.text("access_token")).await);
    assert_eq!(refresh(&node, &third.text("refresh_token"), &[]).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_alone() {
    let node = support::demo();
    let token = login::tokens(&node).await.text("refresh_token");
    let native = [("client_id", "native-demo"), ("client_secret", "")];
    assert_eq!(refused(&refresh(&node, &token, &native).await), invalid_grant());
    let service = [("client_id", "service-demo"), ("client_secret", actors::demo::SERVICE_SECRET)];
    // Registered for HTTP Basic, not for the form.
    assert_eq!(refused(&refresh(&node, &token, &service).await).0, 401);
    for unknown in ["vlt_rt_nobody", "nonsense", "vlt_ac_x"] {
        assert_eq!(refused(&refresh(&node, unknown, &[]).await), invalid_grant());
        let public = [("client_id", "native-demo"), ("client_secret", "")];
        assert_eq!(refused(&refresh(&node, unknown, &public).await), invalid_grant());
    }
    let missing = refresh(&node, "", &[]).await;
    assert_eq!(refused(&missing), (400, "invalid_request".to_owned()));
    assert_eq!(refresh(&node, &token, &[]).await.status, 200);
}

#[tokio::test]
async fn a_scope_may_be_narrowed_and_never_widened() {
    let node = support::demo();
    let token = signed_in(&node, "openid profile").await.text("refresh_token");
    let wider = refresh(&node, &token, &[("scope", "openid email")]).await;
    assert_eq!(refused(&wider), (400, "invalid_scope".to_owned()));
    let less = refresh(&node, &token, &[("scope", "profile")]).await;
    assert_eq!((less.status, &less.json()["scope"]), (200, &json!("profile")));
    assert!(less.json().get("id_token").is_none());
    let all = refresh(&node, &less.text("refresh_token"), &[]).await;
    assert_eq!(all.json()["scope"], "openid profile");
    let target = [("resource", "https://elsewhere.example")];
    let target = refresh(&node, &all.text("refresh_token"), &target).await;
    assert_eq!(refused(&target), (400, "invalid_target".to_owned()));
}

#[tokio::test]
async fn a_public_client_refreshes_without_a_secret() {
    let node = support::demo();
    let redirect_uri = "http://127.0.0.1:49998/callback";
    let ask = Ask::of(node.demo_at(""), "native-demo", redirect_uri);
    let code = login::alice(&ask).await.sent_back("code").unwrap();
    let native = [("client_id", "native-demo"), ("client_secret", "")];
    let changes = [native[0], native[1], ("redirect_uri", redirect_uri)];
    let token = redeem(&node, &code, &changes).await.text("refresh_token");
    let answer = refresh(&node, &token, &native).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(answer.text("refresh_token"), token);
}

#[tokio::test]
async fn only_offline_access_outlives_the_session() {
    let node = standing_still();
    let online = signed_in(&node, "openid").await;
    let offline = signed_in(&node, "openid offline_access").await;
    assert_eq!(offline.json()["scope"], "offline_access openid");
    node.pass_ms(13 * 3_600_000);
    let ended = refresh(&node, &online.text("refresh_token"), &[]).await;
    assert_eq!(refused(&ended), invalid_grant());
    let goes_on = refresh(&node, &offline.text("refresh_token"), &[]).await;
    assert_eq!(goes_on.status, 200, "{goes_on:?}");
    assert!(!dead(&node, &goes_on.text("access_token")).await);
}

#[tokio::test]
async fn introspection_tells_the_holder_and_revocation_ends_the_family() {
    let node = support::demo();
    let first = login::tokens(&node).await;
    let token = first.text("refresh_token");
    let live = introspect(&node, &token).await;
    assert_eq!((&live["active"], &live["client_id"]), (&json!(true), &json!("web-demo")));
    assert_eq!((&live["username"], live.get("token_type")), (&json!("alice"), None));
    assert!(live["exp"].as_u64().is_some(), "{live}");
    let stranger = login::introspect(&node, &token).await.json();
    assert_eq!(stranger, json!({ "active": false }), "another client learns nothing");

    let second = refresh(&node, &token, &[]).await;
    assert_eq!(introspect(&node, &token).await, json!({ "active": false }));
    let revoke = [("client_id", "web-demo"), ("client_secret", WEB_SECRET), ("token", &token)];
    let other = [("client_id", "native-demo"), ("token", token.as_str())];
    let url = node.demo_at("/oauth/revoke");
    let stranger = Visitor::new().post(&url, &other).await;
    assert_eq!(stranger.oauth_error(), (400, "unauthorized_client".to_owned()));
    for _ in 0..2 {
        assert_eq!(Visitor::new().post(&url, &revoke).await.status, 200);
    }
    for answer in [&first, &second] {
        assert!(dead(&node, &answer.text("access_token")).await);
    }
    let successor = second.text("refresh_token");
    assert_eq!(introspect(&node, &successor).await, json!({ "active": false }));
    assert_eq!(refused(&refresh(&node, &successor, &[]).await), invalid_grant());
}

#[tokio::test]
async fn metadata_says_so() {
    let node = support::demo();
    let url = node.demo_at("/.well-known/openid-configuration");
    let metadata = Visitor::new().get(&url).await.json();
    let lists = |name: &str, word: &str| metadata[name].as_array().unwrap().contains(&json!(word));
    assert!(lists("grant_types_supported", "refresh_token"), "{metadata}");
    assert!(lists("scopes_supported", "offline_access"), "{metadata}");
}
