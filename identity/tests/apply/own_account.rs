//! What people do at their own account: sign in to it.

use identity::{
    command::Command,
    id::SessionId,
    outcome::{IssueRefusal, Outcome, Rejection},
    principal::Principal,
    sessions::{self, Presented, Session, SignIn},
    users,
};

use crate::{
    sessions::{further, go_on, shown},
    world::{ACME, BOB, ROOT, World, operator, user},
};

type Result = std::result::Result<Outcome, Rejection>;

fn sign_in(number: u8, presented: Option<Presented>) -> SignIn {
    let Presented { session, cookie } = shown(number);
    SignIn {
        user: BOB,
        credential_revision: 1,
        session,
        cookie,
        presented,
        address: "192.0.2.1".into(),
        user_agent: "browser".into(),
    }
}

fn begin(world: &mut World, sign_in: SignIn) -> Result {
    let bob = Principal::Person { tenant: ACME, user: sign_in.user };
    let command = sessions::Command::SignIn(Box::new(sign_in));
    world.result(bob, ACME, Command::Sessions(command))
}

fn session(world: &World, number: u8) -> Session {
    world.record(ACME, [number; 16]).unwrap()
}

#[test]
fn a_sign_in_that_no_client_asked_for_begins_a_session_that_clients_go_on_with() {
    let mut world = World::ready();
    let written = Outcome::Written { id: [1; 16], revision: 1 };
    assert_eq!(begin(&mut world, sign_in(1, None)), Ok(written));
    let begun = session(&world, 1);
    assert_eq!((begun.user, begun.authenticated_at_ms), (BOB, world.now_ms));
    assert!(begun.clients.is_empty());
    go_on(&mut world, further(shown(1), 2)).unwrap();
}

#[test]
fn a_second_sign_in_raises_the_session_and_somebody_elses_ends_it() {
    let mut world = World::ready();
    begin(&mut world, sign_in(1, None)).unwrap();
    world.now_ms += 1000;
    begin(&mut world, sign_in(2, Some(shown(1)))).unwrap();
    let raised = session(&world, 1);
    assert_eq!((raised.cookie, raised.authenticated_at_ms), (shown(2).cookie, world.now_ms));
    assert!(world.record::<Session>(ACME, [2; 16]).is_none());
    let here = Presented { cookie: shown(2).cookie, ..shown(1) };
    begin(&mut world, SignIn { user: ROOT, ..sign_in(3, Some(here)) }).unwrap();
    assert_eq!(session(&world, 1).ended_at_ms, Some(world.now_ms));
    assert_eq!(session(&world, 3).user, ROOT);
}

#[test]
fn nobody_signs_in_whom_nothing_may_be_issued_to() {
    type Change = (&'static str, fn(&mut World), Rejection);
    let table: [Change; 3] = [
        (
            "disabled",
            |world| {
                let settings = users::Settings { enabled: false, ..user("bob") };
                world.update_user(operator(), ACME, BOB, settings).unwrap();
            },
            Rejection::Issue(IssueRefusal::UserDisabled),
        ),
        (
            "deleted",
            |world| {
                let delete = users::Command::Delete { id: BOB, expected: None };
                world.done(operator(), ACME, Command::Users(delete));
            },
            Rejection::Issue(IssueRefusal::UserDisabled),
        ),
        (
            "tenant disabled",
            |world| world.enable_tenant(ACME, false),
            Rejection::Issue(IssueRefusal::TenantDisabled),
        ),
    ];
    for (what, change, refusal) in table {
        let mut world = World::ready();
        change(&mut world);
        assert_eq!(begin(&mut world, sign_in(1, None)), Err(refusal), "{what}");
        assert!(world.record::<Session>(ACME, [1; 16]).is_none(), "{what}");
    }
    let mut world = World::ready();
    let moved = SignIn { credential_revision: 7, ..sign_in(1, None) };
    assert_eq!(begin(&mut world, moved), Err(Rejection::Stale));
    let unknown = SignIn { user: identity::id::UserId::from_bytes([9; 16]), ..sign_in(1, None) };
    assert_eq!(begin(&mut world, unknown), Err(Rejection::Issue(IssueRefusal::UserDisabled)));
    assert!(world.record::<Session>(ACME, SessionId::from_bytes([1; 16]).bytes()).is_none());
}
