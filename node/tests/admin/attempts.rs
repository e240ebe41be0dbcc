//! Rules of attempts: set by administrators within bounds, felt by who guesses.

use reqwest::Method;
use serde_json::json;

use crate::{
    api::{Api, pointers, problem},
    support::{
        self, Content, Visitor,
        login::{Ask, open, submit},
    },
};

#[tokio::test]
async fn how_much_guessing_is_allowed_is_read_and_set_within_bounds() {
    let platform = Api::platform().await;
    let path = format!("{}/attempt-rules", platform.own_tenant().await);
    let rules = platform.get(&path).await;
    assert_eq!((rules.status, rules.header("etag")), (200, "\"0\""), "{rules:?}");
    let default = json!({
        "free": 5, "delay_min_s": 10, "delay_max_s": 900, "lock_at": 100, "lock_s": 2_592_000,
        "source_max": 100, "source_drain_s": 60, "tenant_max": 3000, "tenant_drain_ms": 100,
        "revision": 0,
    });
    assert_eq!(rules.json(), default);
    let body = json!({ "free": 3, "lock_at": 20 });
    let set = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    let mut expected = default;
    for (name, value) in [("free", 3), ("lock_at", 20), ("revision", 1)] {
        expected[name] = json!(value);
    }
    assert_eq!((set.json(), platform.read(&path).await), (expected.clone(), expected));
    let stale = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!(problem(&stale), (412, "stale".into()));
    for (body, status, pointer) in [
        (json!({ "free": 0 }), 422, "/free"),
        (json!({ "lock_at": 1_000_000 }), 422, "/lock_at"),
        (json!({ "lock_s": 1 }), 422, "/lock_s"),
        (json!({ "source_max": 100_000 }), 422, "/source_max"),
        (json!({ "delay_min_s": -1 }), 400, "/delay_min_s"),
        (json!({ "off": true }), 400, "/off"),
    ] {
        let refused = platform.put(&path, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
    }
}

#[tokio::test]
async fn whoever_guesses_waits_as_the_tenant_says() {
    let platform = Api::on(support::start(Content::Demo)).await;
    let node = &platform.node;
    let tenant = format!("/api/v1/tenants/{}", platform.tenant_id(actors::demo::TENANT).await);
    let rules = json!({ "free": 2, "delay_min_s": 120 });
    assert_eq!(platform.put(&format!("{tenant}/attempt-rules"), &rules).await.status, 200);
    let ask = Ask::web(node);
    let guess = async || {
        let mut visitor = Visitor::new();
        let page = open(&mut visitor, &ask).await;
        submit(&mut visitor, &ask, &page, ("alice", "a wrong guess of a password")).await
    };
    assert_eq!((guess().await.status, guess().await.status), (403, 403));
    let throttled = guess().await;
    let wait_s: u32 = throttled.header("retry-after").parse().unwrap();
    assert_eq!((throttled.status, throttled.page()), (429, "login"), "{throttled:?}");
    assert!((100..=120).contains(&wait_s), "{wait_s}");
}
