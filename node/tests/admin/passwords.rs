//! Password rules: read and set by administrators, obeyed by every new password.

use reqwest::Method;
use serde_json::json;

use crate::api::{Api, id_of, pointers, problem, unique, user};

#[tokio::test]
async fn a_tenant_s_rules_are_read_and_set_under_conditions() {
    let platform = Api::platform().await;
    let path = format!("{}/password-rules", platform.own_tenant().await);
    let rules = platform.get(&path).await;
    assert_eq!((rules.status, rules.header("etag")), (200, "\"0\""), "{rules:?}");
    assert_eq!(rules.json(), json!({ "length_min": 15, "revision": 0 }));

    let body = json!({ "length_min": 20 });
    let headers = [("if-match", "\"0\""), ("idempotency-key", "rules-1")];
    let set = platform.write(Method::PUT, &path, &headers, &body).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    assert_eq!(set.json(), json!({ "length_min": 20, "revision": 1 }));
    let again = platform.write(Method::PUT, &path, &headers, &body).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"), "{again:?}");
    assert_eq!(again.json(), set.json());
    assert_eq!(platform.read(&path).await, set.json());

    let unseen = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!(problem(&unseen), (412, "stale".into()));
    let never = [("if-match", "\"7\""), ("idempotency-key", "rules-2")];
    let other = format!("{}/password-rules", platform.own_tenant().await);
    let early = platform.write(Method::PUT, &other, &never, &body).await;
    assert_eq!(problem(&early), (412, "stale".into()));
    for (body, status) in [
        (json!({ "length_min": 7 }), 422),
        (json!({ "length_min": 65 }), 422),
        (json!({ "length_min": -1 }), 400),
        (json!({ "length_min": 20, "symbols": 3 }), 400),
        (json!({}), 400),
    ] {
        let refused = platform.put(&path, &body).await;
        assert_eq!(refused.status, status, "{body}: {refused:?}");
        assert_eq!(pointers(&refused).len(), 1, "{body}: {refused:?}");
    }
    let alice = Api::alice().await;
    let path = format!("/api/v1/tenants/{}/password-rules", alice.demo_id().await);
    assert_eq!(problem(&alice.get(&path).await), (403, "denied".into()));
    assert_eq!(problem(&alice.put(&path, &json!({ "length_min": 8 })).await).0, 403);
}

#[tokio::test]
async fn every_new_password_obeys_the_rules_of_its_tenant() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let users = format!("{tenant}/users");
    let name = unique("mallory");
    let made = platform.made(&users, &user(&name)).await;
    let path = format!("{users}/{}", id_of(&made));
    let with_name = format!("{name} goes to the sea");
    for password in [
        "fourteen chars",
        "passwordpassword",
        "this is my password",
        "vaultara administrator",
        with_name.as_str(),
        "tab\tbed and long enough",
    ] {
        let reset = platform.patch(&path, &json!({ "password": password })).await;
        assert_eq!(problem(&reset), (422, "rule_violated".into()), "{password}");
        assert_eq!(pointers(&reset), ["/password"], "{password}");
        assert!(!reset.body.contains(password), "{reset:?}");
    }
    let fine = json!({ "password": "fifteen letters" });
    assert_eq!(platform.patch(&path, &fine).await.status, 200);
    let rules = format!("{tenant}/password-rules");
    assert_eq!(platform.put(&rules, &json!({ "length_min": 16 })).await.status, 200);
    assert_eq!(problem(&platform.patch(&path, &fine).await).0, 422);
}
