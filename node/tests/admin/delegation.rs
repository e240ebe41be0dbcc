//! Somebody with some rights at the API: what they do with them, and what they do not get.

use serde_json::{Value, json};

use crate::api::{Api, id_of, problem, service, unique, user};

const PASSWORD: &str = "a password of a delegate";

/// A delegate of the tenant `demo` that holds exactly these, and their record.
async fn delegate(platform: &Api, demo: &str, permissions: &[&str]) -> (Api, Value) {
    let name = unique("delegate");
    let role = json!({ "name": name, "permissions": permissions });
    let role = platform.made(&format!("{demo}/roles"), &role).await;
    let mut body = user(&name);
    body["password"] = json!(PASSWORD);
    body["roles"] = json!([role["id"]]);
    let made = platform.made(&format!("{demo}/users"), &body).await;
    (Api::person(&name, PASSWORD, "read write platform").await, made)
}

#[tokio::test]
async fn a_delegate_works_within_what_they_hold() {
    let platform = Api::platform().await;
    let demo = format!("/api/v1/tenants/{}", platform.demo_id().await);
    let held = ["users:read", "users:write", "roles:read", "roles:write"];
    let (helper, oneself) = delegate(&platform, &demo, &held).await;
    let (users, roles) = (format!("{demo}/users"), format!("{demo}/roles"));
    let someone = helper.made(&users, &user(&unique("someone"))).await;
    let path = format!("{users}/{}", id_of(&someone));
    let own = json!({ "name": unique("own"), "permissions": ["users:read"] });
    let own = helper.made(&roles, &own).await;
    let given = helper.post(&format!("{path}/roles"), &json!({ "roles": [own["id"]] })).await;
    assert_eq!(given.status, 200, "{given:?}");

    let keys = json!({ "name": unique("keys"), "permissions": ["keys:write"] });
    let keys = platform.made(&roles, &keys).await;
    let around = json!({ "name": unique("around"), "composites": [keys["id"]] });
    let around = platform.made(&roles, &around).await;
    let mut boss = user(&unique("boss"));
    boss["roles"] = json!([around["id"]]);
    let boss = platform.made(&users, &boss).await;
    let (oneself, boss) =
        (format!("{users}/{}", id_of(&oneself)), format!("{users}/{}", id_of(&boss)));
    let own = format!("{roles}/{}", id_of(&own));
    let mut new = user(&unique("new"));
    new["roles"] = json!(["administrator"]);
    let role = json!({ "name": unique("new"), "permissions": ["keys:write"] });
    let put = |role: &Value| json!({ "roles": [role["id"]] });
    for (what, answer) in [
        ("to another", helper.post(&format!("{path}/roles"), &put(&keys)).await),
        ("to oneself", helper.post(&format!("{oneself}/roles"), &put(&around)).await),
        ("by patch", helper.patch(&oneself, &json!({ "roles": ["administrator"] })).await),
        ("a new administrator", helper.post(&users, &new).await),
        ("a new role", helper.post(&roles, &role).await),
        ("a permission", helper.patch(&own, &json!({ "permissions": ["keys:write"] })).await),
        ("a composite", helper.post(&format!("{own}/composites"), &put(&keys)).await),
        ("a password", helper.patch(&boss, &json!({ "password": PASSWORD })).await),
        ("who holds more", helper.delete(&boss).await),
        ("a role that is more", helper.delete(&format!("{roles}/{}", id_of(&keys))).await),
        ("a client", helper.post(&format!("{demo}/clients"), &service("x")).await),
    ] {
        assert_eq!(problem(&answer), (403, "denied".into()), "{what}: {answer:?}");
    }
    assert_eq!(platform.read(&boss).await["revision"], json!(1));
}

#[tokio::test]
async fn rights_that_are_taken_end_with_the_next_request() {
    let platform = Api::platform().await;
    let demo = format!("/api/v1/tenants/{}", platform.demo_id().await);
    let (helper, oneself) = delegate(&platform, &demo, &["users:read"]).await;
    let users = format!("{demo}/users");
    assert_eq!(helper.get(&users).await.status, 200);
    let role = oneself["roles"][0].as_str().unwrap();
    let path = format!("{demo}/roles/{role}");
    let change = async |permissions: Value| {
        let changed = platform.patch(&path, &json!({ "permissions": permissions })).await;
        assert_eq!(changed.status, 200, "{changed:?}");
    };
    change(json!([])).await;
    assert_eq!(problem(&helper.get(&users).await), (403, "denied".into()));
    change(json!(["users:read"])).await;
    assert_eq!(helper.get(&users).await.status, 200);
    let take = async |path: String| {
        let taken = platform.delete(&path).await;
        assert_eq!(taken.status, 204, "{taken:?}");
    };
    take(format!("{users}/{}/roles/{role}", id_of(&oneself))).await;
    assert_eq!(problem(&helper.get(&users).await), (403, "denied".into()));

    let group = platform.made(&format!("{demo}/groups"), &json!({ "name": unique("group") })).await;
    let group = format!("{demo}/groups/{}", id_of(&group));
    let give = async |what: &str, body: Value| {
        let given = platform.post(&format!("{group}/{what}"), &body).await;
        assert_eq!(given.status, 200, "{given:?}");
    };
    give("members", json!({ "users": [oneself["id"]] })).await;
    assert_eq!(problem(&helper.get(&users).await), (403, "denied".into()));
    give("roles", json!({ "roles": [role] })).await;
    assert_eq!(helper.get(&users).await.status, 200);
    take(format!("{group}/members/{}", id_of(&oneself))).await;
    assert_eq!(problem(&helper.get(&users).await), (403, "denied".into()));
    give("members", json!({ "users": [oneself["id"]] })).await;
    assert_eq!(helper.get(&users).await.status, 200);
    take(format!("{group}/roles/{role}")).await;
    assert_eq!(problem(&helper.get(&users).await), (403, "denied".into()));
}
