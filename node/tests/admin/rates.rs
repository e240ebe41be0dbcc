//! Rates: set by the platform, obeyed at once, and never one tenant's at the cost of another.

use actors::demo;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    api::{Api, pointers, problem},
    support::{self, Content, TestNode, visitor::basic},
};

/// A node whose clock stands still: what a bucket holds comes in, and not one more.
struct Still {
    node: TestNode,
    http: Client,
    token: String,
}

impl Still {
    async fn start() -> Self {
        let node = support::start_at(Content::Demo, 1_790_000_000_000);
        let token = node.admin_token().await;
        Self { node, http: Client::builder().no_proxy().build().unwrap(), token }
    }

    async fn put(&self, path: &str, body: &Value) {
        let request = self.http.request(Method::PUT, self.node.at(path));
        let answer = request.bearer_auth(&self.token).json(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{:?}", answer.text().await);
    }

    /// How many of so many token requests at once were answered, and one refusal.
    async fn ask(&self, issuer: &str, many: usize) -> (usize, Option<reqwest::Response>) {
        let service = basic("service-demo", demo::SERVICE_SECRET);
        let admin = basic("admin-demo", demo::ADMIN_SECRET);
        let credentials = if issuer.contains("/t/") { service } else { admin };
        let ask = |_| {
            let request = self.http.post(format!("{issuer}/oauth/token"));
            let request = request.header("authorization", &credentials);
            request.form(&[("grant_type", "client_credentials")]).send()
        };
        let answers = futures::future::join_all((0..many).map(ask)).await;
        let answers = answers.into_iter().map(Result::unwrap);
        let (good, mut refused): (Vec<_>, Vec<_>) =
            answers.partition(|answer| answer.status() == 200);
        assert!(refused.iter().all(|answer| answer.status() == 429), "{refused:?}");
        (good.len(), refused.pop())
    }
}

#[tokio::test]
async fn a_flooded_tenant_takes_nothing_from_another() {
    let still = Still::start().await;
    let limits = json!({ "tenant": { "per_s": 10, "burst": 50 } });
    still.put("/api/v1/admin/rate-limits", &limits).await;
    let (flooded, other) = (still.node.demo_at(""), still.node.url.clone());
    let ((let_in, refused), (others, _)) =
        tokio::join!(still.ask(&flooded, 300), still.ask(&other, 40));
    assert_eq!((let_in, others), (50, 40));

    let refused = refused.unwrap();
    let header = |name: &str| refused.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("retry-after"), "1");
    assert_eq!(header("ratelimit"), "\"tenant\";r=0;t=1");
    assert_eq!(header("ratelimit-policy"), "\"tenant\";q=50;w=5");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error"], "slow_down", "{body}");

    // Whoever is let in is told what is left, and where nothing is counted nothing is said.
    let own =
        json!({ "source": { "per_s": 5, "burst": 20 }, "tenant": { "per_s": 100, "burst": 200 } });
    still.put("/api/v1/tenants/demo/rate-limits", &own).await;
    let told = async |path: &str| {
        let answer = still.http.get(still.node.demo_at(path)).send().await.unwrap();
        let header =
            |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (header("ratelimit"), header("ratelimit-policy"))
    };
    let (left, policy) = told("/oauth/authorize").await;
    assert_eq!(left.as_deref(), Some("\"source\";r=19;t=1, \"tenant\";r=199;t=1"));
    assert_eq!(policy.as_deref(), Some("\"source\";q=20;w=4, \"tenant\";q=200;w=2"));
    assert_eq!(
        told("/oauth/authorize").await.0.unwrap(),
        "\"source\";r=18;t=1, \"tenant\";r=198;t=1"
    );
    assert_eq!(told("/.well-known/jwks.json").await, (None, None));
    still.put("/api/v1/tenants/demo/rate-limits", &limits).await;

    // A person is told in a page, and a limit of its own replaces the cluster's.
    let login = still.http.get(still.node.demo_at("/oauth/authorize")).send().await.unwrap();
    assert_eq!(login.status().as_u16(), 429);
    let page = login.text().await.unwrap();
    assert!(page.contains("data-page=\"error\"") && page.contains("rate_limited"), "{page}");
    let own = json!({ "tenant": { "per_s": 100, "burst": 200 } });
    still.put("/api/v1/tenants/demo/rate-limits", &own).await;
    assert_eq!(still.ask(&flooded, 100).await.0, 100);
}

#[tokio::test]
async fn clients_users_and_sources_have_limits_of_their_own() {
    let still = Still::start().await;
    let demo = still.node.demo_at("");
    let path = "/api/v1/tenants/demo/rate-limits";
    still.put(path, &json!({ "client": { "per_s": 1, "burst": 7 } })).await;
    let (let_in, refused) = still.ask(&demo, 20).await;
    assert_eq!(let_in, 7);
    let policy = refused.unwrap().headers()["ratelimit-policy"].to_str().unwrap().to_owned();
    assert_eq!(policy, "\"client\";q=7;w=7");
    // Whoever did not prove to be the client takes nothing from it.
    still.put(path, &json!({ "client": { "per_s": 2, "burst": 9 } })).await;
    let forged = basic("service-demo", "a guess");
    for _ in 0..20 {
        let request = still.http.post(format!("{demo}/oauth/token"));
        let request = request.header("authorization", &forged);
        let answer = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401);
    }
    still.put(path, &json!({ "source": { "per_s": 1, "burst": 5 } })).await;
    let (let_in, refused) = still.ask(&demo, 20).await;
    assert_eq!(let_in, 5);
    assert!(refused.unwrap().headers()["ratelimit"].to_str().unwrap().starts_with("\"source\""));
    // The operator's own tenant is another one.
    assert_eq!(still.ask(&still.node.url, 20).await.0, 20);
    still.put(path, &json!({})).await;
    assert_eq!(still.ask(&demo, 20).await.0, 20);
}

#[tokio::test]
async fn the_api_is_limited_too_and_says_so_in_a_problem_document() {
    let still = Still::start().await;
    let limits = json!({ "client": { "per_s": 1, "burst": 3 } });
    still.put("/api/v1/admin/rate-limits", &limits).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let request = still.http.get(still.node.at("/api/v1/tenants/demo/users"));
        let answer = request.bearer_auth(&still.token).send().await.unwrap();
        statuses.push(answer.status().as_u16());
        if answer.status() == 429 {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["code"], "rate_limited", "{problem}");
        }
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[tokio::test]
async fn limits_are_read_by_the_tenant_and_set_by_the_platform() {
    let (platform, bob) = (Api::platform().await, Api::bob().await);
    let path = format!("{}/rate-limits", platform.own_tenant().await);
    let none = platform.get(&path).await;
    assert_eq!((none.status, none.header("etag")), (200, "\"0\""), "{none:?}");
    let body = json!({ "user": { "per_s": 1000, "burst": 5000 } });
    let headers = [("if-match", "\"0\""), ("idempotency-key", "rates-1")];
    let set = platform.write(Method::PUT, &path, &headers, &body).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"1\""), "{set:?}");
    let shown = json!({
        "source": null, "client": null, "tenant": null, "revision": 1,
        "user": { "per_s": 1000, "burst": 5000 },
    });
    assert_eq!((set.json(), platform.read(&path).await), (shown.clone(), shown));
    let again = platform.write(Method::PUT, &path, &headers, &body).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"), "{again:?}");
    let stale = platform.write(Method::PUT, &path, &[("if-match", "\"0\"")], &body).await;
    assert_eq!(problem(&stale), (412, "stale".into()));
    for (body, status, pointer) in [
        (json!({ "user": { "per_s": 0, "burst": 1 } }), 422, "/user/per_s"),
        (json!({ "source": { "per_s": 1, "burst": 0 } }), 422, "/source/burst"),
        (json!({ "tenant": { "per_s": 100_001, "burst": 1 } }), 422, "/tenant/per_s"),
        (json!({ "client": { "per_s": 1, "burst": 1_000_001 } }), 422, "/client/burst"),
        (json!({ "client": { "per_s": 1 } }), 400, "/client/burst"),
        (json!({ "everybody": null }), 400, "/everybody"),
    ] {
        let refused = platform.put(&path, &body).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec![pointer.into()]), "{body}");
    }
    let theirs = format!("/api/v1/tenants/{}/rate-limits", bob.demo_id().await);
    assert_eq!(bob.get(&theirs).await.status, 200);
    assert_eq!(problem(&bob.put(&theirs, &json!({})).await), (403, "denied".into()));
}
