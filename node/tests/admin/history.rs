//! What became of a record, the record as it was, and taking a change back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, pointers, problem, service, user},
    support::Answer,
};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A change of a user that may also change nothing.
fn edit(dice: &mut Dice, name: &str) -> Value {
    let number = dice.roll(3);
    match dice.roll(6) {
        0 => json!({ "email": format!("{name}-{number}@example.org") }),
        1 => json!({ "email": null }),
        2 => json!({ "enabled": number > 0 }),
        3 => json!({ "profile": { "nickname": format!("n{number}"), "locale": null } }),
        4 => {
            json!({ "profile": { "locale": format!("l{number}") }, "email_verified": number == 0 })
        }
        _ => json!({ "username": format!("{name}-{number}") }),
    }
}

async fn history(api: &Api, path: &str) -> Vec<Value> {
    let page = api.read(&format!("{path}/history")).await;
    assert_eq!(page["next_cursor"], Value::Null);
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn after_random_edits_every_revision_reads_as_it_did_then() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    for seed in 1..=4 {
        let mut dice = Dice(seed);
        let name = format!("edited-{seed}");
        let made = platform.post(&users, &user(&name)).await;
        let path = format!("{users}/{}", id_of(&made.json()));
        let mut reads: Vec<Answer> = vec![platform.get(&path).await];
        for _ in 0..25 {
            let answer = platform.patch(&path, &edit(&mut dice, &name)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            reads.push(platform.get(&path).await);
        }
        let last = reads.last().unwrap().json()["revision"].as_u64().unwrap();
        assert!(last > 10, "edits change something: {last}");
        for read in &reads {
            let (index, then) = (read.header("vaultara-index"), read.json());
            let shown = platform.get(&format!("{path}?as_of={index}")).await;
            assert_eq!((shown.status, shown.json()), (200, then.clone()), "{index}");
            assert_eq!(shown.header("etag"), read.header("etag"));
            assert_eq!(shown.header("vaultara-revision"), then["revision"].to_string());
            assert_eq!(shown.header("vaultara-revision-at"), then["updated_at"]);
            // Two changes of one millisecond have one time: the later one is shown.
            let at = then["updated_at"].as_str().unwrap();
            let by_time = platform.read(&format!("{path}?as_of={at}")).await;
            assert_eq!(by_time["updated_at"], then["updated_at"], "{at}");
        }
        let entries = history(&platform, &path).await;
        let revisions: Vec<u64> =
            entries.iter().map(|entry| entry["revision"].as_u64().unwrap()).collect();
        assert_eq!(revisions, (1..=last).rev().collect::<Vec<_>>());
        // Taken back one by one, the changes lead from the last state to the first.
        let mut state = reads.last().unwrap().json();
        for entry in &entries[..entries.len() - 1] {
            for change in entry["changes"].as_array().unwrap() {
                let field = change["field"].as_str().unwrap();
                if state.get(field).is_none() {
                    // Told too, though no view shows it: that sessions ended, say.
                    continue;
                }
                assert_eq!(state[field], change["after"], "{entry}");
                state[field] = change["before"].clone();
            }
        }
        for field in ["username", "email", "email_verified", "enabled", "profile"] {
            assert_eq!(state[field], made.json()[field], "{field}");
        }
    }
}

#[tokio::test]
async fn a_history_says_who_when_and_what_and_never_a_secret() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let users = format!("{tenant}/users");
    let made = platform.made(&users, &user("watched")).await;
    let path = format!("{users}/{}", id_of(&made));
    let password = "the garden gate was painted blue";
    assert_eq!(platform.patch(&path, &json!({ "password": password })).await.status, 200);
    let changed = platform.patch(&path, &json!({ "profile": { "nickname": "W" } })).await;
    assert_eq!(platform.delete(&path).await.status, 204);

    let entries = history(&platform, &path).await;
    let actions: Vec<&str> = entries.iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["users.delete", "users.update", "users.update", "users.create"]);
    let nickname = &entries[1];
    assert_eq!(nickname["actor"]["kind"], "client");
    assert_eq!(nickname["actor"]["tenant_id"], platform.tenant_of_operator().await);
    assert_eq!(nickname["at"], changed.json()["updated_at"]);
    assert_eq!(
        nickname["changes"],
        json!([
            { "field": "profile", "before": {}, "after": { "nickname": "W" } }
        ])
    );
    let field = |entry: &Value, name: &str| {
        let changes = entry["changes"].as_array().unwrap();
        changes.iter().find(|change| change["field"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(field(&entries[2], "has_password")["after"], json!(true));
    assert_eq!(field(&entries[2], "password")["after"], "redacted");
    assert_eq!(field(&entries[3], "username")["after"], "watched");
    assert_eq!(field(&entries[3], "username")["before"], Value::Null);
    assert!(field(&entries[0], "deleted_at")["after"].is_string(), "{entries:?}");
    let text = platform.get(&format!("{path}/history")).await.body;
    assert!(!text.contains(password) && !text.contains("argon2"), "{text}");

    // It is gone, but what it was can be read.
    assert_eq!(platform.get(&path).await.status, 404);
    let then = changed.header("vaultara-index");
    assert_eq!(platform.read(&format!("{path}?as_of={then}")).await, changed.json());
    let first = platform.read(&format!("{path}/history?limit=3")).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = platform.read(&format!("{path}/history?cursor={cursor}")).await;
    assert_eq!(rest["items"].as_array().unwrap()[..], entries[3..]);
    let other = platform.made(&users, &user("other")).await;
    let elsewhere = format!("{users}/{}/history?cursor={cursor}", id_of(&other));
    assert_eq!(pointers(&platform.get(&elsewhere).await), ["cursor"]);
}

#[tokio::test]
async fn before_it_was_made_there_was_nothing() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let before = platform.get(&tenant).await.header("vaultara-index").to_owned();
    let clients = format!("{tenant}/clients");
    let made = platform.post(&clients, &service("late")).await;
    let path = format!("{clients}/{}", id_of(&made.json()));
    for past in [before.as_str(), "2001-01-01T00:00:00Z", "s0.0"] {
        let nothing = platform.get(&format!("{path}?as_of={past}")).await;
        assert_eq!(problem(&nothing), (404, "not_found".into()), "{past}");
    }
    let mut then = made.json();
    then.as_object_mut().unwrap().remove("secret");
    let future = platform.read(&format!("{path}?as_of=2999-01-01T00:00:00%2B02:00")).await;
    assert_eq!(future, then);
    for bad in ["yesterday", "s0.x", "12", "2001-01-01"] {
        let refused = platform.get(&format!("{path}?as_of={bad}")).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{bad}");
        assert_eq!(pointers(&refused), ["as_of"]);
    }
    let random = format!("{clients}/0198a000-0000-7000-8000-00000000abcd");
    for path in [format!("{random}?as_of=s0.1"), format!("{random}/history")] {
        assert_eq!(platform.get(&path).await.status, 404);
    }
}

#[tokio::test]
async fn one_change_is_taken_back_and_later_ones_stay() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let path = format!("{users}/{}", id_of(&platform.made(&users, &user("undone")).await));
    let patch = async |body: Value| {
        let answer = platform.patch(&path, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["revision"].as_u64().unwrap()
    };
    let two = patch(json!({ "email": "new@example.org", "enabled": false })).await;
    let three = patch(json!({ "profile": { "nickname": "U" } })).await;
    let undo = async |revision: u64| {
        platform.post(&format!("{path}/undo"), &json!({ "revision": revision })).await
    };
    let undone = undo(two).await;
    assert_eq!(undone.status, 200, "{undone:?}");
    let now = undone.json();
    assert_eq!(now["email"], "undone@example.org");
    assert_eq!(now["enabled"], json!(true));
    assert_eq!(now["profile"]["nickname"], "U");
    assert_eq!(now["revision"], json!(three + 1));
    // It is a change like any other: audited, in the history, and it can be undone itself.
    assert_eq!(history(&platform, &path).await[0]["action"], "users.update");
    let back = undo(three + 1).await.json();
    assert_eq!((&back["email"], &back["enabled"]), (&json!("new@example.org"), &json!(false)));

    // What changed again since is not overwritten.
    patch(json!({ "email": "third@example.org" })).await;
    let refused = undo(two).await;
    assert_eq!(problem(&refused), (409, "conflict".into()));
    assert_eq!(pointers(&refused), ["/email"]);
    assert_eq!(platform.read(&path).await["enabled"], json!(false), "nothing was undone");
    for (revision, pointer) in [(1, "/revision"), (99, "/revision"), (0, "/revision")] {
        let refused = undo(revision).await;
        assert_eq!(problem(&refused), (422, "rule_violated".into()), "{revision}");
        assert_eq!(pointers(&refused), [pointer]);
    }
}

#[tokio::test]
async fn undoing_obeys_the_rules_of_updating() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let path = format!("{users}/{}", id_of(&platform.made(&users, &user("first")).await));
    let undo = format!("{path}/undo");
    assert_eq!(platform.patch(&path, &json!({ "username": "second" })).await.status, 200);
    // Somebody else took the old name.
    let other = platform.made(&users, &json!({ "username": "first" })).await;
    let refused = platform.post(&undo, &json!({ "revision": 2 })).await;
    assert_eq!(problem(&refused), (409, "already_exists".into()));
    assert_eq!(platform.delete(&format!("{users}/{}", id_of(&other))).await.status, 204);

    let body = json!({ "revision": 2 });
    let stale = [("if-match", "\"1\"")];
    let refused = platform.write(Method::POST, &undo, &stale, &body).await;
    assert_eq!(problem(&refused), (412, "stale".into()));
    let keyed = [("idempotency-key", "undo-once"), ("if-match", "\"2\"")];
    let done = platform.write(Method::POST, &undo, &keyed, &body).await;
    assert_eq!((done.status, done.json()["username"].clone()), (200, json!("first")));
    let again = platform.write(Method::POST, &undo, &keyed, &body).await;
    assert_eq!((again.status, again.json()), (200, done.json()));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other_key = [("idempotency-key", "undo-twice")];
    let refused = platform.write(Method::POST, &undo, &other_key, &body).await;
    assert_eq!(problem(&refused), (409, "conflict".into()));
    assert_eq!(pointers(&refused), ["/username"]);

    assert_eq!(platform.delete(&path).await.status, 204);
    assert_eq!(platform.post(&undo, &body).await.status, 404);
    let unknown = json!({ "revision": 2, "force": true });
    let refused = platform.post(&undo, &unknown).await;
    assert_eq!(refused.status, 400, "{refused:?}");
}

#[tokio::test]
async fn a_tenant_has_a_history_too() {
    let platform = Api::platform().await;
    let tenant = platform.own_tenant().await;
    let first = platform.get(&tenant).await;
    assert_eq!(platform.patch(&tenant, &json!({ "name": "Renamed" })).await.status, 200);
    let index = first.header("vaultara-index");
    assert_eq!(platform.read(&format!("{tenant}?as_of={index}")).await, first.json());
    let entries = history(&platform, &tenant).await;
    assert_eq!(
        entries[0]["changes"],
        json!([
            { "field": "name", "before": "Own", "after": "Renamed" }
        ])
    );
    let body = json!({ "revision": entries[0]["revision"] });
    let undone = platform.post(&format!("{tenant}/undo"), &body).await;
    assert_eq!((undone.status, undone.json()["name"].clone()), (200, json!("Own")));
}
