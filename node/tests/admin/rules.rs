//! What administrators may not do, and what their changes end at once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, pointers, problem, service, unique, user},
    support::{self, Answer, Content, TestNode, Visitor, visitor::basic},
};

/// A service of the tenant that may use this API, with its secret.
fn admin_service(client_id: &str) -> Value {
    let mut body = service(client_id);
    body["admin_api"] = json!(true);
    body["roles"] = json!(["administrator"]);
    body["scopes"] = json!(["read", "write", "platform"]);
    body
}

#[tokio::test]
async fn only_the_platform_opens_this_api_to_a_client() {
    let (bob, platform) = (Api::bob().await, Api::platform().await);
    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let refused = bob.post(&clients, &admin_service(&unique("mine"))).await;
    assert_eq!(problem(&refused), (403, "denied".into()));
    let mine = bob.made(&clients, &service(&unique("mine"))).await;
    let path = format!("{clients}/{}", id_of(&mine));
    for method in [Method::PATCH, Method::PUT] {
        let mut body = service(mine["client_id"].as_str().unwrap());
        body["admin_api"] = json!(true);
        let refused = bob.write(method, &path, &[], &body).await;
        assert_eq!(problem(&refused), (403, "denied".into()));
    }
    assert_eq!(bob.read(&path).await["revision"], json!(1));

    let name = unique("theirs");
    let made = platform.made(&clients, &admin_service(&name)).await;
    let secret = made["secret"].as_str().unwrap();
    let issuer = bob.node.demo_at("");
    let token = bob.service_token(&issuer, (&name, secret), "read write platform").await;
    let theirs = bob.with_token(token.unwrap());
    assert_eq!(theirs.get(&clients).await.status, 200);
    // Its role is its tenant's, whatever its token's scopes say.
    assert_eq!(problem(&theirs.get("/api/v1/tenants").await), (403, "denied".into()));
    let default = format!("/api/v1/tenants/{}/users", bob.tenant_of_operator().await);
    assert_eq!(problem(&theirs.get(&default).await), (404, "not_found".into()));

    let closing = json!({ "admin_api": false });
    let path = format!("{clients}/{}", id_of(&made));
    assert_eq!(platform.patch(&path, &closing).await.status, 200);
    assert_eq!(problem(&theirs.get(&clients).await), (401, "invalid_token".into()));
}

#[tokio::test]
async fn roles_of_the_default_tenant_are_the_platforms_to_give() {
    let platform = Api::platform().await;
    let limited = Api::operator("read write").await;
    let users = format!("/api/v1/tenants/{}/users", platform.tenant_of_operator().await);
    let name = unique("operator");
    let mut body = user(&name);
    body["roles"] = json!(["administrator"]);
    assert_eq!(problem(&limited.post(&users, &body).await), (403, "denied".into()));
    let plain = limited.made(&users, &user(&name)).await;
    let path = format!("{users}/{}", id_of(&plain));
    let raise = json!({ "roles": ["administrator"] });
    assert_eq!(problem(&limited.patch(&path, &raise).await), (403, "denied".into()));
    let raised = platform.patch(&path, &raise).await;
    assert_eq!((raised.status, raised.json()["roles"].clone()), (200, json!(["administrator"])));
    // Whoever holds the role now outranks the limited token.
    let reset = limited.patch(&path, &json!({ "password": "a password by a stranger" })).await;
    assert_eq!(problem(&reset), (403, "denied".into()));
    assert_eq!(problem(&limited.delete(&path).await), (403, "denied".into()));
    assert_eq!(platform.delete(&path).await.status, 204);
}

#[tokio::test]
async fn what_must_stay_is_protected() {
    let (bob, platform) = (Api::bob().await, Api::platform().await);
    let default = format!("/api/v1/tenants/{}", platform.tenant_of_operator().await);
    let disabling = platform.patch(&default, &json!({ "enabled": false })).await;
    assert_eq!(problem(&disabling), (422, "protected".into()));
    assert_eq!(problem(&platform.delete(&default).await), (422, "protected".into()));
    assert_eq!(platform.read(&default).await["enabled"], json!(true));

    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let built_in = bob.read(&format!("{clients}?filter=client_id%20eq%20%22vaultara-cli%22")).await;
    let path = format!("{clients}/{}", id_of(&built_in["items"][0]));
    for api in [&bob, &platform] {
        let renamed = api.patch(&path, &json!({ "name": "Mine" })).await;
        assert_eq!(problem(&renamed), (422, "protected".into()));
        assert_eq!(problem(&api.delete(&path).await), (422, "protected".into()));
        let secret = api.send(Method::POST, &format!("{path}/secret"), &[], None).await;
        assert_eq!(problem(&secret), (422, "protected".into()));
    }

    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let oneself = bob.read(&format!("{users}?filter=username%20eq%20%22bob%22")).await;
    let path = format!("{users}/{}", id_of(&oneself["items"][0]));
    assert_eq!(problem(&bob.delete(&path).await), (422, "protected".into()));
}

/// A request at a node of one's own.
async fn at(
    node: &TestNode,
    token: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let bearer = format!("Bearer {token}");
    let patch = method == Method::PATCH;
    let content_type = if patch { "application/merge-patch+json" } else { "application/json" };
    let headers = [("authorization", bearer.as_str()), ("content-type", content_type)];
    let body = body.map(Value::to_string);
    Visitor::new().send(method, &node.at(path), &headers, body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_administrator_of_the_default_tenant_stays_one() {
    let node = support::start(Content::Demo);
    let token = node.admin_token().await;
    let find = "/api/v1/tenants?filter=slug%20eq%20%22default%22";
    let tenants = at(&node, &token, Method::GET, find, None).await.json();
    let users = format!("/api/v1/tenants/{}/users", id_of(&tenants["items"][0]));
    let list = at(&node, &token, Method::GET, &users, None).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let admin = format!("{users}/{}", id_of(&list["items"][0]));

    let changes = [json!({ "enabled": false }), json!({ "roles": [] })];
    for change in &changes {
        let refused = at(&node, &token, Method::PATCH, &admin, Some(change)).await;
        assert_eq!(problem(&refused), (422, "protected".into()), "{change}");
    }
    let refused = at(&node, &token, Method::DELETE, &admin, None).await;
    assert_eq!(problem(&refused), (422, "protected".into()));

    let second = json!({ "username": "second", "roles": ["administrator"] });
    let made = at(&node, &token, Method::POST, &users, Some(&second)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let disabled = at(&node, &token, Method::PATCH, &admin, Some(&changes[0])).await;
    assert_eq!(disabled.status, 200, "{disabled:?}");
    let second = format!("{users}/{}", id_of(&made.json()));
    let refused = at(&node, &token, Method::DELETE, &second, None).await;
    assert_eq!(problem(&refused), (422, "protected".into()), "the other one is disabled");
}

#[tokio::test]
async fn a_new_secret_ends_the_old_one_at_once() {
    let bob = Api::bob().await;
    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let name = unique("rotated");
    let made = bob.made(&clients, &service(&name)).await;
    let token = async |secret: &str| {
        let form = [("grant_type", "client_credentials")];
        let basic = basic(&name, secret);
        let url = bob.node.demo_at("/oauth/token");
        Visitor::new().send_form(&url, &[("authorization", &basic)], &form).await.status
    };
    let old = made["secret"].as_str().unwrap();
    assert_eq!(token(old).await, 200);
    let path = format!("{clients}/{}/secret", id_of(&made));
    let rotated = bob.send(Method::POST, &path, &[], None).await;
    assert_eq!((rotated.status, rotated.header("etag")), (200, "\"2\""), "{rotated:?}");
    assert_eq!((token(old).await, token(&rotated.text("secret")).await), (401, 200));

    let body = json!({
        "client_id": unique("public"), "name": "P", "authentication": "none",
        "redirect_uris": ["https://app.example/"],
    });
    let public = bob.made(&clients, &body).await;
    let path = format!("{clients}/{}/secret", id_of(&public));
    let refused = bob.send(Method::POST, &path, &[], None).await;
    assert_eq!((problem(&refused).0, pointers(&refused)), (422, vec!["/authentication".into()]));
}

#[tokio::test]
async fn tokens_of_a_deleted_or_disabled_tenant_die() {
    let platform = Api::platform().await;
    let slug = unique("mortal");
    let tenant = platform.made("/api/v1/tenants", &json!({ "slug": slug, "name": "M" })).await;
    let path = format!("/api/v1/tenants/{}", id_of(&tenant));
    let clients = format!("{path}/clients");
    let made = platform.made(&clients, &admin_service("service")).await;
    let credentials = ("service", made["secret"].as_str().unwrap());
    let issuer = platform.node.at(&format!("/t/{slug}"));
    let scope = "read write";
    let token = platform.service_token(&issuer, credentials, scope).await.unwrap();
    let inside = platform.with_token(token);
    assert_eq!(inside.get(&clients).await.status, 200);

    assert_eq!(platform.patch(&path, &json!({ "enabled": false })).await.status, 200);
    assert_eq!(problem(&inside.get(&clients).await), (401, "invalid_token".into()));
    assert_eq!(platform.service_token(&issuer, credentials, scope).await, None);
    assert_eq!(platform.get(&clients).await.status, 200, "the operator still sees it");
    assert_eq!(platform.patch(&path, &json!({ "enabled": true })).await.status, 200);
    assert_eq!(inside.get(&clients).await.status, 200);

    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(problem(&inside.get(&clients).await), (401, "invalid_token".into()));
    assert_eq!(platform.service_token(&issuer, credentials, scope).await, None);
    platform.made("/api/v1/tenants", &json!({ "slug": slug, "name": "Next" })).await;
    assert_eq!(problem(&inside.get(&clients).await), (401, "invalid_token".into()));
}

#[tokio::test]
async fn a_disabled_administrator_is_out_at_once() {
    let platform = Api::platform().await;
    let users = format!("/api/v1/tenants/{}/users", platform.demo_id().await);
    let (name, password) = (unique("dora"), "a password of an administrator");
    let mut body = user(&name);
    body["roles"] = json!(["administrator"]);
    body["password"] = json!(password);
    let made = platform.made(&users, &body).await;
    let path = format!("{users}/{}", id_of(&made));
    let dora = Api::person(&name, password, "read write").await;
    assert_eq!(dora.get(&users).await.status, 200);
    assert_eq!(platform.patch(&path, &json!({ "roles": [] })).await.status, 200);
    assert_eq!(problem(&dora.get(&users).await), (403, "denied".into()));
    assert_eq!(platform.patch(&path, &json!({ "enabled": false })).await.status, 200);
    assert_eq!(problem(&dora.get(&users).await), (401, "invalid_token".into()));
}

#[tokio::test]
async fn what_a_client_registers_for_logout_is_checked_and_kept() {
    let api = Api::bob().await;
    let clients = format!("/api/v1/tenants/{}/clients", api.demo_id().await);
    let made = api.made(&clients, &service(&unique("leaving"))).await;
    let path = format!("{clients}/{}/logout-rules", id_of(&made));
    let nothing = json!({
        "post_logout_redirect_uris": [],
        "frontchannel_logout_uri": null,
        "backchannel_logout_uri": null,
    });
    assert_eq!(api.read(&path).await, nothing);
    let all = json!({
        "post_logout_redirect_uris": ["https://app.example/bye"],
        "frontchannel_logout_uri": "https://app.example/front",
        "backchannel_logout_uri": "https://app.example/back",
    });
    let set = api.put(&path, &all).await;
    assert_eq!((set.status, set.json(), set.header("etag")), (200, all.clone(), "\"1\""));
    for (body, pointer) in [
        (json!({ "post_logout_redirect_uris": ["/bye"] }), "/post_logout_redirect_uris/0"),
        (json!({ "frontchannel_logout_uri": "app.example:/x" }), "/frontchannel_logout_uri"),
        (json!({ "backchannel_logout_uri": "http://app.example/" }), "/backchannel_logout_uri"),
    ] {
        let refused = api.put(&path, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (422, vec![pointer.to_owned()]));
    }
    let stale = api.write(Method::PUT, &path, &[("if-match", "\"7\"")], &nothing).await;
    assert_eq!(problem(&stale), (412, "stale".into()));
    assert_eq!(api.read(&path).await, all);
    assert_eq!(problem(&Api::alice().await.get(&path).await), (403, "denied".into()));
}
