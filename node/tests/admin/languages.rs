//! Languages of pages: set by administrators, seen by people and by applications.

use reqwest::Method;
use serde_json::json;

use crate::{
    api::{Api, pointers, problem},
    support::{self, Content, Visitor, login::Ask},
};

#[tokio::test]
async fn what_pages_offer_is_read_and_set_under_conditions() {
    let platform = Api::platform().await;
    let path = format!("{}/languages", platform.own_tenant().await);
    let all = platform.get(&path).await;
    assert_eq!((all.status, all.header("etag")), (200, "\"0\""), "{all:?}");
    assert_eq!(
        all.json(),
        json!({ "offered": ["de", "en", "fr"], "default": "en", "revision": 0 })
    );
    let body = json!({ "offered": ["fr", "de"], "default": "fr" });
    let set = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    let expected = json!({ "offered": ["de", "fr"], "default": "fr", "revision": 1 });
    assert_eq!((set.json(), platform.read(&path).await), (expected.clone(), expected));
    let stale = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!(problem(&stale), (412, "stale".into()));
    for (body, status, pointer) in [
        (json!({ "offered": ["nl"], "default": "nl" }), 422, "/offered"),
        (json!({ "offered": ["de"], "default": "en" }), 422, "/default"),
        (json!({ "offered": [], "default": "en" }), 422, "/default"),
        (json!({ "offered": "de", "default": "de" }), 400, "/offered"),
    ] {
        let refused = platform.put(&path, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
    }
}

#[tokio::test]
async fn people_read_what_is_offered_and_applications_are_told() {
    let platform = Api::on(support::start(Content::Demo)).await;
    let node = &platform.node;
    let tenant = format!("/api/v1/tenants/{}", platform.tenant_id(actors::demo::TENANT).await);
    let discovery = node.demo_at("/.well-known/openid-configuration");
    let supported =
        async || Visitor::new().get(&discovery).await.json()["ui_locales_supported"].clone();
    assert_eq!(supported().await, json!(["en", "de", "fr"]));
    let body = json!({ "offered": ["de", "fr"], "default": "fr" });
    assert_eq!(platform.put(&format!("{tenant}/languages"), &body).await.status, 200);
    assert_eq!(supported().await, json!(["fr", "de"]));

    for (ui_locales, browser, shown) in [
        ("", "", "fr"),
        ("en", "", "fr"),
        ("en de", "fr", "de"),
        ("", "en-GB, de;q=0.2", "de"),
        ("fr-CA", "de", "fr"),
    ] {
        let lang = format!("<html lang=\"{shown}\"");
        let headers = [("accept-language", browser)];
        let ask = Ask::web(node).with("ui_locales", ui_locales);
        let login = Visitor::new().send(Method::GET, &ask.url(), &headers, None).await;
        assert!(login.body.contains(&lang), "{ui_locales} {browser}");
        let wrong = ask.with("client_id", "nobody");
        let error = Visitor::new().send(Method::GET, &wrong.url(), &headers, None).await;
        assert_eq!(error.page(), "error");
        assert!(error.body.contains(&lang), "{ui_locales} {browser}");
    }
    let other = Visitor::new().get(&node.at("/account")).await;
    assert!(other.body.contains("<html lang=\"en\""), "another tenant offers what it did");
}
