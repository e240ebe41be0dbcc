//! The cluster over HTTP: its nodes, its join tokens, its settings, and the commands for them.

use std::{net::IpAddr, sync::Arc};

use actors::{
    cluster::{self, JoinRequest, JoinToken},
    runtime::authority,
};
use identity::{changes::program_level, members::Presence};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    api::{Api, id_of, pointers, problem},
    operations::Operation,
    support::{self, Content, TestNode},
};

/// The node that operations of the matrix are tried on: a learner, so that it may be removed.
pub(crate) const LEARNER: &str = "2";

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn presence(name: &str) -> Presence {
    Presence {
        name: name.into(),
        address: format!("{name}.example:7400"),
        zone: "a".into(),
        version: "1".into(),
        feature_level: program_level(),
    }
}

/// Has the cluster of a node founded, and two learners in it; once.
pub(crate) async fn founded(node: &Arc<TestNode>) {
    static ONE: Mutex<()> = Mutex::const_new(());
    let _turn = ONE.lock().await;
    let ctx = &node.context;
    if cluster::found(ctx, presence("one"), |_| Ok(())).await.unwrap() {
        for name in ["two", "three"] {
            let asker = actors::Asker::system();
            let role = identity::members::Role::Learner;
            let (_, token) = cluster::create_token(ctx, asker, role, 600).await.unwrap();
            joined(node, token.unwrap().expose(), name).await;
        }
    }
}

/// A node joins with a token, as far as the records go; its number.
async fn joined(node: &TestNode, token: &str, name: &str) -> u64 {
    let ctx = &node.context;
    let token = JoinToken::parse(token).unwrap();
    let (_, point) = authority::new_node_key(ctx.random()).unwrap();
    let Presence { name, address, zone, version, feature_level } = presence(name);
    let request = JoinRequest {
        public_key: point.to_vec(),
        name,
        address,
        zone,
        version,
        feature_level,
        root_check: ctx.keyring().check_value().to_vec(),
    };
    cluster::admit(ctx, &token.secret, request, FROM).await.unwrap().node
}

/// The second identifier of an operation's path: a token that can be taken back, or a node.
pub(crate) async fn token_for(maker: &Api, operation: &Operation) -> String {
    if operation.has("token_id") {
        let made = maker.post(TOKENS, &json!({})).await;
        return id_of(&made.json()).to_owned();
    }
    // A removed node is none any more, so each removal takes another.
    if operation.path.ends_with("/remove") {
        let made = maker.post(TOKENS, &json!({ "role": "learner" })).await;
        let token = made.json()["token"].as_str().unwrap().to_owned();
        return joined(&maker.node, &token, "removed").await.to_string();
    }
    // A node alone can only go on leading, and is never drained.
    if operation.path.ends_with("/transfer-leader") { "1" } else { LEARNER }.to_owned()
}

const STATUS: &str = "/api/v1/cluster";
const TOKENS: &str = "/api/v1/cluster/join-tokens";
const MEMBERS: &str = "/api/v1/cluster/members";
const FINALIZE: &str = "/api/v1/cluster/finalize-upgrade";
const SETTINGS: &str = "/api/v1/cluster/settings";

async fn platform() -> Api {
    Api::on(support::start(Content::Demo)).await
}

async fn act(api: &Api, node: u64, verb: &str) -> (u16, Value) {
    let answer = api.post(&format!("{MEMBERS}/{node}/{verb}"), &json!({})).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_node_alone_says_so_and_lets_nobody_join() {
    let api = platform().await;
    let status = api.read(STATUS).await;
    assert_eq!((&status["founded"], &status["items"]), (&json!(false), &json!([])));
    let refused = api.post(TOKENS, &json!({})).await;
    assert_eq!(problem(&refused), (409, "conflict".into()));
    assert!(refused.json()["detail"].as_str().unwrap().contains("CLUSTER_BIND"));
    assert_eq!(act(&api, 1, "promote").await.0, 404);
}

#[tokio::test]
async fn a_token_is_shown_once_lets_one_node_in_and_can_be_taken_back() {
    let api = platform().await;
    cluster::found(&api.node.context, presence("one"), |_| Ok(())).await.unwrap();
    let headers = [("idempotency-key", "one-token-please")];
    let body = json!({ "role": "learner", "lifetime_s": 60 });
    let made = api.write(Method::POST, TOKENS, &headers, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let again = api.write(Method::POST, TOKENS, &headers, &body).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["token"], token.as_str(), "a repetition shows the same token");
    let listed = api.read(TOKENS).await;
    let only = &listed["items"][0];
    assert_eq!((listed["items"].as_array().unwrap().len(), only.get("token")), (1, None));
    assert_eq!((&only["open"], &only["role"]), (&json!(true), &json!("learner")));

    assert_eq!(joined(&api.node, &token, "two").await, 2);
    let used = &api.read(TOKENS).await["items"][0];
    assert_eq!((&used["open"], &used["used_by"]), (&json!(false), &json!(2)));

    let other = api.post(TOKENS, &json!({})).await.json();
    let one = format!("{TOKENS}/{}", id_of(&other));
    assert_eq!(api.send(Method::DELETE, &one, &[], None).await.status, 204);
    let token = JoinToken::parse(other["token"].as_str().unwrap()).unwrap();
    let refused = cluster::listen_to(&api.node.context, &token.secret, FROM).await;
    assert!(refused.is_err());
    for (body, pointer) in
        [(json!({ "lifetime_s": 0 }), "/lifetime_s"), (json!({ "lifetime_s": 601 }), "/lifetime_s")]
    {
        assert_eq!(pointers(&api.post(TOKENS, &body).await), [pointer]);
    }
    let random = format!("{TOKENS}/{}", crate::operations::RANDOM_ID);
    assert_eq!(api.send(Method::DELETE, &random, &[], None).await.status, 404);
}

#[tokio::test]
async fn nodes_are_promoted_demoted_and_removed_for_good() {
    let api = platform().await;
    founded(&api.node).await;
    let status = api.read(STATUS).await;
    assert_eq!((&status["leader"], &status["node"]), (&json!(1), &json!(1)));
    let first = &status["items"][0];
    assert_eq!((&first["state"], &first["health"]), (&json!("leader"), &json!("good")));
    assert_eq!(first["lag"], 0);
    // These two run nowhere, so nobody hears of them.
    for item in &status["items"].as_array().unwrap()[1..] {
        assert_eq!(item["role"], "learner");
        assert!(["unknown", "silent"].contains(&item["health"].as_str().unwrap()), "{item}");
    }

    let (refused, why) = act(&api, 1, "demote").await;
    assert_eq!(refused, 409);
    assert!(why["detail"].as_str().unwrap().contains("last voter"), "{why}");
    let (done, node) = act(&api, 2, "promote").await;
    assert_eq!((done, &node["role"], &node["revision"]), (200, &json!("voter"), &json!(2)));
    // The two voters stand in one zone, and two bear no more losses than one.
    let warnings = api.read(STATUS).await["warnings"].to_string();
    assert!(warnings.contains("zone a") && warnings.contains("2 voters"), "{warnings}");

    let (refused, why) = act(&api, 1, "drain").await;
    assert_eq!(refused, 200, "the others are not drained: {why}");
    assert_eq!(api.read(STATUS).await["items"][0]["health"], "drained");
    let (refused, why) = act(&api, 1, "transfer-leader").await;
    assert_eq!(refused, 409);
    assert!(why["detail"].as_str().unwrap().contains("drained"), "{why}");
    let (_, node) = act(&api, 1, "undrain").await;
    assert_eq!(node["drained_at"], json!(null));

    let (refused, why) = act(&api, 1, "remove").await;
    assert_eq!(refused, 409, "no voter that answers would be left");
    assert!(why["detail"].as_str().unwrap().contains("do not answer"), "{why}");
    assert_eq!(act(&api, 3, "transfer-leader").await.0, 409, "a learner cannot lead");
    assert_eq!(act(&api, 1, "transfer-leader").await.0, 200, "it leads already");
    let (done, node) = act(&api, 3, "remove").await;
    assert_eq!((done, node["removed_at"].is_string()), (200, true));
    for verb in ["promote", "remove"] {
        assert_eq!(act(&api, 3, verb).await.0, 404, "{verb}");
    }
    assert_eq!(api.read(STATUS).await["items"].as_array().unwrap().len(), 2);
    assert_eq!(api.read(MEMBERS).await["items"].as_array().unwrap().len(), 3);
    for odd in ["x", "+1", "99999999999999999999"] {
        let path = format!("{MEMBERS}/{odd}/promote");
        assert_eq!(problem(&api.post(&path, &json!({})).await), (404, "not_found".into()), "{odd}");
    }
}

#[tokio::test]
async fn an_upgrade_is_finished_when_every_node_runs_the_new_version() {
    let api = platform().await;
    let alone = api.post(FINALIZE, &json!({})).await;
    assert_eq!((alone.status, alone.json()), (200, json!({ "feature_level": program_level() })));
    founded(&api.node).await;
    let next = Presence { feature_level: program_level() + 1, ..presence("ahead") };
    cluster::Announcement::new(2, next).make(&api.node.context).await.unwrap();
    let refused = api.post(FINALIZE, &json!({})).await;
    assert_eq!(problem(&refused), (409, "conflict".into()));
    let why = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(why.contains("upgrade or remove it first"), "{why}");
    assert_eq!(api.read(STATUS).await["feature_level"], program_level());
}

#[tokio::test]
async fn settings_keep_the_voters_that_the_cluster_needs() {
    let api = platform().await;
    let unset = api.read(SETTINGS).await;
    assert_eq!(unset, json!({ "voters_min": 1, "preferred_zone": null, "revision": 0 }));
    founded(&api.node).await;
    assert_eq!(act(&api, 2, "promote").await.0, 200);
    let body = json!({ "voters_min": 2, "preferred_zone": "a" });
    let set = api.write(Method::PUT, SETTINGS, &[], &body).await;
    assert_eq!((set.status, &set.json()["preferred_zone"]), (200, &json!("a")), "{set:?}");
    assert_eq!(api.read(SETTINGS).await, set.json());
    assert_eq!(act(&api, 2, "remove").await.0, 409);
    let stale = [("if-match", "\"1\"")];
    assert_eq!(api.write(Method::PUT, SETTINGS, &stale, &body).await.status, 412);
    let many = api.write(Method::PUT, SETTINGS, &[], &json!({ "voters_min": 3 })).await;
    assert_eq!(pointers(&many), ["/voters_min"]);
}
