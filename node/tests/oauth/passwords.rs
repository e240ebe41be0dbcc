//! Passwords as people type them, and hashes that are renewed behind them.

use actors::{
    Asker, Error,
    demo::ALICE_PASSWORD,
    proof::{self, Change, Changed},
    runtime::secret::Password,
};
use identity::{
    command::Command,
    id::{ClientId, TenantId, UserId},
    outcome::Rejection,
    principal::{ApiScopes, Principal, Source},
    secret::PasswordHash,
    stamp::Placement,
    table::{self, Record as _},
    users::{self, User},
};

use crate::support::{
    self, TestNode, Visitor,
    login::{self, Ask},
};

/// Of `CAFE` as it stands, decomposed, and with a cost of long ago.
const OLD_HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                        bmCpBvzmVTLtsJ8q7GMjE0RnFl5Rmkj01i8D+4wRgbE";
const CAFE: &str = "cafe\u{301} on the left bank";
const COMPOSED_CAFE: &str = "caf\u{e9} on the left bank";

fn demo_tenant(node: &TestNode) -> TenantId {
    let reading = node.context.local();
    let address = actors::tenants::Address::Slug(actors::demo::TENANT.into());
    actors::tenants::find(&reading.view().unwrap(), &address).unwrap()
}

fn stored(node: &TestNode, id: UserId) -> User {
    let reading = node.context.local();
    table::record(&reading.view().unwrap(), demo_tenant(node), id.bytes()).unwrap().unwrap()
}

async fn import(node: &TestNode, username: &str) -> UserId {
    let id = node.context.random().id(UserId::from_bytes);
    let settings = users::Settings {
        username: username.into(),
        email: None,
        email_verified: false,
        phone_number_verified: false,
        profile: Default::default(),
        address: Default::default(),
        enabled: true,
        roles: Default::default(),
    };
    let password = Some(PasswordHash::from_phc(OLD_HASH.into()));
    let create = Command::Users(users::Command::Create { id, settings, password });
    let placement = Placement::Tenant(demo_tenant(node));
    node.context.write(&Asker::system(), placement, create).await.unwrap();
    id
}

async fn status(node: &TestNode, credentials: (&str, &str)) -> u16 {
    let (mut visitor, ask) = (Visitor::new(), Ask::web(node));
    let page = login::open(&mut visitor, &ask).await;
    login::submit(&mut visitor, &ask, &page, credentials).await.status
}

#[tokio::test]
async fn an_old_hash_is_renewed_at_the_next_sign_in_and_then_takes_every_spelling() {
    let node = support::start(support::Content::Demo);
    let id = import(&node, "colette").await;
    let before = stored(&node, id);
    assert_eq!(
        status(&node, ("colette", COMPOSED_CAFE)).await,
        403,
        "the old hash is of the other"
    );
    assert_eq!(status(&node, ("colette", CAFE)).await, 303);
    // The renewal is behind the answer: wait for what it does, not for a time.
    let mut after = stored(&node, id);
    while after.revision == before.revision {
        tokio::task::yield_now().await;
        after = stored(&node, id);
    }
    let hash = after.password.clone().unwrap();
    assert!(hash.phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.phc());
    assert_eq!(after.credential_revision, before.credential_revision);
    assert_eq!(
        after,
        User {
            password: after.password.clone(),
            revision: after.revision,
            updated_at_ms: after.updated_at_ms,
            ..before
        }
    );
    for password in [CAFE, COMPOSED_CAFE] {
        assert_eq!(status(&node, ("colette", password)).await, 303, "{password}");
    }
    assert_eq!(stored(&node, id).revision, after.revision, "one renewal was enough");
}

/// Alice of the demo tenant, as the account page would ask for her.
async fn change_own(node: &TestNode, current: &str, new: &str) -> Result<Changed, Error> {
    let tenant = demo_tenant(node);
    let user = by_name(node, "alice");
    let (client, scopes) = (ClientId::from_bytes([0; 16]), ApiScopes::default());
    let principal = Principal::User { tenant, user, client, scopes };
    let source = Source { address: "192.0.2.77".into(), ..Source::default() };
    let asker = Asker { principal, source, idempotency: None };
    let (current, new) = (Password::new(current.into()), Password::new(new.into()));
    let wish = Change { user, current: &current, new, session: None, device: None };
    proof::change(&node.context, &asker, tenant, wish).await
}

fn by_name(node: &TestNode, username: &str) -> UserId {
    let reading = node.context.local();
    let view = reading.view().unwrap();
    let index = (User::TABLE, users::BY_USERNAME);
    let found = table::unique(&view, demo_tenant(node), index.0, index.1, username.as_bytes());
    UserId::from_bytes(found.unwrap().unwrap())
}

#[tokio::test]
async fn a_person_changes_their_password_with_the_one_they_have() {
    let node = support::start(support::Content::Demo);
    let new = "a password that is new here";
    let token = login::tokens(&node).await.text("access_token");
    assert_eq!(login::userinfo(&node, &token).await.status, 200);
    let refused = change_own(&node, ALICE_PASSWORD, "too short").await;
    assert!(matches!(refused, Err(Error::Rejected(Rejection::Invalid { .. }))), "{refused:?}");
    assert_eq!(change_own(&node, ALICE_PASSWORD, new).await.unwrap(), Changed::Done);
    assert_eq!(login::userinfo(&node, &token).await.status, 401, "its session has ended");
    assert_eq!(status(&node, ("alice", ALICE_PASSWORD)).await, 403);
    assert_eq!(status(&node, ("alice", new)).await, 303);
    // Guesses are counted here as at the login page.
    for _ in 0..5 {
        assert_eq!(change_own(&node, "a guess", new).await.unwrap(), Changed::Wrong);
    }
    let refused = change_own(&node, new, ALICE_PASSWORD).await;
    assert!(matches!(refused, Err(Error::Throttled { .. })), "{refused:?}");
    assert_eq!(status(&node, ("alice", new)).await, 429);
}
