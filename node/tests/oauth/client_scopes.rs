//! What client scopes add to tokens and userinfo, as clients and resources see it.

use actors::demo;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, Ask, VERIFIER},
    visitor::basic,
};

async fn administer(node: &TestNode, method: Method, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", node.admin_token().await);
    let kind =
        if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
    let url = node.at(&format!("/api/v1/tenants/{}{path}", demo::TENANT));
    let answer = Visitor::new().send(method, &url, &headers, Some(body.to_string())).await;
    assert!(answer.status < 300, "{answer:?}");
    answer
}

/// A node with the scope `orders`, which `web-demo` may ask for.
async fn with_orders(default: bool) -> TestNode {
    let node = support::start(Content::Demo);
    let scope = json!({
        "name": "orders",
        "default": default,
        "mappers": [
            { "claim": "plan", "fixed_text": "gold", "places": ["access_token", "id_token"] },
            { "claim": "mail", "user_attribute": "email", "places": ["id_token", "userinfo"] },
            { "claim": "name", "fixed_text": "Somebody Else", "places": ["userinfo"] },
        ],
        "audiences": ["https://orders.example", node.at("/api")],
    });
    administer(&node, Method::POST, "/client-scopes", &scope).await;
    for client_id in ["web-demo", "service-demo"] {
        allow(&node, client_id, "orders").await;
    }
    node
}

async fn signed_in(node: &TestNode, scope: &str) -> Answer {
    let code = login::alice(&Ask::web(node).with("scope", scope)).await.sent_back("code").unwrap();
    let answer = login::redeem(node, &code, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

#[tokio::test]
async fn a_scope_adds_its_claims_and_audiences_where_it_was_granted() {
    let node = with_orders(false).await;
    let tokens = signed_in(&node, "openid profile orders").await;
    let (access, id) =
        (login::claims(&tokens.text("access_token")), login::claims(&tokens.text("id_token")));
    let issuer = node.demo_at("");
    assert_eq!(access["aud"], json!([issuer, "https://orders.example"]), "never the API's");
    assert_eq!((&access["plan"], access.get("mail")), (&json!("gold"), None));
    assert_eq!((&id["plan"], &id["mail"]), (&json!("gold"), &json!("alice@example.org")));
    assert_eq!(id["aud"], "web-demo");
    let told = login::userinfo(&node, &tokens.text("access_token")).await.json();
    assert_eq!((&told["mail"], told.get("plan")), (&json!("alice@example.org"), None));
    assert_eq!(told["name"], "Alice Liddell", "what the product says itself stays");
    let live = login::introspect(&node, &tokens.text("access_token")).await.json();
    assert_eq!((&live["active"], &live["aud"]), (&json!(true), &access["aud"]));

    // Who did not ask has nothing of it, and a refresh says the same again.
    let plain = signed_in(&node, "openid profile").await;
    let plain = login::claims(&plain.text("access_token"));
    assert_eq!((&plain["aud"], plain.get("plan")), (&json!(issuer), None));
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &tokens.text("refresh_token")),
        ("client_id", "web-demo"),
        ("client_secret", demo::WEB_SECRET),
    ];
    let again = Visitor::new().post(&node.demo_at("/oauth/token"), &form).await;
    let again = login::claims(&again.text("access_token"));
    assert_eq!((&again["aud"], &again["plan"]), (&access["aud"], &access["plan"]));
}

#[tokio::test]
async fn a_default_scope_comes_without_being_asked_for_and_a_change_is_seen_at_once() {
    let node = with_orders(true).await;
    let tokens = signed_in(&node, "openid").await;
    assert_eq!(tokens.json()["scope"], "openid orders");
    assert_eq!(login::claims(&tokens.text("access_token"))["plan"], "gold");
    let service = async || {
        let authorization = basic("service-demo", demo::SERVICE_SECRET);
        let headers = [("authorization", authorization.as_str())];
        let form = [("grant_type", "client_credentials"), ("scope", "read")];
        Visitor::new().send_form(&node.demo_at("/oauth/token"), &headers, &form).await
    };
    let token = service().await;
    assert_eq!(token.json()["scope"], "orders read");
    let claims = login::claims(&token.text("access_token"));
    assert_eq!((&claims["plan"], claims.get("mail")), (&json!("gold"), None));

    let list = administer(&node, Method::GET, "/client-scopes", &json!({})).await.json();
    let path = format!("/client-scopes/{}", list["items"][0]["id"].as_str().unwrap());
    administer(&node, Method::PATCH, &path, &json!({ "default": false })).await;
    assert_eq!(service().await.json()["scope"], "read");
    administer(&node, Method::DELETE, &path, &json!({})).await;
    let tokens = signed_in(&node, "openid orders").await;
    assert_eq!(tokens.json()["scope"], "openid orders", "it is only a name now");
    assert!(login::claims(&tokens.text("access_token")).get("plan").is_none());
}

#[tokio::test]
async fn roles_and_groups_of_a_person_are_where_the_mappers_put_them() {
    let node = support::start(Content::Demo);
    let of = |answer: Answer| answer.text("id");
    let inner = of(administer(&node, Method::POST, "/roles", &json!({ "name": "payer" })).await);
    let role = json!({ "name": "buyer", "composites": [inner] });
    let role = of(administer(&node, Method::POST, "/roles", &role).await);
    let top = of(administer(&node, Method::POST, "/groups", &json!({ "name": "sales" })).await);
    let group = json!({ "name": "Europe", "parent_id": top, "roles": [role] });
    let group = of(administer(&node, Method::POST, "/groups", &group).await);
    let filter = "/users?filter=username%20eq%20%22alice%22";
    let alice = administer(&node, Method::GET, filter, &json!({})).await.json();
    let users = json!({ "users": [alice["items"][0]["id"]] });
    administer(&node, Method::POST, &format!("/groups/{group}/members"), &users).await;
    let scope = json!({ "name": "rights", "mappers": [
        { "claim": "roles", "user_list": "roles",
          "places": ["id_token", "access_token", "userinfo"] },
        { "claim": "teams", "user_list": "groups", "places": ["access_token", "userinfo"] },
    ]});
    let made = administer(&node, Method::POST, "/client-scopes", &scope).await.json();
    assert_eq!(made["mappers"], scope["mappers"]);
    allow(&node, "web-demo", "rights").await;

    let tokens = signed_in(&node, "openid rights").await;
    let (roles, teams) = (json!(["buyer", "payer"]), json!(["/sales/Europe"]));
    let access = login::claims(&tokens.text("access_token"));
    assert_eq!((&access["roles"], &access["teams"]), (&roles, &teams));
    let id = login::claims(&tokens.text("id_token"));
    assert_eq!((&id["roles"], id.get("teams")), (&roles, None));
    let told = login::userinfo(&node, &tokens.text("access_token")).await.json();
    assert_eq!((&told["roles"], &told["teams"]), (&roles, &teams));

    // What is taken away is gone from the next answer.
    administer(&node, Method::DELETE, &format!("/roles/{inner}"), &json!({})).await;
    let told = login::userinfo(&node, &tokens.text("access_token")).await.json();
    assert_eq!(told["roles"], json!(["buyer"]));
}

/// Lets a client ask for one more scope.
async fn allow(node: &TestNode, client_id: &str, scope: &str) {
    let filter = format!("/clients?filter=client_id%20eq%20%22{client_id}%22");
    let found = administer(node, Method::GET, &filter, &json!({})).await.json();
    let path = format!("/clients/{}", found["items"][0]["id"].as_str().unwrap());
    let scopes = json!({ "scopes": ["read", "write", scope] });
    administer(node, Method::PATCH, &path, &scopes).await;
}
