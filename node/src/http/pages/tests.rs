mod questions;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use tower::ServiceExt as _;

use super::*;

const HOSTILE: &str = "<script>alert(\"1\")</script>' autofocus onfocus='x";

fn login<'a>() -> LoginPage<'a> {
    LoginPage {
        language: Language::English,
        brand: Brand::default(),
        tenant_name: "Demo",
        client_name: Some("Web demo"),
        username: "",
        notices: &[],
        problem: None,
        csrf_token: "csrf-value",
        action: "/t/demo/login",
        form_targets: &["http://localhost:3000/callback"],
    }
}

fn error<'a>() -> ErrorPage<'a> {
    ErrorPage {
        language: Language::English,
        brand: Brand::default(),
        status: StatusCode::BAD_REQUEST,
        code: "invalid_redirect_uri",
        title: "This link does not work",
        cause: Some("The address is not registered."),
        advice: "Go back.",
        details: Some("the redirect_uri is not registered"),
        request_id: Some("0190"),
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

async fn body(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn assert_holds(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "{part} is missing in:\n{html}");
    }
}

#[tokio::test]
async fn the_login_page_carries_its_fixed_names_and_a_label_for_each_field() {
    let response = login().respond();
    assert_eq!(response.status(), StatusCode::OK);
    let html = body(response).await;
    assert_holds(
        &html,
        &[
            "<html lang=\"en\" dir=\"ltr\">",
            "<body data-page=\"login\">",
            "<title>Sign in to Demo</title>",
            "<bdi class=\"client\">Web demo</bdi>",
            "<form method=\"post\" action=\"/t/demo/login\"",
            "<input type=\"hidden\" name=\"csrf\" value=\"csrf-value\">",
            "<label for=\"username\">",
            "id=\"username\" name=\"username\"",
            "autocomplete=\"username\"",
            "<label for=\"password\">",
            "id=\"password\" name=\"password\" type=\"password\"",
            "autocomplete=\"current-password\"",
            "<button id=\"login-submit\"",
        ],
    );
    assert!(!html.contains("<script"), "the login page needs no script");
    assert!(!html.contains("role=\"alert\""), "nothing went wrong yet");
}

#[tokio::test]
async fn a_name_full_of_markup_stays_text() {
    let text = HOSTILE.to_owned();
    let notice = SignInNotice { text, tag: Some(HOSTILE.to_owned()), warning: true };
    let page = LoginPage {
        language: Language::English,
        brand: Brand::default(),
        tenant_name: HOSTILE,
        client_name: Some(HOSTILE),
        username: HOSTILE,
        notices: &[notice],
        problem: Some(LoginProblem::WrongCredentials),
        csrf_token: HOSTILE,
        action: HOSTILE,
        form_targets: &[HOSTILE],
    };
    let response = page.respond();
    assert!(!header(&response, "content-security-policy").contains("script"));
    let html = body(response).await;
    assert!(!html.contains("<script"), "{html}");
    assert!(!html.contains("alert(\""), "{html}");
    assert!(!html.contains("' autofocus onfocus='"), "{html}");
    assert_eq!(html.matches("&#60;script&#62;alert(&#34;1&#34;)").count(), 8, "{html}");
}

#[tokio::test]
async fn a_refusal_is_announced_and_takes_the_focus() {
    let page =
        LoginPage { username: "alice", problem: Some(LoginProblem::WrongCredentials), ..login() };
    let response = page.respond();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let html = body(response).await;
    assert_holds(
        &html,
        &[
            "<title>Error: Sign in to Demo</title>",
            "id=\"login-error\" role=\"alert\" tabindex=\"-1\" autofocus",
            &Language::English.say("login-wrong"),
            "value=\"alice\"",
            "aria-invalid=\"true\" aria-describedby=\"login-error\"",
        ],
    );
    assert_eq!(html.matches(" autofocus").count(), 1, "{html}");
}

#[tokio::test]
async fn the_first_empty_field_has_the_focus() {
    let empty = body(login().respond()).await;
    let prefilled = body(LoginPage { username: "alice", ..login() }.respond()).await;
    let focused = |html: &str| {
        let inputs: Vec<_> =
            html.split("<input ").filter(|part| part.contains(" autofocus")).collect();
        assert_eq!(inputs.len(), 1, "{html}");
        inputs[0].split('"').nth(1).unwrap().to_owned()
    };
    assert_eq!(focused(&empty), "username");
    assert_eq!(focused(&prefilled), "password");
}

#[test]
fn every_problem_has_a_text_of_its_own_and_an_error_status() {
    use LoginProblem::*;
    let all = [WrongCredentials, Incomplete, Expired, Busy];
    let texts: std::collections::BTreeSet<_> =
        all.iter().map(|problem| Language::English.say(problem.message())).collect();
    assert_eq!(texts.len(), all.len());
    for problem in all {
        let response = LoginPage { problem: Some(problem), ..login() }.respond();
        assert!(response.status().as_u16() >= 400, "{problem:?}");
    }
}

#[tokio::test]
async fn the_error_page_names_the_cause_and_links_nowhere() {
    let response = error().respond();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let html = body(response).await;
    assert_holds(
        &html,
        &[
            "<body data-page=\"error\">",
            "<h1>This link does not work</h1>",
            "<code id=\"error-code\">invalid_redirect_uri</code>",
            "<p class=\"cause\">The address is not registered.</p>",
            "<p class=\"advice\">Go back.</p>",
            "lang=\"en\" dir=\"ltr\">the redirect_uri is not registered</dd>",
            "<code id=\"request-id\">0190</code>",
        ],
    );
    assert!(!html.contains("<a ") && !html.contains("<form"), "{html}");

    let bare = ErrorPage { cause: None, details: None, request_id: None, ..error() };
    let html = body(bare.respond()).await;
    assert!(
        !html.contains("class=\"cause\"")
            && !html.contains("error-details")
            && !html.contains("request-id"),
        "{html}"
    );

    let page = ErrorPage { cause: Some(HOSTILE), details: Some(HOSTILE), ..error() };
    let html = body(page.respond()).await;
    assert!(!html.contains("<script"), "{html}");
}

#[tokio::test]
async fn the_form_post_page_submits_itself_and_has_a_button_without_javascript() {
    let page = FormPostPage {
        language: Language::English,
        brand: Brand::default(),
        client_name: "Web demo",
        action: "https://app.example/callback?x=1&y=2",
        fields: &[("code", "vlt_ac_1"), ("state", "\"><script>")],
    };
    let response = page.respond();
    let policy = header(&response, "content-security-policy").to_owned();
    let html = body(response).await;
    assert_holds(
        &html,
        &[
            "<body data-page=\"form-post\">",
            "<form method=\"post\" action=\"https://app.example/callback?x=1&#38;y=2\"",
            "<input type=\"hidden\" name=\"code\" value=\"vlt_ac_1\">",
            "name=\"state\" value=\"&#34;&#62;&#60;script&#62;\">",
            "<noscript><button id=\"form-post-submit\"",
        ],
    );
    assert!(policy.contains("form-action 'self' https://app.example;"), "{policy}");

    let (_, rest) = html.split_once("<script>").unwrap();
    let (script, rest) = rest.split_once("</script>").unwrap();
    assert!(!rest.contains("<script"), "one script only");
    let hash = base64::engine::general_purpose::STANDARD.encode(sha256(script.as_bytes()));
    assert!(policy.contains(&format!("script-src 'sha256-{hash}';")), "{policy} {hash}");
}

/// SHA-256 as the TLS library offers it: tests need no further dependency for one hash.
fn sha256(bytes: &[u8]) -> Vec<u8> {
    let suite = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    suite.tls13().unwrap().common.hash_provider.hash(bytes).as_ref().to_vec()
}

#[tokio::test]
async fn the_landing_page_links_to_discovery_and_health() {
    let issuers = [Issuer { name: "Demo", url: "http://localhost:8080/t/demo" }];
    let html = body(
        HomePage { language: Language::English, brand: Brand::default(), issuers: &issuers }
            .respond(),
    )
    .await;
    assert_holds(
        &html,
        &[
            "<body data-page=\"home\">",
            "<code>http://localhost:8080/t/demo</code>",
            "href=\"http://localhost:8080/t/demo/.well-known/openid-configuration\"",
            "href=\"http://localhost:8080/t/demo/.well-known/jwks.json\"",
            "href=\"/health\"",
            "href=\"/health/ready\"",
        ],
    );
    let html = body(
        HomePage { language: Language::English, brand: Brand::default(), issuers: &[] }.respond(),
    )
    .await;
    assert_holds(&html, &["vaultara setup", "href=\"/health\""]);
}

#[test]
fn every_page_is_neither_cached_nor_framed_nor_a_referrer() {
    let form_post = FormPostPage {
        language: Language::English,
        brand: Brand::default(),
        client_name: "",
        action: "https://app.example/",
        fields: &[],
    };
    let pages = [
        login().respond(),
        error().respond(),
        form_post.respond(),
        HomePage { language: Language::English, brand: Brand::default(), issuers: &[] }.respond(),
    ];
    for page in pages {
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&page, "cache-control"), "no-store");
        assert_eq!(header(&page, "referrer-policy"), "no-referrer");
        assert_eq!(header(&page, "x-content-type-options"), "nosniff");
        assert_eq!(header(&page, "x-frame-options"), "DENY");
        let policy = header(&page, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{policy}");
        assert!(policy.ends_with("; frame-ancestors 'none'; base-uri 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn what_a_page_refers_to_is_served_for_ever_and_nothing_else() {
    let html = body(login().respond()).await;
    let paths: Vec<_> = html
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .filter(|path| path.starts_with("/assets/"))
        .collect();
    let brand = Brand { radius: 3, ..Brand::default() };
    let branded = body(LoginPage { brand, ..login() }.respond()).await;
    let own = branded.split("href=\"").find(|rest| rest.starts_with("/assets/brand/"));
    let own = own.unwrap().split('"').next().unwrap();
    assert_eq!(paths.len(), 2, "{paths:?}");
    let css = "text/css; charset=utf-8";
    for (path, content_type) in paths.into_iter().chain([own]).zip(["image/svg+xml", css, css]) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = routes::<()>().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, "content-type"), content_type);
        assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
        assert!(!body(response).await.is_empty());
    }
    for path in ["/assets/vaultara-0000000000000000.css", "/assets/brand/red-1.css"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = routes::<()>().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn the_stylesheet_needs_nothing_from_elsewhere() {
    let stylesheet = include_str!("../../../assets/vaultara.css");
    for forbidden in ["@import", "url(", "http:", "https:", "margin-left", "text-align: left"] {
        assert!(!stylesheet.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn every_page_speaks_the_language_it_is_given() {
    let issuers = [Issuer { name: "Demo", url: "http://localhost:8080" }];
    for language in Language::ALL {
        let fields = [("code", "vlt_ac_1")];
        let action = "https://app.example/callback";
        let problem = Some(LoginProblem::WrongCredentials);
        let pages = [
            (LoginPage { language, problem, ..login() }.respond(), "login-wrong"),
            (ErrorPage { language, ..error() }.respond(), "error-hint"),
            (
                HomePage { language, brand: Brand::default(), issuers: &issuers }.respond(),
                "home-lead",
            ),
            (
                FormPostPage {
                    language,
                    brand: Brand::default(),
                    client_name: "Web demo",
                    action,
                    fields: &fields,
                }
                .respond(),
                "return-submit",
            ),
        ];
        for (page, message) in pages {
            let html = body(page).await;
            let (tag, foot) = (language.tag(), language.say("page-foot"));
            let lang = format!("<html lang=\"{tag}\" dir=\"ltr\">");
            let text = language.say(message).replace('\'', "&#39;");
            assert_holds(&html, &[&lang, &foot, &text]);
        }
    }
}
