//! Single sign-on: one login for all clients of a tenant, in one browser.

use actors::demo::{ADMINISTRATOR_PASSWORD, ALICE_PASSWORD};
use futures::future::join_all;

use crate::support::{
    self, Answer, TestNode, Visitor,
    login::{self, Ask, alice_stays, claims, redeem},
};

fn native(node: &TestNode) -> Ask {
    Ask::of(node.demo_at(""), "native-demo", "http://127.0.0.1:52002/callback")
}

async fn native_tokens(node: &TestNode, code: &str) -> Answer {
    let changes = [
        ("client_id", "native-demo"),
        ("client_secret", ""),
        ("redirect_uri", "http://127.0.0.1:52002/callback"),
    ];
    redeem(node, code, &changes).await
}

/// The session's cookie.
fn session(visitor: &Visitor) -> String {
    let found = visitor.cookies.iter().find(|(name, _)| name.contains("session"));
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

#[tokio::test]
async fn whoever_is_signed_in_goes_on_to_another_client_without_a_page() {
    let node = support::demo();
    let (mut visitor, first) = alice_stays(&Ask::web(&node)).await;
    let web = redeem(&node, &first.sent_back("code").unwrap(), &[]).await.text("id_token");
    let cookie = session(&visitor);

    let ask = native(&node);
    let answer = visitor.get(&ask.url()).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(answer.header("location").starts_with("http://127.0.0.1:52002/callback?code="));
    assert_eq!(answer.sent_back("state").as_deref(), Some(ask.get("state")));
    assert_eq!(answer.sent_back("iss"), Some(node.demo_at("")));
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = native_tokens(&node, &answer.sent_back("code").unwrap()).await;
    let (web, native) = (claims(&web), claims(&tokens.text("id_token")));
    for claim in ["sub", "sid", "auth_time"] {
        assert_eq!(web[claim], native[claim], "{claim}");
    }
    assert_eq!(session(&visitor), cookie);
    // By form as well, and into a form.
    let answer = visitor.post(&node.demo_at("/oauth/authorize"), &ask.pairs()).await;
    assert!(answer.sent_back("code").is_some(), "{answer:?}");
    let answer = visitor.get(&ask.with("response_mode", "form_post").url()).await;
    assert_eq!((answer.status, answer.page()), (200, "form-post"), "{answer:?}");
    assert!(answer.hidden("code").starts_with("vlt_ac_"));
}

#[tokio::test]
async fn a_session_is_of_one_tenant_and_one_browser() {
    let node = support::demo();
    let (mut visitor, _) = alice_stays(&Ask::web(&node)).await;
    let default = Ask::of(node.url.clone(), "vaultara-cli", "http://127.0.0.1:4711/callback");
    login::open(&mut visitor, &default).await;
    login::open(&mut Visitor::new(), &native(&node)).await;

    let (name, value) = visitor.cookies.iter().find(|(name, _)| name.contains("session")).unwrap();
    let (name, value) = (name.clone(), value.clone());
    let id = value.split_once('_').unwrap().0.to_owned();
    for forged in [
        value.trim_end_matches(|_| true).to_owned(),
        format!("{}x", &value[..value.len() - 1]),
        format!("{id}_vlt_st_{}", "A".repeat(43)),
        value.split_once('_').unwrap().1.to_owned(),
        format!("00000000-0000-7000-8000-000000000000_{}", value.split_once('_').unwrap().1),
    ] {
        let mut other = Visitor::new();
        other.cookies.insert(name.clone(), forged.clone());
        let page = other.get(&native(&node).url()).await;
        assert_eq!((page.status, page.page()), (200, "login"), "{forged}");
    }
    assert!(visitor.get(&native(&node).url()).await.sent_back("code").is_some());
}

#[tokio::test]
async fn proving_oneself_again_changes_the_cookie_and_keeps_the_session() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let (mut visitor, first) = alice_stays(&ask).await;
    let before = session(&visitor);
    let again = ask.clone().with("prompt", "login");
    let page = login::open(&mut visitor, &again).await;
    let second = login::submit(&mut visitor, &ask, &page, ("alice", ALICE_PASSWORD)).await;
    let after = session(&visitor);
    assert_ne!(before, after);
    let mut sids = Vec::new();
    for answer in [first, second] {
        let tokens = redeem(&node, &answer.sent_back("code").unwrap(), &[]).await;
        sids.push(claims(&tokens.text("id_token"))["sid"].clone());
    }
    assert_eq!(sids[0], sids[1]);

    // The old cookie, wherever it got to, opens nothing any more.
    let name = visitor.cookies.keys().find(|name| name.contains("session")).unwrap().clone();
    let mut thief = Visitor::new();
    thief.cookies.insert(name, before);
    login::open(&mut thief, &ask).await;
    assert!(visitor.get(&ask.url()).await.sent_back("code").is_some());
}

#[tokio::test]
async fn another_person_at_the_browser_ends_the_session_that_was_there() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let (mut visitor, first) = alice_stays(&ask).await;
    let token = redeem(&node, &first.sent_back("code").unwrap(), &[]).await.text("access_token");
    assert_eq!(login::userinfo(&node, &token).await.status, 200);
    let page = login::open(&mut visitor, &ask.clone().with("prompt", "login")).await;
    let bob = ("bob", ADMINISTRATOR_PASSWORD);
    let answer = login::submit(&mut visitor, &ask, &page, bob).await;
    let tokens = redeem(&node, &answer.sent_back("code").unwrap(), &[]).await;
    assert_ne!(claims(&tokens.text("access_token"))["sub"], claims(&token)["sub"]);
    assert_eq!(login::userinfo(&node, &token).await.status, 401);
}

#[tokio::test]
async fn of_many_who_prove_themselves_with_one_cookie_at_once_one_keeps_the_session() {
    let node = support::start(support::Content::Demo);
    let ask = Ask::web(&node);
    let (mut visitor, _) = alice_stays(&ask).await;
    let id = |cookie: &str| cookie.split_once('_').unwrap().0.to_owned();
    let before = id(&session(&visitor));
    let mut tries = Vec::new();
    for _ in 0..8 {
        let page = login::open(&mut visitor, &ask.clone().with("prompt", "login")).await;
        let mut twin = Visitor::new();
        twin.cookies = visitor.cookies.clone();
        let ask = ask.clone();
        tries.push(async move {
            let answer = login::submit(&mut twin, &ask, &page, ("alice", ALICE_PASSWORD)).await;
            (answer.status, session(&twin))
        });
    }
    let ended: Vec<(u16, String)> =
        join_all(tries).await.into_iter().filter(|(status, _)| *status == 303).collect();
    let kept = ended.iter().filter(|(_, cookie)| id(cookie) == before).count();
    assert_eq!(kept, 1, "{ended:?}");
}
