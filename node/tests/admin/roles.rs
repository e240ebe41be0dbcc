//! Permissions and roles over HTTP: what is built in, what is made, who holds it, what comes of it.

use serde_json::{Value, json};

use crate::api::{Api, id_of, pointers, problem, unique, user};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn built_in_permissions_are_listed_in_order_and_those_of_the_platform_where_they_count() {
    let platform = Api::platform().await;
    let theirs = platform.own_tenant().await;
    let path = format!("{theirs}/permissions");
    let defined = json!({ "name": "people:greet", "description": "Saying hello" });
    let made = platform.made(&path, &defined).await;
    let list = platform.read(&format!("{path}?limit=500")).await;
    let all = names(&list);
    assert!(all.is_sorted() && all.contains(&"users:read") && all.contains(&"people:greet"));
    assert!(!all.contains(&"tenants:read"), "{all:?}");
    // Page by page the same.
    let (mut pages, mut next) = (Vec::new(), format!("{path}?limit=3"));
    loop {
        let page = platform.read(&next).await;
        pages.extend(names(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{path}?limit=3&cursor={cursor}");
    }
    assert_eq!(pages, all);
    let start = platform.read(&format!("{path}?filter=name%20sw%20%22pe%22")).await;
    assert_eq!(names(&start), ["people:greet", "permissions:read", "permissions:write"]);
    let one = platform.read(&format!("{path}?filter=name%20eq%20%22users:read%22")).await;
    let read = format!("{path}/{}", id_of(&one["items"][0]));
    let shown = platform.read(&read).await;
    assert_eq!((&shown["built_in"], &shown["revision"]), (&json!(true), &json!(0)));
    assert_eq!(problem(&platform.delete(&read).await), (422, "protected".into()));
    let renamed = platform.patch(&read, &json!({ "description": "mine" })).await;
    assert_eq!(problem(&renamed), (422, "protected".into()));

    let home = format!("/api/v1/tenants/{}/permissions", platform.tenant_of_operator().await);
    let of_operator = platform.read(&format!("{home}?filter=name%20sw%20%22tenants%22")).await;
    assert_eq!(names(&of_operator), ["tenants:read", "tenants:write"]);
    let id = id_of(&of_operator["items"][0]);
    assert_eq!(problem(&platform.get(&format!("{path}/{id}")).await), (404, "not_found".into()));

    let path = format!("{path}/{}", id_of(&made));
    let described = platform.patch(&path, &json!({ "description": "Greeting" })).await;
    assert_eq!((described.status, described.text("description")), (200, "Greeting".into()));
    let renamed = platform.patch(&path, &json!({ "name": "people:meet" })).await;
    assert_eq!((problem(&renamed).0, pointers(&renamed)), (422, vec!["/name".into()]));
    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(problem(&platform.get(&path).await), (404, "not_found".into()));
}

#[tokio::test]
async fn a_role_lives_from_post_to_delete() {
    let platform = Api::platform().await;
    let theirs = platform.own_tenant().await;
    let roles = format!("{theirs}/roles");
    assert_eq!(names(&platform.read(&roles).await), ["administrator", "reader"]);
    let body = json!({ "name": "invoices:approve" });
    let invoices = platform.made(&format!("{theirs}/permissions"), &body).await;
    let body = json!({ "name": "Clerk", "permissions": [invoices["id"], "users:read"] });
    let clerk = platform.made(&roles, &body).await;
    let path = format!("{roles}/{}", id_of(&clerk));
    assert_eq!(clerk["built_in"], json!(false));
    assert_eq!(names(&platform.read(&roles).await), ["administrator", "Clerk", "reader"]);

    let body = json!({ "permissions": ["users:write"] });
    let more = platform.post(&format!("{path}/permissions"), &body).await;
    assert_eq!((more.status, more.header("etag")), (200, "\"2\""), "{more:?}");
    let held = platform.read(&format!("{path}/permissions")).await;
    let mut names_held = names(&held);
    names_held.sort_unstable();
    assert_eq!(names_held, ["invoices:approve", "users:read", "users:write"]);
    let in_use = platform.delete(&format!("{theirs}/permissions/{}", id_of(&invoices))).await;
    assert_eq!(problem(&in_use), (409, "conflict".into()));
    let gone = platform.delete(&format!("{path}/permissions/{}", id_of(&invoices))).await;
    assert_eq!(gone.status, 204, "{gone:?}");
    let again = platform.delete(&format!("{path}/permissions/{}", id_of(&invoices))).await;
    assert_eq!(problem(&again), (404, "not_found".into()));

    let boss = platform.made(&roles, &json!({ "name": "Boss", "composites": ["reader"] })).await;
    let of_boss = format!("{roles}/{}/composites", id_of(&boss));
    let body = json!({ "roles": [clerk["id"]] });
    assert_eq!(platform.post(&of_boss, &body).await.status, 200);
    assert_eq!(names(&platform.read(&of_boss).await).len(), 2);
    let circle = json!({ "roles": [boss["id"]] });
    let circle = platform.post(&format!("{path}/composites"), &circle).await;
    assert_eq!((problem(&circle).0, pointers(&circle)), (422, vec!["/composites".into()]));
    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(names(&platform.read(&of_boss).await), ["reader"]);
    let taken = platform.post(&roles, &json!({ "name": "BOSS" })).await;
    assert_eq!(problem(&taken), (409, "already_exists".into()));
}

#[tokio::test]
async fn effective_permissions_say_where_they_come_from() {
    let platform = Api::platform().await;
    let theirs = platform.own_tenant().await;
    let roles = format!("{theirs}/roles");
    let body = json!({ "name": "inner", "permissions": ["keys:read"] });
    let inner = platform.made(&roles, &body).await;
    let body = json!({
        "name": "outer", "permissions": ["users:read"], "composites": [inner["id"]],
    });
    let outer = platform.made(&roles, &body).await;
    let someone = platform.made(&format!("{theirs}/users"), &user(&unique("someone"))).await;
    let path = format!("{theirs}/users/{}", id_of(&someone));
    let effective = format!("{path}/effective-permissions");
    let nothing = json!({ "everything": false, "complete": true, "permissions": [] });
    assert_eq!(platform.read(&effective).await, nothing);
    let given = platform.post(&format!("{path}/roles"), &json!({ "roles": [outer["id"]] })).await;
    assert_eq!((given.status, given.json()["roles"].clone()), (200, json!([outer["id"]])));
    assert_eq!(names(&platform.read(&format!("{path}/roles")).await), ["outer"]);
    let shown = platform.read(&effective).await;
    let shown: Vec<_> = shown["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["sources"].clone()))
        .collect();
    let source = |kind: &str, role: &Value| {
        let (role, assigned) = (&role["id"], &outer["id"]);
        json!([{
            "kind": kind, "role_id": role, "assigned_role_id": assigned, "group_id": null,
        }])
    };
    let expected =
        vec![("keys:read", source("composite", &inner)), ("users:read", source("direct", &outer))];
    assert_eq!(shown, expected);
    let gone = platform.delete(&format!("{path}/roles/{}", id_of(&outer))).await;
    assert_eq!(gone.status, 204, "{gone:?}");
    assert_eq!(platform.read(&effective).await, nothing);
    let all = platform.post(&format!("{path}/roles"), &json!({ "roles": ["administrator"] })).await;
    assert_eq!(all.status, 200, "{all:?}");
    let shown = platform.read(&effective).await;
    assert_eq!(shown["everything"], json!(true));
    assert!(shown["permissions"].as_array().unwrap().len() >= 18, "{shown}");
}
