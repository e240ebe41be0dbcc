//! Work in one session takes turns, and what is too much for one is refused without a loss.

use std::time::Duration;

use actors::{
    demo::{self, ALICE_PASSWORD, WEB_SECRET},
    runtime::session::{Observed, Purpose, TURNS_MAX},
    tenants::Address,
};
use identity::{
    id::{SessionId, TenantId},
    sessions::Session,
    table,
};
use tokio::task::JoinSet;

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, Ask, alice_stays, claims, redeem},
};

/// How long a write behind an answer may need.
const RECORDED_WITHIN: Duration = Duration::from_secs(30);

fn tenant(node: &TestNode) -> TenantId {
    node.context.tenant_at(&Address::Slug(demo::TENANT.into())).unwrap()
}

async fn observe(node: &TestNode, session: SessionId) -> Option<Observed> {
    node.context.observe_session(tenant(node), session).await.unwrap()
}

async fn refresh(node: &TestNode, token: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "web-demo"),
        ("client_secret", WEB_SECRET),
    ];
    Visitor::new().post(&node.demo_at("/oauth/token"), &form).await
}

/// A browser that is signed in, its session, and a refresh token of that.
async fn signed_in(node: &TestNode) -> (Visitor, SessionId, String) {
    let (visitor, answer) = alice_stays(&Ask::web(node)).await;
    let tokens = redeem(node, &answer.sent_back("code").unwrap(), &[]).await;
    let session = claims(&tokens.text("id_token"))["sid"].as_str().unwrap().parse().unwrap();
    (visitor, session, tokens.text("refresh_token"))
}

#[tokio::test]
async fn whatever_changes_a_session_takes_a_turn_in_it() {
    let node = support::start(Content::Demo);
    let ask = Ask::web(&node);
    let (mut visitor, session, token) = signed_in(&node).await;
    assert_eq!(observe(&node, session).await, None, "only a session in use has an actor");
    let turns = async || observe(&node, session).await.unwrap().turns;
    assert_eq!(visitor.get(&ask.url()).await.status, 303);
    assert_eq!(turns().await, 1, "going on to a client");
    let successor = refresh(&node, &token).await.text("refresh_token");
    assert_eq!(turns().await, 2, "refreshing");
    let page = login::open(&mut visitor, &ask.clone().with("prompt", "login")).await;
    login::submit(&mut visitor, &ask, &page, ("alice", ALICE_PASSWORD)).await;
    assert_eq!(turns().await, 3, "proving oneself again");
    let form = [("token", successor.as_str()), ("client_id", "web-demo")];
    let form = [form.as_slice(), &[("client_secret", WEB_SECRET)]].concat();
    let revoked = Visitor::new().post(&node.demo_at("/oauth/revoke"), &form).await;
    assert_eq!((revoked.status, turns().await), (200, 4), "revoking: {revoked:?}");
    let account = node.demo_at("/account");
    let page = visitor.get(&account).await;
    let form = [("csrf", page.hidden("csrf"))];
    let out = visitor.post(&format!("{account}/sign-out"), &form).await;
    assert_eq!((out.status, turns().await), (303, 5), "signing out: {out:?}");
    // Tokens that never were, and families that have ended, reach nobody's actor.
    for dead in [successor.as_str(), "vlt_rt_0000000000000000000000000000000000000000000"] {
        assert_eq!(refresh(&node, dead).await.status, 400);
    }
    assert_eq!(turns().await, 5);
}

#[tokio::test]
async fn a_session_that_too_many_work_in_is_refused_for_a_moment_and_loses_nothing() {
    let node = support::start(Content::Demo);
    let (mut visitor, session, token) = signed_in(&node).await;
    let (_, another, other) = signed_in(&node).await;
    let held = node.context.turn(tenant(&node), session, Purpose::Use).await.unwrap();
    let mut waiting = JoinSet::new();
    for _ in 1..TURNS_MAX {
        let (context, tenant) = (node.context.clone(), tenant(&node));
        waiting.spawn(async move { context.turn(tenant, session, Purpose::Use).await.map(drop) });
    }
    while observe(&node, session).await.unwrap().waiting < TURNS_MAX - 1 {
        tokio::task::yield_now().await;
    }
    let refused = refresh(&node, &token).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    let page = visitor.get(&Ask::web(&node).url()).await;
    assert_eq!((page.status, page.header("retry-after"), page.page()), (503, "1", "error"));
    assert_eq!(refresh(&node, &other).await.status, 200, "another session of the same person");
    assert_eq!(observe(&node, another).await.unwrap().turns, 1);

    drop(held);
    while let Some(waited) = waiting.join_next().await {
        waited.unwrap().unwrap();
    }
    assert_eq!(refresh(&node, &token).await.status, 200);
    assert_eq!(visitor.get(&Ask::web(&node).url()).await.status, 303);
}

#[tokio::test]
async fn looking_at_the_account_keeps_a_session_alive_at_the_cost_of_a_write_a_minute() {
    let node = support::start_at(Content::Demo, 1_790_000_000_000);
    let (mut visitor, id, _) = signed_in(&node).await;
    let session = || -> Session {
        let reading = node.context.local();
        let view = reading.view().unwrap();
        table::record(&view, tenant(&node), id.bytes()).unwrap().unwrap()
    };
    let began = session();
    let account = node.demo_at("/account");
    node.pass_ms(59_999);
    assert_eq!(visitor.get(&account).await.page(), "own-account");
    assert_eq!(observe(&node, id).await, None, "too early to be worth a write");
    node.pass_ms(1);
    for _ in 0..8 {
        assert_eq!(visitor.get(&account).await.page(), "own-account");
    }
    let recorded = async {
        while session().seen_at_ms == began.seen_at_ms {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(RECORDED_WITHIN, recorded).await.expect("it is recorded");
    assert_eq!(session().revision, began.revision + 1);
    // Twice the idle limit, looked at every hour.
    for _ in 0..4 {
        let seen_at_ms = session().seen_at_ms;
        node.pass_ms(3_600_000);
        // One that comes while the last write is being concluded is let go: the next use counts.
        let recorded = async {
            let mut visits = 0;
            while session().seen_at_ms == seen_at_ms {
                if visits < 2 {
                    assert_eq!(visitor.get(&account).await.page(), "own-account");
                    visits += 1;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(RECORDED_WITHIN, recorded).await.expect("it is recorded");
    }
}
