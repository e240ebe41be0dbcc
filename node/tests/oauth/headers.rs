//! Security headers on everything that leaves.

use reqwest::Method;

use crate::support::{
    self, Visitor,
    login::{self, Ask},
};

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let node = support::demo();
    let mut visitor = Visitor::new();
    let mut answers = Vec::new();
    let documents = ["/.well-known/openid-configuration", "/.well-known/jwks.json"];
    let paths = [
        "/",
        "/nothing-here",
        "/setup/status",
        "/t/demo/oauth/token",
        "/t/demo/oauth/userinfo",
        "/t/demo/oauth/introspect",
        "/t/demo/oauth/revoke",
        "/t/demo/oauth/authorize",
        "/t/demo/login",
        "/t/nobody/oauth/token",
        "/t/nobody/oauth/authorize",
        "/t/../x",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = visitor.send(method.clone(), &node.at(path), &[], None).await;
            answers.push((format!("{method} {path}"), answer, "no-store"));
        }
    }
    for path in documents {
        let answer = visitor.get(&node.demo_at(path)).await;
        answers.push((path.to_owned(), answer, "public, max-age=300"));
    }
    let ask = Ask::web(&node);
    answers.push(("login page".into(), login::open(&mut visitor, &ask).await, "no-store"));
    answers.push(("redirect".into(), login::alice(&ask).await, "no-store"));
    answers.push(("tokens".into(), login::tokens(&node).await, "no-store"));

    for (what, answer, cache) in answers {
        assert!(answer.status < 500, "{what}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
        assert_eq!(answer.header("cache-control"), cache, "{what}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{what}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{what}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert!(!policy.contains("unsafe"), "{what}: {policy}");
        assert!(!answer.header("x-request-id").is_empty(), "{what}");
        assert!(!answer.header("cross-origin-opener-policy").is_empty(), "{what}");
        assert_eq!(answer.header("server"), "", "{what}");
        assert_eq!(answer.header("strict-transport-security"), "", "{what}: plain http");
    }
}
