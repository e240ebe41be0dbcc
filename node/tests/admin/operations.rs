//! Every operation of the description, and how to make a request to it that must succeed.

use reqwest::Method;
use serde_json::{Value, json};
use vaultara_node::openapi;

use crate::{
    api::{Api, id_of, service, unique, user},
    branding::LOGO,
    cluster, licenses,
    sessions::Place,
    support::Answer,
};

pub(crate) const RANDOM_ID: &str = "0198a000-0000-7000-8000-00000000abcd";

/// One operation of the description.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) permission: String,
    /// Only the operator's principals can hold its permission.
    pub(crate) of_platform: bool,
}

/// All of them, so that a new route is tested without being named here.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let permission = operation["x-vaultara-permission"].as_str().unwrap();
            let description = operation["description"].as_str().unwrap();
            operations.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                permission: permission.to_owned(),
                of_platform: description.contains("held by the platform only"),
            });
        }
    }
    assert!(operations.len() >= 60, "the description was read");
    operations
}

impl Operation {
    /// The path with its names replaced; the second id of a path is one that never was.
    pub(crate) fn at(&self, tenant: &str, id: &str) -> String {
        self.at_both(tenant, id, RANDOM_ID)
    }

    /// The path with its names replaced.
    pub(crate) fn at_both(&self, tenant: &str, id: &str, second: &str) -> String {
        let path = self.path.replace("{tenant_id}", tenant).replace("{id}", id);
        let path = path.replace("{resource}", "users").replace("{feature}", "saml");
        let path = path.replace("{node}", cluster::LEARNER);
        match path.split_once('{') {
            Some((before, _)) => format!("{before}{second}"),
            None => path,
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path.contains(&format!("{{{name}}}"))
    }

    /// Whether it has a second id.
    pub(crate) fn has_second(&self) -> bool {
        self.path.matches('{').count() == 3
    }

    pub(crate) fn reads(&self) -> bool {
        self.method == Method::GET
    }

    /// Whether a token that only reads is enough.
    pub(crate) fn is_read(&self) -> bool {
        self.reads() || self.path.ends_with("/audit-logs/verify")
    }

    /// Sends it as it should be, whoever asks.
    pub(crate) async fn send(&self, api: &Api, path: &str, body: &Value) -> Answer {
        if self.reads() {
            return api.get(path).await;
        }
        let (method, lines) = (self.method.clone(), self.path.ends_with("/import"));
        if lines {
            let headers = [("content-type", "application/x-ndjson")];
            api.send(method, path, &headers, Some(body.to_string())).await
        } else {
            api.write(method, path, &[], body).await
        }
    }

    /// The resource whose id is in the path, else the last one named there.
    pub(crate) fn resource(&self) -> &str {
        if self.path.contains("/audit-logs") {
            return "audit-logs";
        }
        if self.path.ends_with("/cluster/settings") {
            return "cluster-settings";
        }
        if self.path == "/api/v1/audit-rules" {
            return "cluster-audit-rules";
        }
        if self.path.starts_with("/api/v1/cluster") {
            return "cluster";
        }
        let mut verbless = self.path.as_str();
        for verb in ["/rotate", "/import", "/generate"] {
            verbless = verbless.trim_end_matches(verb);
        }
        let verbless = verbless.split("/limits/").next().unwrap();
        let verbless = verbless.split("/features/").next().unwrap();
        let of_id = verbless.split("/{id}").next().unwrap();
        of_id.rsplit('/').next().unwrap()
    }

    /// The set of ids below the id of the path, if it is about one.
    pub(crate) fn set(&self) -> Option<&str> {
        let below = self.path.split("/{id}/").nth(1)?.split('/').next().unwrap();
        ["roles", "permissions", "composites", "members"].contains(&below).then_some(below)
    }

    /// A body that would be accepted, where that needs nothing to exist.
    pub(crate) fn body(&self, name: &str) -> Value {
        if self.path.ends_with("/consent-rules") {
            return json!({ "required": true });
        }
        if self.path.ends_with("/secret") {
            return json!({ "overlap_s": 60 });
        }
        if self.path.ends_with("/logout-rules") {
            return json!({ "backchannel_logout_uri": "https://app.example/back" });
        }
        if self.path.ends_with("/restore") {
            return json!({});
        }
        if self.path.ends_with("/undo") {
            return json!({ "revision": 1 });
        }
        match self.set() {
            Some("permissions") => json!({ "permissions": [] }),
            Some("members") => json!({ "users": [] }),
            Some(_) => json!({ "roles": [] }),
            None => whole(self.resource(), name),
        }
    }
}

/// A body that would make one of a resource.
pub(crate) fn whole(resource: &str, name: &str) -> Value {
    match resource {
        "tenants" => json!({ "slug": name, "name": name }),
        "users" => user(name),
        "keys" | "consents" | "sessions" | "audit-logs" | "changes" | "cluster" => json!({}),
        "cluster-settings" => json!({ "voters_min": 1 }),
        "audit-rules" | "cluster-audit-rules" => json!({ "keep_s": 86_400_000 }),
        "session-rules" => json!({ "idle_s": 7200, "per_user_max": 200 }),
        "password-rules" => json!({ "length_min": 15 }),
        "profile-rules" => json!({ "editable": ["name"] }),
        "branding" => json!({ "accent": "#0f766e" }),
        "languages" => json!({ "offered": ["de", "en"], "default": "en" }),
        "attempt-rules" => json!({ "free": 3 }),
        "profile-schema" => json!({ "fields": {} }),
        "logo" => json!({ "image": LOGO }),
        "license" => json!({ "key": "vlt_lic_1.e30.AA" }),
        "licenses" => json!({ "tier": "enterprise", "holder": name }),
        "rate-limits" => json!({}),
        "permissions" => json!({ "name": format!("things:{name}") }),
        "roles" | "groups" | "client-scopes" => json!({ "name": name }),
        "clients" => service(name),
        "sign-in-notices" => json!({ "name": name, "texts": { "en": "Maintenance on Saturday" } }),
        "source-blocks" => json!({ "network": network(name) }),
        other => panic!("say how to make one of {other}"),
    }
}

/// A network of a name's own.
fn network(name: &str) -> String {
    let number: u32 = name.rsplit('-').next().unwrap().parse().unwrap();
    format!("10.{}.{}.0/24", number / 256, number % 256)
}

/// A request that must succeed if who sends it may.
pub(crate) struct Example {
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Example {
    /// Makes whatever the operation needs.
    pub(crate) async fn of(
        maker: &Api,
        operation: &Operation,
        place: &Place,
        tenant: &str,
    ) -> Self {
        let name = unique("let-in");
        let resource = operation.resource();
        let collection = match resource {
            "tenants" => "/api/v1/tenants".to_owned(),
            resource => format!("/api/v1/tenants/{tenant}/{resource}"),
        };
        let id = if resource == "keys" {
            let keys = maker.read(&collection).await;
            let pending = |key: &&Value| key["state"] == "pending";
            let items = keys["items"].as_array().unwrap();
            id_of(items.iter().find(pending).unwrap()).to_owned()
        } else if !operation.has("id") {
            String::new()
        } else if resource == "audit-logs" {
            let logs = operation.path.replace("{tenant_id}", tenant).replace("/{id}", "?limit=1");
            id_of(&maker.read(&logs).await["items"][0]).to_owned()
        } else if resource == "consents" {
            id_of(&place.allowed(maker).await.1).to_owned()
        } else if resource == "sessions" {
            let signed_in = place.someone(maker).await;
            id_of(&place.sessions(maker, &signed_in).await[0]).to_owned()
        } else {
            id_of(&maker.made(&collection, &whole(resource, &name)).await).to_owned()
        };
        if resource == "cluster" {
            cluster::founded(&maker.node).await;
            let second = cluster::token_for(maker, operation).await;
            let path = operation.path.replace("{node}", &second).replace("{token_id}", &second);
            return Self { path, body: json!({}) };
        }
        if resource == "cluster-settings" {
            cluster::founded(&maker.node).await;
        }
        // What goes into a set, or is in it already.
        let mut body = operation.body(&name);
        if resource == "license" {
            let license = json!({ "tier": "enterprise", "holder": name });
            body["key"] = licenses::key(&Api::platform().await, license).await.into();
        }
        let mut second = String::new();
        if let Some(set) = operation.set()
            && !operation.reads()
        {
            let (key, member) = if set == "members" {
                let users = format!("/api/v1/tenants/{tenant}/users");
                let user = maker.made(&users, &whole("users", &unique("member"))).await;
                ("users", id_of(&user).to_owned())
            } else if set != "permissions" {
                let roles = format!("/api/v1/tenants/{tenant}/roles");
                let role = maker.made(&roles, &whole("roles", &unique("inner"))).await;
                ("roles", id_of(&role).to_owned())
            } else {
                let known = "?filter=name%20eq%20%22roles:write%22";
                let known = format!("/api/v1/tenants/{tenant}/permissions{known}");
                let known = maker.read(&known).await;
                ("permissions", id_of(&known["items"][0]).to_owned())
            };
            body = json!({ key: [member] });
            if operation.has_second() {
                let into = format!("{collection}/{id}/{set}");
                assert_eq!(maker.post(&into, &body).await.status, 200);
                second = member;
            }
        }
        Self { path: operation.at_both(tenant, &id, &second), body }
    }

    /// The roles that it gives to somebody, who gives them must hold them.
    pub(crate) fn given(&self) -> Option<&Value> {
        self.body.get("roles").filter(|roles| roles.as_array().is_some_and(|all| !all.is_empty()))
    }

    /// Sends it.
    pub(crate) async fn by(&self, api: &Api, operation: &Operation) -> Answer {
        operation.send(api, &self.path, &self.body).await
    }
}

/// What the example of an operation is answered.
pub(crate) fn success(operation: &Operation) -> u16 {
    let rotates = operation.path.ends_with("/rotate");
    let many = operation.path.ends_with("/import");
    let installs = operation.path.ends_with("/license");
    let raises = operation.path.ends_with("/finalize-upgrade");
    let of_one = operation.has("id") || operation.has("node");
    let makes = operation.method == Method::POST && !of_one;
    let made = makes && !rotates && !many && !installs && !raises && !operation.is_read();
    match operation.method {
        Method::DELETE => 204,
        // It was let in; the next key is not old enough.
        _ if rotates => 422,
        // It was let in; what made a record cannot be undone, and what lives not restored.
        _ if operation.path.ends_with("/undo") || operation.path.ends_with("/restore") => 422,
        _ if operation.path.ends_with("/unlock") => 204,
        _ if made => 201,
        _ => 200,
    }
}
