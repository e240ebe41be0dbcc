//! Bad input gets a clear error at the right place, and changes nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, id_of, pointers, problem, service, unique, user};

#[tokio::test]
async fn fields_that_are_unknown_or_of_the_wrong_type_are_pointed_at() {
    let bob = Api::bob().await;
    let tenant = format!("/api/v1/tenants/{}", bob.demo_id().await);
    let (users, clients) = (format!("{tenant}/users"), format!("{tenant}/clients"));
    for (path, body, pointer) in [
        (&users, json!({ "username": "x", "nick": 1 }), "/nick"),
        (&users, json!({ "username": "x", "id": "y" }), "/id"),
        (&users, json!({ "username": "x", "revision": 3 }), "/revision"),
        (&users, json!({ "username": "x", "has_password": true }), "/has_password"),
        (&users, json!({ "username": "x", "created_at": "y" }), "/created_at"),
        (&users, json!({}), "/username"),
        (&users, json!({ "username": 1 }), "/username"),
        (&users, json!({ "username": null }), "/username"),
        (&users, json!({ "username": "x", "enabled": "yes" }), "/enabled"),
        (&users, json!({ "username": "x", "enabled": null }), "/enabled"),
        (&users, json!({ "username": "x", "profile": [] }), "/profile"),
        (&users, json!({ "username": "x", "profile": { "name": 1 } }), "/profile/name"),
        (&users, json!({ "username": "x", "roles": ["root"] }), "/roles/0"),
        (&users, json!({ "username": "x", "roles": "administrator" }), "/roles"),
        (&clients, json!({ "client_id": "x", "name": "X", "secret": "y" }), "/secret"),
        (&clients, json!({ "client_id": "x", "name": "X", "built_in": true }), "/built_in"),
        (
            &clients,
            json!({ "client_id": "x", "name": "X", "redirect_uris": ["https://a/", 1] }),
            "/redirect_uris/1",
        ),
        (
            &clients,
            json!({ "client_id": "x", "name": "X", "grant_types": ["implicit"] }),
            "/grant_types/0",
        ),
        (
            &clients,
            json!({ "client_id": "x", "name": "X", "access_token_lifetime_s": -1 }),
            "/access_token_lifetime_s",
        ),
    ] {
        let refused = bob.post(path, &body).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{body}");
        assert_eq!(pointers(&refused), [pointer], "{body}");
    }
}

#[tokio::test]
async fn rules_are_the_same_for_create_replace_and_patch() {
    let bob = Api::bob().await;
    let tenant = format!("/api/v1/tenants/{}", bob.demo_id().await);
    let (users, clients) = (format!("{tenant}/users"), format!("{tenant}/clients"));
    let (name, app) = (unique("ruled"), unique("ruled"));
    let made = bob.made(&users, &user(&name)).await;
    let one_user = format!("{users}/{}", id_of(&made));
    let made = bob.made(&clients, &service(&app)).await;
    let one_client = format!("{clients}/{}", id_of(&made));
    let (on_users, on_clients) =
        ((&users, &one_user, user(&name)), (&clients, &one_client, service(&app)));
    let role = "0198a000-0000-7000-8000-00000000abcd";
    for ((collection, item, good), change, pointer) in [
        (&on_users, json!({ "username": "a b" }), "/username"),
        (&on_users, json!({ "username": "" }), "/username"),
        (&on_users, json!({ "email": "nobody" }), "/email"),
        (&on_users, json!({ "profile": { "shoe_size": "44" } }), "/profile/shoe_size"),
        (&on_users, json!({ "address": { "planet": "Earth" } }), "/address/planet"),
        (&on_users, json!({ "roles": [role] }), "/roles"),
        (&on_users, json!({ "password": "short" }), "/password"),
        (&on_users, json!({ "password": "p".repeat(257) }), "/password"),
        (&on_clients, json!({ "client_id": "a b" }), "/client_id"),
        (&on_clients, json!({ "name": " " }), "/name"),
        (&on_clients, json!({ "redirect_uris": ["http://app.example/"] }), "/redirect_uris/0"),
        (&on_clients, json!({ "redirect_uris": ["https://a/#x"] }), "/redirect_uris/0"),
        (&on_clients, json!({ "authentication": "none" }), "/grant_types"),
        (&on_clients, json!({ "grant_types": ["authorization_code"] }), "/redirect_uris"),
        (&on_clients, json!({ "grant_types": ["refresh_token"] }), "/grant_types"),
        (&on_clients, json!({ "refresh": { "grace_s": 61 } }), "/refresh/grace_s"),
        (&on_clients, json!({ "cors_origins": ["*"] }), "/cors_origins"),
        (&on_clients, json!({ "access_token_lifetime_s": 1 }), "/access_token_lifetime_s"),
    ] {
        let mut body = good.clone();
        let into = body.as_object_mut().unwrap();
        into.extend(change.as_object().unwrap().clone());
        for (method, path, body) in [
            (Method::POST, collection, &body),
            (Method::PUT, item, &body),
            (Method::PATCH, item, &change),
        ] {
            let refused = bob.write(method.clone(), path, &[], body).await;
            assert_eq!(problem(&refused), (422, "rule_violated".into()), "{method} {change}");
            assert_eq!(pointers(&refused), [pointer], "{method} {change}");
        }
    }
    for item in [&one_user, &one_client] {
        assert_eq!(bob.read(item).await["revision"], json!(1), "nothing was changed");
    }
}

#[tokio::test]
async fn a_tenant_s_fields_have_rules_too() {
    let platform = Api::platform().await;
    let with = |change: Value| {
        let mut body = json!({ "slug": "ruled", "name": "Ruled" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    let lifetimes =
        json!({ "access_token_s": 60, "id_token_s": 60, "code_s": 61, "session_s": 300 });
    for (body, status, pointer) in [
        (with(json!({ "slug": "No Slug" })), 422, "/slug"),
        (with(json!({ "slug": "-a" })), 422, "/slug"),
        (with(json!({ "name": "" })), 422, "/name"),
        (with(json!({ "enabled": false })), 422, "/enabled"),
        (with(json!({ "lifetimes": lifetimes })), 422, "/lifetimes/code_s"),
        (with(json!({ "lifetimes": { "code_s": 60 } })), 400, "/lifetimes/access_token_s"),
        (with(json!({ "lifetimes": 7 })), 400, "/lifetimes"),
        (with(json!({ "issuer": "https://elsewhere.example" })), 400, "/issuer"),
    ] {
        let refused = platform.post("/api/v1/tenants", &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
        problem(&refused);
    }
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let bob = Api::bob().await;
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let deep = format!("{{\"username\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let json_type = ("content-type", "application/json; charset=utf-8");
    for body in ["", "{", "{\"username\":}", "[]", "null", "\u{1}", "{} {}", deep.as_str()] {
        let refused = bob.send(Method::POST, &users, &[json_type], Some(body.to_owned())).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{body}");
    }
    let twice = "{\"username\":\"a\",\"username\":\"b\"}".to_owned();
    let refused = bob.send(Method::POST, &users, &[json_type], Some(twice)).await;
    assert_eq!((refused.status, pointers(&refused)), (400, vec!["/username".into()]));
    let large = format!("{{\"username\":\"{}\"}}", "a".repeat(1 << 20));
    let refused = bob.send(Method::POST, &users, &[json_type], Some(large)).await;
    assert_eq!(problem(&refused), (413, "payload_too_large".into()));
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let bob = Api::bob().await;
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let name = unique("typed");
    let made = bob.made(&users, &user(&name)).await;
    let path = format!("{users}/{}", id_of(&made));
    let body = user(&name).to_string();
    for (method, path, types) in [
        (Method::POST, &users, &["text/plain", "application/x-www-form-urlencoded", ""][..]),
        (Method::PUT, &path, &["application/merge-patch+json", "text/json"]),
        (Method::PATCH, &path, &["application/json", "application/json-patch+json"]),
    ] {
        for content_type in types {
            let headers = [("content-type", *content_type)];
            let refused = bob.send(method.clone(), path, &headers, Some(body.clone())).await;
            let found = problem(&refused);
            assert_eq!(found, (415, "unsupported_media_type".into()), "{method} {content_type}");
            assert!(refused.header("accept").starts_with("application/"), "{refused:?}");
        }
    }
    let unknown = bob.patch(&path, &json!({ "nick": 1 })).await;
    assert_eq!((problem(&unknown).0, pointers(&unknown)), (400, vec!["/nick".into()]));
    let no_object = bob.patch(&path, &json!([1])).await;
    assert_eq!(problem(&no_object), (400, "invalid_request".into()));
    let wrong = bob.patch(&path, &json!({ "profile": { "name": 7 } })).await;
    assert_eq!((problem(&wrong).0, pointers(&wrong)), (400, vec!["/profile/name".into()]));
}

#[tokio::test]
async fn a_method_that_is_not_there_names_those_that_are() {
    let bob = Api::bob().await;
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let refused = bob.delete(&users).await;
    assert_eq!(problem(&refused), (405, "method_not_allowed".into()));
    assert!(refused.header("allow").contains("POST"), "{refused:?}");
    let unknown = bob.get(&format!("{users}/x/y/z")).await;
    assert_eq!(problem(&unknown), (404, "not_found".into()));
}
