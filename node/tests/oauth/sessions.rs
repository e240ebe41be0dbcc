//! Ending sessions: seen at once wherever a session matters, also in a race.

use actors::{
    Asker, demo,
    tenants::{self, Address},
};
use futures::future::{join, join_all};
use identity::{
    command::Command,
    id::{SessionId, TenantId},
    sessions,
    stamp::Placement,
    table::{self, Record as _},
    users::{self, User},
};

use crate::support::{
    self, Answer, TestNode, Visitor,
    login::{self, Ask, alice_stays, claims, redeem},
};

/// Requests at once in one session. They take turns, each a write: on a slow disk the last ones
/// wait for longer than anybody waits for a turn, and are told to come again.
const MANY: usize = 64;
/// Those whose turn comes on any disk.
const TURNS_MIN: usize = 16;

fn require_turns(answers: &[Answer]) {
    let served = answers.iter().filter(|answer| answer.status != 503).count();
    assert!(served >= TURNS_MIN, "{served} of {} had their turn", answers.len());
}

fn demo_tenant(node: &TestNode) -> TenantId {
    let reading = node.context.local();
    tenants::find(&reading.view().unwrap(), &Address::Slug(demo::TENANT.into())).unwrap()
}

async fn propose(node: &TestNode, command: sessions::Command) {
    let placement = Placement::Tenant(demo_tenant(node));
    node.context.write(&Asker::system(), placement, Command::Sessions(command)).await.unwrap();
}

fn alice(node: &TestNode) -> User {
    let (reading, tenant) = (node.context.local(), demo_tenant(node));
    let view = reading.view().unwrap();
    let id = table::unique(&view, tenant, User::TABLE, users::BY_USERNAME, b"alice").unwrap();
    table::record(&view, tenant, id.unwrap()).unwrap().unwrap()
}

fn session_of(visitor: &Visitor) -> SessionId {
    let cookie = visitor.cookies.iter().find(|(name, _)| name.contains("session")).unwrap().1;
    cookie.split_once('_').unwrap().0.parse().unwrap()
}

#[tokio::test]
async fn an_ended_session_is_ended_everywhere_at_once() {
    let node = support::start(support::Content::Demo);
    let ask = Ask::web(&node);
    let user = alice(&node).id;
    for all in [false, true] {
        let (mut visitor, first) = alice_stays(&ask).await;
        let (mut other, _) = alice_stays(&ask).await;
        let token =
            redeem(&node, &first.sent_back("code").unwrap(), &[]).await.text("access_token");
        let code = visitor.get(&ask.url()).await.sent_back("code").unwrap();
        let id = session_of(&visitor);
        propose(
            &node,
            match all {
                false => sessions::Command::End { id, expected: None },
                true => sessions::Command::EndAll { user },
            },
        )
        .await;
        let userinfo = login::userinfo(&node, &token).await;
        assert_eq!(userinfo.oauth_error(), (401, "invalid_token".to_owned()));
        let introspected = login::introspect(&node, &token).await;
        assert_eq!(introspected.json(), serde_json::json!({ "active": false }));
        let redeemed = redeem(&node, &code, &[]).await;
        assert_eq!(redeemed.oauth_error(), (400, "invalid_grant".to_owned()));
        login::open(&mut visitor, &ask).await;
        let silent = visitor.get(&ask.clone().with("prompt", "none").url()).await;
        assert_eq!(silent.sent_back("error").as_deref(), Some("login_required"));
        // One ends one browser, all end all.
        assert_eq!(other.get(&ask.url()).await.status, if all { 200 } else { 303 });
        // The way back in is open.
        let page = login::open(&mut visitor, &ask).await;
        let credentials = ("alice", demo::ALICE_PASSWORD);
        let answer = login::submit(&mut visitor, &ask, &page, credentials).await;
        assert!(answer.sent_back("code").is_some(), "{answer:?}");
        assert_ne!(session_of(&visitor), id);
    }
}

#[tokio::test]
async fn after_the_end_was_answered_nothing_comes_of_a_session_however_many_ask() {
    let node = support::start(support::Content::Demo);
    let ask = Ask::web(&node);
    for _ in 0..8 {
        let (visitor, _) = alice_stays(&ask).await;
        let id = session_of(&visitor);
        let twin = || {
            let mut twin = Visitor::new();
            twin.cookies = visitor.cookies.clone();
            twin
        };
        let asking = (0..MANY).map(|_| {
            let (mut twin, url) = (twin(), ask.url());
            async move { twin.get(&url).await }
        });
        let end = propose(&node, sessions::Command::End { id, expected: None });
        let (answers, ()) = join(join_all(asking), end).await;
        require_turns(&answers);
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 303 | 503), "{answer:?}");
        }
        // Whatever was handed out before the end is worthless after it.
        let granted = answers.iter().filter(|answer| answer.status == 303);
        let codes: Vec<String> = granted.map(|answer| answer.sent_back("code").unwrap()).collect();
        let redeeming = codes.iter().map(|code| redeem(&node, code, &[]));
        for redeemed in join_all(redeeming).await {
            assert_eq!(redeemed.oauth_error(), (400, "invalid_grant".to_owned()));
        }
        let page = twin().get(&ask.url()).await;
        assert_eq!((page.status, page.page()), (200, "login"));
    }
}

#[tokio::test]
async fn a_session_remembers_every_client_that_many_requests_bring_at_once() {
    let node = support::start(support::Content::Demo);
    let (visitor, first) = alice_stays(&Ask::web(&node)).await;
    let native = Ask::of(node.demo_at(""), "native-demo", "http://127.0.0.1:52002/callback");
    let asking = (0..MANY).map(|number| {
        let mut twin = Visitor::new();
        twin.cookies = visitor.cookies.clone();
        let url = if number % 2 == 0 { native.url() } else { Ask::web(&node).url() };
        async move { twin.get(&url).await }
    });
    let answers = join_all(asking).await;
    require_turns(&answers);
    let sent_back = |answer: &Answer| answer.status == 503 || answer.sent_back("code").is_some();
    assert!(answers.iter().all(sent_back), "{answers:?}");
    let (reading, tenant) = (node.context.local(), demo_tenant(&node));
    let id = session_of(&visitor);
    let session: Option<sessions::Session> =
        table::record(&reading.view().unwrap(), tenant, id.bytes()).unwrap();
    let session = session.unwrap();
    assert_eq!(session.clients.len(), 2);
    // One write for the sign-in, one for each client; all else was too soon to be worth one.
    assert_eq!(session.revision, 3);
    let tokens = redeem(&node, &first.sent_back("code").unwrap(), &[]).await;
    assert_eq!(claims(&tokens.text("id_token"))["sid"], id.to_string());
}
