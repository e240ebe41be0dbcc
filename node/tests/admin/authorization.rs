//! Every route of the description × everybody who may not, and every id × somebody else's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, problem, service, unique, user},
    operations::{Example, Operation, RANDOM_ID, operations, success, whole},
    sessions::Place,
    support::Answer,
};

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
        if !operation.is_read() {
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

/// Collections of a tenant whose things need nothing else to be made.
const PLAIN: [&str; 6] =
    ["client-scopes", "roles", "groups", "permissions", "sign-in-notices", "source-blocks"];

#[tokio::test]
async fn a_foreign_id_is_answered_like_a_random_one_and_nothing_changes() {
    let (bob, platform) = (Api::bob().await, Api::platform().await);
    let demo = platform.tenant_id(actors::demo::TENANT).await;
    let theirs = platform.own_tenant().await;
    let theirs_id = theirs.rsplit('/').next().unwrap().to_owned();
    let name = unique("theirs");
    let foreign_user = platform.made(&format!("{theirs}/users"), &user(&name)).await;
    let foreign_client = platform.made(&format!("{theirs}/clients"), &service(&name)).await;
    let foreign_keys = platform.read(&format!("{theirs}/keys")).await;
    let foreign_events = platform.read(&format!("{theirs}/audit-logs?limit=1")).await;
    let mut foreign_plain = BTreeMap::new();
    for resource in PLAIN {
        let all = format!("{theirs}/{resource}");
        foreign_plain.insert(resource, platform.made(&all, &whole(resource, &name)).await);
    }
    let place = Place::of(theirs.clone()).await;
    let signed_in = place.someone(&platform).await;
    let foreign_consent = place.allowed(&platform).await.1;
    let foreign_session = place.sessions(&platform, &signed_in).await.remove(0);
    let snapshot = async || {
        let mut all = vec![platform.read(&theirs).await];
        for resource in ["users", "clients", "keys", "sessions"].iter().chain(&PLAIN) {
            all.push(platform.read(&format!("{theirs}/{resource}")).await);
        }
        all
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
            plain if PLAIN.contains(&plain) => id_of(&foreign_plain[plain]),
            // The cluster's trail is no tenant's.
            "audit-logs" if !operation.has("tenant_id") => continue,
            "audit-logs" => id_of(&foreign_events["items"][0]),
            "session-rules" | "password-rules" | "profile-rules" | "license" | "rate-limits"
            | "changes" | "audit-rules" | "branding" | "logo" | "languages" | "attempt-rules"
            | "profile-schema" => RANDOM_ID,
            // It is the cluster's, and names no id.
            "licenses" | "cluster" | "cluster-settings" | "cluster-audit-rules" => continue,
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
        let api = if operation.of_platform { &platform } else { &bob };
        let example = Example::of(api, &operation, &place, &demo).await;
        let answer = example.by(api, &operation).await;
        assert_eq!(answer.status, success(&operation), "{operation:?} {answer:?}");
    }
}

/// A service that may use this API, whose role is changed while its token stays the same.
struct Changing {
    api: Api,
    maker: Api,
    role: String,
}

impl Changing {
    async fn of(maker: &Api, issuer: &str, tenant: &str) -> Self {
        let at = |collection: &str| format!("/api/v1/tenants/{tenant}/{collection}");
        let name = unique("changing");
        let role = maker.made(&at("roles"), &whole("roles", &name)).await;
        let mut body = service(&name);
        body["admin_api"] = json!(true);
        body["roles"] = json!([id_of(&role)]);
        body["scopes"] = json!(["read", "write", "platform"]);
        let made = maker.made(&at("clients"), &body).await;
        let credentials = (name.as_str(), made["secret"].as_str().unwrap());
        let token = maker.service_token(issuer, credentials, "read write platform").await.unwrap();
        let role = format!("{}/{}", at("roles"), id_of(&role));
        Self { api: maker.with_token(token), maker: maker.clone(), role }
    }

    async fn hold(&self, permissions: &[&str]) {
        let changed = self.maker.patch(&self.role, &json!({ "permissions": permissions })).await;
        assert_eq!(changed.status, 200, "{changed:?}");
    }

    async fn contain(&self, roles: Option<&Value>) {
        let Some(roles) = roles else { return };
        let path = format!("{}/composites", self.role);
        let changed = self.maker.post(&path, &json!({ "roles": roles })).await;
        assert_eq!(changed.status, 200, "{changed:?}");
    }
}

#[tokio::test]
async fn every_route_takes_exactly_its_permission() {
    let platform = Api::platform().await;
    let (demo, default) = (platform.demo_id().await, platform.tenant_of_operator().await);
    let place = Place::of(format!("/api/v1/tenants/{demo}")).await;
    let of_tenant = Changing::of(&platform, &platform.node.demo_at(""), &demo).await;
    let of_platform = Changing::of(&platform, &platform.node.url, &default).await;
    let all = operations();
    let every: std::collections::BTreeSet<&str> =
        all.iter().map(|operation| operation.permission.as_str()).collect();
    let platforms: Vec<String> = identity::command::PERMISSIONS
        .iter()
        .filter(|known| known.platform)
        .map(|known| known.name())
        .collect();
    let mut let_in = 0;
    for operation in &all {
        let permission = operation.permission.as_str();
        let (who, tenant) =
            if operation.of_platform { (&of_platform, &default) } else { (&of_tenant, &demo) };
        let others: Vec<&str> = every
            .iter()
            .filter(|other| **other != permission)
            .filter(|other| operation.of_platform || !platforms.iter().any(|name| name == *other))
            .copied()
            .collect();
        let example = Example::of(&platform, operation, &place, tenant).await;
        who.hold(&others).await;
        let refused = example.by(&who.api, operation).await;
        // Whoever cannot read or change tenants does not see another one.
        let unseen = permission.starts_with("tenants:") && operation.has("id");
        let expected = if unseen { (404, "not_found") } else { (403, "denied") };
        assert_eq!(problem(&refused), (expected.0, expected.1.into()), "{operation:?}");
        who.hold(&[permission]).await;
        who.contain(example.given()).await;
        let allowed = example.by(&who.api, operation).await;
        assert_eq!(allowed.status, success(operation), "{operation:?} {allowed:?}");
        let_in += usize::from((200..300).contains(&allowed.status));
    }
    let done = all.iter().filter(|it| (200..300).contains(&success(it))).count();
    assert_eq!(let_in, done, "{let_in} of {} were let in", all.len());
    assert!(done * 10 >= all.len() * 8, "{done} of {} are done at once", all.len());
    assert!(every.len() >= 20, "{every:?}");
}

#[tokio::test]
async fn a_foreign_id_in_a_body_or_filter_is_answered_like_a_random_one() {
    let (bob, platform) = (Api::bob().await, Api::platform().await);
    let demo = format!("/api/v1/tenants/{}", platform.tenant_id(actors::demo::TENANT).await);
    let theirs = platform.own_tenant().await;
    let name = unique("foreign");
    let mut foreign = BTreeMap::new();
    for resource in ["roles", "permissions", "users", "groups"] {
        let made = platform.made(&format!("{theirs}/{resource}"), &whole(resource, &name)).await;
        foreign.insert(resource, id_of(&made).to_owned());
    }
    let mut own = BTreeMap::new();
    for resource in ["roles", "users", "clients", "groups"] {
        let made = bob.made(&format!("{demo}/{resource}"), &whole(resource, &name)).await;
        own.insert(resource, format!("{demo}/{resource}/{}", id_of(&made)));
    }
    let with = |field: &str, id: &str| match field {
        "parent_id" => json!({ field: id }),
        _ => json!({ field: [id] }),
    };
    for (path, patch, field, of) in [
        (format!("{}/roles", own["users"]), false, "roles", "roles"),
        (format!("{}/roles", own["clients"]), false, "roles", "roles"),
        (format!("{}/composites", own["roles"]), false, "roles", "roles"),
        (format!("{}/roles", own["groups"]), false, "roles", "roles"),
        (format!("{}/members", own["groups"]), false, "users", "users"),
        (own["groups"].clone(), true, "roles", "roles"),
        (own["groups"].clone(), true, "parent_id", "groups"),
        (format!("{}/permissions", own["roles"]), false, "permissions", "permissions"),
        (own["users"].clone(), true, "roles", "roles"),
        (own["clients"].clone(), true, "roles", "roles"),
        (own["roles"].clone(), true, "composites", "roles"),
        (own["roles"].clone(), true, "permissions", "permissions"),
    ] {
        let send = async |id: &str| {
            let body = with(field, id);
            if patch { bob.patch(&path, &body).await } else { bob.post(&path, &body).await }
        };
        let theirs = send(&foreign[of]).await;
        assert_eq!(problem(&theirs), (422, "rule_violated".into()), "{path} {field}");
        assert_eq!(shape(&theirs), shape(&send(RANDOM_ID).await), "{path} {field}");
    }
    for (list, attribute, of) in [
        ("sessions", "user_id", "users"),
        ("consents", "user_id", "users"),
        ("groups", "parent_id", "groups"),
    ] {
        let path = |id: &str| format!("{demo}/{list}?filter={attribute}%20eq%20%22{id}%22");
        let theirs = bob.get(&path(&foreign[of])).await;
        assert_eq!((theirs.status, theirs.json()["items"].clone()), (200, json!([])));
        assert_eq!(theirs.json(), bob.read(&path(RANDOM_ID)).await);
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
