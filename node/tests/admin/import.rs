//! Many users in one request: each line is decided by itself.

use reqwest::Method;
use serde_json::Value;

use crate::{
    api::{Api, problem, unique, user},
    support::Answer,
};

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

async fn send(api: &Api, path: &str, headers: &[(&str, &str)], text: &str) -> Answer {
    let headers = [&[NDJSON], headers].concat();
    api.send(Method::POST, path, &headers, Some(text.to_owned())).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), NDJSON.1, "{answer:?}");
    answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn statuses(answer: &Answer) -> Vec<(u64, u64)> {
    let number = |line: &Value, name: &str| line[name].as_u64().unwrap();
    lines(answer).iter().map(|line| (number(line, "line"), number(line, "status"))).collect()
}

#[tokio::test]
async fn a_line_that_breaks_a_rule_does_not_touch_the_others() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let path = format!("{tenant}/users/import");
    platform.made(&format!("{tenant}/users"), &user("alice")).await;
    let text = "{\"username\":\"one\",\"password\":\"a quite long enough password\"}\n\
                {\"username\":\"alice\",\"enabled\":false}\n\
                {\"username\":\"\"}\n\
                {\"username\":\"two\",\"password\":\"short\"}\n\
                {\"username\":\"two\",\"unknown\":1}\n\
                not json\n\
                {\"username\":\"two\"}";
    let answer = send(&platform, &path, &[], text).await;
    let wanted = [(1, 201), (2, 409), (3, 422), (4, 422), (5, 400), (6, 400), (7, 201)];
    assert_eq!(statuses(&answer), wanted);
    let lines = lines(&answer);
    assert_eq!(lines[1]["code"], "already_exists");
    assert_eq!(lines[2]["errors"][0]["pointer"], "/username");
    assert_eq!(lines[3]["errors"][0]["pointer"], "/password");
    assert_eq!(lines[4]["errors"][0]["pointer"], "/unknown");
    let user = platform.read(&format!("{tenant}/users/{}", lines[6]["id"].as_str().unwrap())).await;
    assert_eq!(user["username"], "two");
    let all = platform.read(&format!("{tenant}/users")).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn an_import_that_is_repeated_under_its_key_makes_nothing_twice() {
    let platform = Api::platform().await;
    let path = format!("{}/users/import", platform.own_tenant().await);
    let name = unique("import");
    let key = [("idempotency-key", name.as_str())];
    let text = "{\"username\":\"one\"}\n{\"username\":\"two\"}\n";
    let first = send(&platform, &path, &key, text).await;
    assert_eq!(statuses(&first), [(1, 201), (2, 201)]);
    let again = send(&platform, &path, &key, text).await;
    assert_eq!(lines(&again), lines(&first));
    // A line that was another one then is another request under the same key.
    let changed =
        send(&platform, &path, &key, "{\"username\":\"one\"}\n{\"username\":\"six\"}").await;
    let changed = lines(&changed);
    assert_eq!(changed[0], lines(&first)[0]);
    assert_eq!(changed[1]["code"], "idempotency_mismatch");
}

#[tokio::test]
async fn an_import_is_bounded_and_needs_the_same_permission() {
    let (bob, alice, platform) = (Api::bob().await, Api::alice().await, Api::platform().await);
    let theirs = format!("{}/users/import", platform.own_tenant().await);
    let own = format!("/api/v1/tenants/{}/users/import", bob.demo_id().await);
    let line = "{\"username\":\"x\"}\n";
    assert_eq!(problem(&send(&alice, &own, &[], line).await), (403, "denied".into()));
    assert_eq!(problem(&send(&bob, &theirs, &[], line).await), (404, "not_found".into()));
    let reader = Api::person("bob", actors::demo::ADMINISTRATOR_PASSWORD, "read").await;
    assert_eq!(problem(&send(&reader, &own, &[], line).await), (403, "denied".into()));
    let many = send(&bob, &own, &[], &line.repeat(1_001)).await;
    assert_eq!(problem(&many), (413, "payload_too_large".into()));
    let none = send(&bob, &own, &[], "\n\n").await;
    assert_eq!(problem(&none), (400, "invalid_request".into()));
    let json = bob.post(&own, &serde_json::json!({ "username": "x" })).await;
    assert_eq!(problem(&json), (415, "unsupported_media_type".into()));
    assert_eq!(json.header("accept"), NDJSON.1);
}
