//! Deleted users are found and come back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, id_of, pointers, problem, service, user};

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
async fn what_cannot_be_restored_has_no_list_of_the_deleted() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let clients = format!("{tenant}/clients");
    let refused = platform.get(&format!("{clients}?deleted=true")).await;
    assert_eq!(pointers(&refused), ["deleted"]);
    let made = platform.made(&clients, &service("gone")).await;
    let path = format!("{clients}/{}/restore", id_of(&made));
    assert_eq!(platform.post(&path, &json!({})).await.status, 404);
    for query in ["deleted=yes", "deleted=true&sort=username", "deleted=true&filter=email%20pr"] {
        let refused = platform.get(&format!("{tenant}/users?{query}")).await;
        assert_eq!(pointers(&refused), ["deleted"], "{query}");
    }
}
