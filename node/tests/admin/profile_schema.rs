//! Fields of profiles: defined by administrators, obeyed by whoever makes or changes a user.

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, id_of, pointers, problem, unique};

fn schema() -> Value {
    json!({ "fields": {
        "staff_id": { "type": "number", "required": true, "person": "read" },
        "team": { "type": "choice", "choices": ["red", "blue"], "labels": { "en": "Team" } },
        "motto": { "type": "text", "administrators_edit": false },
    }})
}

fn someone(profile: Value) -> Value {
    json!({ "username": unique("field"), "profile": profile })
}

#[tokio::test]
async fn fields_are_defined_under_conditions() {
    let platform = Api::platform().await;
    let path = format!("{}/profile-schema", platform.own_tenant().await);
    let none = platform.get(&path).await;
    assert_eq!((none.status, none.header("etag")), (200, "\"0\""), "{none:?}");
    assert_eq!(none.json(), json!({ "fields": {}, "revision": 0 }));
    let set = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &schema()).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    let motto = json!({
        "type": "text", "choices": [], "labels": {}, "required": false, "person": "edit",
        "administrators_edit": false,
    });
    assert_eq!(set.json()["fields"]["motto"], motto);
    assert_eq!(platform.read(&path).await, set.json());
    let stale = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &schema()).await;
    assert_eq!(problem(&stale), (412, "stale".into()));
    let one = |name: &str, field: Value| json!({ "fields": { name: field } });
    for (body, status, pointer) in [
        (one("name", json!({ "type": "text" })), 422, "/fields/name"),
        (one("x", json!({ "type": "choice" })), 422, "/fields/x/choices"),
        (one("x", json!({ "type": "colour" })), 400, "/fields/x/type"),
        (one("x", json!({ "type": "text", "html": "x" })), 400, "/fields/x/html"),
    ] {
        let refused = platform.put(&path, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
    }
}

#[tokio::test]
async fn creating_changing_and_importing_users_obey_the_schema() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let users = format!("{tenant}/users");
    assert_eq!(platform.put(&format!("{tenant}/profile-schema"), &schema()).await.status, 200);
    for (profile, pointer) in [
        (json!({}), "/profile/staff_id"),
        (json!({ "staff_id": "seven" }), "/profile/staff_id"),
        (json!({ "staff_id": "7", "team": "green" }), "/profile/team"),
        (json!({ "staff_id": "7", "motto": "x" }), "/profile/motto"),
        (json!({ "staff_id": "7", "shoe_size": "44" }), "/profile/shoe_size"),
    ] {
        let refused = platform.post(&users, &someone(profile)).await;
        assert_eq!((refused.status, pointers(&refused)), (422, vec![pointer.into()]));
    }
    let made = platform.made(&users, &someone(json!({ "staff_id": "7", "team": "red" }))).await;
    assert_eq!(made["profile"], json!({ "staff_id": "7", "team": "red" }));
    let path = format!("{users}/{}", id_of(&made));
    let patch = async |profile: Value| platform.patch(&path, &json!({ "profile": profile })).await;
    let taken = patch(json!({ "staff_id": null })).await;
    assert_eq!((taken.status, pointers(&taken)), (422, vec!["/profile/staff_id".into()]));
    let changed = patch(json!({ "staff_id": "8", "team": null, "nickname": "Al" })).await;
    assert_eq!(changed.json()["profile"], json!({ "staff_id": "8", "nickname": "Al" }));

    let lines = [json!({ "staff_id": "9" }), json!({}), json!({ "staff_id": "1.5" })];
    let lines: Vec<String> =
        lines.into_iter().map(|profile| someone(profile).to_string()).collect();
    let headers = [("content-type", "application/x-ndjson")];
    let import = format!("{users}/import");
    let answer = platform.send(Method::POST, &import, &headers, Some(lines.join("\n"))).await;
    let statuses: Vec<Value> = answer
        .body
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone())
        .collect();
    assert_eq!(statuses, [json!(201), json!(422), json!(201)], "{answer:?}");
}

#[tokio::test]
async fn an_address_that_is_too_long_is_refused_and_never_shortened() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let users = format!("{tenant}/users");
    let schema = json!({ "fields": { "homepage": { "type": "url" } } });
    assert_eq!(platform.put(&format!("{tenant}/profile-schema"), &schema).await.status, 200);
    let address = |length: usize| format!("https://a.example/{:x<1$}", "", length - 18);
    for field in ["homepage", "website", "picture"] {
        let longest = platform.made(&users, &someone(json!({ field: address(256) }))).await;
        assert_eq!(longest["profile"][field], json!(address(256)));
        let refused = platform.post(&users, &someone(json!({ field: address(257) }))).await;
        let place = format!("/profile/{field}");
        assert_eq!((refused.status, pointers(&refused)), (422, vec![place]), "{refused:?}");
        let path = format!("{users}/{}", id_of(&longest));
        let patch = json!({ "profile": { field: address(1000) } });
        assert_eq!(platform.patch(&path, &patch).await.status, 422);
        assert_eq!(platform.read(&path).await, longest);
    }
}

#[tokio::test]
async fn a_pointer_is_escaped_and_repeats_no_name_that_nobody_would_read() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let long = "x".repeat(5_000);
    for (name, pointer) in
        [("a/b~c", "/profile/a~1b~0c"), ("a\nb", "/profile"), (long.as_str(), "/profile")]
    {
        let refused = platform.post(&users, &someone(json!({ name: "1" }))).await;
        assert_eq!((refused.status, pointers(&refused)), (422, vec![pointer.into()]));
        assert!(refused.body.len() < 1_000, "{}", refused.body);
    }
}
