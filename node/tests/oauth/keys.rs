//! Rotation of signing keys, as clients and administrators see it.

use actors::{
    keys,
    tenants::{self, Address},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{
    id::TenantId,
    keys::{OVERLAP_MS, PUBLISHED_S_MIN},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{self, Answer, Content, TestNode, Visitor, login};

/// Some moment; nodes of these tests stand still until they are moved.
const NOW_MS: u64 = 1_790_000_000_000;
/// As long as caches may keep a key set.
const PUBLISHED_MS: u64 = PUBLISHED_S_MIN as u64 * 1000;

struct Node {
    node: TestNode,
    tenant: TenantId,
}

fn start() -> Node {
    let node = support::start_at(Content::Demo, NOW_MS);
    let address = Address::Slug(actors::demo::TENANT.to_owned());
    let tenant = tenants::find(&node.context.local().view().unwrap(), &address).unwrap();
    Node { node, tenant }
}

impl Node {
    fn pass_ms(&self, elapsed_ms: u64) {
        self.node.pass_ms(elapsed_ms);
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let token = format!("Bearer {}", self.node.admin_token().await);
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let url = self.node.at(&format!("/api/v1/tenants/{}{path}", self.tenant));
        Visitor::new().send(method, &url, &headers, body.map(Value::to_string)).await
    }

    /// Kid and state of every key of an algorithm.
    async fn keys(&self, algorithm: &str) -> Vec<(String, String)> {
        let answer = self.ask(Method::GET, "/keys", None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.body.contains("private") && !answer.body.contains("\"d\""), "{answer:?}");
        let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
        let items = answer.json()["items"].as_array().unwrap().clone();
        let mine = items.iter().filter(|key| key["algorithm"] == algorithm);
        mine.map(|key| (text(key, "kid"), text(key, "state"))).collect()
    }

    async fn kid(&self, algorithm: &str, state: &str) -> String {
        let keys = self.keys(algorithm).await;
        let mut found = keys.into_iter().filter(|(_, found)| found == state);
        let (kid, _) = found.next().unwrap_or_else(|| panic!("no {state} {algorithm} key"));
        assert!(found.next().is_none(), "two {state} {algorithm} keys");
        kid
    }

    async fn id_of(&self, kid: &str) -> String {
        let items = self.ask(Method::GET, "/keys", None).await.json()["items"].clone();
        let key = items.as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap().clone();
        key["id"].as_str().unwrap().to_owned()
    }

    async fn rotate(&self, body: &Value) -> Answer {
        self.ask(Method::POST, "/keys/rotate", Some(body)).await
    }

    async fn published(&self) -> Vec<String> {
        let set = Visitor::new().get(&self.node.demo_at("/.well-known/jwks.json")).await;
        // Otherwise a cache could miss the key that signs.
        assert_eq!(set.header("cache-control"), format!("public, max-age={PUBLISHED_S_MIN}"));
        let set = set.json();
        let keys = set["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    async fn counts(&self, token: &str) -> bool {
        let at_userinfo = login::userinfo(&self.node, token).await.status == 200;
        let introspected = login::introspect(&self.node, token).await.json()["active"] == true;
        assert_eq!(at_userinfo, introspected);
        introspected
    }
}

fn signed_by(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rotation_disturbs_nobody() {
    let here = start();
    let before = login::tokens(&here.node).await;
    let (access, id) = (before.text("access_token"), before.text("id_token"));
    here.pass_ms(PUBLISHED_MS);
    let next = here.kid("ES256", "pending").await;
    let published = here.published().await;
    assert!(published.contains(&next), "it is published before it signs");

    let rotated = here.rotate(&json!({})).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    assert!(rotated.header("vaultara-index").starts_with("s0."), "{rotated:?}");
    assert_eq!(here.kid("ES256", "active").await, next);
    assert_eq!(here.kid("ES256", "retiring").await, signed_by(&access));
    assert_eq!(here.kid("RS256", "retiring").await, signed_by(&id));
    let after = here.published().await;
    assert!(published.iter().all(|kid| after.contains(kid)), "everything stays published");
    assert!(after.contains(&here.kid("ES256", "pending").await));
    assert!(here.counts(&access).await, "what the old key signed counts");
    let fresh = login::tokens(&here.node).await;
    assert_eq!(signed_by(&fresh.text("access_token")), next);
    assert!(here.counts(&fresh.text("access_token")).await);

    let early = here.rotate(&json!({ "algorithm": "ES256" })).await;
    assert_eq!((early.status, early.json()["code"].as_str()), (422, Some("protected")));
    let absent = here.rotate(&json!({ "algorithm": "EdDSA" })).await;
    assert_eq!(absent.status, 404, "{absent:?}");
}

#[tokio::test]
async fn an_old_key_leaves_when_nothing_it_signed_can_live() {
    let here = start();
    here.pass_ms(PUBLISHED_MS);
    let old = here.kid("ES256", "active").await;
    assert_eq!(here.rotate(&json!({})).await.status, 200);
    here.pass_ms(OVERLAP_MS - 1);
    keys::keep(&here.node.context, here.tenant).await.unwrap();
    assert!(here.published().await.contains(&old));
    here.pass_ms(1);
    keys::keep(&here.node.context, here.tenant).await.unwrap();
    assert!(!here.published().await.contains(&old));
    assert_eq!(here.kid("ES256", "retired").await, old);
}

#[tokio::test]
async fn a_revoked_key_is_gone_at_once_and_with_it_what_it_signed() {
    let here = start();
    let token = login::tokens(&here.node).await.text("access_token");
    let (active, next) = (signed_by(&token), here.kid("ES256", "pending").await);
    let path = format!("/keys/{}/revoke", here.id_of(&active).await);
    let revoked = here.ask(Method::POST, &path, None).await;
    assert_eq!(revoked.status, 200, "an emergency waits for nothing: {revoked:?}");
    assert!(!here.published().await.contains(&active));
    assert!(!here.counts(&token).await);
    let fresh = login::tokens(&here.node).await.text("access_token");
    assert_eq!(signed_by(&fresh), next, "caches have the key that signs now");
    assert!(here.counts(&fresh).await);
    assert!(here.published().await.contains(&here.kid("ES256", "pending").await));
}

#[tokio::test]
async fn keys_rotate_by_themselves_when_they_are_old_enough() {
    let here = start();
    let old = here.kid("ES256", "active").await;
    let keep = || keys::keep(&here.node.context, here.tenant);
    here.pass_ms(90 * 86_400_000 - 1);
    keep().await.unwrap();
    assert_eq!(here.kid("ES256", "active").await, old);
    here.pass_ms(1);
    let (first, second) = tokio::join!(keep(), keep());
    first.unwrap();
    second.unwrap();
    assert_eq!(here.kid("ES256", "retiring").await, old, "once, however many looked");
    keep().await.unwrap();
    assert_eq!(here.keys("ES256").await.len(), 3);
}

#[tokio::test]
async fn of_many_rotations_at_once_one_wins() {
    let here = start();
    here.pass_ms(PUBLISHED_MS);
    let body = json!({ "algorithm": "ES256" });
    let answers = futures::future::join_all((0..16).map(|_| here.rotate(&body))).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    // Stale, or already looking at the new key, which is not old enough to be replaced.
    assert!(answers.iter().all(|answer| [200, 409, 422].contains(&answer.status)), "{answers:?}");
    assert_eq!(here.keys("ES256").await.len(), 3);
}
