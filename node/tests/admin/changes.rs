//! The change feed: pages that wait, server-sent events, lines, and how far back it goes.

use std::time::Duration;

use actors::{changes::PLACES_OF_ONE, outbox::Ledger};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, pointers, problem, user},
    support::{self, Answer, Content},
};

/// Some moment; nodes of some tests stand still until they are moved.
const NOW_MS: u64 = 1_790_000_000_000;

fn items(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["items"].as_array().unwrap().clone()
}

/// Without what the cluster does in a trail by itself: it signs one each minute.
fn of_users(items: Vec<Value>) -> Vec<Value> {
    let ours = |item: &Value| item["action"].as_str().unwrap().starts_with("users.");
    items.into_iter().filter(ours).collect()
}

/// The end of a feed as it is now.
async fn end_of(api: &Api, path: &str) -> String {
    let mut answer = api.get(&format!("{path}?limit=500")).await;
    loop {
        let next = answer.json()["next"].as_str().unwrap().to_owned();
        if items(&answer).is_empty() {
            return next;
        }
        answer = api.get(&format!("{path}?limit=500&after={next}")).await;
    }
}

fn actions(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_tenants_changes_come_in_order_and_once() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let (users, changes) = (format!("{tenant}/users"), format!("{tenant}/changes"));
    let begun = end_of(&platform, &changes).await;
    let (other, theirs) = (platform.own_tenant().await, user("theirs"));
    let mut made = Vec::new();
    for number in 0..30 {
        made.push(platform.made(&users, &user(&format!("c{number}"))).await);
        platform
            .made(&format!("{other}/users"), &json!({ "username": format!("x{number}") }))
            .await;
    }
    platform.made(&format!("{other}/users"), &theirs).await;
    for limit in [1, 7, 500] {
        let (mut seen, mut after) = (Vec::new(), begun.clone());
        loop {
            let page = platform.get(&format!("{changes}?after={after}&limit={limit}")).await;
            let found = items(&page);
            after = page.json()["next"].as_str().unwrap().to_owned();
            if found.is_empty() {
                break;
            }
            assert!(found.len() <= limit);
            seen.extend(of_users(found));
        }
        assert_eq!(actions(&seen), vec!["users.create"; 30], "{limit}");
        let ids: Vec<&str> =
            seen.iter().map(|item| item["changed"][0]["id"].as_str().unwrap()).collect();
        assert_eq!(ids, made.iter().map(id_of).collect::<Vec<_>>());
        assert!(seen.iter().all(|item| tenant.ends_with(item["tenant_id"].as_str().unwrap())));
    }
    // The whole platform's feed has both, each once.
    let all = platform.get(&format!("/api/v1/changes?after={begun}&limit=500")).await;
    let all = of_users(items(&all));
    let of = |path: &str| {
        let ours = |item: &&Value| path.ends_with(item["tenant_id"].as_str().unwrap());
        all.iter().filter(ours).count()
    };
    assert_eq!(of(&tenant), 30);
    assert!(of(&other) >= 31);
    let bob = Api::bob().await;
    assert_eq!(problem(&bob.get("/api/v1/changes").await), (403, "denied".into()));
    for (query, pointer) in
        [("after=7", "after"), ("after=s0.x", "after"), ("wait=61s", "wait"), ("since=1", "since")]
    {
        let refused = platform.get(&format!("{changes}?{query}")).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{query}");
        assert_eq!(pointers(&refused), [pointer]);
    }
}

#[tokio::test]
async fn a_page_waits_for_the_next_change_and_for_no_other() {
    // Of its own: one that has run for a minute signs the tenant's trail meanwhile.
    let platform = Api::on(support::start(Content::Demo)).await;
    let (tenant, other) = (platform.own_tenant().await, platform.own_tenant().await);
    let changes = format!("{tenant}/changes");
    let after = end_of(&platform, &changes).await;
    let waiting = {
        let (platform, path) = (platform.clone(), format!("{changes}?after={after}&wait=20s"));
        tokio::spawn(async move { platform.get(&path).await })
    };
    // Whatever another tenant does answers nobody here.
    platform.made(&format!("{other}/users"), &user("elsewhere")).await;
    let made = platform.made(&format!("{tenant}/users"), &user("awaited")).await;
    let answer = tokio::time::timeout(Duration::from_secs(15), waiting).await.unwrap().unwrap();
    let found = items(&answer);
    assert_eq!(actions(&found), ["users.create"]);
    assert_eq!(found[0]["changed"][0]["id"], made["id"]);
    // Nothing more: the wait ends, and the position has moved on.
    let after = answer.json()["next"].as_str().unwrap().to_owned();
    let empty = platform.get(&format!("{changes}?after={after}&wait=1s")).await;
    assert!(items(&empty).is_empty());
}

/// Reads a stream until it holds the text.
async fn until(response: &mut reqwest::Response, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let piece = tokio::time::timeout(Duration::from_secs(15), response.chunk()).await;
        let piece = piece.unwrap().unwrap().expect("the stream goes on");
        read.push_str(std::str::from_utf8(&piece).unwrap());
    }
    read
}

#[tokio::test]
async fn events_are_sent_as_they_happen_and_go_on_where_a_reader_stopped() {
    // Of its own: one that has run for a minute signs the tenant's trail meanwhile.
    let platform = Api::on(support::start(Content::Demo)).await;
    let tenant = platform.own_tenant().await;
    let changes = format!("{tenant}/changes");
    let after = end_of(&platform, &changes).await;
    platform.made(&format!("{tenant}/users"), &user("one")).await;
    let path = format!("{changes}?after={after}");
    let mut events = platform.stream(&path, &[("accept", "text/event-stream")]).await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let first = until(&mut events, "\n\n").await;
    assert!(first.contains("event: change\n") && first.contains("\"users.create\""), "{first}");
    let id = first.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let two = platform.made(&format!("{tenant}/users"), &user("two")).await;
    let second = until(&mut events, id_of(&two)).await;
    assert!(!second.contains(&format!("id: {id}\n")), "{second}");
    drop(events);
    let again = [("accept", "text/event-stream"), ("last-event-id", id.as_str())];
    let mut events = platform.stream(&path, &again).await;
    let resumed = until(&mut events, id_of(&two)).await;
    assert_eq!(resumed.matches("users.create").count(), 1, "{resumed}");
    let bad = [("accept", "text/event-stream"), ("last-event-id", "x")];
    let refused = platform.send(Method::GET, &path, &bad, None).await;
    assert_eq!(pointers(&refused), ["Last-Event-ID"]);

    let mut lines = platform.stream(&path, &[("accept", "application/x-ndjson")]).await;
    let text = until(&mut lines, id_of(&two)).await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(actions(&of_users(lines)), ["users.create", "users.create"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ends_lets_its_readers_go() {
    let node = support::start(Content::Demo);
    let api = Api::on(node).await;
    let path = "/api/v1/changes";
    let mut events = api.stream(path, &[("accept", "text/event-stream")]).await;
    until(&mut events, "\n\n").await;
    let after = end_of(&api, path).await;
    let waiting = {
        let (api, path) = (api.clone(), format!("{path}?after={after}&wait=20s"));
        tokio::spawn(async move { api.get(&path).await })
    };
    api.node.context.close_feeds();
    let answer = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(answer.status, 200);
    let ended = async { while events.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_older_than_a_day_is_gone_and_the_feed_says_where_it_goes_on() {
    let api = Api::on(support::start_at(Content::Demo, NOW_MS)).await;
    let path = "/api/v1/changes";
    let first = api.read(&format!("{path}?limit=1")).await;
    let old = first["next"].as_str().unwrap().to_owned();
    let mut ledger = Ledger::default();
    ledger.keep(&api.node.context).await.unwrap();
    assert_eq!(api.get(&format!("{path}?after={old}")).await.status, 200);

    api.node.pass_ms(26 * 3_600_000);
    let token = api.node.admin_token().await;
    let api = api.with_token(token);
    let tenant = api.own_tenant().await;
    ledger.keep(&api.node.context).await.unwrap();
    let accepts: [&[(&str, &str)]; 2] = [&[], &[("accept", "text/event-stream")]];
    let mut left = String::new();
    for headers in accepts {
        let gone = api.send(Method::GET, &format!("{path}?after={old}"), headers, None).await;
        assert_eq!(problem(&gone), (410, "gone".into()));
        assert_eq!(pointers(&gone), ["after"]);
        let detail = gone.json()["detail"].as_str().unwrap().to_owned();
        left = detail.rsplit(' ').next().unwrap().to_owned();
    }
    let rest = items(&api.get(&format!("{path}?limit=500&after={left}")).await);
    let made = |item: &Value| tenant.ends_with(item["tenant_id"].as_str().unwrap());
    assert!(rest.iter().any(made), "{rest:?}");
    assert!(actions(&rest).contains(&"outbox.trim"));
    let begun = items(&api.get(&format!("{path}?limit=500")).await);
    assert_eq!(begun[..rest.len()], rest[..], "whoever begins begins there as well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let api = Api::on(support::start_at(Content::Demo, NOW_MS)).await;
    api.node.pass_ms(3_590_000);
    let path = format!("/api/v1/changes?after={}", end_of(&api, "/api/v1/changes").await);
    let mut events = api.stream(&path, &[("accept", "text/event-stream")]).await;
    let renewed = api.with_token(api.node.admin_token().await);
    let one = renewed.made("/api/v1/tenants", &json!({ "slug": "one", "name": "One" })).await;
    until(&mut events, id_of(&one)).await;

    api.node.pass_ms(11_000);
    let two = renewed.made("/api/v1/tenants", &json!({ "slug": "two", "name": "Two" })).await;
    let ended = async {
        let mut rest = String::new();
        while let Some(piece) = events.chunk().await.unwrap() {
            rest.push_str(std::str::from_utf8(&piece).unwrap());
        }
        rest
    };
    let rest = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
    assert!(!rest.contains(id_of(&two)), "{rest}");
}

#[tokio::test]
async fn readers_of_one_tenant_leave_places_for_those_of_others() {
    let platform = Api::platform().await;
    let changes = format!("{}/changes", platform.own_tenant().await);
    let events = [("accept", "text/event-stream")];
    let mut open = Vec::new();
    for _ in 0..PLACES_OF_ONE {
        open.push(platform.stream(&changes, &events).await);
    }
    let refused = platform.send(Method::GET, &changes, &events, None).await;
    assert_eq!(problem(&refused), (503, "unavailable".into()));
    assert_eq!(refused.header("retry-after"), "5");
    let other = format!("{}/changes", platform.own_tenant().await);
    assert_eq!(platform.get(&other).await.status, 200);
}
