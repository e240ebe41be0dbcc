//! Guessing is slowed, alike for accounts that exist and for those that do not; who is known gets
//! in all the same.

use actors::demo::ALICE_PASSWORD;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, Ask},
};

/// Some moment; nodes of these tests stand still until they are moved.
const NOW_MS: u64 = 1_790_000_000_000;

async fn sign_in(node: &TestNode, visitor: &mut Visitor, credentials: (&str, &str)) -> Answer {
    let ask = Ask::web(node);
    let page = visitor.get(&ask.url()).await;
    assert_eq!((page.status, page.page()), (200, "login"), "{page:?}");
    login::submit(visitor, &ask, &page, credentials).await
}

/// A browser that nobody has seen before.
async fn stranger(node: &TestNode, credentials: (&str, &str)) -> Answer {
    sign_in(node, &mut Visitor::new(), credentials).await
}

async fn many(node: &TestNode, username: &str, count: usize) -> Vec<Answer> {
    let tries = (0..count).map(|_| stranger(node, (username, "not the password")));
    join_all(tries).await
}

async fn api(node: &TestNode, method: Method, path: &str) -> Answer {
    let value = format!("Bearer {}", node.admin_token().await);
    let headers = [("authorization", value.as_str())];
    Visitor::new().send(method, &node.at(path), &headers, None).await
}

/// The path of `alice` in the administration API.
async fn alice(node: &TestNode) -> String {
    let filter = "/api/v1/tenants?filter=slug%20eq%20%22demo%22";
    let id = |answer: Answer| answer.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let users = format!("/api/v1/tenants/{}/users", id(api(node, Method::GET, filter).await));
    let found = format!("{users}?filter=username%20eq%20%22alice%22");
    format!("{users}/{}", id(api(node, Method::GET, &found).await))
}

#[tokio::test]
async fn guesses_at_once_are_counted_one_by_one_whether_or_not_the_account_exists() {
    let node = support::start_at(Content::Demo, NOW_MS);
    let mut seen = Vec::new();
    for username in ["alice", "nobody"] {
        let answers = many(&node, username, 16).await;
        let compared = answers.iter().filter(|answer| answer.status == 403).count();
        let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 429).collect();
        assert_eq!((compared, refused.len()), (5, 11), "{username}");
        for answer in refused {
            assert_eq!(answer.page(), "login");
            let wait_s: u32 = answer.header("retry-after").parse().unwrap();
            assert!((1..=10).contains(&wait_s), "{answer:?}");
            assert!(answer.body.contains("role=\"alert\""));
            let shown = answer.body.replace(username, "").replace(answer.hidden("csrf"), "");
            seen.push(shown);
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "one page for all");
    // The right one is not compared either: there is no telling.
    assert_eq!(stranger(&node, ("alice", ALICE_PASSWORD)).await.status, 429);
}

#[tokio::test]
async fn a_known_browser_signs_in_during_an_attack_and_an_unlock_ends_it() {
    let node = support::start_at(Content::Demo, NOW_MS);
    let mut known = Visitor::new();
    let first = sign_in(&node, &mut known, ("alice", ALICE_PASSWORD)).await;
    assert_eq!(first.status, 303, "{first:?}");
    let cookie = first.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let device: Vec<&str> = cookie.filter(|line| line.starts_with("vlt-device-")).collect();
    assert_eq!(device.len(), 1, "{first:?}");
    assert!(device[0].contains("; Max-Age=15552000"), "{device:?}");
    // Only what makes it known, not its session.
    known.cookies.retain(|name, _| name.starts_with("vlt-device-"));
    assert_eq!(known.cookies.len(), 1);

    many(&node, "alice", 8).await;
    assert_eq!(stranger(&node, ("alice", ALICE_PASSWORD)).await.status, 429);
    let alice = alice(&node).await;
    let failed = api(&node, Method::GET, &format!("{alice}/failed-logins")).await;
    assert_eq!(failed.status, 200, "{failed:?}");
    let failed = failed.json();
    assert_eq!((failed["failures"].clone(), failed["locked"].clone()), (json!(5), json!(false)));
    assert_eq!(failed["last_address"], json!("127.0.0.1"));
    assert!(failed["blocked_until"].is_string() || failed["last_at"].is_string(), "{failed}");

    let again = sign_in(&node, &mut known, ("alice", ALICE_PASSWORD)).await;
    assert_eq!(again.status, 303, "{again:?}");
    // For another account it is a stranger, and for another tenant it is none of its cookies.
    let mut elsewhere = Visitor::new();
    elsewhere.cookies = known.cookies.clone();
    elsewhere.cookies.retain(|name, _| name.starts_with("vlt-device-"));
    assert_eq!(sign_in(&node, &mut elsewhere, ("nobody", "x")).await.status, 403);

    let unlocked = api(&node, Method::POST, &format!("{alice}/unlock")).await;
    assert_eq!((unlocked.status, unlocked.body.as_str()), (204, ""), "{unlocked:?}");
    let failed = api(&node, Method::GET, &format!("{alice}/failed-logins")).await.json();
    assert_eq!((failed["failures"].clone(), failed["last_at"].clone()), (json!(0), Value::Null));
    assert_eq!(stranger(&node, ("alice", ALICE_PASSWORD)).await.status, 303);
}

#[tokio::test]
async fn a_whole_login_takes_three_drafts() {
    let node = support::start(Content::Demo);
    // The first one makes the tenant's RSA keys.
    login::tokens(&node).await;
    let drafts = || node.context.observe().proposer.drafts;
    let before = drafts();
    login::tokens(&node).await;
    assert_eq!(drafts() - before, 3);
}

#[tokio::test]
async fn failures_survive_a_restart() {
    let node = support::start_at(Content::Demo, NOW_MS);
    many(&node, "alice", 8).await;
    let path = format!("{}/failed-logins", alice(&node).await);
    let before = api(&node, Method::GET, &path).await.json();
    assert_eq!(before["failures"], json!(5));
    assert_eq!(stranger(&node, ("alice", ALICE_PASSWORD)).await.status, 429);

    let node = node.restarted();
    assert_eq!(api(&node, Method::GET, &path).await.json(), before);
    assert_eq!(stranger(&node, ("alice", ALICE_PASSWORD)).await.status, 429, "still throttled");
    // The wait ends as it was said, and the next failure counts on from there.
    node.pass_ms(10_000);
    assert_eq!(stranger(&node, ("alice", "not the password")).await.status, 403);
    let after = api(&node, Method::GET, &path).await.json();
    assert_eq!(after["failures"], json!(6));
}
