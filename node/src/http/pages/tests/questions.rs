//! The pages that ask for consent and for sign-out, and what follows.

use super::*;

#[tokio::test]
async fn the_consent_page_says_what_is_asked_for_and_lets_people_choose() {
    let page = ConsentPage {
        language: Language::English,
        brand: Brand::default(),
        tenant_name: "Demo",
        client_name: HOSTILE,
        account_name: "alice",
        scopes: &["openid", "email", "reports:read"],
        csrf_token: "csrf-value",
        action: "/login/consent",
        form_targets: &["https://app.example/callback"],
    };
    let response = page.respond();
    let policy = header(&response, "content-security-policy").to_owned();
    assert!(policy.contains("form-action 'self' https://app.example;"), "{policy}");
    let html = body(response).await;
    assert_holds(
        &html,
        &[
            "<body data-page=\"consent\">",
            "<li>see your e-mail address</li>",
            "<li>use the access named <code dir=\"ltr\">reports:read</code></li>",
            "name=\"csrf\" value=\"csrf-value\"",
            "id=\"consent-allow\" class=\"button primary\" type=\"submit\" name=\"consent\" \
             value=\"allow\"",
            "id=\"consent-deny\" class=\"button\" type=\"submit\" name=\"consent\" value=\"deny\"",
        ],
    );
    assert!(!html.contains("<script"), "{html}");
}

#[tokio::test]
async fn the_sign_out_pages_ask_and_tell() {
    let page = LogoutPage {
        language: Language::English,
        brand: Brand::default(),
        tenant_name: "Demo",
        client_name: None,
        account_name: "alice",
        csrf_token: "csrf-value",
        action: "/logout",
        form_targets: &[],
    };
    let html = body(page.respond()).await;
    assert_holds(
        &html,
        &["id=\"logout-confirm\"", "id=\"logout-stay\"", "class=\"client\">alice<"],
    );
    assert!(!html.contains("asked for it"), "nobody asked: {html}");

    let page = LoggedOutPage {
        language: Language::English,
        brand: Brand::default(),
        tenant_name: "Demo",
        back: Some(("Web demo", "https://app.example/?a=1&b=2")),
        frames: &["https://app.example/logout?iss=x", "javascript:alert(1)"],
    };
    let response = page.respond();
    let policy = header(&response, "content-security-policy").to_owned();
    assert!(policy.contains("; frame-src https://app.example; "), "{policy}");
    let html = body(response).await;
    assert_holds(
        &html,
        &[
            "<body data-page=\"logged-out\">",
            "href=\"https://app.example/?a=1&#38;b=2\">Back to <bdi>Web demo</bdi></a>",
            "<iframe class=\"frame\" src=\"https://app.example/logout?iss=x\"",
        ],
    );
}
