//! Entity tags and conditions: nobody overwrites what they have not seen.

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, id_of, problem, service, unique, user};

async fn a_user(api: &Api) -> (String, String) {
    let users = format!("/api/v1/tenants/{}/users", api.demo_id().await);
    let name = unique("tagged");
    let made = api.made(&users, &user(&name)).await;
    (format!("{users}/{}", id_of(&made)), name)
}

#[tokio::test]
async fn an_unchanged_record_is_not_sent_again() {
    let bob = Api::bob().await;
    let (path, name) = a_user(&bob).await;
    let get = |tag: &'static str| {
        let (bob, path) = (bob.clone(), path.clone());
        async move { bob.send(Method::GET, &path, &[("if-none-match", tag)], None).await }
    };
    for tag in ["\"1\"", "W/\"1\"", "*", "\"7\", \"1\""] {
        let same = get(tag).await;
        assert_eq!((same.status, same.body.as_str()), (304, ""), "{tag}");
        assert_eq!(same.header("etag"), "\"1\"");
    }
    assert_eq!(get("\"2\"").await.status, 200);
    assert_eq!(bob.put(&path, &renamed(&name, 2)).await.status, 200);
    let changed = get("\"1\"").await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
}

/// A user whose nickname is a number: an equal body would change nothing.
fn renamed(name: &str, number: u64) -> Value {
    let mut body = user(name);
    body["profile"] = json!({ "nickname": number.to_string() });
    body
}

#[tokio::test]
async fn a_change_needs_the_revision_it_names() {
    let bob = Api::bob().await;
    let (path, name) = a_user(&bob).await;
    let body = user(&name);
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        for wrong in ["\"2\"", "W/\"1\"", "1", "\"x\"", "\"2\", \"3\""] {
            let headers = [("if-match", wrong)];
            let refused = bob.write(method.clone(), &path, &headers, &body).await;
            assert_eq!(problem(&refused), (412, "stale".into()), "{method} {wrong}");
        }
    }
    assert_eq!(bob.read(&path).await["revision"], json!(1));
    for (method, tag, revision) in [
        (Method::PUT, "\"1\"", 2),
        (Method::PATCH, "\"2\"", 3),
        (Method::PUT, "\"9\", \"3\"", 4),
        (Method::PATCH, "*", 5),
        (Method::PUT, "*", 6),
    ] {
        let body = renamed(&name, revision);
        let changed = bob.write(method.clone(), &path, &[("if-match", tag)], &body).await;
        assert_eq!(changed.status, 200, "{method} {tag} {changed:?}");
        assert_eq!(changed.json()["revision"], json!(revision));
    }
    let deleted = bob.write(Method::DELETE, &path, &[("if-match", "\"6\"")], &json!({})).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
}

#[tokio::test]
async fn tenants_and_clients_have_conditions_too() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let app = platform.made(&format!("{tenant}/clients"), &service("app")).await;
    let app = format!("{tenant}/clients/{}", id_of(&app));
    for path in [&app, &tenant] {
        let patch = json!({ "name": "Renamed" });
        let wrong = platform.write(Method::PATCH, path, &[("if-match", "\"2\"")], &patch).await;
        assert_eq!(problem(&wrong), (412, "stale".into()), "{path}");
        let right = platform.write(Method::PATCH, path, &[("if-match", "\"1\"")], &patch).await;
        assert_eq!((right.status, right.header("etag")), (200, "\"2\""), "{path}");
        for key in [&[][..], &[("idempotency-key", "a-key-changes-nothing-here")]] {
            let headers = [&[("if-match", "\"1\"")], key].concat();
            let wrong = platform.write(Method::DELETE, path, &headers, &patch).await;
            assert_eq!(problem(&wrong), (412, "stale".into()), "{path}");
        }
        let right = platform.write(Method::DELETE, path, &[("if-match", "\"2\"")], &patch).await;
        assert_eq!(right.status, 204, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_changes_of_one_revision_one_is_made() {
    let bob = Api::bob().await;
    let (path, name) = a_user(&bob).await;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (bob, path) = (bob.clone(), path.clone());
        let body = json!({ "username": name, "profile": { "nickname": number.to_string() } });
        running.spawn(async move {
            let answer = bob.write(Method::PUT, &path, &[("if-match", "\"1\"")], &body).await;
            (number, answer.status)
        });
    }
    let answers = running.join_all().await;
    let winners: Vec<i32> =
        answers.iter().filter(|(_, status)| *status == 200).map(|(number, _)| *number).collect();
    let losers = answers.iter().filter(|(_, status)| *status == 412).count();
    assert_eq!((winners.len(), losers), (1, 15), "{answers:?}");
    let after = bob.read(&path).await;
    assert_eq!(after["revision"], json!(2));
    assert_eq!(after["profile"]["nickname"], json!(winners[0].to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patches_of_different_fields_at_once_lose_nothing() {
    let bob = Api::bob().await;
    let (path, _) = a_user(&bob).await;
    let mut running = tokio::task::JoinSet::new();
    for claim in ["nickname", "given_name", "family_name", "middle_name", "locale", "zoneinfo"] {
        let (bob, path) = (bob.clone(), path.clone());
        running.spawn(async move {
            let patch = json!({ "profile": { claim: "x" } });
            (claim, bob.patch(&path, &patch).await)
        });
    }
    let mut done = 0;
    let mut revisions = Vec::new();
    let answers = running.join_all().await;
    let after = bob.read(&path).await;
    for (claim, answer) in answers {
        if answer.status == 200 {
            done += 1;
            revisions.push(answer.json()["revision"].as_u64().unwrap());
            assert_eq!(answer.json()["profile"][claim], json!("x"));
            assert_eq!(after["profile"][claim], json!("x"), "{claim} was lost");
        } else {
            // After one more try it says so instead of overwriting.
            assert_eq!(problem(&answer), (409, "conflict".into()));
            assert_eq!(after["profile"].get(claim), None);
        }
    }
    assert!(done >= 1);
    revisions.sort_unstable();
    assert_eq!(revisions, (2..2 + done).collect::<Vec<u64>>(), "each is shown at its own revision");
}
