//! Metadata and keys.

use actors::{
    Asker,
    tenants::{self, NewTenant},
};
use identity::{command::Command, keys, stamp::Placement};
use serde_json::Value;

use crate::support::{self, Answer, Visitor, visitor::basic};

async fn json(url: &str) -> Value {
    let answer = Visitor::new().get(url).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    answer.json()
}

#[tokio::test]
async fn metadata_is_the_same_in_both_path_styles() {
    let node = support::demo();
    for (name, kind) in [("openid-configuration", "oidc"), ("oauth-authorization-server", "oauth")]
    {
        let appended = json(&node.demo_at(&format!("/.well-known/{name}"))).await;
        let inserted = json(&node.at(&format!("/.well-known/{name}/t/demo"))).await;
        assert_eq!(appended, inserted);
        assert_eq!(appended["issuer"], node.demo_at(""));
        assert_eq!(appended["token_endpoint"], node.demo_at("/oauth/token"));
        assert_eq!(appended["jwks_uri"], node.demo_at("/.well-known/jwks.json"));
        assert_eq!(appended["authorization_response_iss_parameter_supported"], true);
        assert_eq!(appended.get("userinfo_endpoint").is_some(), kind == "oidc");
    }
}

#[tokio::test]
async fn the_root_belongs_to_the_default_tenant() {
    let node = support::demo();
    let root = json(&node.at("/.well-known/openid-configuration")).await;
    assert_eq!(root["issuer"], node.url);
    let by_slug = json(&node.at("/t/default/.well-known/openid-configuration")).await;
    assert_eq!(by_slug, root);
    let keys = json(&node.at("/.well-known/jwks.json")).await;
    assert_ne!(keys, json(&node.demo_at("/.well-known/jwks.json")).await);
}

#[tokio::test]
async fn every_advertised_endpoint_is_there() {
    let node = support::demo();
    let metadata = json(&node.demo_at("/.well-known/openid-configuration")).await;
    let endpoints = metadata.as_object().unwrap().iter();
    let mut found = 0;
    for (name, url) in endpoints.filter(|(name, _)| name.ends_with("_endpoint")) {
        let answer = Visitor::new().get(url.as_str().unwrap()).await;
        assert_ne!(answer.status, 404, "{name}");
        found += 1;
    }
    assert_eq!(found, 6);
}

#[tokio::test]
async fn keys_are_public_named_and_each_for_one_algorithm() {
    let node = support::demo();
    let keys = json(&node.demo_at("/.well-known/jwks.json")).await;
    let keys = keys["keys"].as_array().unwrap();
    assert!(keys.len() >= 2, "an active and a pending key: {keys:?}");
    let mut names = Vec::new();
    for key in keys {
        let members = key.as_object().unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "x5c", "x5u", "jku"] {
            assert!(!members.contains_key(private), "{private}");
        }
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string() && key["kty"].is_string());
        names.push(key["kid"].as_str().unwrap());
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), keys.len());
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_has_no_documents() {
    let node = support::demo();
    for path in [
        "/t/nobody/.well-known/openid-configuration",
        "/t/nobody/.well-known/jwks.json",
        "/.well-known/openid-configuration/t/nobody",
        "/t/Demo/.well-known/jwks.json",
        "/t/dem%C3%B6/.well-known/jwks.json",
        "/t/%FF/.well-known/jwks.json",
    ] {
        let answer = Visitor::new().get(&node.at(path)).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert_eq!(answer.text("code"), "not_found");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "a page may say why");
    }
    let token = Visitor::new().post(&node.at("/t/nobody/oauth/token"), &[("a", "b")]).await;
    assert_eq!(token.oauth_error().0, 404);
    let page = Visitor::new().get(&node.at("/t/nobody/oauth/authorize")).await;
    assert_eq!((page.status, page.page()), (404, "error"));
}

async fn key_count(answer: &Answer) -> usize {
    answer.json()["keys"].as_array().unwrap().len()
}

#[tokio::test]
async fn documents_follow_the_tenant_at_once() {
    let node = support::demo();
    let ctx = &node.context;
    let (slug, name) = ("fleeting".into(), "Fleeting".into());
    let new = NewTenant { slug, name, lifetimes: None, refresh: None, key_rotation_s: None };
    let url = node.at("/t/fleeting/.well-known/jwks.json");
    let metadata = node.at("/t/fleeting/.well-known/openid-configuration");
    let mut visitor = Visitor::new();
    assert_eq!(visitor.get(&url).await.status, 404);

    let (tenant, _) = tenants::create(ctx, &Asker::system(), new).await.unwrap();
    let before = visitor.get(&url).await;
    assert_eq!(before.status, 200);
    assert_eq!(visitor.get(&metadata).await.status, 200);

    let seeds = tenants::key_pair(ctx, tenant, keys::Algorithm::EdDsa).await.unwrap();
    let command = Command::Keys(keys::Command::Introduce(seeds));
    ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await.unwrap();
    let after = visitor.get(&url).await;
    assert_eq!(key_count(&after).await, key_count(&before).await + 2);

    tenants::delete(ctx, &Asker::system(), tenant).await.unwrap();
    assert_eq!(visitor.get(&url).await.status, 404);
    assert_eq!(visitor.get(&metadata).await.status, 404);
    let authorization = basic("vaultara-cli", "x");
    let headers = [("authorization", authorization.as_str())];
    let token = node.at("/t/fleeting/oauth/token");
    assert_eq!(visitor.send_form(&token, &headers, &[]).await.status, 404);
}
