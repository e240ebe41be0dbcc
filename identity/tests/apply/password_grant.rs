//! The password grant: what a right password is worth to the client that hands it in.

use std::collections::BTreeSet;

use identity::{
    clients::{self, GrantType},
    command::Command,
    consents,
    grants::{Grant, Issued},
    id::{GrantId, UserId},
    oauth::{
        self, claims, introspect,
        password::HandedIn,
        refresh::{Handover, Refreshed},
    },
    outcome::{IssueRefusal, Outcome, Rejection},
    principal::Principal,
    sessions, users,
};

use crate::{
    refresh::{set, use_of},
    world::{ACME, BOB, URL, WEB, World, client, digest, operator, phc, user},
};

type Result = std::result::Result<Outcome, Rejection>;

const FIRST: u8 = 0x10;

fn web() -> clients::Settings {
    let grant_types = [GrantType::Password, GrantType::RefreshToken].into();
    clients::Settings { grant_types, ..client("web") }
}

fn allowed() -> World {
    let mut world = World::ready();
    set(&mut world, web());
    world
}

fn bob(scopes: &[&str]) -> HandedIn {
    HandedIn {
        user: BOB,
        credential_revision: 1,
        client: WEB,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        api: false,
        grant: GrantId::from_bytes([1; 16]),
        refresh: Some(digest(FIRST)),
    }
}

fn ask(world: &mut World, handed_in: HandedIn) -> Result {
    let command = oauth::Command::Password(Box::new(handed_in));
    world.result(Principal::Anonymous, ACME, Command::Oauth(command))
}

fn counts(world: &World, issued: &Issued) -> bool {
    let names = claims::Names { issuer: URL, api_audience: "https://id.example/api" };
    let token = claims::access_token(issued, names, "jti".into(), world.now_ms);
    let tables = world.tables.opened(ACME);
    introspect::live(&tables, ACME, &token, world.now_ms).unwrap().is_some()
}

#[test]
fn a_right_password_is_worth_an_access_token_and_no_session() {
    let mut world = allowed();
    let issued = match ask(&mut world, bob(&["openid", "read"])) {
        Ok(Outcome::Issued(issued)) => issued,
        other => panic!("{other:?}"),
    };
    assert_eq!((issued.user, issued.session), (Some(BOB), None));
    assert_eq!(issued.authenticated_at_ms, Some(world.now_ms));
    let grant: Grant = world.record(ACME, [1; 16]).unwrap();
    assert_eq!((grant.session, grant.epoch), (None, 0));
    assert!(counts(&world, &issued));
    let all = Command::Sessions(sessions::Command::EndAll { user: BOB });
    world.done(operator(), ACME, all);
    assert!(!counts(&world, &issued), "it hangs off the user's epoch");
}

#[test]
fn a_refresh_token_comes_with_offline_access_only() {
    let mut world = allowed();
    let refreshed = match ask(&mut world, bob(&["openid", "offline_access"])) {
        Ok(Outcome::Refreshed(refreshed)) => *refreshed,
        other => panic!("{other:?}"),
    };
    let Refreshed { issued, token } = refreshed;
    assert_eq!(token, Handover::Begun);
    use_of(&mut world, FIRST, 2).unwrap();
    // What is taken from the client is taken from what began with it.
    let mut taken = world.clone();
    let grant_types = [GrantType::AuthorizationCode, GrantType::RefreshToken].into();
    set(&mut taken, clients::Settings { grant_types, ..web() });
    let refused = Err(Rejection::Issue(IssueRefusal::GrantType));
    assert_eq!(use_of(&mut taken, 2, 3), refused);
    let (settings, password) = (user("bob"), Some(phc("another")));
    let change = users::Command::Update { id: BOB, expected: None, settings, password };
    world.done(operator(), ACME, Command::Users(change));
    assert!(!counts(&world, &issued));
    assert!(use_of(&mut world, 2, 3).is_err());
}

#[test]
fn nothing_is_issued_where_the_gate_says_no() {
    type Change = (&'static str, fn(&mut World), fn(HandedIn) -> HandedIn, Rejection);
    let issue = Rejection::Issue;
    let table: [Change; 8] = [
        (
            "not registered for it",
            |world| set(world, client("web")),
            |asked| asked,
            issue(IssueRefusal::GrantType),
        ),
        (
            "disabled user",
            |world| {
                let off = users::Settings { enabled: false, ..user("bob") };
                world.update_user(operator(), ACME, BOB, off).unwrap();
            },
            |asked| asked,
            issue(IssueRefusal::UserDisabled),
        ),
        (
            "unknown user",
            |_| {},
            |asked| HandedIn { user: UserId::from_bytes([9; 16]), ..asked },
            issue(IssueRefusal::UserDisabled),
        ),
        (
            "disabled tenant",
            |world| world.enable_tenant(ACME, false),
            |asked| asked,
            issue(IssueRefusal::TenantDisabled),
        ),
        (
            "disabled client",
            |world| set(world, clients::Settings { enabled: false, ..web() }),
            |asked| asked,
            issue(IssueRefusal::ClientDisabled),
        ),
        (
            "third-party",
            |world| {
                let required = true;
                let require = consents::Command::Require { client: WEB, expected: None, required };
                world.done(operator(), ACME, Command::Consents(require));
            },
            |asked| asked,
            issue(IssueRefusal::Consent),
        ),
        (
            "the administration API",
            |_| {},
            |asked| HandedIn { api: true, ..asked },
            issue(IssueRefusal::Scope),
        ),
        (
            "another password meanwhile",
            |_| {},
            |asked| HandedIn { credential_revision: 7, ..asked },
            Rejection::Stale,
        ),
    ];
    for (what, change, asked, refusal) in table {
        let mut world = allowed();
        change(&mut world);
        assert_eq!(ask(&mut world, asked(bob(&["openid"]))), Err(refusal), "{what}");
        assert!(world.record::<Grant>(ACME, [1; 16]).is_none(), "{what}");
    }
}

#[test]
fn a_client_that_hands_in_passwords_proves_itself() {
    let mut world = World::ready();
    let public = clients::Settings { authentication: clients::Authentication::None, ..web() };
    let refused = world.update_client(operator(), ACME, WEB, public);
    let invalid = Rejection::invalid("/grant_types", "password needs a client with a secret");
    assert_eq!(refused, Err(invalid));
    let alone =
        clients::Settings { grant_types: BTreeSet::from([GrantType::RefreshToken]), ..web() };
    assert!(world.update_client(operator(), ACME, WEB, alone).is_err());
}
