//! `Idempotency-Key`: a request that is sent twice is done once and answered twice.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, problem, service, unique, user},
    support::{Answer, Visitor, visitor::basic},
};

/// Sends twice with one key and checks that the second is the first again.
async fn twice(api: &Api, method: Method, path: &str, body: &Value) -> (Answer, Answer) {
    let key = unique("key");
    let headers = [("idempotency-key", key.as_str())];
    let first = api.write(method.clone(), path, &headers, body).await;
    assert_eq!(first.header("idempotency-replayed"), "", "{first:?}");
    let second = api.write(method, path, &headers, body).await;
    replayed(&first, &second);
    (first, second)
}

fn replayed(first: &Answer, second: &Answer) {
    assert_eq!(second.header("idempotency-replayed"), "true", "{second:?}");
    assert_eq!(second.status, first.status, "{second:?}");
    assert_eq!(second.body, first.body);
    for name in ["etag", "location"] {
        assert_eq!(second.header(name), first.header(name));
    }
}

#[tokio::test]
async fn a_user_is_made_once() {
    let bob = Api::bob().await;
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let name = unique("once");
    let mut body = user(&name);
    body["password"] = json!("a password of once");
    let (first, _) = twice(&bob, Method::POST, &users, &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    let list = bob.read(&format!("{users}?filter=username%20eq%20%22{name}%22")).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_secret_that_is_shown_once_is_shown_again_to_the_same_request() {
    let bob = Api::bob().await;
    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let name = unique("once");
    let (first, second) = twice(&bob, Method::POST, &clients, &service(&name)).await;
    assert_eq!(first.status, 201, "{first:?}");
    let secret = second.text("secret");
    let path = format!("{clients}/{}", id_of(&first.json()));
    let accepted = async |secret: &str| {
        let form = [("grant_type", "client_credentials")];
        let basic = basic(&name, secret);
        let url = bob.node.demo_at("/oauth/token");
        Visitor::new().send_form(&url, &[("authorization", &basic)], &form).await.status
    };
    assert_eq!(accepted(&secret).await, 200);

    let (first, second) = twice(&bob, Method::POST, &format!("{path}/secret"), &json!({})).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(accepted(&secret).await, 401, "the old secret ended at once");
    assert_eq!(accepted(&second.text("secret")).await, 200);

    let public = bob.patch(&path, &json!({ "authentication": "none", "grant_types": [] })).await;
    assert_eq!(public.status, 200, "{public:?}");
    let (first, second) = twice(&bob, Method::PUT, &path, &service(&name)).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(accepted(&second.text("secret")).await, 200);
}

#[tokio::test]
async fn a_tenant_is_made_once() {
    let platform = Api::platform().await;
    let body = json!({ "slug": unique("once"), "name": "Once" });
    let (first, _) = twice(&platform, Method::POST, "/api/v1/tenants", &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    let path = format!("/api/v1/tenants/{}", id_of(&first.json()));
    let renamed = json!({ "slug": body["slug"], "name": "Renamed" });
    let (first, _) = twice(&platform, Method::PUT, &path, &renamed).await;
    assert_eq!(first.status, 200, "{first:?}");
    let (first, _) = twice(&platform, Method::PATCH, &path, &json!({ "name": "Twice" })).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(platform.read(&path).await["revision"], json!(3));
}

#[tokio::test]
async fn the_first_answer_comes_again_even_after_further_changes() {
    let bob = Api::bob().await;
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let (name, keys) = (unique("replayed"), [unique("key"), unique("key"), unique("key")]);
    let key = |number: usize| [("idempotency-key", keys[number].as_str())];
    let mut body = user(&name);
    body["password"] = json!("a password of replayed");
    body["profile"] = json!({ "locale": "en" });
    let made = bob.write(Method::POST, &users, &key(0), &body).await;
    let path = format!("{users}/{}", id_of(&made.json()));

    let if_match = [key(1)[0], ("if-match", "\"1\"")];
    let put = bob.write(Method::PUT, &path, &if_match, &user(&name)).await;
    assert_eq!(put.status, 200, "{put:?}");
    let patch = json!({ "profile": { "nickname": "R" }, "enabled": false });
    let patched = bob.write(Method::PATCH, &path, &key(2), &patch).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    for nickname in ["S", "T"] {
        let patch = json!({ "profile": { "nickname": nickname }, "enabled": true });
        assert_eq!(bob.patch(&path, &patch).await.status, 200);
    }
    replayed(&made, &bob.write(Method::POST, &users, &key(0), &body).await);
    replayed(&put, &bob.write(Method::PUT, &path, &if_match, &user(&name)).await);
    replayed(&patched, &bob.write(Method::PATCH, &path, &key(2), &patch).await);
    assert_eq!(bob.read(&path).await["revision"], json!(5));

    assert_eq!(bob.delete(&path).await.status, 204);
    replayed(&made, &bob.write(Method::POST, &users, &key(0), &body).await);
    replayed(&put, &bob.write(Method::PUT, &path, &if_match, &user(&name)).await);
    replayed(&patched, &bob.write(Method::PATCH, &path, &key(2), &patch).await);
    assert_eq!(problem(&bob.get(&path).await), (404, "not_found".into()));
}

#[tokio::test]
async fn a_key_belongs_to_one_body_one_route_and_one_principal() {
    let (bob, platform) = (Api::bob().await, Api::platform().await);
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let (key, name) = (unique("key"), unique("bound"));
    let headers = [("idempotency-key", key.as_str())];
    let made = bob.write(Method::POST, &users, &headers, &user(&name)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("{users}/{}", id_of(&made.json()));

    let other_body = bob.write(Method::POST, &users, &headers, &user(&unique("bound"))).await;
    assert_eq!(problem(&other_body), (422, "idempotency_mismatch".into()));
    let other_route = bob.write(Method::PUT, &path, &headers, &user(&name)).await;
    assert_eq!((other_route.status, other_route.header("idempotency-replayed")), (200, ""));
    let other_principal = platform.write(Method::POST, &users, &headers, &user(&name)).await;
    assert_eq!(problem(&other_principal), (409, "already_exists".into()));

    for bad in ["", "with space", &"k".repeat(256)] {
        let headers = [("idempotency-key", bad)];
        let refused = bob.write(Method::POST, &users, &headers, &user(&unique("bad"))).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{bad}");
    }
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let bob = Api::bob().await;
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let (key, name) = (unique("key"), unique("later"));
    let headers = [("idempotency-key", key.as_str())];
    let holder = bob.made(&users, &user(&name)).await;
    let taken = bob.write(Method::POST, &users, &headers, &user(&name)).await;
    assert_eq!(problem(&taken), (409, "already_exists".into()));
    assert_eq!(bob.delete(&format!("{users}/{}", id_of(&holder))).await.status, 204);
    let made = bob.write(Method::POST, &users, &headers, &user(&name)).await;
    assert_eq!((made.status, made.header("idempotency-replayed")), (201, ""), "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_eight_times_at_once_is_done_once() {
    let bob = Api::bob().await;
    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let (key, name) = (unique("key"), unique("at-once"));
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (bob, clients) = (bob.clone(), clients.clone());
        let (key, body) = (key.clone(), service(&name));
        running.spawn(async move {
            bob.write(Method::POST, &clients, &[("idempotency-key", &key)], &body).await
        });
    }
    let answers = running.join_all().await;
    let first = answers.iter().find(|answer| answer.header("idempotency-replayed").is_empty());
    let first = first.expect("one of them did it");
    assert_eq!(first.status, 201, "{first:?}");
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &first.body));
    }
}
