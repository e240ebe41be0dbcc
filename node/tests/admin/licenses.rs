//! Licenses: issued by the platform, installed by a tenant, obeyed by whoever makes something.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, pointers, problem, service, unique, user},
    support::{self, Content},
};

const GENERATE: &str = "/api/v1/admin/licenses/generate";

/// A key of the platform.
pub(crate) async fn key(platform: &Api, license: Value) -> String {
    platform.made(GENERATE, &license).await["key"].as_str().unwrap().to_owned()
}

fn tier(tier: &str) -> Value {
    json!({ "tier": tier, "holder": "Acme" })
}

/// A tenant of one's own with a license.
async fn licensed(platform: &Api, license: Value) -> String {
    let tenant = platform.own_tenant().await;
    let key = key(platform, license).await;
    let installed = platform.post(&format!("{tenant}/license"), &json!({ "key": key })).await;
    assert_eq!(installed.status, 200, "{installed:?}");
    tenant
}

/// A hundred at once: how many were made, and what the others were told.
pub(crate) async fn hundred(
    platform: &Api,
    path: &str,
    body: impl Fn(&str) -> Value,
) -> (usize, Vec<Value>) {
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (api, path, body) = (platform.clone(), path.to_owned(), body(&unique("one-of")));
            tokio::spawn(async move { api.post(&path, &body).await })
        })
        .collect();
    let (mut made, mut refused) = (0, Vec::new());
    for task in tasks {
        let answer = task.await.unwrap();
        if answer.status == 201 {
            made += 1;
        } else {
            assert_eq!(problem(&answer), (403, "license_limit".into()));
            refused.push(answer.json()["detail"].clone());
        }
    }
    (made, refused)
}

#[tokio::test]
async fn a_hundred_at_once_fill_a_limit_exactly() {
    let platform = Api::platform().await;
    let limits = json!({ "users": 10, "clients": 10 });
    let license = json!({ "tier": "starter", "holder": "Acme", "limits": limits });
    let tenant = licensed(&platform, license).await;
    for resource in ["users", "clients"] {
        let body = |name: &str| if resource == "users" { user(name) } else { service(name) };
        let (made, refused) = hundred(&platform, &format!("{tenant}/{resource}"), body).await;
        assert_eq!((made, refused.len()), (10, 90), "{resource}");
        let told = format!("the license (starter) allows 10 {resource}");
        assert!(refused.iter().all(|detail| *detail == told), "{refused:?}");
        let limit = platform.read(&format!("{tenant}/license/limits/{resource}")).await;
        let full = json!({
            "resource": resource, "limit": 10, "used": 10, "exact": true, "remaining": 0,
        });
        assert_eq!(limit, full);
    }
    // What is deleted makes room, what exists can be changed.
    let users = platform.read(&format!("{tenant}/users?limit=1")).await;
    let first = format!("{tenant}/users/{}", id_of(&users["items"][0]));
    assert_eq!(platform.patch(&first, &json!({ "enabled": false })).await.status, 200);
    assert_eq!(platform.delete(&first).await.status, 204);
    platform.made(&format!("{tenant}/users"), &user(&unique("again"))).await;
}

#[tokio::test]
async fn a_license_is_read_installed_and_removed() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let path = format!("{tenant}/license");
    let none = platform.get(&path).await;
    assert_eq!((none.status, none.header("etag")), (200, "\"0\""), "{none:?}");
    let view = none.json();
    assert_eq!((&view["tier"], &view["standing"]), (&json!("unlimited"), &json!("unlimited")));
    assert_eq!(view["limits"], json!({ "users": null, "groups": null, "clients": null }));
    assert_eq!(view["features"], json!(["mfa", "sso", "webauthn", "branding", "saml"]));

    let own = tenant.rsplit('/').next().unwrap();
    let license = json!({ "tier": "free", "holder": "Acme", "tenant_id": own, "valid_days": 10 });
    let headers = [("idempotency-key", "license-1")];
    let issued = platform.write(Method::POST, GENERATE, &headers, &license).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    let again = platform.write(Method::POST, GENERATE, &headers, &license).await;
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", issued.json()));
    let key = issued.text("key");
    assert!(key.starts_with("vlt_lic_1."), "{key}");

    let body = json!({ "key": key });
    let set = platform.write(Method::POST, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    assert_eq!(platform.read(&path).await, set.json());
    let view = set.json();
    assert_eq!(view["limits"], json!({ "users": 10, "groups": 5, "clients": 3 }));
    assert_eq!(view["features"], json!(["mfa", "webauthn"]));
    assert_eq!((&view["standing"], &view["tenant_id"]), (&json!("expiring"), &json!(own)));
    assert_eq!(view["warnings"].as_array().unwrap().len(), 1, "{view}");
    assert_eq!(view["expires_at"], issued.json()["expires_at"]);
    let stale = platform.write(Method::POST, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!(problem(&stale), (412, "stale".into()));

    for (name, enabled, always) in [("mfa", true, true), ("saml", false, false)] {
        let feature = platform.read(&format!("{path}/features/{name}")).await;
        let expected = json!({ "feature": name, "enabled": enabled, "always": always });
        assert_eq!(feature, expected);
    }
    for unknown in ["limits/roles", "limits/x", "features/users", "features/x"] {
        let answer = platform.get(&format!("{path}/{unknown}")).await;
        assert_eq!(problem(&answer), (404, "not_found".into()), "{unknown}");
    }
    assert_eq!(platform.delete(&path).await.status, 204);
    let limit = platform.read(&format!("{path}/limits/clients")).await;
    let free = json!({
        "resource": "clients", "limit": null, "used": 0, "exact": true, "remaining": null,
    });
    assert_eq!(limit, free);
}

#[tokio::test]
async fn what_is_not_a_fitting_key_is_refused() {
    let platform = Api::platform().await;
    let (tenant, other) = (platform.own_tenant().await, platform.own_tenant().await);
    let path = format!("{tenant}/license");
    let good = key(&platform, tier("enterprise")).await;
    let other = other.rsplit('/').next().unwrap();
    let of_other = json!({ "tier": "free", "holder": "Acme", "tenant_id": other });
    let of_other = key(&platform, of_other).await;
    let cut = good.get(..good.len() - 1).unwrap();
    for (body, status) in [
        (json!({ "key": of_other }), 422),
        (json!({ "key": cut }), 422),
        (json!({ "key": format!("{good}A") }), 422),
        (json!({ "key": "x".repeat(5000) }), 422),
        (json!({ "key": 7 }), 400),
        (json!({}), 400),
        (json!({ "key": good, "tier": "free" }), 400),
    ] {
        let refused = platform.post(&path, &body).await;
        assert_eq!(refused.status, status, "{body}: {refused:?}");
        assert_eq!(pointers(&refused).len(), 1, "{body}: {refused:?}");
        assert!(!refused.body.contains(&good), "{refused:?}");
    }
    for (body, status, pointer) in [
        (json!({ "tier": "gold", "holder": "x" }), 400, "/tier"),
        (json!({ "tier": "free", "holder": "" }), 422, "/holder"),
        (json!({ "tier": "free", "holder": "x", "valid_days": 0 }), 422, "/valid_days"),
        (
            json!({ "tier": "free", "holder": "x", "limits": { "users": 901 } }),
            422,
            "/limits/users",
        ),
    ] {
        let refused = platform.post(GENERATE, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
    }
}

#[tokio::test]
async fn a_tenant_installs_what_it_was_given_and_nothing_else() {
    let (platform, bob) = (Api::platform().await, Api::bob().await);
    let path = format!("/api/v1/tenants/{}/license", bob.demo_id().await);
    assert_eq!(problem(&bob.post(GENERATE, &tier("founder")).await), (403, "denied".into()));
    assert_eq!(problem(&bob.delete(&path).await), (403, "denied".into()));
    let key = key(&platform, tier("founder")).await;
    let set = bob.post(&path, &json!({ "key": key })).await;
    assert_eq!((set.status, set.text("tier").as_str()), (200, "founder"), "{set:?}");
}

/// Another server trusts the issuer only because its operator says so.
#[tokio::test]
async fn a_key_of_a_stranger_is_not_genuine() {
    let key = key(&Api::platform().await, tier("enterprise")).await;
    let other = support::start(Content::Demo);
    let (token, http) = (other.admin_token().await, Client::builder().no_proxy().build().unwrap());
    let find = other.at("/api/v1/tenants?filter=slug%20eq%20%22demo%22");
    let found = http.get(find).bearer_auth(&token).send().await.unwrap();
    let found: Value = found.json().await.unwrap();
    let url = other.at(&format!("/api/v1/tenants/{}/license", id_of(&found["items"][0])));
    let install = http.post(url).bearer_auth(token).json(&json!({ "key": key }));
    let answer = install.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 422);
    let text = answer.text().await.unwrap();
    assert!(text.contains("was not signed by an issuer that this server trusts"), "{text}");
}
