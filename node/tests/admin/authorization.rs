//! Every route of the description × everybody who may not, and every id × somebody else's.

use reqwest::Method;
use serde_json::{Value, json};
use vaultara_node::openapi;

use crate::{
    api::{Api, id_of, problem, service, unique, user},
    licenses,
    sessions::Place,
    support::Answer,
};

const RANDOM_ID: &str = "0198a000-0000-7000-8000-00000000abcd";

/// One operation of the description.
#[derive(Debug)]
struct Operation {
    method: Method,
    path: String,
    /// Only the operator's principals can hold its permission.
    of_platform: bool,
}

impl Operation {
    /// The path with its names replaced.
    fn at(&self, tenant: &str, id: &str) -> String {
        let path = self.path.replace("{tenant_id}", tenant).replace("{id}", id);
        path.replace("{resource}", "users").replace("{feature}", "saml")
    }

    fn has(&self, name: &str) -> bool {
        self.path.contains(&format!("{{{name}}}"))
    }

    fn reads(&self) -> bool {
        self.method == Method::GET
    }

    /// Sends it as it should be, whoever asks.
    async fn send(&self, api: &Api, path: &str, body: &Value) -> Answer {
        if self.reads() {
            return api.get(path).await;
        }
        let (method, lines) = (self.method.clone(), self.path.ends_with("/import"));
        match lines {
            true => {
                let headers = [("content-type", "application/x-ndjson")];
                api.send(method, path, &headers, Some(body.to_string())).await
            }
            false => api.write(method, path, &[], body).await,
        }
    }

    /// The resource whose id is in the path, else the last one named there.
    fn resource(&self) -> &str {
        let verbless = self
            .path
            .trim_end_matches("/rotate")
            .trim_end_matches("/import")
            .trim_end_matches("/generate");
        let verbless = verbless.split("/limits/").next().unwrap();
        let verbless = verbless.split("/features/").next().unwrap();
        let of_id = verbless.split("/{id}").next().unwrap();
        of_id.rsplit('/').next().unwrap()
    }

    /// A body that would be accepted.
    fn body(&self, name: &str) -> Value {
        if self.path.ends_with("/consent-rules") {
            return json!({ "required": true });
        }
        if self.path.ends_with("/secret") {
            return json!({ "overlap_s": 60 });
        }
        if self.path.ends_with("/logout-rules") {
            return json!({ "backchannel_logout_uri": "https://app.example/back" });
        }
        self.whole(name)
    }

    /// A body that would make one of the resource.
    fn whole(&self, name: &str) -> Value {
        match self.resource() {
            "tenants" => json!({ "slug": name, "name": name }),
            "users" => user(name),
            "keys" => json!({}),
            "client-scopes" => json!({ "name": name }),
            "session-rules" => json!({ "idle_s": 7200, "per_user_max": 200 }),
            "password-rules" => json!({ "length_min": 15 }),
            "profile-rules" => json!({ "editable": ["name"] }),
            "license" => json!({ "key": "vlt_lic_1.e30.AA" }),
            "licenses" => json!({ "tier": "enterprise", "holder": name }),
            "rate-limits" => json!({}),
            _ => service(name),
        }
    }
}

/// All of them, so that a new route is tested without being named here.
fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let description = operation["description"].as_str().unwrap();
            operations.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                of_platform: description.contains("held by the platform only"),
            });
        }
    }
    assert!(operations.len() >= 29, "the description was read");
    operations
}

/// A refusal without what differs from request to request.
fn shape(answer: &Answer) -> (u16, Value) {
    let mut document = answer.json();
    document["request_id"] = Value::Null;
    (answer.status, document)
}

/// A body that would be refused: whoever may not ask must not learn that.
async fn ask(api: &Api, operation: &Operation, path: &str) -> Answer {
    let body = (!operation.reads()).then(|| "not even JSON".to_owned());
    api.send(operation.method.clone(), path, &[], body).await
}

#[tokio::test]
async fn nobody_gets_in_without_a_token_that_counts() {
    let nobody = Api::anonymous();
    let demo = nobody.demo_id().await;
    let for_userinfo = nobody.with_token(nobody.node.service_token().await);
    let garbage = nobody.with_token("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.");
    for operation in operations() {
        let path = operation.at(&demo, RANDOM_ID);
        let missing = ask(&nobody, &operation, &path).await;
        assert_eq!(problem(&missing), (401, "invalid_token".into()), "{operation:?}");
        let challenge = missing.header("www-authenticate");
        assert!(challenge.starts_with("Bearer") && !challenge.contains("error"), "{challenge}");
        for api in [&garbage, &for_userinfo] {
            let refused = ask(api, &operation, &path).await;
            assert_eq!(problem(&refused), (401, "invalid_token".into()), "{operation:?}");
            assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
        }
    }
}

#[tokio::test]
async fn whoever_lacks_the_permission_is_refused_before_the_body_is_read() {
    let (alice, bob) = (Api::alice().await, Api::bob().await);
    let reader = Api::person("bob", actors::demo::ADMINISTRATOR_PASSWORD, "read").await;
    let demo = alice.demo_id().await;
    for operation in operations() {
        let id = if operation.of_platform { demo.as_str() } else { RANDOM_ID };
        let path = operation.at(&demo, id);
        let by_alice = ask(&alice, &operation, &path).await;
        assert_eq!(problem(&by_alice), (403, "denied".into()), "{operation:?}");
        if operation.of_platform {
            let by_bob = ask(&bob, &operation, &path).await;
            assert_eq!(problem(&by_bob), (403, "denied".into()), "{operation:?}");
        }
        if !operation.reads() {
            let by_reader = ask(&reader, &operation, &path).await;
            assert_eq!(problem(&by_reader), (403, "denied".into()), "{operation:?}");
        }
    }
}

#[tokio::test]
async fn the_operator_needs_the_platform_scope_outside_its_own_tenant() {
    let operator = Api::operator("read write").await;
    let (demo, default) = (operator.demo_id().await, operator.tenant_of_operator().await);
    for operation in operations() {
        if operation.of_platform {
            let path = operation.at(&default, &default);
            let refused = ask(&operator, &operation, &path).await;
            assert_eq!(problem(&refused), (403, "denied".into()), "{operation:?}");
        } else {
            let foreign = ask(&operator, &operation, &operation.at(&demo, RANDOM_ID)).await;
            assert_eq!(problem(&foreign), (404, "not_found".into()), "{operation:?}");
        }
    }
    let own = operator.get(&format!("/api/v1/tenants/{default}/users")).await;
    assert_eq!(own.status, 200, "{own:?}");
}

#[tokio::test]
async fn a_foreign_id_is_answered_like_a_random_one_and_nothing_changes() {
    let (bob, platform) = (Api::bob().await, Api::platform().await);
    let demo = platform.tenant_id(actors::demo::TENANT).await;
    let theirs = platform.own_tenant().await;
    let theirs_id = theirs.rsplit('/').next().unwrap().to_owned();
    let name = unique("theirs");
    let foreign_user = platform.made(&format!("{theirs}/users"), &user(&name)).await;
    let foreign_client = platform.made(&format!("{theirs}/clients"), &service(&name)).await;
    let scope = json!({ "name": "orders" });
    let foreign_scope = platform.made(&format!("{theirs}/client-scopes"), &scope).await;
    let foreign_keys = platform.read(&format!("{theirs}/keys")).await;
    let place = Place::of(theirs.clone()).await;
    let signed_in = place.someone(&platform).await;
    let foreign_consent = place.allowed(&platform).await.1;
    let foreign_session = place.sessions(&platform, &signed_in).await.remove(0);
    let snapshot = || async {
        [
            platform.read(&theirs).await,
            platform.read(&format!("{theirs}/users")).await,
            platform.read(&format!("{theirs}/clients")).await,
            platform.read(&format!("{theirs}/keys")).await,
            platform.read(&format!("{theirs}/sessions")).await,
        ]
    };
    let before = snapshot().await;
    for operation in operations() {
        let foreign = match operation.resource() {
            "tenants" => theirs_id.as_str(),
            "users" => id_of(&foreign_user),
            "clients" => id_of(&foreign_client),
            "keys" => id_of(&foreign_keys["items"][0]),
            "sessions" => id_of(&foreign_session),
            "consents" => id_of(&foreign_consent),
            "session-rules" | "password-rules" | "profile-rules" | "license" | "rate-limits" => {
                RANDOM_ID
            }
            // It is the cluster's, and names no id.
            "licenses" => continue,
            "client-scopes" => id_of(&foreign_scope),
            other => panic!("say what a foreign {other} is"),
        };
        let mut pairs = Vec::new();
        if operation.has("tenant_id") {
            // Another tenant, with its record and with none.
            pairs.push((operation.at(&theirs_id, foreign), operation.at(RANDOM_ID, foreign)));
            pairs.push((operation.at(&theirs_id, RANDOM_ID), operation.at(RANDOM_ID, RANDOM_ID)));
        }
        if operation.has("id") {
            // One's own tenant, with another's record.
            pairs.push((operation.at(&demo, foreign), operation.at(&demo, RANDOM_ID)));
        }
        for (foreign, random) in pairs {
            let foreign = attempt(&bob, &operation, &foreign, &name).await;
            let random = attempt(&bob, &operation, &random, &name).await;
            assert_eq!(problem(&foreign), (404, "not_found".into()), "{operation:?}");
            assert_eq!(shape(&foreign), shape(&random), "{operation:?}");
        }
    }
    assert_eq!(snapshot().await, before);
}

/// A well-formed attempt: only the id is somebody else's.
async fn attempt(api: &Api, operation: &Operation, path: &str, name: &str) -> Answer {
    operation.send(api, path, &operation.body(name)).await
}

#[tokio::test]
async fn ids_that_are_none_are_not_found() {
    let (bob, platform) = (Api::bob().await, Api::platform().await);
    let demo = platform.tenant_id(actors::demo::TENANT).await;
    let cluster = "00000000-0000-0000-0000-000000000000";
    for odd in ["x", cluster, "%C3%A9", "0198a000000070008000000000000000", "-1"] {
        for path in [
            format!("/api/v1/tenants/{odd}"),
            format!("/api/v1/tenants/{odd}/users"),
            format!("/api/v1/tenants/{odd}/clients/{RANDOM_ID}"),
            format!("/api/v1/tenants/{demo}/users/{odd}"),
        ] {
            for api in [&bob, &platform] {
                assert_eq!(problem(&api.get(&path).await), (404, "not_found".into()), "{path}");
            }
        }
        let made = bob.post(&format!("/api/v1/tenants/{odd}/users"), &user("intruder")).await;
        assert_eq!(problem(&made), (404, "not_found".into()), "{odd}");
    }
}

#[tokio::test]
async fn whoever_may_is_let_in_everywhere() {
    let (bob, platform) = (Api::bob().await, Api::platform().await);
    let demo = platform.tenant_id(actors::demo::TENANT).await;
    let place = Place::of(format!("/api/v1/tenants/{demo}")).await;
    for operation in operations() {
        let name = unique("let-in");
        let api = if operation.of_platform { &platform } else { &bob };
        let mut body = operation.body(&name);
        if operation.resource() == "license" {
            let license = json!({ "tier": "enterprise", "holder": name });
            body["key"] = licenses::key(&platform, license).await.into();
        }
        let collection = match operation.resource() {
            "tenants" => "/api/v1/tenants".to_owned(),
            resource => format!("/api/v1/tenants/{demo}/{resource}"),
        };
        let id = if operation.resource() == "keys" {
            let keys = api.read(&collection).await;
            let pending = |key: &&Value| key["state"] == "pending";
            let items = keys["items"].as_array().unwrap();
            id_of(items.iter().find(pending).unwrap()).to_owned()
        } else if operation.has("id") && operation.resource() == "consents" {
            id_of(&place.allowed(&bob).await.1).to_owned()
        } else if operation.has("id") && operation.resource() == "sessions" {
            let signed_in = place.someone(&bob).await;
            id_of(&place.sessions(&bob, &signed_in).await[0]).to_owned()
        } else if operation.has("id") {
            id_of(&api.made(&collection, &operation.whole(&name)).await).to_owned()
        } else {
            String::new()
        };
        let path = operation.at(&demo, &id);
        let answer = operation.send(api, &path, &body).await;
        let rotates = operation.path.ends_with("/rotate");
        let many = operation.path.ends_with("/import");
        let installs = operation.path.ends_with("/license");
        let makes = operation.method == Method::POST && !operation.has("id");
        let made = makes && !rotates && !many && !installs;
        let expected = match operation.method {
            Method::DELETE => 204,
            // It was let in; the next key is not old enough.
            _ if rotates => 422,
            _ if operation.path.ends_with("/unlock") => 204,
            _ if made => 201,
            _ => 200,
        };
        assert_eq!(answer.status, expected, "{operation:?} {answer:?}");
    }
}

#[tokio::test]
async fn refused_attempts_are_counted() {
    let alice = Api::alice().await;
    let users = format!("/api/v1/tenants/{}/users", alice.demo_id().await);
    alice.node.context.denials().take(0, true);
    assert_eq!(alice.get(&users).await.status, 403);
    assert_eq!(alice.get(&users).await.status, 403);
    let counted = alice.node.context.denials().take(0, true);
    let reads = counted.iter().filter(|counted| counted.denials.reason == "users:read");
    assert!(reads.map(|counted| counted.denials.count).sum::<u32>() >= 2, "{counted:?}");
}
