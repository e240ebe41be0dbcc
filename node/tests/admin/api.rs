//! Someone who holds a token and talks to the administration API.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actors::demo;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::{
    self, Answer, TestNode, Visitor,
    login::{Ask, VERIFIER, sign_in},
    visitor::basic,
};

const CLI: &str = "vaultara-cli";
const CLI_REDIRECT: &str = "http://127.0.0.1:4711/callback";

/// A caller of the API.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) node: Arc<TestNode>,
    http: Client,
    token: Option<String>,
}

impl Api {
    /// Nobody.
    pub(crate) fn anonymous() -> Self {
        let http = Client::builder().no_proxy().build().unwrap();
        Self { node: support::demo(), http, token: None }
    }

    /// The operator's service: everything everywhere.
    pub(crate) async fn platform() -> Self {
        let nobody = Self::anonymous();
        let token = nobody.node.admin_token().await;
        nobody.with_token(token)
    }

    /// The operator's service on a node of one's own.
    pub(crate) async fn on(node: TestNode) -> Self {
        let node = Arc::new(node);
        let http = Client::builder().no_proxy().build().unwrap();
        let token = node.admin_token().await;
        Self { node, http, token: Some(token) }
    }

    /// The operator's service with a token that opens less.
    pub(crate) async fn operator(scope: &str) -> Self {
        let nobody = Self::anonymous();
        let credentials = ("admin-demo", demo::ADMIN_SECRET);
        let token = nobody.service_token(&nobody.node.url, credentials, scope).await;
        nobody.with_token(token.unwrap())
    }

    /// `bob`, administrator of the tenant `demo` and of nothing else.
    pub(crate) async fn bob() -> Self {
        Self::person("bob", demo::ADMINISTRATOR_PASSWORD, "read write platform").await
    }

    /// `alice` of the tenant `demo`, who administers nothing.
    pub(crate) async fn alice() -> Self {
        Self::person("alice", demo::ALICE_PASSWORD, "read write platform").await
    }

    /// A person of the tenant `demo` at the command line client.
    pub(crate) async fn person(username: &str, password: &str, scope: &str) -> Self {
        let nobody = Self::anonymous();
        let api = nobody.node.at("/api");
        let ask = Ask::of(nobody.node.demo_at(""), CLI, CLI_REDIRECT)
            .with("scope", &format!("openid {scope}"))
            .with("resource", &api);
        let code = sign_in(&ask, (username, password)).await.sent_back("code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CLI_REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", CLI),
            ("resource", api.as_str()),
        ];
        let answer = Visitor::new().post(&nobody.node.demo_at("/oauth/token"), &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.text("access_token");
        nobody.with_token(token)
    }

    pub(crate) fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// A token for this API by client credentials; none if the client is refused.
    pub(crate) async fn service_token(
        &self,
        issuer: &str,
        (id, secret): (&str, &str),
        scope: &str,
    ) -> Option<String> {
        let api = self.node.at("/api");
        let form = [("grant_type", "client_credentials"), ("resource", &api), ("scope", scope)];
        let basic = basic(id, secret);
        let headers = [("authorization", basic.as_str())];
        let url = format!("{issuer}/oauth/token");
        let answer = Visitor::new().send_form(&url, &headers, &form).await;
        (answer.status == 200).then(|| answer.text("access_token"))
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = self.http.request(method, self.node.at(path));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    /// Opens a stream that goes on.
    pub(crate) async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let token = self.token.clone().unwrap_or_default();
        let mut request = self.http.get(self.node.at(path)).bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response
    }

    /// Sends JSON with the content type of the method, and further headers.
    pub(crate) async fn write(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let patch = method == Method::PATCH;
        let content_type = if patch { "application/merge-patch+json" } else { "application/json" };
        let mut all = vec![("content-type", content_type)];
        all.extend_from_slice(headers);
        self.send(method, path, &all, Some(body.to_string())).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::POST, path, &[], body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::PUT, path, &[], body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::PATCH, path, &[], body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// Makes something that must be made, and returns it.
    pub(crate) async fn made(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// Reads something that must be there.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The id of a tenant, by the operator.
    pub(crate) async fn tenant_id(&self, slug: &str) -> String {
        let path = format!("/api/v1/tenants?filter=slug%20eq%20%22{slug}%22");
        self.read(&path).await["items"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The id of the tenant `demo`; any caller may ask for it here.
    pub(crate) async fn demo_id(&self) -> String {
        Self::platform().await.tenant_id(demo::TENANT).await
    }

    /// The id of the default tenant; any caller may ask for it here.
    pub(crate) async fn tenant_of_operator(&self) -> String {
        Self::platform().await.tenant_id("default").await
    }

    /// Makes a tenant of one's own and returns the path of it.
    pub(crate) async fn own_tenant(&self) -> String {
        let body = json!({ "slug": unique("own"), "name": "Own" });
        let tenant = self.made("/api/v1/tenants", &body).await;
        format!("/api/v1/tenants/{}", tenant["id"].as_str().unwrap())
    }
}

/// A name that no other test of this process uses.
pub(crate) fn unique(start: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{start}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A user as it may be put.
pub(crate) fn user(username: &str) -> Value {
    json!({ "username": username, "email": format!("{username}@example.org") })
}

/// A confidential client as it may be put.
pub(crate) fn service(client_id: &str) -> Value {
    json!({
        "client_id": client_id, "name": "A service", "grant_types": ["client_credentials"],
        "scopes": ["read"],
    })
}

/// The id of a record.
pub(crate) fn id_of(record: &Value) -> &str {
    record["id"].as_str().unwrap()
}

/// Status and code of a problem document.
pub(crate) fn problem(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
    let document = answer.json();
    assert_eq!(document["status"], answer.status, "{answer:?}");
    assert_eq!(document["type"], format!("/errors/{}", document["code"].as_str().unwrap()));
    assert_eq!(document["request_id"], answer.header("x-request-id"), "{answer:?}");
    (answer.status, answer.text("code"))
}

/// The pointers of a problem document.
pub(crate) fn pointers(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}
