//! The authorization endpoint and the login page.

use actors::demo::ALICE_PASSWORD;
use reqwest::Method;

use crate::support::{
    self, Visitor,
    login::{self, Ask, WEB_REDIRECT},
    visitor::encoded,
};

#[tokio::test]
async fn the_login_page_is_bound_to_a_guarded_cookie() {
    let node = support::demo();
    let mut visitor = Visitor::new();
    let page = login::open(&mut visitor, &Ask::web(&node)).await;
    let cookie = page.header("set-cookie");
    assert!(cookie.starts_with("vlt-browser-"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(page.body.contains("action=\"/t/demo/login\""), "{page:?}");
    assert!(
        page.header("content-security-policy").contains("form-action 'self' http://localhost:3000")
    );
    // A second page of the same browser keeps the cookie, so both can be posted.
    let again = login::open(&mut visitor, &Ask::web(&node)).await;
    assert_eq!(again.header("set-cookie"), "");
    for page in [&page, &again] {
        let answer =
            login::submit(&mut visitor, &Ask::web(&node), page, ("alice", ALICE_PASSWORD)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    }
}

#[tokio::test]
async fn the_default_tenant_has_its_own_page_at_the_root() {
    let node = support::demo();
    let ask = Ask::of(node.url.clone(), "vaultara-cli", "http://127.0.0.1:4711/callback");
    let page = login::open(&mut Visitor::new(), &ask).await;
    assert!(page.body.contains("action=\"/login\""), "{page:?}");
    let answer = login::sign_in(&ask, ("admin", actors::demo::ADMINISTRATOR_PASSWORD)).await;
    assert_eq!(answer.sent_back("iss").unwrap(), node.url);
}

#[tokio::test]
async fn an_authorization_request_may_come_by_post() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let mut visitor = Visitor::new();
    let page = visitor.post(&node.demo_at("/oauth/authorize"), &ask.pairs()).await;
    assert_eq!((page.status, page.page()), (200, "login"));
    let answer = login::submit(&mut visitor, &ask, &page, ("alice", ALICE_PASSWORD)).await;
    assert!(answer.sent_back("code").is_some());
}

#[tokio::test]
async fn what_the_client_sent_comes_back_and_the_session_begins() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let answer = login::alice(&ask).await;
    assert!(answer.header("location").starts_with("http://localhost:3000/callback?code="));
    assert_eq!(answer.sent_back("state").unwrap(), ask.get("state"));
    assert_eq!(answer.sent_back("iss").unwrap(), node.demo_at(""));
    assert!(answer.sent_back("code").unwrap().len() >= 43);
    assert!(answer.header("set-cookie").starts_with("vlt-session-"), "{answer:?}");
    assert!(answer.header("set-cookie").contains("HttpOnly; SameSite=Lax"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_one_answer() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let mut seen = Vec::new();
    for credentials in [("alice", "wrong"), ("nobody", "wrong"), ("alice ", ""), (" ", "x")] {
        let mut visitor = Visitor::new();
        let page = login::open(&mut visitor, &ask).await;
        let answer = login::submit(&mut visitor, &ask, &page, credentials).await;
        assert_eq!(answer.page(), "login");
        assert!(answer.body.contains("role=\"alert\""));
        assert!(!answer.body.contains("wrong"), "nothing typed as a password comes back");
        assert_eq!(answer.header("set-cookie"), "");
        seen.push(answer.status);
        // The page that came back works.
        let answer = login::submit(&mut visitor, &ask, &answer, ("ALICE ", ALICE_PASSWORD)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    }
    assert_eq!(seen, [403, 403, 400, 400]);
}

#[tokio::test]
async fn what_was_typed_comes_back_as_text() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let mut visitor = Visitor::new();
    let page = login::open(&mut visitor, &ask).await;
    let hostile = format!("\"><script>{}", "é".repeat(5_000));
    let answer = login::submit(&mut visitor, &ask, &page, (&hostile, "x")).await;
    assert_eq!((answer.status, answer.page()), (403, "login"));
    assert!(!answer.body.contains("<script"), "{answer:?}");
    let hint = ask.with("login_hint", "<b>\"alice");
    let page = login::open(&mut Visitor::new(), &hint).await;
    assert!(page.body.contains("value=\"&#60;b&#62;&#34;alice\""), "{page:?}");
}

#[tokio::test]
async fn a_form_of_another_browser_or_another_site_signs_nobody_in() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let url = node.demo_at("/login");
    let mut visitor = Visitor::new();
    let page = login::open(&mut visitor, &ask).await;
    let good = [("csrf", page.hidden("csrf")), ("username", "alice"), ("password", ALICE_PASSWORD)];
    let tampered = "x".repeat(43);

    let mut refused = Vec::new();
    refused.push(Visitor::new().post(&url, &good).await);
    let mut other = Visitor::new();
    login::open(&mut other, &ask).await;
    refused.push(other.post(&url, &good).await);
    refused.push(visitor.post(&url, &good[1..]).await);
    let mut forged = good;
    forged[0].1 = &tampered;
    refused.push(visitor.post(&url, &forged).await);
    refused.push(visitor.post(&node.at("/login"), &good).await);
    for headers in [
        [("sec-fetch-site", "cross-site"), ("origin", "null")],
        [("sec-fetch-site", "same-site"), ("origin", "https://evil.localhost")],
    ] {
        refused.push(visitor.send_form(&url, &headers, &good).await);
    }
    refused.push(visitor.send_form(&url, &[("origin", "https://evil.example")], &good).await);
    let twice = format!("{}&username=bob", encoded(&good));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    refused.push(visitor.send(Method::POST, &url, &form, Some(twice)).await);
    refused.push(visitor.send(Method::POST, &url, &[], Some(encoded(&good))).await);
    for answer in refused {
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.page(), "error");
        assert!(answer.header("content-security-policy").contains("style-src 'self'"));
        assert_eq!(answer.header("set-cookie"), "");
        assert!(!answer.body.contains(ALICE_PASSWORD));
    }
    // None of that spoiled the page that was really opened.
    let answer = visitor.post(&url, &good).await;
    assert!(answer.sent_back("code").is_some());
}

#[tokio::test]
async fn an_altered_redirect_uri_or_an_unknown_client_gets_a_page_and_no_redirect() {
    let node = support::demo();
    let altered = [
        "http://localhost:3000/callback?added=1",
        "http://localhost:3000/callback/",
        "http://localhost:3000/Callback",
        "http://localhost:3000/callback#fragment",
        "http://localhost:3001/callback",
        "https://localhost:3000/callback",
        "http://localhost:3000/x/../callback",
        "http://alice@localhost:3000/callback",
        "javascript:alert(1)",
        "",
    ];
    let web = Ask::web(&node);
    let mut asks: Vec<Ask> = altered.map(|uri| web.clone().with("redirect_uri", uri)).into();
    asks.push(web.clone().with("client_id", "nobody"));
    asks.push(web.clone().with("client_id", ""));
    for ask in asks {
        let answer = Visitor::new().get(&ask.url()).await;
        assert_eq!((answer.status, answer.page()), (400, "error"), "{}", ask.url());
        assert_eq!(answer.header("location"), "");
        assert!(answer.body.contains("id=\"error-code\">invalid_request<"), "{answer:?}");
    }
    let repeated = format!("{}&redirect_uri=http%3A%2F%2Fevil.example", web.url());
    let answer = Visitor::new().get(&repeated).await;
    assert_eq!((answer.status, answer.page()), (400, "error"));
}

#[tokio::test]
async fn a_refusal_of_a_proven_client_is_sent_back_to_it() {
    let node = support::demo();
    let web = Ask::web(&node);
    let native = Ask::of(node.demo_at(""), "native-demo", "http://127.0.0.1:52001/callback");
    let cases = [
        (web.clone().with("response_type", "token"), "unsupported_response_type"),
        (web.clone().with("response_type", ""), "invalid_request"),
        (web.clone().with("scope", "nothing"), "invalid_scope"),
        (web.clone().with("prompt", "none"), "login_required"),
        (web.clone().with("request", "a.b.c"), "request_not_supported"),
        (web.clone().with("request_uri", "https://x.example"), "request_uri_not_supported"),
        (web.clone().with("resource", "https://x.example"), "invalid_target"),
        (web.with("code_challenge_method", "plain"), "invalid_request"),
        (native.clone().with("code_challenge_method", ""), "invalid_request"),
        (native.with("code_challenge", "").with("code_challenge_method", ""), "invalid_request"),
    ];
    for (ask, error) in cases {
        let answer = Visitor::new().get(&ask.url()).await;
        assert!(answer.header("location").starts_with(ask.get("redirect_uri")), "{answer:?}");
        assert_eq!(answer.sent_back("error").as_deref(), Some(error), "{answer:?}");
        assert_eq!(answer.sent_back("state").as_deref(), Some(ask.get("state")));
        assert_eq!(answer.sent_back("iss"), Some(node.demo_at("")));
        assert!(answer.sent_back("error_description").is_some());
        assert_eq!(answer.sent_back("code"), None);
    }
    assert!(!WEB_REDIRECT.contains('?'));
}

#[tokio::test]
async fn the_landing_page_names_the_issuers() {
    let node = support::demo();
    let page = Visitor::new().get(&node.at("/")).await;
    assert_eq!((page.status, page.page()), (200, "home"));
    for issuer in [node.url.clone(), node.demo_at("")] {
        assert!(page.body.contains(&format!("<code>{issuer}</code>")), "{issuer}: {page:?}");
    }
}
