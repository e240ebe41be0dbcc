//! Passwords as people type them, and hashes that are renewed behind them.

use std::time::Duration;

use actors::Asker;
use identity::{
    command::Command,
    id::{TenantId, UserId},
    secret::PasswordHash,
    stamp::Placement,
    table,
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
    let renewed = async {
        while after.revision == before.revision {
            tokio::task::yield_now().await;
            after = stored(&node, id);
        }
    };
    tokio::time::timeout(Duration::from_secs(30), renewed).await.expect("it is renewed");
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
