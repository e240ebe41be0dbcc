use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use tower::ServiceExt as _;

use super::*;
use crate::http::layer::Arrival;
use crate::http::pages::Wishes;

/// As people write it in an address.
const NAMES: [&str; 13] = [
    "home",
    "login",
    "login-notices",
    "login-refused",
    "error",
    "form-post",
    "account",
    "consent",
    "logout",
    "logged-out",
    "own-account",
    "own-account?done=profile",
    "own-account?problem=short",
];

async fn shown(name: &str, language: Language) -> (Response<()>, String) {
    let mark = if name.contains('?') { '&' } else { '?' };
    let uri = format!("/gallery/{name}{mark}ui_locales={}", language.tag());
    let mut request = Request::get(uri).body(Body::empty()).unwrap();
    let source = std::net::Ipv4Addr::LOCALHOST.into();
    let arrival = Arrival::new("r-1".to_owned(), source, Wishes::of(&request));
    request.extensions_mut().insert(arrival);
    let response = routes(Mode::Development).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    (Response::from_parts(parts, ()), String::from_utf8(bytes.to_vec()).unwrap())
}

/// What stands between `start` and `end`, each time.
fn all_between<'a>(html: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    html.split(start).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

#[tokio::test]
async fn every_page_is_shown_in_every_language_with_all_its_headers() {
    for name in NAMES {
        let mut titles = Vec::new();
        for language in Language::ALL {
            let (response, html) = shown(name, language).await;
            let lang = format!("<html lang=\"{}\" dir=\"ltr\">", language.tag());
            assert!(html.contains(&lang), "{name}: {html}");
            assert!(html.contains(&*language.say("page-foot")), "{name}");
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{name}");
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(!html.contains(" style=") && !html.contains(" onclick="), "{name}");
            titles.push(all_between(&html, "<title>", "</title>")[0].to_owned());
        }
        titles.dedup();
        assert_eq!(titles.len(), Language::ALL.len(), "{name} has its own title in each language");
    }
}

#[tokio::test]
async fn ids_are_unique_and_what_refers_to_one_finds_it() {
    for name in NAMES {
        let (_, html) = shown(name, Language::English).await;
        let ids = all_between(&html, " id=\"", "\"");
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[index + 1..].contains(id), "{name}: {id} stands twice");
        }
        for attribute in [" for=\"", " aria-describedby=\"", " aria-labelledby=\""] {
            for value in all_between(&html, attribute, "\"") {
                for id in value.split(' ') {
                    assert!(ids.contains(&id), "{name}: {id} is nowhere");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_form_of_a_signed_in_person_carries_the_token() {
    for name in NAMES.into_iter().filter(|name| !matches!(*name, "form-post" | "home")) {
        let (_, html) = shown(name, Language::English).await;
        for form in all_between(&html, "<form ", "</form>") {
            assert!(form.contains("name=\"csrf\" value=\"sample\""), "{name}: {form}");
            assert!(form.starts_with("method=\"post\""), "{name}: {form}");
        }
    }
}

#[tokio::test]
async fn production_has_no_gallery() {
    let request = Request::get("/gallery/login").body(Body::empty()).unwrap();
    let response = routes(Mode::Production).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(shown("no-such-page", Language::English).await.0.status(), StatusCode::NOT_FOUND);
}
