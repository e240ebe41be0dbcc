//! The outside of a node over a real socket: health, errors, limits, headers, metrics.

// The exceptions for tests do not reach their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod outside;

use std::time::Duration;

use axum::{
    Router,
    http::{StatusCode, header},
    routing::{any, get as on_get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vaultara_node::{
    Limits,
    http::{
        error::{Class, Failure},
        extract::{Json, Parameters},
        health::{Condition, Reason},
        layer::Arrival,
    },
};

use crate::outside::{Answer, Client, bare, get, request, send_body, start};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
}

fn routes() -> Router {
    Router::new()
        .route("/api/things", post(|Json(thing): Json<Thing>| async move { axum::Json(thing) }))
        .route("/api/things/{id}", on_get(|| async { Failure::new(Class::STALE) }))
        .route(
            "/oauth/token",
            post(|parameters: Parameters| async move {
                parameters.required("grant_type").map(ToOwned::to_owned)
            }),
        )
        .route("/oauth/authorize", on_get(|| async { Failure::new(Class::INVALID_REQUEST) }))
        .route("/api/panic", any(|| async { panicking() }))
        .route("/oauth/panic", any(|| async { panicking() }))
        .route("/api/slow", on_get(std::future::pending::<()>))
        .route("/api/plain", on_get(|| async { (StatusCode::BAD_GATEWAY, "inner words") }))
        .route("/api/number/{id}", on_get(|_: axum::extract::Path<u8>| async {}))
        .route("/api/own", on_get(|| async { ([(header::CACHE_CONTROL, "max-age=60")], "x") }))
        .route("/api/who", on_get(|arrival: Arrival| async move { arrival.source().to_string() }))
}

fn panicking() -> StatusCode {
    panic!("a handler's bug")
}

fn assert_secured(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{answer:?}");
    }
    // Pages bring a policy of their own; whatever else is answered needs nothing at all.
    let page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let policy = answer.header("content-security-policy").unwrap_or_default();
    if page {
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{policy}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("script"),
            "{policy}"
        );
    } else {
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{answer:?}");
    }
    assert!(answer.header("cross-origin-opener-policy").is_some(), "{answer:?}");
    assert!(answer.header("cache-control").is_some(), "{answer:?}");
    assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("test-")), "{answer:?}");
}

#[tokio::test]
async fn health_answers_on_both_listeners() {
    let test = bare().await;
    let (public, management) = (test.node.address(), test.node.management_address().unwrap());
    for path in ["/health", "/health/live", "/health/ready", "/health/started"] {
        for address in [public, management] {
            let answer = get(address, path).await;
            assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("UP")), "{path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_secured(&answer);
            let head = request(address, "HEAD", path, "").await;
            assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        }
    }
    let aggregate = get(public, "/health").await.json();
    assert_eq!(aggregate["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(aggregate["checks"][1], json!({ "name": "ready", "status": "UP" }));
}

#[tokio::test]
async fn a_node_that_is_not_ready_says_why_to_operators_only() {
    let test = bare().await;
    let (public, management) = (test.node.address(), test.node.management_address().unwrap());
    let reason = Reason { check: "leader", detail: "no leader is known".to_owned() };
    test.condition.send_replace(Condition { unready: vec![reason], ..Condition::good() });
    for (path, status) in
        [("/health", 503), ("/health/ready", 503), ("/health/live", 200), ("/health/started", 200)]
    {
        assert_eq!(get(public, path).await.status, status, "{path}");
        assert!(!get(public, path).await.body.contains("no leader"), "{path}");
    }
    let detail = get(management, "/health/ready").await.json();
    let expected = json!([{ "name": "leader", "status": "DOWN", "detail": "no leader is known" }]);
    assert_eq!(detail["checks"], expected);

    test.condition.send_replace(Condition::default());
    assert_eq!(get(public, "/health/started").await.status, 503);
    assert_eq!(get(public, "/health/live").await.status, 200);

    let reason = Reason { check: "loop", detail: "stuck".to_owned() };
    test.condition.send_replace(Condition { unwell: vec![reason], ..Condition::good() });
    assert_eq!(get(public, "/health/live").await.status, 503);
    assert_eq!(get(public, "/health/ready").await.status, 503);
}

#[tokio::test]
async fn refusals_speak_the_dialect_of_their_family() {
    let test = start(routes(), Limits::default(), &[]).await;
    let address = test.node.address();

    let missing = get(address, "/api/absent").await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "not_found"));
    assert_eq!(missing.json()["type"], "/errors/not_found");
    assert_eq!(missing.json()["request_id"].as_str(), missing.header("x-request-id"));
    assert_secured(&missing);

    let oauth = get(address, "/oauth/absent").await;
    assert_eq!(oauth.status, 404);
    assert_eq!(oauth.header("content-type"), Some("application/json"));
    assert_eq!(oauth.json()["error"], "invalid_request");
    assert_secured(&oauth);

    let page = get(address, "/oauth/authorize").await;
    assert_eq!(page.status, 400);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.contains("id=\"error-code\">invalid_request<"), "{page:?}");
    assert_secured(&page);

    let stale = get(address, "/api/things/1").await;
    assert_eq!((stale.status, stale.code().as_str()), (412, "stale"));
    let head = request(address, "HEAD", "/api/absent", "").await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let test = start(routes(), Limits::default(), &[]).await;
    let answer = request(test.node.address(), "DELETE", "/health", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    assert_secured(&answer);
    let answer = get(test.node.address(), "/oauth/token").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert_eq!(answer.json()["error"], "invalid_request");
}

#[tokio::test]
async fn bodies_are_refused_with_the_reason_and_the_place() {
    let test = start(routes(), Limits::default(), &[]).await;
    let address = test.node.address();
    let json_body = "application/json; charset=utf-8";
    let good = send_body(address, "POST", "/api/things", json_body, r#"{"name":"x"}"#).await;
    assert_eq!((good.status, good.json()), (200, json!({ "name": "x" })));

    let answer = send_body(address, "POST", "/api/things", "text/plain", "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (415, "unsupported_media_type"));
    assert_eq!(answer.header("accept"), Some("application/json"));

    let answer = send_body(address, "POST", "/api/things", json_body, "{\"name\"").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"));
    let answer =
        send_body(address, "POST", "/api/things", json_body, r#"{"name":"x","b":1}"#).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/b");
    assert_secured(&answer);

    let form = "application/x-www-form-urlencoded";
    let answer = send_body(address, "POST", "/oauth/token", form, "grant_type=a").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "a"));
    for body in ["grant_type=a&grant_type=a", "", "grant_type=%FF"] {
        let answer = send_body(address, "POST", "/oauth/token", form, body).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_request")));
    }
    let answer = send_body(address, "POST", "/oauth/token", "application/json", "{}").await;
    assert_eq!((answer.status, &answer.json()["error"]), (415, &json!("invalid_request")));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_announced_or_not() {
    let test = start(routes(), Limits::default(), &[]).await;
    let address = test.node.address();
    let large = "x".repeat((1 << 20) + 1);
    let answer = send_body(address, "POST", "/api/things", "application/json", &large).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "payload_too_large"));
    assert_secured(&answer);

    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let rest =
        format!("content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    let answer = request(address, "POST", "/api/things", &rest).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "payload_too_large"));

    let form = "application/x-www-form-urlencoded";
    let answer = send_body(address, "POST", "/oauth/token", form, &large).await;
    assert_eq!((answer.status, &answer.json()["error"]), (413, &json!("invalid_request")));

    // A client that asks first need not send at all.
    let rest = "content-length: 99999999\r\nexpect: 100-continue\r\n\r\n";
    assert_eq!(request(address, "POST", "/api/things", rest).await.status, 413);
}

#[tokio::test]
async fn a_trickled_body_is_given_up() {
    let mut limits = Limits::default();
    limits.body.allowance = Duration::from_millis(50);
    let test = start(routes(), limits, &[]).await;
    let rest = "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"na";
    let answer = request(test.node.address(), "POST", "/api/things", rest).await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"));
}

#[tokio::test]
async fn a_panic_or_a_framework_error_does_not_leave_the_envelope() {
    let test = start(routes(), Limits::default(), &[]).await;
    let address = test.node.address();
    let answer = get(address, "/api/panic").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert!(!answer.body.contains("bug"), "{answer:?}");
    assert_secured(&answer);
    let answer = get(address, "/oauth/panic").await;
    assert_eq!((answer.status, &answer.json()["error"]), (500, &json!("server_error")));
    let answer = get(address, "/api/plain").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert!(!answer.body.contains("inner words"), "{answer:?}");
    let answer = get(address, "/api/number/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"));
    assert_eq!(get(address, "/health").await.status, 200, "the node lives on");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let limits = Limits { answer_max: Duration::from_millis(50), ..Limits::default() };
    let test = start(routes(), limits, &[]).await;
    let answer = get(test.node.address(), "/api/slow").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "timed_out"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_secured(&answer);
}

#[tokio::test]
async fn heads_have_limits() {
    let test = bare().await;
    let address = test.node.address();
    let long = format!("/{}", "a".repeat(8 << 10));
    let answer = get(address, &long).await;
    assert_eq!((answer.status, answer.code().as_str()), (414, "uri_too_long"));
    assert_secured(&answer);

    let large = format!("x-large: {}\r\n\r\n", "a".repeat(33 << 10));
    let answer = request(address, "GET", "/health", &large).await;
    assert_eq!((answer.status, answer.code().as_str()), (431, "headers_too_large"));
    assert_secured(&answer);

    let huge = format!("x-large: {}\r\n\r\n", "a".repeat(200 << 10));
    assert_eq!(request(address, "GET", "/health", &huge).await.status, 431);
    let many = format!("{}\r\n", "x-many: 1\r\n".repeat(101));
    assert_eq!(request(address, "GET", "/health", &many).await.status, 431);
    let fine = format!("{}\r\n", "x-many: 1\r\n".repeat(90));
    assert_eq!(request(address, "GET", "/health", &fine).await.status, 200);
}

#[tokio::test]
async fn ambiguous_requests_are_refused() {
    let test = start(routes(), Limits::default(), &[]).await;
    let address = test.node.address();
    for path in ["/api/../health", "/api/%2e%2e/health", "/api%2fthings", "/health;x=1", "//health"]
    {
        let answer = get(address, path).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{path}");
        assert_secured(&answer);
    }
    let answer = request(address, "GET", "/health", "host: other\r\n\r\n").await;
    assert_eq!(answer.status, 400, "two hosts");
    let mut client = Client::connect(address).await;
    client.send("GET /health HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.answer("GET").await.status, 400, "no host");
}

#[tokio::test]
async fn headers_follow_the_handler_and_the_external_url() {
    let secret = "0123456789abcdef0123456789abcdef";
    let settings = [
        ("JWT_SECRET", secret),
        ("EXTERNAL_URL", "https://id.example.com"),
        ("SERVER_HOST", "127.0.0.1"),
        ("TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let test = start(routes(), Limits::default(), &settings).await;
    let address = test.node.address();
    let answer = get(address, "/api/own").await;
    assert_eq!(answer.header("cache-control"), Some("max-age=60"));
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    assert_eq!(get(address, "/api/absent").await.header("cache-control"), Some("no-store"));

    let forwarded = "x-forwarded-for: 198.51.100.7\r\nx-request-id: from-proxy\r\n\r\n";
    let answer = request(address, "GET", "/api/who", forwarded).await;
    assert_eq!(answer.body, "198.51.100.7");
    assert_eq!(answer.header("x-request-id"), Some("from-proxy"));

    let test = start(routes(), Limits::default(), &[]).await;
    let answer = request(test.node.address(), "GET", "/api/who", forwarded).await;
    assert_eq!(answer.body, "127.0.0.1", "a stranger is not believed");
    assert_ne!(answer.header("x-request-id"), Some("from-proxy"));
    assert_eq!(answer.header("strict-transport-security"), None);
}

#[tokio::test]
async fn an_error_code_is_explained_where_its_type_points() {
    let test = bare().await;
    let answer = get(test.node.address(), "/errors/not_found").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("There is nothing at this address"), "{answer:?}");
    assert_eq!(get(test.node.address(), "/errors/no_such_code").await.status, 404);
}

#[tokio::test]
async fn metrics_name_routes_and_never_paths() {
    let test = start(routes(), Limits::default(), &[]).await;
    get(test.node.address(), "/api/number/7?token=marker-in-query").await;
    get(test.node.address(), "/marker-in-path").await;
    let answer = get(test.node.management_address().unwrap(), "/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
    let has = |start: &str| answer.body.lines().any(|line| line.starts_with(start));
    for line in [
        "# TYPE vaultara_http_requests_total counter",
        "vaultara_http_requests_total{route=\"/api/number/{id}\",method=\"GET\",status=\"200\"} ",
        "vaultara_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} ",
        "vaultara_http_request_duration_seconds_bucket{route=\"/api/number/{id}\",method=\"GET\",\
         le=\"0.0005\"} ",
        "vaultara_build_info{version=\"",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_cpu_seconds_total ",
    ] {
        assert!(has(line), "{line}\n{}", answer.body);
    }
    assert!(!answer.body.contains("marker"), "{}", answer.body);
    assert_eq!(get(test.node.address(), "/metrics").await.status, 404, "not for the public");
}

#[tokio::test]
async fn the_external_url_follows_a_port_that_the_system_chose() {
    let test = bare().await;
    let expected = format!("http://localhost:{}", test.node.address().port());
    assert_eq!(test.node.config().external_url.as_str(), expected);
}
