//! The audit trail over the API: lists, filters, export, verification.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, pointers, problem, user},
    support::{self, Content, visitor::encoded},
};

async fn all(api: &Api, path: &str, query: &[(&str, &str)]) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = query.to_vec();
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let page = api.read(&format!("{path}?{}", encoded(&query))).await;
        events.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return events,
        }
    }
}

fn sequences(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["sequence"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_trail_is_listed_filtered_and_read() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let (users, logs) = (format!("{tenant}/users"), format!("{tenant}/audit-logs"));
    let made = platform.made(&users, &user("traced")).await;
    let path = format!("{users}/{}", id_of(&made));
    for number in 0..7 {
        let body = json!({ "profile": { "nickname": format!("n{number}") } });
        assert_eq!(platform.patch(&path, &body).await.status, 200);
    }
    assert_eq!(platform.post(&users, &json!({ "username": "traced" })).await.status, 409);

    let events = all(&platform, &logs, &[]).await;
    let whole = sequences(&events);
    assert_eq!(whole, (1..=whole[0]).rev().collect::<Vec<_>>(), "newest first, without a gap");
    assert!(sequences(&all(&platform, &logs, &[("limit", "2")]).await).ends_with(&whole));
    // The cluster may have signed the trail meanwhile.
    let denied = events.iter().find(|event| event["outcome"] == "denied").unwrap();
    assert_eq!(denied["action"], "users.create");
    assert_eq!(
        (&denied["outcome"], &denied["reason"]),
        (&json!("denied"), &json!("already_exists"))
    );
    assert_eq!(denied["actor"]["kind"], "client");
    assert!(denied["source"]["address"].as_str().is_some_and(|address| !address.is_empty()));

    let id = id_of(&made);
    let actor = denied["actor"]["client_id"].as_str().unwrap();
    let nobody = "0198a000-0000-7000-8000-00000000abcd";
    for (query, expected) in [
        (vec![("target", id)], 8),
        (vec![("target", id), ("action", "users.update")], 7),
        (vec![("action", "users.")], 9),
        (vec![("action", "users")], 0),
        (vec![("outcome", "denied")], 1),
        (vec![("outcome", "refused")], 0),
        (vec![("actor", actor), ("action", "users."), ("limit", "1")], 9),
        (vec![("actor", nobody)], 0),
    ] {
        let found = all(&platform, &logs, &query).await;
        assert_eq!(found.len(), expected, "{query:?} {found:?}");
    }
    // By time: from is included, to is not.
    let users_only = ("action", "users.");
    let events = all(&platform, &logs, &[users_only]).await;
    let at = events[3]["at"].as_str().unwrap();
    let since = all(&platform, &logs, &[("from", at), users_only]).await;
    let before = all(&platform, &logs, &[("to", at), users_only]).await;
    assert_eq!(since.len() + before.len(), events.len());
    assert!(since.iter().all(|event| event["at"].as_str().unwrap() >= at));
    assert!(before.iter().all(|event| event["at"].as_str().unwrap() < at));
    assert!(all(&platform, &logs, &[("from", "2999-01-01T00:00:00Z")]).await.is_empty());
    assert!(all(&platform, &logs, &[("to", "2001-01-01T00:00:00Z")]).await.is_empty());

    let one = platform.read(&format!("{logs}/{}", id_of(denied))).await;
    assert_eq!(&one, denied);
    let elsewhere = platform.get(&format!("/api/v1/audit-logs/{}", id_of(denied))).await;
    assert_eq!(problem(&elsewhere), (404, "not_found".into()), "it is of another trail");
    let newest = platform.read("/api/v1/audit-logs?limit=1").await["items"][0].clone();
    assert_eq!(platform.read(&format!("/api/v1/audit-logs/{}", id_of(&newest))).await, newest);
}

#[tokio::test]
async fn what_a_trail_cannot_answer_it_refuses() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    platform.made(&format!("{tenant}/users"), &user("traced")).await;
    let logs = format!("{tenant}/audit-logs");
    for none in ["1", "x", "0198a000-0000-7000-8000-00000000abcd"] {
        let missing = platform.get(&format!("{logs}/{none}")).await;
        assert_eq!(problem(&missing), (404, "not_found".into()), "{none}");
    }
    for (query, pointer) in [
        ("actor=me", "actor"),
        ("target=users", "target"),
        ("outcome=good", "outcome"),
        ("from=yesterday", "from"),
        ("to=12", "to"),
        ("limit=0", "limit"),
        ("cursor=AAAA", "cursor"),
        ("filter=x", "filter"),
    ] {
        let refused = platform.get(&format!("{logs}?{query}")).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{query}");
        assert_eq!(pointers(&refused), [pointer]);
    }
    let page = platform.read(&format!("{logs}?limit=1")).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let moved = platform.get(&format!("{logs}?outcome=denied&cursor={cursor}")).await;
    assert_eq!(pointers(&moved), ["cursor"]);
}

#[tokio::test]
async fn a_trail_is_exported_line_by_line() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let (users, logs) = (format!("{tenant}/users"), format!("{tenant}/audit-logs"));
    // More than is read at once.
    for number in 0..450 {
        platform.made(&users, &json!({ "username": format!("u{number}") })).await;
    }
    let until = platform.made(&users, &json!({ "username": "last" })).await;
    let until = until["created_at"].as_str().unwrap();
    let export = platform.get(&format!("{logs}/export?to={until}")).await;
    assert_eq!((export.status, export.header("content-type")), (200, "application/x-ndjson"));
    let lines: Vec<Value> =
        export.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut listed = all(&platform, &logs, &[("limit", "500"), ("to", until)]).await;
    listed.reverse();
    assert_eq!(lines, listed);
    let part = platform.get(&format!("{logs}/export?action=users.create")).await;
    assert_eq!(part.body.lines().count(), 451);
    let from = lines[400]["at"].as_str().unwrap();
    let part = platform.get(&format!("{logs}/export?from={from}&to={until}")).await;
    let expected = lines.iter().filter(|line| line["at"].as_str().unwrap() >= from).count();
    assert_eq!(part.body.lines().count(), expected);
    let refused = platform.get(&format!("{logs}/export?limit=1")).await;
    assert_eq!(pointers(&refused), ["limit"]);
}

#[tokio::test]
async fn a_trail_is_verified_and_the_clusters_own_is_the_platforms() {
    let (platform, bob) = (Api::platform().await, Api::bob().await);
    let tenant = platform.own_tenant().await;
    platform.made(&format!("{tenant}/users"), &user("hashed")).await;
    for logs in [format!("{tenant}/audit-logs"), "/api/v1/audit-logs".to_owned()] {
        let newest = platform.read(&format!("{logs}?limit=1")).await["items"][0].clone();
        let verified = platform.post(&format!("{logs}/verify"), &json!({})).await;
        assert_eq!(verified.status, 200, "{verified:?}");
        let found = verified.json();
        assert_eq!((&found["whole"], &found["problem"]), (&json!(true), &Value::Null), "{found}");
        assert_eq!(found["next_cursor"], Value::Null);
        let end = found["end"]["sequence"].as_u64().unwrap();
        assert!(end >= newest["sequence"].as_u64().unwrap());
        if end == newest["sequence"].as_u64().unwrap() {
            assert_eq!(found["end"]["hash"], newest["hash"]);
        }
        let forged = json!({ "cursor": "AAAA" });
        let refused = platform.post(&format!("{logs}/verify"), &forged).await;
        assert_eq!(pointers(&refused), ["cursor"]);
    }
    assert_eq!(problem(&bob.get("/api/v1/audit-logs").await), (403, "denied".into()));
    let demo = format!("/api/v1/tenants/{}/audit-logs", bob.demo_id().await);
    assert_eq!(bob.get(&demo).await.status, 200);
    assert_eq!(problem(&bob.get("/api/v1/audit-rules").await), (403, "denied".into()));
    let kept = json!({ "keep_s": 31_536_000 });
    // Of its own: other tests of the shared node set this too.
    let alone = Api::on(support::start(Content::Demo)).await;
    let put = alone.write(Method::PUT, "/api/v1/audit-rules", &[], &kept).await;
    assert_eq!((put.status, put.json()), (200, kept.clone()), "{put:?}");
    assert_eq!(alone.read("/api/v1/audit-rules").await, kept);
    // Looking at it leaves no trace in it, being refused does elsewhere.
    let reader = Api::person("bob", actors::demo::ADMINISTRATOR_PASSWORD, "read").await;
    let verified = reader.write(Method::POST, &format!("{demo}/verify"), &[], &json!({})).await;
    assert_eq!(verified.status, 200, "{verified:?}");
}
