//! Branding: set by administrators, seen on every page, gone when the license does not include it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, pointers, problem},
    licenses,
    support::{
        self, Answer, Content, Visitor,
        login::{Ask, alice_stays},
    },
};

/// 48 by 24 pixels of one colour, PNG.
pub(crate) const LOGO: &str = "iVBORw0KGgoAAAANSUhEUgAAADAAAAAYCAIAAAAzn+mLAAAALElEQVR42u3OQQkAAAgEsGtgU5\
    /mt4bgYAGWmj4lQkJCQkJCQkJCQkJCv0ILd5BFve34iCsAAAAASUVORK5CYII=";

fn acme() -> Value {
    json!({
        "display_name": "Acme <b>", "accent": "0F766E", "radius": 3,
        "texts": {
            "en": { "title": "Welcome to Acme", "greeting": "Nice to see you", "footer": "A & B" },
            "de": { "greeting": "Schön, dass Sie da sind" },
        },
        "links": { "privacy": "https://acme.example/privacy?a=1&b=2" },
    })
}

fn holds(page: &Answer, texts: &[&str]) {
    for text in texts {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
}

#[tokio::test]
async fn a_look_is_read_and_set_under_conditions() {
    let platform = Api::platform().await;
    let path = format!("{}/branding", platform.own_tenant().await);
    let plain = platform.get(&path).await;
    assert_eq!((plain.status, plain.header("etag")), (200, "\"0\""), "{plain:?}");
    let links = json!({ "privacy": null, "terms": null, "support": null });
    let nothing = json!({
        "display_name": null, "accent": null, "radius": null, "texts": {}, "links": links,
        "palette": { "background": null, "surface": null, "text": null }, "revision": 0,
    });
    assert_eq!(plain.json(), nothing);
    let headers = [("if-match", "\"0\""), ("idempotency-key", "branding-1")];
    let set = platform.write(Method::PUT, &path, &headers, &acme()).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    assert_eq!((&set.json()["accent"], &set.json()["radius"]), (&json!("#0f766e"), &json!(3)));
    assert_eq!(platform.read(&path).await, set.json());
    let again = platform.write(Method::PUT, &path, &headers, &acme()).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"));
    let stale = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &acme()).await;
    assert_eq!(problem(&stale), (412, "stale".into()));
    for (body, status, pointer) in [
        (json!({ "accent": "teal" }), 400, "/accent"),
        (json!({ "accent": "#fff;}" }), 400, "/accent"),
        (json!({ "css": "body {}" }), 400, "/css"),
        (json!({ "radius": 25 }), 422, "/radius"),
        (json!({ "texts": { "nl": {} } }), 422, "/texts"),
        (json!({ "texts": { "en": { "html": "x" } } }), 400, "/texts/en/html"),
        (json!({ "links": { "terms": "javascript:alert(1)" } }), 422, "/links/terms"),
        (json!({ "palette": { "text": "black" } }), 400, "/palette/text"),
        (json!({ "palette": { "shadow": "#000000" } }), 400, "/palette/shadow"),
        (json!({ "palette": { "text": "#777777" } }), 422, "/palette/text"),
        (json!({ "palette": { "surface": "#333333" } }), 422, "/palette/surface"),
    ] {
        let refused = platform.put(&path, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
    }
}

#[tokio::test]
async fn a_logo_is_drawn_anew_and_served_under_its_digest_for_ever() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let path = format!("{tenant}/branding/logo");
    let none = json!({ "url": null, "width": null, "height": null, "revision": 0 });
    assert_eq!(platform.read(&path).await, none);
    let set = platform.put(&path, &json!({ "image": LOGO })).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    assert_eq!((&set.json()["width"], &set.json()["height"]), (&json!(48), &json!(24)));
    assert_eq!(platform.read(&path).await, set.json());

    let url = set.text("url");
    let slug = platform.read(&tenant).await["slug"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&platform.node.at(&format!("/t/{slug}/branding/logo/"))), "{url}");
    let served = reqwest::get(&url).await.unwrap();
    assert_eq!(served.status(), 200);
    for (name, value) in [
        ("content-type", "image/png"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "public, max-age=31536000, immutable"),
    ] {
        assert_eq!(served.headers()[name], value);
    }
    let bytes = served.bytes().await.unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    let digest: String = identity::secret::Digest::of(&bytes)
        .bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(url.ends_with(&format!("/{digest}.png")), "the path names the content");
    let other = platform.read(&platform.own_tenant().await).await;
    let other = format!("/t/{}/", other["slug"].as_str().unwrap());
    let elsewhere = url.replace(&format!("/t/{slug}/"), &other);
    for other in [url.replace(&digest, &"0".repeat(64)), elsewhere] {
        assert_eq!(reqwest::get(&other).await.unwrap().status(), 404, "{other}");
    }
    for image in ["", "%", "PHN2Zz48L3N2Zz4=", "PGh0bWw+PC9odG1sPg==", &LOGO[..60]] {
        let refused = platform.put(&path, &json!({ "image": image })).await;
        assert_eq!((refused.status, pointers(&refused)), (422, vec!["/image".into()]), "{image}");
    }
    let large = "A".repeat(700_000);
    assert_eq!(platform.put(&path, &json!({ "image": large })).await.status, 422);
    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(platform.read(&path).await["url"], Value::Null);
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 404);
}

#[tokio::test]
async fn every_page_of_the_tenant_looks_like_it_and_no_other() {
    let platform = Api::on(support::start(Content::Demo)).await;
    let node = &platform.node;
    let tenant = format!("/api/v1/tenants/{}", platform.tenant_id(actors::demo::TENANT).await);
    assert_eq!(platform.put(&format!("{tenant}/branding"), &acme()).await.status, 200);
    let logo = platform.put(&format!("{tenant}/branding/logo"), &json!({ "image": LOGO })).await;
    let logo = format!("<img class=\"logo\" src=\"{}\"", logo.text("url").replace(&node.url, ""));
    let name = "<bdi>Acme &#60;b&#62;</bdi>";
    let sheet = "href=\"/assets/brand/0f766e-3.css\"";
    let link = "href=\"https://acme.example/privacy?a=1&#38;b=2\"";
    let everywhere = [logo.as_str(), name, sheet, link];

    let mut stranger = Visitor::new();
    let login = stranger.get(&Ask::web(node).url()).await;
    holds(&login, &everywhere);
    holds(&login, &[">Welcome to Acme</h1>", ">Nice to see you</p>", ">A &#38; B</p>"]);
    let policy = login.header("content-security-policy");
    assert!(policy.contains("img-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let german = stranger.get(&Ask::web(node).with("ui_locales", "de").url()).await;
    holds(&german, &everywhere);
    holds(&german, &[">Anmelden</h1>", "Schön, dass Sie da sind", ">Datenschutz</a>"]);
    assert!(!german.body.contains("Nice to see you") && !german.body.contains("A &#38; B"));
    let error = stranger.get(&Ask::web(node).with("redirect_uri", "https://x.example").url()).await;
    assert_eq!(error.page(), "error");
    holds(&error, &everywhere);
    let (mut alice, _) = alice_stays(&Ask::web(node)).await;
    for (path, page) in [
        ("/account", "own-account"),
        ("/oauth/logout", "logout"),
        ("/account/signed-out", "logged-out"),
    ] {
        let shown = alice.get(&node.demo_at(path)).await;
        assert_eq!(shown.page(), page);
        holds(&shown, &everywhere);
    }
    let other = stranger.get(&node.at("/account")).await;
    for text in everywhere {
        assert!(!other.body.contains(text), "{text}");
    }

    // Without the feature pages are the product's own, and nothing that was set is lost.
    let free = json!({ "tier": "free", "holder": "Acme" });
    let key = licenses::key(&platform, free).await;
    let installed = platform.post(&format!("{tenant}/license"), &json!({ "key": key })).await;
    assert_eq!(installed.status, 200, "{installed:?}");
    let login = stranger.get(&Ask::web(node).url()).await;
    assert_eq!((login.status, login.page()), (200, "login"));
    for text in everywhere {
        assert!(!login.body.contains(text), "{text}");
    }
    holds(&login, &[">Sign in</h1>", "<bdi>Demo</bdi>"]);
    let refused = platform.put(&format!("{tenant}/branding"), &acme()).await;
    assert_eq!(problem(&refused), (403, "license_feature".into()));
    assert_eq!(platform.delete(&format!("{tenant}/license")).await.status, 204);
    holds(&stranger.get(&Ask::web(node).url()).await, &everywhere);
}

#[tokio::test]
async fn a_palette_is_worn_in_a_stylesheet_and_goes_when_nothing_is_said_of_it() {
    let platform = Api::on(support::start(Content::Demo)).await;
    let node = &platform.node;
    let tenant = platform.tenant_id(actors::demo::TENANT).await;
    let path = format!("/api/v1/tenants/{tenant}/branding");
    let palette = json!({ "background": "FFF7E6", "text": "#3b2f00" });
    let set = platform.put(&path, &json!({ "palette": palette })).await;
    assert_eq!(set.status, 200, "{set:?}");
    let shown = json!({ "background": "#fff7e6", "surface": null, "text": "#3b2f00" });
    assert_eq!((&set.json()["palette"], &platform.read(&path).await), (&shown, &set.json()));

    let sheet = "/assets/brand/3b4fc4-10-fff7e6-ffffff-3b2f00.css";
    let mut stranger = Visitor::new();
    let login = stranger.get(&Ask::web(node).url()).await;
    holds(&login, &[&format!("href=\"{sheet}\"")]);
    assert!(
        !login.header("content-security-policy").contains("unsafe")
            && !login.body.contains("style=")
    );
    let served = stranger.get(&node.at(sheet)).await;
    assert_eq!((served.status, served.header("content-type")), (200, "text/css; charset=utf-8"));
    holds(&served, &["--ground: #fff7e6;", "--surface: #ffffff;", "--text: #3b2f00;"]);
    let pale = stranger.get(&node.at(&sheet.replace("3b2f00", "999999"))).await;
    assert_eq!(pale.status, 404, "no stylesheet of what may not be set");

    let pale = platform.put(&path, &json!({ "palette": { "text": "#999999" } })).await;
    assert_eq!((pale.status, pointers(&pale)), (422, vec!["/palette/text".into()]));
    assert!(pale.body.contains("4.5:1"), "{}", pale.body);
    assert_eq!(platform.read(&path).await, set.json(), "what is refused changes nothing");
    assert_eq!(platform.put(&path, &json!({ "radius": 3 })).await.status, 200);
    assert_eq!(platform.read(&path).await["palette"]["text"], Value::Null);
    let login = stranger.get(&Ask::web(node).url()).await;
    holds(&login, &["href=\"/assets/brand/3b4fc4-3.css\""]);
}
