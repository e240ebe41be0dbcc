//! Profile rules: read and set by administrators.

use reqwest::Method;
use serde_json::json;

use crate::api::{Api, pointers, problem};

#[tokio::test]
async fn what_people_may_change_is_read_and_set_under_conditions() {
    let platform = Api::platform().await;
    let path = format!("{}/profile-rules", platform.own_tenant().await);
    let rules = platform.get(&path).await;
    assert_eq!((rules.status, rules.header("etag")), (200, "\"0\""), "{rules:?}");
    let default =
        ["family_name", "given_name", "locale", "middle_name", "name", "nickname", "zoneinfo"];
    assert_eq!(rules.json(), json!({ "editable": default, "revision": 0 }));

    let body = json!({ "editable": ["email", "name"] });
    let headers = [("if-match", "\"0\""), ("idempotency-key", "profile-rules-1")];
    let set = platform.write(Method::PUT, &path, &headers, &body).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    assert_eq!(set.json(), json!({ "editable": ["email", "name"], "revision": 1 }));
    assert_eq!(platform.read(&path).await, set.json());
    let unseen = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!(problem(&unseen), (412, "stale".into()));
    for (body, status) in [
        (json!({ "editable": ["username"] }), 422),
        (json!({ "editable": ["website"] }), 422),
        (json!({ "editable": "name" }), 400),
        (json!({}), 400),
    ] {
        let refused = platform.put(&path, &body).await;
        assert_eq!(refused.status, status, "{body}: {refused:?}");
        assert_eq!(pointers(&refused).len(), 1, "{body}: {refused:?}");
    }
    let alice = Api::alice().await;
    let path = format!("/api/v1/tenants/{}/profile-rules", alice.demo_id().await);
    assert_eq!(problem(&alice.get(&path).await), (403, "denied".into()));
    assert_eq!(problem(&alice.put(&path, &json!({ "editable": [] })).await).0, 403);
}
