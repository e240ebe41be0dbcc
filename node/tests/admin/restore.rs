//! What was deleted is found and comes back.

use actors::Asker;
use axum::http::HeaderMap;
use identity::{
    command::Command,
    id::{SagaId, TenantId},
    keys::Algorithm,
    principal::{ApiScopes, Principal, Source},
    stamp::Placement,
    tenants,
};
use reqwest::Method;
use serde_json::{Value, json};
use vaultara_node::http::admin::idempotency::{KEY, Key};

use crate::{
    api::{Api, id_of, pointers, problem, service, user},
    operations::whole,
    support::{Answer, Visitor, visitor::basic},
};

async fn gone(api: &Api, users: &str) -> Vec<Value> {
    api.read(&format!("{users}?deleted=true")).await["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_was_deleted_is_listed_and_restored() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let mut made = Vec::new();
    for name in ["first", "second", "third"] {
        let body = json!({
            "username": name, "email": format!("{name}@example.org"),
            "password": "the garden gate was painted blue",
        });
        made.push(platform.made(&users, &body).await);
    }
    assert!(gone(&platform, &users).await.is_empty());
    for user in &made[..2] {
        assert_eq!(platform.delete(&format!("{users}/{}", id_of(user))).await.status, 204);
    }
    // The last deletion first.
    let found = gone(&platform, &users).await;
    assert_eq!([&found[0]["id"], &found[1]["id"]], [&made[1]["id"], &made[0]["id"]]);
    let page = platform.read(&format!("{users}?deleted=true&limit=1&count=exact")).await;
    assert_eq!(page["total"], json!({ "value": 2, "relation": "equal" }));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = platform.read(&format!("{users}?deleted=true&cursor={cursor}")).await;
    assert_eq!(rest["items"][0]["id"], made[0]["id"]);
    let elsewhere = platform.get(&format!("{users}?cursor={cursor}")).await;
    assert_eq!(pointers(&elsewhere), ["cursor"]);

    let path = format!("{users}/{}", id_of(&made[0]));
    let restored = platform.post(&format!("{path}/restore"), &json!({})).await;
    assert_eq!(restored.status, 200, "{restored:?}");
    let now = platform.read(&path).await;
    assert_eq!(restored.json(), now);
    assert_eq!((&now["username"], &now["email"]), (&json!("first"), &json!("first@example.org")));
    assert_eq!(now["has_password"], json!(false), "what was secret does not return");
    assert_eq!(gone(&platform, &users).await.len(), 1);
    let by_name = platform.read(&format!("{users}?filter=username%20eq%20%22first%22")).await;
    assert_eq!(by_name["items"][0]["id"], made[0]["id"]);
    let history = platform.read(&format!("{path}/history")).await;
    assert_eq!(history["items"][0]["action"], "users.restore");
    let again = platform.post(&format!("{path}/restore"), &json!({})).await;
    assert_eq!(problem(&again), (422, "rule_violated".into()));
}

#[tokio::test]
async fn a_taken_name_is_named_and_another_one_is_taken() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let path = format!("{users}/{}", id_of(&platform.made(&users, &user("taken")).await));
    assert_eq!(platform.delete(&path).await.status, 204);
    platform.made(&users, &user("taken")).await;
    let restore = format!("{path}/restore");
    let refused = platform.post(&restore, &json!({})).await;
    assert_eq!(problem(&refused), (409, "already_exists".into()));
    assert_eq!(pointers(&refused), ["/username"]);
    let stale = [("if-match", "\"1\"")];
    let refused = platform.write(Method::POST, &restore, &stale, &json!({})).await;
    assert_eq!(problem(&refused), (412, "stale".into()));
    let keyed = [("idempotency-key", "back")];
    let body = json!({ "name": "Other.Name" });
    let restored = platform.write(Method::POST, &restore, &keyed, &body).await;
    assert_eq!((restored.status, restored.json()["username"].clone()), (200, json!("other.name")));
    let again = platform.write(Method::POST, &restore, &keyed, &body).await;
    assert_eq!((again.status, again.json()), (200, restored.json()));
    let unknown = platform.post(&restore, &json!({ "username": "x" })).await;
    assert_eq!(problem(&unknown), (400, "invalid_request".into()));
}

#[tokio::test]
async fn every_kind_that_is_deleted_softly_is_listed_and_comes_back() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    for (kind, field) in [
        ("clients", "client_id"),
        ("groups", "name"),
        ("roles", "name"),
        ("permissions", "name"),
        ("client-scopes", "name"),
        ("sign-in-notices", "name"),
        ("source-blocks", "network"),
    ] {
        let all = format!("{tenant}/{kind}");
        let body = whole(kind, "freed-1");
        let made = platform.made(&all, &body).await;
        let path = format!("{all}/{}", id_of(&made));
        assert_eq!(platform.delete(&path).await.status, 204, "{kind}");
        assert_eq!(platform.get(&path).await.status, 404, "{kind}");
        assert_eq!(gone(&platform, &all).await[0]["id"], made["id"], "{kind}");
        platform.made(&all, &body).await;
        let taken = platform.post(&format!("{path}/restore"), &json!({})).await;
        assert_eq!(problem(&taken), (409, "already_exists".into()), "{kind}");
        assert_eq!(pointers(&taken), [format!("/{field}")], "{kind}");
        let another = whole(kind, "freed-2")[field].clone();
        let body = json!({ "name": another });
        let restored = platform.post(&format!("{path}/restore"), &body).await;
        assert_eq!((restored.status, &restored.json()[field]), (200, &another), "{kind}");
        assert_eq!(platform.read(&path).await, restored.json(), "{kind}");
        assert!(gone(&platform, &all).await.is_empty(), "{kind}");
        let history = platform.read(&format!("{path}/history")).await;
        let action = format!("{}.restore", kind.replace('-', "_"));
        assert_eq!(history["items"][0]["action"], json!(action));
    }
}

#[tokio::test]
async fn a_restored_client_gets_another_secret_and_nothing_it_had() {
    let platform = Api::platform().await;
    let clients = format!("{}/clients", platform.own_tenant().await);
    let issuer = platform.read(clients.trim_end_matches("/clients")).await;
    let issuer = issuer["issuer"].as_str().unwrap().to_owned();
    let made = platform.made(&clients, &service("returned")).await;
    let path = format!("{clients}/{}", id_of(&made));
    let secret = made["secret"].as_str().unwrap();
    let token = token_of(&issuer, secret).await.text("access_token");
    let active = async |secret: &str, token: &str| {
        let headers = [("authorization", basic("returned", secret))];
        let headers = [(headers[0].0, headers[0].1.as_str())];
        let url = format!("{issuer}/oauth/introspect");
        Visitor::new().send_form(&url, &headers, &[("token", token)]).await.json()["active"].clone()
    };
    assert_eq!(active(secret, &token).await, json!(true));
    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(platform.post(&format!("{path}/restore"), &json!({})).await.status, 200);
    assert_eq!(token_of(&issuer, secret).await.status, 401, "the old secret is gone");
    let secret = platform.post(&format!("{path}/secret"), &json!({})).await.json();
    let secret = secret["secret"].as_str().unwrap();
    assert_eq!(token_of(&issuer, secret).await.status, 200);
    assert_eq!(active(secret, &token).await, json!(false), "what it had stays ended");
}

async fn token_of(issuer: &str, secret: &str) -> Answer {
    let basic = basic("returned", secret);
    let form = [("grant_type", "client_credentials")];
    let headers = [("authorization", basic.as_str())];
    Visitor::new().send_form(&format!("{issuer}/oauth/token"), &headers, &form).await
}

#[tokio::test]
async fn what_cannot_be_restored_has_no_list_of_the_deleted() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let refused = platform.get(&format!("{tenant}/sessions?deleted=true")).await;
    assert_eq!(pointers(&refused), ["deleted"]);
    let nowhere = format!("{tenant}/keys/00000000-0000-0000-0000-000000000001/restore");
    assert_eq!(platform.post(&nowhere, &json!({})).await.status, 404);
    for query in ["deleted=yes", "deleted=true&sort=username", "deleted=true&filter=email%20pr"] {
        let refused = platform.get(&format!("{tenant}/users?{query}")).await;
        assert_eq!(pointers(&refused), ["deleted"], "{query}");
    }
}

#[tokio::test]
async fn a_deleted_tenant_comes_back_with_its_people_and_nothing_that_was_issued() {
    let platform = Api::platform().await;
    let path = platform.own_tenant().await;
    let shown = platform.read(&path).await;
    let (id, slug, issuer) = (id_of(&shown), shown["slug"].clone(), shown["issuer"].clone());
    let issuer = issuer.as_str().unwrap();
    let path = format!("/api/v1/tenants/{id}");
    let made = platform.made(&format!("{path}/clients"), &service("returned")).await;
    let client = format!("{path}/clients/{}", id_of(&made));
    platform.made(&format!("{path}/users"), &user("someone")).await;
    let secret = made["secret"].as_str().unwrap();
    let token = token_of(issuer, secret).await.text("access_token");
    let keys = async || {
        let set = Visitor::new().get(&format!("{issuer}/.well-known/jwks.json")).await;
        let keys = set.json()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].clone()).collect::<Vec<_>>()
    };
    let before = keys().await;
    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(token_of(issuer, secret).await.status, 404);
    let listed = async |query: &str| {
        let list = platform.read(&format!("/api/v1/tenants?limit=500{query}")).await;
        list["items"].as_array().unwrap().iter().any(|item| item["id"] == json!(id))
    };
    assert!(listed("&deleted=true").await && !listed("").await);
    assert_eq!(platform.get(&path).await.status, 404);
    let nobody = Api::bob().await.post(&format!("{path}/restore"), &json!({})).await;
    assert_eq!(problem(&nobody), (404, "not_found".into()), "{nobody:?}");

    let keyed = [("idempotency-key", "tenant-back")];
    let restored =
        platform.write(Method::POST, &format!("{path}/restore"), &keyed, &json!({})).await;
    assert_eq!((restored.status, &restored.json()["slug"]), (200, &slug), "{restored:?}");
    assert_eq!(platform.read(&path).await, restored.json());
    let again = platform.write(Method::POST, &format!("{path}/restore"), &keyed, &json!({})).await;
    assert_eq!((again.status, again.json()), (200, restored.json()));
    assert!(listed("").await && !listed("&deleted=true").await);
    let people = platform.read(&format!("{path}/users")).await;
    assert_eq!(people["items"][0]["username"], json!("someone"));
    assert!(keys().await.iter().all(|kid| !before.contains(kid)), "its keys are new ones");

    assert_eq!(token_of(issuer, secret).await.status, 401, "the old secret is gone");
    let secret = platform.post(&format!("{client}/secret"), &json!({})).await.json();
    let secret = secret["secret"].as_str().unwrap();
    let new = token_of(issuer, secret).await.text("access_token");
    let active = async |token: &str| {
        let basic = basic("returned", secret);
        let headers = [("authorization", basic.as_str())];
        let url = format!("{issuer}/oauth/introspect");
        Visitor::new().send_form(&url, &headers, &[("token", token)]).await.json()["active"].clone()
    };
    assert_eq!((active(&token).await, active(&new).await), (json!(false), json!(true)));
    let live = platform.post(&format!("{path}/restore"), &json!({})).await;
    assert_eq!(problem(&live), (422, "rule_violated".into()));

    // A taken slug is named, and another one is taken.
    assert_eq!(platform.delete(&path).await.status, 204);
    let other = json!({ "slug": slug, "name": "Other" });
    platform.made("/api/v1/tenants", &other).await;
    let taken = platform.post(&format!("{path}/restore"), &json!({})).await;
    assert_eq!((problem(&taken).0, pointers(&taken)), (409, vec!["/slug".into()]));
    let another = format!("{}-2", slug.as_str().unwrap());
    let body = json!({ "name": another });
    let restored = platform.post(&format!("{path}/restore"), &body).await;
    assert_eq!((restored.status, &restored.json()["slug"]), (200, &json!(another)));
    let moved = restored.json()["issuer"].as_str().unwrap().to_owned();
    assert!(moved.ends_with(&another), "{moved}");
    let metadata = format!("{moved}/.well-known/openid-configuration");
    assert_eq!(Visitor::new().get(&metadata).await.json()["issuer"], json!(moved));
    let nowhere = "/api/v1/tenants/0198a000-0000-7000-8000-00000000abcd/restore";
    assert_eq!(platform.post(nowhere, &json!({})).await.status, 404);
}

/// Begins to bring a tenant back as the operator's request with this key does, and takes no further
/// step: as if its node had ended in between.
async fn begun(platform: &Api, path: &str, key: &str) {
    let ctx = &platform.node.context;
    let default = platform.tenant_of_operator().await;
    let filter = "filter=client_id%20eq%20%22admin-demo%22";
    let service = platform.read(&format!("/api/v1/tenants/{default}/clients?{filter}")).await;
    let principal = Principal::Client {
        tenant: default.parse().unwrap(),
        client: id_of(&service["items"][0]).parse().unwrap(),
        scopes: ApiScopes { read: true, write: true, platform: true },
    };
    let headers: HeaderMap = [(KEY, key.parse().unwrap())].into_iter().collect();
    let key = Key::parse(&headers).ok().flatten().unwrap();
    let route = (&Method::POST, path);
    let idempotency = key.bind(ctx, TenantId::CLUSTER, &principal, route, b"{}");
    let asker = Asker { principal, source: Source::default(), idempotency: Some(idempotency) };
    let id = path.trim_end_matches("/restore").rsplit('/').next().unwrap();
    let tenant: TenantId = id.parse().unwrap();
    let keys = actors::tenants::key_pair(ctx, tenant, Algorithm::Es256).await.unwrap();
    let saga = ctx.random().id(SagaId::from_bytes);
    let request = tenants::restore::Request { tenant, saga, address: None, keys };
    let begin = Command::Tenants(tenants::Command::BeginRestore(Box::new(request)));
    ctx.write(&asker, Placement::Cluster, begin).await.unwrap();
}

#[tokio::test]
async fn a_restoration_that_is_asked_for_again_while_it_is_under_way_is_answered_when_it_is_done() {
    let platform = Api::platform().await;
    let path = platform.own_tenant().await;
    assert_eq!(platform.delete(&path).await.status, 204);
    let restore = format!("{path}/restore");
    begun(&platform, &restore, "under-way").await;
    let keyed = [("idempotency-key", "under-way")];
    let again = platform.write(Method::POST, &restore, &keyed, &json!({})).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"), "{again:?}");
    assert_eq!(platform.read(&path).await, again.json());
    let other = platform.write(Method::POST, &restore, &keyed, &json!({ "name": "other" })).await;
    assert_eq!(problem(&other), (422, "idempotency_mismatch".into()));
}

#[tokio::test]
async fn a_repeated_restoration_of_a_tenant_is_answered_as_the_first_whatever_came_of_it_since() {
    let platform = Api::platform().await;
    let path = platform.own_tenant().await;
    assert_eq!(platform.delete(&path).await.status, 204);
    let restore = format!("{path}/restore");
    let keyed = [("idempotency-key", "first-of-two")];
    let first = platform.write(Method::POST, &restore, &keyed, &json!({})).await;
    assert_eq!(first.status, 200, "{first:?}");
    let is_the_first = async || {
        let again = platform.write(Method::POST, &restore, &keyed, &json!({})).await;
        assert_eq!((again.status, again.json()), (200, first.json()), "{again:?}");
        assert_eq!(again.header("etag"), first.header("etag"));
        assert_eq!(again.header("idempotency-replayed"), "true");
    };
    assert_eq!(platform.patch(&path, &json!({ "name": "Changed" })).await.status, 200);
    is_the_first().await;
    assert_eq!(platform.delete(&path).await.status, 204);
    is_the_first().await;
    assert_eq!(platform.get(&path).await.status, 404, "a repetition restores nothing");
}
