//! Making, reading, replacing, patching, deleting each resource.

use serde_json::json;

use crate::api::{Api, id_of, pointers, problem, service, unique, user};

#[tokio::test]
async fn a_user_lives_from_post_to_delete() {
    let bob = Api::bob().await;
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let name = unique("carol");
    let body = json!({
        "username": name.to_uppercase(), "email": "Carol@Example.org", "email_verified": true,
        "profile": { "given_name": "Carol" }, "address": { "locality": "Oxford" },
        "password": "a password of hers",
    });
    let made = bob.post(&users, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let carol = made.json();
    let path = format!("{users}/{}", id_of(&carol));
    assert_eq!(made.header("location"), bob.node.at(&path));
    assert_eq!(made.header("etag"), "\"1\"");
    assert!(made.header("vaultara-index").starts_with("s0."), "{made:?}");
    let expected = json!({
        "id": carol["id"], "username": name, "email": "Carol@Example.org", "email_verified": true,
        "phone_number_verified": false, "profile": { "given_name": "Carol" },
        "address": { "locality": "Oxford" }, "enabled": true, "roles": [], "has_password": true,
        "created_at": carol["created_at"], "updated_at": carol["created_at"], "revision": 1,
    });
    assert_eq!(carol, expected);
    let created_at = carol["created_at"].as_str().unwrap();
    assert!(created_at.len() == 24 && created_at.ends_with('Z'), "{created_at}");

    let read = bob.get(&path).await;
    assert_eq!((read.status, read.header("etag")), (200, "\"1\""));
    assert_eq!(read.json(), carol);

    // What is not named takes its default; the password, which nobody can read and put, stays.
    let replaced = bob.put(&path, &json!({ "username": name, "enabled": false })).await;
    assert_eq!((replaced.status, replaced.header("etag")), (200, "\"2\""), "{replaced:?}");
    let replaced = replaced.json();
    assert_eq!(replaced["email"], json!(null));
    assert_eq!(replaced["profile"], json!({}));
    assert_eq!(replaced["enabled"], json!(false));
    assert_eq!(replaced["has_password"], json!(true));
    assert_eq!(replaced["created_at"], carol["created_at"]);

    let patch =
        json!({ "enabled": null, "profile": { "nickname": "C" }, "email": "c@example.org" });
    let patched = bob.patch(&path, &patch).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    let patched = patched.json();
    assert_eq!(patched["enabled"], json!(true));
    assert_eq!(patched["profile"], json!({ "nickname": "C" }));
    assert_eq!(patched["email"], json!("c@example.org"));
    assert_eq!(patched["revision"], json!(3));

    let taken = bob.post(&users, &user(&name)).await;
    assert_eq!(problem(&taken), (409, "already_exists".into()));
    assert_eq!(pointers(&taken), ["/username"]);

    let deleted = bob.delete(&path).await;
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    assert!(deleted.header("vaultara-index").starts_with("s0."), "{deleted:?}");
    assert_eq!(problem(&bob.get(&path).await), (404, "not_found".into()));
    assert_eq!(problem(&bob.delete(&path).await), (404, "not_found".into()));
    assert_eq!(problem(&bob.put(&path, &user(&name)).await), (404, "not_found".into()));
    assert_eq!(problem(&bob.patch(&path, &json!({})).await), (404, "not_found".into()));

    // Its name is free again, and another id has it.
    let again = bob.made(&users, &user(&name)).await;
    assert_ne!(again["id"], carol["id"]);
    assert_eq!(again["has_password"], json!(false));
}

#[tokio::test]
async fn a_client_lives_from_post_to_delete() {
    let bob = Api::bob().await;
    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let name = unique("app");
    let body = json!({
        "client_id": name, "name": "An app", "redirect_uris": ["https://app.example/callback"],
    });
    let made = bob.post(&clients, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let app = made.json();
    let path = format!("{clients}/{}", id_of(&app));
    assert_eq!(made.header("location"), bob.node.at(&path));
    assert!(app["secret"].as_str().unwrap().starts_with("vlt_cs_"), "{app}");
    let mut expected = json!({
        "id": app["id"], "client_id": name, "name": "An app", "enabled": true,
        "authentication": "client_secret_basic", "native": false,
        "redirect_uris": ["https://app.example/callback"], "grant_types": ["authorization_code"],
        "scopes": [], "id_token_algorithm": "RS256", "access_token_algorithm": "ES256",
        "access_token_lifetime_s": null, "admin_api": false, "roles": [], "built_in": false,
        "refresh": { "rotation": "always", "idle_s": null, "lifetime_s": null, "grace_s": null },
        "cors_origins": [], "dpop_bound_access_tokens": false,
        "previous_secret_expires_at": null,
        "created_at": app["created_at"], "updated_at": app["created_at"], "revision": 1,
    });
    assert_eq!(bob.read(&path).await, expected, "the secret is shown once");
    expected["secret"] = app["secret"].clone();
    assert_eq!(app, expected);

    // From confidential to public and back: a new secret, shown once.
    let public = bob.patch(&path, &json!({ "authentication": "none", "native": true })).await;
    assert_eq!(public.status, 200, "{public:?}");
    assert_eq!(public.json()["authentication"], json!("none"));
    assert_eq!(public.json().get("secret"), None);
    let back = bob.patch(&path, &json!({ "authentication": "client_secret_post" })).await.json();
    assert!(back["secret"].as_str().unwrap().starts_with("vlt_cs_"), "{back}");
    assert_ne!(back["secret"], app["secret"]);

    let replaced = bob.put(&path, &service(&name)).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let replaced = replaced.json();
    assert_eq!(replaced["redirect_uris"], json!([]));
    assert_eq!(replaced["native"], json!(false));
    assert_eq!(replaced["revision"], json!(4));
    assert_eq!(replaced.get("secret"), None, "the secret it has stays");

    let taken = bob.post(&clients, &service(&name)).await;
    assert_eq!(problem(&taken), (409, "already_exists".into()));
    assert_eq!(bob.delete(&path).await.status, 204);
    assert_eq!(problem(&bob.get(&path).await), (404, "not_found".into()));
    let secret = bob.write(reqwest::Method::POST, &format!("{path}/secret"), &[], &json!({})).await;
    assert_eq!(problem(&secret), (404, "not_found".into()));
    bob.made(&clients, &service(&name)).await;
}

#[tokio::test]
async fn a_tenant_lives_from_post_to_delete() {
    let platform = Api::platform().await;
    let slug = unique("acme");
    let made = platform.post("/api/v1/tenants", &json!({ "slug": slug, "name": "Acme" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let acme = made.json();
    let path = format!("/api/v1/tenants/{}", id_of(&acme));
    let issuer = platform.node.at(&format!("/t/{slug}"));
    assert_eq!(made.header("location"), platform.node.at(&path));
    assert_eq!(made.header("etag"), "\"1\"");
    let expected = json!({
        "id": acme["id"], "slug": slug, "issuer": issuer, "name": "Acme", "enabled": true,
        "lifetimes": acme["lifetimes"], "created_at": acme["created_at"],
        "refresh": { "idle_s": 86_400, "lifetime_s": 2_592_000, "grace_s": 10 },
        "key_rotation_s": 7_776_000,
        "updated_at": acme["updated_at"], "revision": 1,
    });
    assert_eq!(acme, expected);
    assert_eq!(platform.read(&path).await, acme);
    let discovery = format!("/t/{slug}/.well-known/openid-configuration");
    assert_eq!(Api::anonymous().read(&discovery).await["issuer"], json!(issuer));

    let patch = json!({ "name": "Acme Ltd", "lifetimes": { "code_s": 30 } });
    let patched = platform.patch(&path, &patch).await;
    assert_eq!((patched.status, patched.header("etag")), (200, "\"2\""), "{patched:?}");
    let patched = patched.json();
    assert_eq!(patched["lifetimes"]["code_s"], json!(30));
    assert_eq!(patched["lifetimes"]["session_s"], acme["lifetimes"]["session_s"]);

    let replaced = platform.put(&path, &json!({ "slug": slug, "name": "Acme" })).await.json();
    assert_eq!(replaced["lifetimes"], acme["lifetimes"], "lifetimes take their defaults");
    assert_eq!(replaced["revision"], json!(3));

    let moved = platform.patch(&path, &json!({ "slug": "elsewhere" })).await;
    assert_eq!(
        (problem(&moved), pointers(&moved)),
        ((422, "rule_violated".into()), vec!["/slug".into()])
    );
    let taken = platform.post("/api/v1/tenants", &json!({ "slug": slug, "name": "Other" })).await;
    assert_eq!(problem(&taken), (409, "already_exists".into()));

    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(problem(&platform.get(&path).await), (404, "not_found".into()));
    assert_eq!(problem(&platform.delete(&path).await), (404, "not_found".into()));
    assert_eq!(Api::anonymous().get(&discovery).await.status, 404);
    let users = platform.get(&format!("{path}/users")).await;
    assert_eq!(problem(&users), (404, "not_found".into()));

    let again = platform.made("/api/v1/tenants", &json!({ "slug": slug, "name": "Again" })).await;
    assert_ne!(again["id"], acme["id"]);
}

#[tokio::test]
async fn a_sign_in_notice_lives_from_post_to_delete() {
    let platform = Api::platform().await;
    let notices = format!("{}/sign-in-notices", platform.own_tenant().await);
    let body = json!({
        "name": "maintenance", "texts": { "en": "On Saturday", "de": "Am Samstag" },
        "severity": "warning", "begins_at": "2026-11-28T22:00:00+01:00",
        "ends_at": "2026-11-28T23:30:00Z",
    });
    let made = platform.post(&notices, &body).await;
    assert_eq!((made.status, made.header("etag")), (201, "\"1\""), "{made:?}");
    let notice = made.json();
    let path = format!("{notices}/{}", id_of(&notice));
    assert_eq!(made.header("location"), platform.node.at(&path));
    let expected = json!({
        "id": notice["id"], "name": "maintenance", "severity": "warning", "enabled": true,
        "texts": { "en": "On Saturday", "de": "Am Samstag" },
        "begins_at": "2026-11-28T21:00:00.000Z", "ends_at": "2026-11-28T23:30:00.000Z",
        "created_at": notice["created_at"], "updated_at": notice["created_at"], "revision": 1,
    });
    assert_eq!(notice, expected);
    assert_eq!(platform.read(&path).await, notice);

    let patch = json!({ "ends_at": null, "texts": { "de": null }, "enabled": false });
    let patched = platform.patch(&path, &patch).await;
    assert_eq!((patched.status, patched.header("etag")), (200, "\"2\""), "{patched:?}");
    let patched = patched.json();
    assert_eq!((&patched["ends_at"], &patched["enabled"]), (&json!(null), &json!(false)));
    assert_eq!(patched["texts"], json!({ "en": "On Saturday" }));
    let undone = platform.post(&format!("{path}/undo"), &json!({ "revision": 2 })).await;
    assert_eq!(undone.status, 200, "{undone:?}");
    for field in ["texts", "begins_at", "ends_at", "enabled", "severity"] {
        assert_eq!(undone.json()[field], notice[field], "{field}");
    }
    let history = platform.read(&format!("{path}/history")).await;
    let actions: Vec<_> = history["items"].as_array().unwrap().iter().collect();
    assert_eq!((actions.len(), &actions[2]["action"]), (3, &json!("sign_in_notices.create")));
    let whole = json!({ "name": "phishing", "texts": { "fr": "Attention" } });
    let replaced = platform.put(&path, &whole).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let replaced = replaced.json();
    assert_eq!((&replaced["severity"], &replaced["begins_at"]), (&json!("info"), &json!(null)));

    let other = platform.made(&notices, &body).await;
    let found = platform.read(&format!("{notices}?filter=name%20sw%20%22main%22")).await;
    assert_eq!(found["items"], json!([other]));
    let taken = platform.post(&notices, &body).await;
    assert_eq!(
        (problem(&taken), pointers(&taken)),
        ((409, "already_exists".into()), vec!["/name".into()])
    );
    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(problem(&platform.get(&path).await), (404, "not_found".into()));
    platform.made(&notices, &whole).await;
}

#[tokio::test]
async fn a_source_block_lives_from_post_to_delete() {
    let platform = Api::platform().await;
    let blocks = format!("{}/source-blocks", platform.own_tenant().await);
    let body = json!({
        "network": "2001:DB8:0::/32", "reason": "guesses", "ends_at": "2026-12-24T00:00:00Z",
    });
    let made = platform.post(&blocks, &body).await;
    assert_eq!((made.status, made.header("etag")), (201, "\"1\""), "{made:?}");
    let block = made.json();
    let path = format!("{blocks}/{}", id_of(&block));
    assert_eq!(made.header("location"), platform.node.at(&path));
    let expected = json!({
        "id": block["id"], "network": "2001:db8::/32", "reason": "guesses",
        "ends_at": "2026-12-24T00:00:00.000Z",
        "created_at": block["created_at"], "updated_at": block["created_at"], "revision": 1,
    });
    assert_eq!((&block, &platform.read(&path).await), (&expected, &expected));

    let patched = platform.patch(&path, &json!({ "network": "192.0.2.7", "ends_at": null })).await;
    assert_eq!((patched.status, patched.header("etag")), (200, "\"2\""), "{patched:?}");
    let patched = patched.json();
    let shown = (&patched["network"], &patched["reason"], &patched["ends_at"]);
    assert_eq!(shown, (&json!("192.0.2.7/32"), &json!("guesses"), &json!(null)));
    let undone = platform.post(&format!("{path}/undo"), &json!({ "revision": 2 })).await;
    assert_eq!((undone.status, undone.text("network")), (200, "2001:db8::/32".into()));
    let history = platform.read(&format!("{path}/history")).await;
    assert_eq!(history["items"][2]["action"], "source_blocks.create");
    let replaced = platform.put(&path, &json!({ "network": "192.0.2.0/24" })).await;
    assert_eq!((replaced.status, replaced.text("reason")), (200, String::new()), "{replaced:?}");

    let other = platform.made(&blocks, &body).await;
    let found = format!("{blocks}?filter=network%20eq%20%222001:DB8::/32%22");
    assert_eq!(platform.read(&found).await["items"], json!([other]));
    let taken = platform.post(&blocks, &json!({ "network": "2001:db8:0:0::/32" })).await;
    let taken = (problem(&taken), pointers(&taken));
    assert_eq!(taken, ((409, "already_exists".into()), vec!["/network".into()]));
    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(problem(&platform.get(&path).await), (404, "not_found".into()));
    platform.made(&blocks, &json!({ "network": "192.0.2.0/24" })).await;
}

#[tokio::test]
async fn a_tenant_s_own_things_stay_its_own() {
    let platform = Api::platform().await;
    let (one, two) = (platform.own_tenant().await, platform.own_tenant().await);
    let name = unique("same");
    let made = platform.made(&format!("{one}/users"), &user(&name)).await;
    let other = platform.made(&format!("{two}/users"), &user(&name)).await;
    assert_ne!(made["id"], other["id"], "names are unique per tenant only");
    let list = platform.read(&format!("{two}/users")).await;
    assert_eq!(list["items"], json!([other]));
    let wrong = platform.get(&format!("{two}/users/{}", id_of(&made))).await;
    assert_eq!(problem(&wrong), (404, "not_found".into()));
}
