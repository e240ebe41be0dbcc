//! Clients with a key (DPoP, RFC 9449), as they and the thieves of their tokens see it.

use actors::demo::{ADMIN_SECRET, SERVICE_SECRET, WEB_SECRET};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, Ask, VERIFIER},
    prover::{self, Prover},
    visitor::basic,
};

const NATIVE: &str = "http://127.0.0.1:49998/callback";

/// Asks the demo tenant's token endpoint, with as many proofs as are given.
async fn ask(node: &TestNode, proofs: &[&str], form: &[(&str, &str)]) -> Answer {
    let headers: Vec<(&str, &str)> = proofs.iter().map(|proof| ("dpop", *proof)).collect();
    Visitor::new().send_form(&node.demo_at("/oauth/token"), &headers, form).await
}

fn refused(answer: &Answer) -> (u16, String) {
    assert!(!answer.body.contains("access_token"), "{answer:?}");
    answer.oauth_error()
}

fn no(error: &str) -> (u16, String) {
    (400, error.to_owned())
}

/// Asks for a token of `service-demo`.
async fn service(node: &TestNode, proofs: &[&str]) -> Answer {
    let authorization = basic("service-demo", SERVICE_SECRET);
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
    let form = [("grant_type", "client_credentials")];
    Visitor::new().send_form(&node.demo_at("/oauth/token"), &headers, &form).await
}

/// Tokens of the native client for `alice`, by a client with a key.
async fn native(node: &TestNode, key: &Prover) -> Answer {
    let code = native_code(node, "").await;
    let answer = redeem(node, &[&key.for_token(node)], &code).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn native_code(node: &TestNode, thumbprint: &str) -> String {
    let ask = Ask::of(node.demo_at(""), "native-demo", NATIVE).with("dpop_jkt", thumbprint);
    login::alice(&ask).await.sent_back("code").unwrap()
}

async fn redeem(node: &TestNode, proofs: &[&str], code: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "native-demo"),
        ("code", code),
        ("redirect_uri", NATIVE),
        ("code_verifier", VERIFIER),
    ];
    ask(node, proofs, &form).await
}

async fn refresh(node: &TestNode, proofs: &[&str], token: &str) -> Answer {
    let form =
        [("grant_type", "refresh_token"), ("client_id", "native-demo"), ("refresh_token", token)];
    ask(node, proofs, &form).await
}

fn challenge(answer: &Answer) -> &str {
    let challenge = answer.header("www-authenticate");
    let algs = "algs=\"ES256 RS256 PS256 EdDSA Ed25519\"";
    assert!(challenge.starts_with("DPoP ") && challenge.ends_with(algs), "{answer:?}");
    challenge
}

#[tokio::test]
async fn a_token_of_a_key_is_for_its_holder_alone() {
    let node = support::demo();
    let key = Prover::new(&node);
    let tokens = native(&node, &key).await;
    assert_eq!(tokens.json()["token_type"], "DPoP");
    let token = tokens.text("access_token");
    assert_eq!(login::claims(&token)["cnf"], json!({ "jkt": key.thumbprint }));
    assert!(login::claims(&tokens.text("id_token")).get("cnf").is_none());
    let live = login::introspect(&node, &token).await.json();
    assert_eq!(live["cnf"], json!({ "jkt": key.thumbprint }));
    assert_eq!((&live["active"], &live["token_type"]), (&json!(true), &json!("DPoP")));

    let url = node.demo_at("/oauth/userinfo");
    let beside = || key.beside(&node, "GET", &url, &token);
    let proof = beside();
    let answer = prover::userinfo(&node, "DPoP", &token, &[&proof]).await;
    assert_eq!((answer.status, answer.text("preferred_username").as_str()), (200, "alice"));
    assert_eq!(prover::userinfo(&node, "dpop", &token, &[&beside()]).await.status, 200);

    let again = prover::userinfo(&node, "DPoP", &token, &[&proof]).await;
    assert_eq!(refused(&again), (401, "invalid_dpop_proof".to_owned()));
    assert!(challenge(&again).contains("error=\"invalid_dpop_proof\""));
    // Whoever stole it has no key, or another.
    let fresh = beside();
    for proofs in [&[][..], &[fresh.as_str()]] {
        let stolen = prover::userinfo(&node, "Bearer", &token, proofs).await;
        assert_eq!(refused(&stolen), (401, "invalid_token".to_owned()));
        assert!(stolen.header("www-authenticate").starts_with("Bearer "), "{stolen:?}");
    }
    let form = [("access_token", token.as_str())];
    assert_eq!(Visitor::new().post(&url, &form).await.status, 401);
    let other = Prover::new(&node).beside(&node, "GET", &url, &token);
    let stolen = prover::userinfo(&node, "DPoP", &token, &[&other]).await;
    assert_eq!(refused(&stolen), (401, "invalid_token".to_owned()));
    assert!(challenge(&stolen).contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn a_bearer_token_does_not_pass_for_bound() {
    let node = support::demo();
    let key = Prover::new(&node);
    let tokens = login::tokens(&node).await;
    assert_eq!(tokens.json()["token_type"], "Bearer");
    let token = tokens.text("access_token");
    assert!(login::claims(&token).get("cnf").is_none());
    let live = login::introspect(&node, &token).await.json();
    assert_eq!((&live["token_type"], live.get("cnf")), (&json!("Bearer"), None));
    let proof = key.beside(&node, "GET", &node.demo_at("/oauth/userinfo"), &token);
    let bound = prover::userinfo(&node, "DPoP", &token, &[&proof]).await;
    assert_eq!(refused(&bound), (401, "invalid_token".to_owned()));
    assert_eq!(prover::userinfo(&node, "Bearer", &token, &[&proof]).await.status, 200);
}

#[tokio::test]
async fn every_proof_that_is_not_for_this_request_is_refused() {
    let node = support::demo();
    let key = Prover::new(&node);
    let claims = || key.claims(&node, "POST", &node.demo_at("/oauth/token"));
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        key.sign(&claims)
    };
    let now_s = node.context.now_ms() / 1000;
    let mut wrong: Vec<Vec<String>> = [
        with("htm", json!("GET")),
        with("htu", json!(node.at("/oauth/token"))),
        with("htu", json!(node.demo_at("/oauth/userinfo"))),
        with("iat", json!(now_s - 61)),
        with("iat", json!(now_s + 3600)),
        with("jti", json!("")),
        "a.b.c".to_owned(),
        "".to_owned(),
    ]
    .map(|proof| vec![proof])
    .into();
    wrong.push(vec![key.for_token(&node), key.for_token(&node)]);
    for proofs in wrong {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let answer = service(&node, &proofs).await;
        assert_eq!(refused(&answer), no("invalid_dpop_proof"), "{proofs:?}");
    }
    for fine in
        [with("htu", json!(format!("{}?x=1", node.demo_at("/oauth/token")))), with("exp", json!(1))]
    {
        assert_eq!(service(&node, &[&fine]).await.status, 200);
    }
    let proof = key.for_token(&node);
    assert_eq!(service(&node, &[&proof]).await.json()["token_type"], "DPoP");
    let again = service(&node, &[&proof]).await;
    assert_eq!(refused(&again), no("invalid_dpop_proof"));
    assert!(again.text("error_description").contains("used before"), "{again:?}");

    let (url, token) = (node.demo_at("/oauth/userinfo"), native(&node, &key).await);
    let token = token.text("access_token");
    let beside = key.beside(&node, "GET", &url, &token);
    let bare = key.sign(&key.claims(&node, "GET", &url));
    let other = key.beside(&node, "GET", &url, "another.access.token");
    let post = key.beside(&node, "POST", &url, &token);
    let elsewhere = key.beside(&node, "GET", &node.at("/oauth/userinfo"), &token);
    let wrong: [&[&str]; 6] =
        [&[], &[&bare], &[&other], &[&post], &[&elsewhere], &[&beside, &beside]];
    for proofs in wrong {
        let answer = prover::userinfo(&node, "DPoP", &token, proofs).await;
        assert_eq!(refused(&answer), (401, "invalid_dpop_proof".to_owned()), "{proofs:?}");
        assert!(challenge(&answer).contains("error=\"invalid_dpop_proof\""));
    }
    assert_eq!(prover::userinfo(&node, "DPoP", &token, &[&beside]).await.status, 200);
}

#[tokio::test]
async fn a_stolen_refresh_token_is_worth_nothing_without_the_key() {
    let node = support::demo();
    let (key, thief) = (Prover::new(&node), Prover::new(&node));
    let token = native(&node, &key).await.text("refresh_token");
    assert_eq!(refused(&refresh(&node, &[], &token).await), no("invalid_dpop_proof"));
    let stolen = refresh(&node, &[&thief.for_token(&node)], &token).await;
    assert_eq!(refused(&stolen), no("invalid_grant"));

    let second = refresh(&node, &[&key.for_token(&node)], &token).await;
    assert_eq!((second.status, &second.json()["token_type"]), (200, &json!("DPoP")));
    let access = second.text("access_token");
    assert_eq!(login::claims(&access)["cnf"], json!({ "jkt": key.thumbprint }));
    // An answer that was lost is asked for again, with a new proof.
    let again = refresh(&node, &[&key.for_token(&node)], &token).await;
    assert_eq!(again.text("refresh_token"), second.text("refresh_token"));
    let stolen = refresh(&node, &[&thief.for_token(&node)], &token).await;
    assert_eq!(refused(&stolen), no("invalid_grant"));
    let third = refresh(&node, &[&key.for_token(&node)], &second.text("refresh_token")).await;
    assert_eq!(third.status, 200, "the family lives: {third:?}");
}

#[tokio::test]
async fn a_client_with_a_secret_may_change_its_key() {
    let node = support::demo();
    let ask_web = |grant: &'static str, name: &'static str, value: String| {
        let node = &node;
        async move {
            let proof = Prover::new(node).for_token(node);
            let form = [
                ("grant_type", grant),
                (name, value.as_str()),
                ("redirect_uri", login::WEB_REDIRECT),
                ("code_verifier", VERIFIER),
                ("client_id", "web-demo"),
                ("client_secret", WEB_SECRET),
            ];
            ask(node, &[&proof], &form).await
        }
    };
    let code = login::alice(&Ask::web(&node)).await.sent_back("code").unwrap();
    let first = ask_web("authorization_code", "code", code).await;
    assert_eq!(first.status, 200, "{first:?}");
    let second = ask_web("refresh_token", "refresh_token", first.text("refresh_token")).await;
    assert_eq!((second.status, &second.json()["token_type"]), (200, &json!("DPoP")));
    let jkt = |answer: &Answer| login::claims(&answer.text("access_token"))["cnf"]["jkt"].clone();
    assert_ne!(jkt(&first), jkt(&second));
}

#[tokio::test]
async fn a_code_of_an_announced_key_is_for_that_key() {
    let node = support::demo();
    let (key, thief) = (Prover::new(&node), Prover::new(&node));
    let code = native_code(&node, &key.thumbprint).await;
    assert_eq!(refused(&redeem(&node, &[], &code).await), no("invalid_dpop_proof"));
    let stolen = redeem(&node, &[&thief.for_token(&node)], &code).await;
    assert_eq!(refused(&stolen), no("invalid_grant"));
    let answer = redeem(&node, &[&key.for_token(&node)], &code).await;
    assert_eq!((answer.status, &answer.json()["token_type"]), (200, &json!("DPoP")));

    // Also of somebody who is signed in already.
    let ask = Ask::of(node.demo_at(""), "native-demo", NATIVE);
    let (mut visitor, _) = login::alice_stays(&ask).await;
    let ask = ask.with("dpop_jkt", &key.thumbprint);
    let code = visitor.get(&ask.url()).await.sent_back("code").unwrap();
    assert_eq!(refused(&redeem(&node, &[], &code).await), no("invalid_dpop_proof"));
    assert_eq!(redeem(&node, &[&key.for_token(&node)], &code).await.status, 200);

    let refused = visitor.get(&ask.with("dpop_jkt", "short").url()).await;
    assert_eq!(refused.sent_back("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn the_administration_api_takes_bound_tokens_with_their_key() {
    let node = support::demo();
    let key = Prover::new(&node);
    let api = node.at("/api");
    let form = [
        ("grant_type", "client_credentials"),
        ("resource", api.as_str()),
        ("scope", "read write platform"),
    ];
    let authorization = basic("admin-demo", ADMIN_SECRET);
    let proof = key.sign(&key.claims(&node, "POST", &node.at("/oauth/token")));
    let headers = [("authorization", authorization.as_str()), ("dpop", proof.as_str())];
    let answer = Visitor::new().send_form(&node.at("/oauth/token"), &headers, &form).await;
    assert_eq!(answer.json()["token_type"], "DPoP", "{answer:?}");
    let token = answer.text("access_token");

    let url = node.at("/api/v1/tenants");
    let ask = async |scheme: &str, token: &str, proof: Option<&str>| {
        let authorization = format!("{scheme} {token}");
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(proof.map(|proof| ("dpop", proof)));
        let address = format!("{url}?limit=1");
        Visitor::new().send(Method::GET, &address, &headers, None).await
    };
    let beside = key.beside(&node, "GET", &url, &token);
    assert_eq!(ask("DPoP", &token, Some(&beside)).await.status, 200);
    for (scheme, proof, code) in [
        ("DPoP", Some(beside.as_str()), "invalid_dpop_proof"),
        ("DPoP", None, "invalid_dpop_proof"),
        ("Bearer", None, "invalid_token"),
        ("Bearer", Some(&key.beside(&node, "GET", &url, &token)), "invalid_token"),
    ] {
        let answer = ask(scheme, &token, proof).await;
        assert_eq!((answer.status, answer.text("code").as_str()), (401, code), "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.header("www-authenticate").starts_with(scheme), "{answer:?}");
    }
    let bearer = node.admin_token().await;
    let proof = key.beside(&node, "GET", &url, &bearer);
    let unbound = ask("DPoP", &bearer, Some(&proof)).await;
    assert_eq!((unbound.status, unbound.text("code").as_str()), (401, "invalid_token"));
}

#[tokio::test]
async fn metadata_and_challenges_say_so() {
    let node = support::demo();
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let metadata = Visitor::new().get(&node.demo_at(path)).await.json();
        let algorithms = json!(["ES256", "RS256", "PS256", "EdDSA", "Ed25519"]);
        assert_eq!(metadata["dpop_signing_alg_values_supported"], algorithms);
    }
    let none = Visitor::new().get(&node.demo_at("/oauth/userinfo")).await;
    let challenges = none.headers.get_all("www-authenticate").iter();
    let challenges: Vec<&str> = challenges.map(|value| value.to_str().unwrap()).collect();
    assert_eq!(challenges[0], "Bearer realm=\"vaultara\"");
    assert_eq!(challenges.len(), 2);
    assert!(challenges[1].starts_with("DPoP ") && !challenges[1].contains("error"));
}

#[tokio::test]
async fn a_proof_is_not_used_up_by_a_request_that_a_limit_refuses() {
    let node = support::start_at(Content::Demo, 1_790_000_000_000);
    let key = Prover::new(&node);
    let token = native(&node, &key).await.text("access_token");
    let limits = json!({ "user": { "per_s": 1, "burst": 1 } });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let put = http.put(node.at("/api/v1/admin/rate-limits")).json(&limits);
    let put = put.bearer_auth(node.admin_token().await).send().await.unwrap();
    assert_eq!(put.status().as_u16(), 200);

    let url = node.demo_at("/oauth/userinfo");
    let (first, second) =
        (key.beside(&node, "GET", &url, &token), key.beside(&node, "GET", &url, &token));
    let ask = async |proof: &str| prover::userinfo(&node, "DPoP", &token, &[proof]).await.status;
    assert_eq!((ask(&first).await, ask(&second).await), (200, 429));
    node.pass_ms(2_000);
    assert_eq!(ask(&second).await, 200, "it may be shown again");
    node.pass_ms(2_000);
    assert_eq!(ask(&second).await, 401, "and then never more");
}
