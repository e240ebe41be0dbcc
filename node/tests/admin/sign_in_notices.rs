//! Notices of the sign-in page: what is refused, and what people see of them.

use serde_json::{Value, json};
use vaultara_node::telemetry::timestamp::Rfc3339;

use crate::{
    api::{Api, id_of, pointers},
    support::{
        self, Content, Visitor,
        login::{Ask, alice_stays},
    },
};

fn notice(name: &str, text: &str) -> Value {
    json!({ "name": name, "texts": { "en": text } })
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_its_pointer_and_so_is_one_too_many() {
    let platform = Api::platform().await;
    let notices = format!("{}/sign-in-notices", platform.own_tenant().await);
    let with = |field: &str, value: Value| {
        let mut body = notice("maintenance", "On Saturday");
        body[field] = value;
        body
    };
    let mut backwards = with("begins_at", json!("2026-11-28T22:00:00Z"));
    backwards["ends_at"] = json!("2026-11-28T22:00:00+01:00");
    for (body, status, pointer) in [
        (with("name", json!("")), 422, "/name"),
        (with("texts", json!({})), 422, "/texts"),
        (with("texts", json!({ "nl": "Onderhoud" })), 422, "/texts"),
        (with("texts", json!({ "en": "" })), 422, "/texts/en"),
        (with("texts", json!({ "en": "x".repeat(257) })), 422, "/texts/en"),
        (backwards, 422, "/ends_at"),
        (with("begins_at", json!("tomorrow")), 400, "/begins_at"),
        (with("ends_at", json!(1_790_000_000)), 400, "/ends_at"),
        (with("severity", json!("fatal")), 400, "/severity"),
        (with("html", json!("<b>")), 400, "/html"),
    ] {
        let refused = platform.post(&notices, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
    }
    for number in 0..20 {
        platform.made(&notices, &notice(&format!("notice {number}"), "x")).await;
    }
    let more = platform.post(&notices, &notice("more", "x")).await;
    assert_eq!((more.status, pointers(&more)), (422, vec!["/name".into()]), "{more:?}");
}

#[tokio::test]
async fn the_sign_in_page_shows_what_is_current_and_the_tenant_s_own() {
    let platform = Api::on(support::start_at(Content::Demo, 1_790_000_000_000)).await;
    let node = &platform.node;
    let demo = platform.tenant_id(actors::demo::TENANT).await;
    let notices = format!("/api/v1/tenants/{demo}/sign-in-notices");
    let now_ms = node.context.now_ms();
    let at = |seconds: u64| json!(Rfc3339(now_ms + seconds * 1_000).to_string());
    let ago = json!(Rfc3339(now_ms - 1_000).to_string());
    let mut stranger = Visitor::new();
    let page = stranger.get(&Ask::web(node).url()).await;
    assert_eq!((page.status, page.page()), (200, "login"));
    assert!(!page.body.contains("sign-in-notices"), "{}", page.body);

    let mut mail = notice("mail", "Beware of <script>alert(1)</script> \"mails\"");
    mail["severity"] = json!("warning");
    let mut disabled = notice("disabled", "Disabled one");
    disabled["enabled"] = json!(false);
    let mut past = notice("past", "Past one");
    past["ends_at"] = ago;
    let mut future = notice("future", "Future one");
    (future["begins_at"], future["ends_at"]) = (at(60), at(120));
    let saturday = json!({
        "name": "a first one", "texts": { "en": "On Saturday", "de": "Am Samstag" },
    });
    for body in [&mail, &disabled, &past, &future, &saturday] {
        platform.made(&notices, body).await;
    }
    let elsewhere = platform.tenant_id("default").await;
    let elsewhere = format!("/api/v1/tenants/{elsewhere}/sign-in-notices");
    platform.made(&elsewhere, &notice("other", "Another tenant's")).await;

    let page = stranger.get(&Ask::web(node).url()).await;
    let mail = "<bdi>Beware of &#60;script&#62;alert(1)&#60;/script&#62; &#34;mails&#34;</bdi>";
    let (warning, rest) = page.body.split_once(mail).expect("the warning is shown, escaped");
    assert!(
        warning.ends_with("<div class=\"alert\">\n<p><strong>Important:</strong> "),
        "{warning}"
    );
    assert!(warning.contains("id=\"sign-in-notices\" aria-label=\"Notices\""), "{warning}");
    assert!(rest.contains("<div class=\"notice\">\n<p><bdi>On Saturday</bdi></p>"), "{rest}");
    for absent in ["Disabled one", "Past one", "Future one", "Another tenant", "<script"] {
        assert!(!page.body.contains(absent), "{absent}: {}", page.body);
    }
    // Each text in the language of the page, else in what there is, which is marked then.
    let german = stranger.get(&Ask::web(node).with("ui_locales", "de").url()).await;
    for text in ["<bdi>Am Samstag</bdi>", "<strong>Wichtig:</strong> <bdi lang=\"en\">Beware of"] {
        assert!(german.body.contains(text), "{text}: {}", german.body);
    }
    let account = stranger.get(&node.demo_at("/account")).await;
    assert!(account.page() == "login" && account.body.contains("On Saturday"), "{account:?}");
    let (mut alice, _) = alice_stays(&Ask::web(node)).await;
    let signed_in = alice.get(&node.demo_at("/account")).await;
    assert!(!signed_in.body.contains("On Saturday"), "whoever is in has read them");

    node.pass_ms(90_000);
    let page = stranger.get(&Ask::web(node).url()).await;
    assert!(page.body.contains("Future one") && page.body.contains("On Saturday"), "{page:?}");
    node.pass_ms(60_000);
    let page = stranger.get(&Ask::web(node).url()).await;
    assert!(!page.body.contains("Future one") && page.body.contains("On Saturday"), "{page:?}");
}

#[tokio::test]
async fn a_changed_or_deleted_notice_is_another_one_or_none_on_the_next_page() {
    let platform = Api::on(support::start(Content::Demo)).await;
    let node = &platform.node;
    let demo = platform.tenant_id(actors::demo::TENANT).await;
    let notices = format!("/api/v1/tenants/{demo}/sign-in-notices");
    let made = platform.made(&notices, &notice("maintenance", "On Saturday")).await;
    let path = format!("{notices}/{}", id_of(&made));
    let mut stranger = Visitor::new();
    assert!(stranger.get(&Ask::web(node).url()).await.body.contains("On Saturday"));
    let patch = json!({ "texts": { "en": "On Sunday" } });
    assert_eq!(platform.patch(&path, &patch).await.status, 200);
    let page = stranger.get(&Ask::web(node).url()).await.body;
    assert!(page.contains("On Sunday") && !page.contains("On Saturday"), "{page}");
    assert_eq!(platform.delete(&path).await.status, 204);
    assert!(!stranger.get(&Ask::web(node).url()).await.body.contains("sign-in-notices"));
}
