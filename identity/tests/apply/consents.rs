//! Consents: what a third-party client may have is asked first, remembered, and can be taken back.

use std::collections::BTreeSet;

use identity::{
    clients,
    command::Command,
    consents::{self, Consent, Requirement},
    grants::Issued,
    id::ClientId,
    oauth::{self, claims, introspect},
    outcome::{IssueRefusal, Outcome, Rejection},
    principal::Principal,
};

use crate::{
    login::redeem,
    sessions::{begin, further, go_on, shown, sign_in},
    world::{ACME, ALL, BOB, CLI, OTHER, OWN, ROOT, WEB, World, client, digest, operator, person},
};

type Result = std::result::Result<Outcome, Rejection>;

fn unasked() -> Result {
    Err(Rejection::Issue(IssueRefusal::Consent))
}

fn require(client: ClientId, required: bool) -> consents::Command {
    consents::Command::Require { client, expected: None, required }
}

fn administer(world: &mut World, by: Principal, command: consents::Command) -> Result {
    world.result(by, ACME, Command::Consents(command))
}

/// The web client must ask, and bob is signed in without having been asked.
fn asking() -> World {
    let mut world = World::ready();
    administer(&mut world, operator(), require(WEB, true)).unwrap();
    begin(&mut world, oauth::SignIn { code: None, ..sign_in(BOB, 1, None) }).unwrap();
    world
}

fn wanting(code: u8, scopes: &[&str]) -> oauth::Continue {
    let mut further = further(shown(1), code);
    further.ask.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    further
}

fn allow(world: &mut World, further: oauth::Continue) -> Result {
    let command = oauth::Command::Allow(Box::new(further));
    world.result(Principal::Anonymous, ACME, Command::Oauth(command))
}

fn consent(world: &World) -> Option<Consent> {
    world.record(ACME, consents::id_of(BOB, WEB).bytes())
}

#[test]
fn a_third_party_client_gets_nothing_before_the_person_allowed_it() {
    let mut world = asking();
    assert_eq!(begin(&mut world.clone(), sign_in(BOB, 2, None)), unasked());
    for scopes in [&[][..], &["openid"]] {
        assert_eq!(go_on(&mut world, wanting(2, scopes)), unasked());
    }
    assert_eq!(consent(&world), None);
    allow(&mut world, wanting(2, &["openid", "email"])).unwrap();
    assert!(matches!(world.done(Principal::Anonymous, ACME, redeem(2, 2)), Outcome::Issued(_)));
    // Remembered, for what was allowed and for less.
    for scopes in [&[][..], &["openid"], &["email", "openid"]] {
        go_on(&mut world, wanting(3, scopes)).unwrap();
    }
    assert_eq!(go_on(&mut world, wanting(4, &["openid", "phone"])), unasked());
    allow(&mut world, wanting(4, &["openid", "phone"])).unwrap();
    go_on(&mut world, wanting(5, &["email", "phone"])).unwrap();
    let all: BTreeSet<String> = ["email", "openid", "phone"].map(str::to_owned).into();
    assert_eq!(consent(&world).unwrap().scopes, all);
    // With it a login is as before.
    begin(&mut world, sign_in(BOB, 6, None)).unwrap();
}

#[test]
fn what_may_not_be_issued_is_not_remembered_either() {
    let world = asking();
    let other = identity::sessions::Presented { cookie: digest(0x55), ..shown(1) };
    let elsewhere = "https://evil.example/".to_owned();
    let mut foreign = wanting(2, &["openid"]);
    foreign.ask.redirect_uri = elsewhere;
    for further in [
        oauth::Continue { presented: other, ..wanting(2, &["openid"]) },
        oauth::Continue { max_age_s: Some(0), ..wanting(2, &["openid"]) },
        wanting(2, &["root"]),
        foreign,
    ] {
        let mut world = world.clone();
        assert!(allow(&mut world, further).is_err());
        assert_eq!(consent(&world), None);
    }
}

#[test]
fn a_withdrawn_consent_ends_what_hung_off_it_and_is_given_anew() {
    let mut world = asking();
    allow(&mut world, wanting(2, &["openid", "email"])).unwrap();
    let issued = match world.result(Principal::Anonymous, ACME, redeem(2, 2)) {
        Ok(Outcome::Issued(issued)) => issued,
        other => panic!("{other:?}"),
    };
    let live = |world: &World, issued: &Issued| {
        let names = claims::Names { issuer: "i", api_audience: "a" };
        let token = claims::access_token(issued, names, "j".into(), world.now_ms);
        introspect::live(&world.tables.opened(ACME), ACME, &token, world.now_ms).unwrap().is_some()
    };
    assert!(live(&world, &issued));
    go_on(&mut world, wanting(3, &["openid"])).unwrap();
    let id = consents::id_of(BOB, WEB);
    let withdraw = consents::Command::Withdraw { id, expected: None };
    administer(&mut world, operator(), withdraw.clone()).unwrap();
    assert!(!live(&world, &issued));
    assert_eq!(world.result(Principal::Anonymous, ACME, redeem(3, 3)), unasked());
    assert_eq!(go_on(&mut world, wanting(4, &["openid"])), unasked());
    assert_eq!(administer(&mut world, operator(), withdraw), Err(Rejection::NotFound));
    // What is allowed again is not what was allowed before.
    allow(&mut world, wanting(5, &["openid"])).unwrap();
    assert_eq!(go_on(&mut world, wanting(6, &["email"])), unasked());
}

#[test]
fn only_the_person_and_who_may_withdraw_a_consent() {
    let id = consents::id_of(BOB, WEB);
    let given = || {
        let mut world = asking();
        allow(&mut world, wanting(2, &["openid"])).unwrap();
        world
    };
    let withdraw = |expected| consents::Command::Withdraw { id, expected };
    let mut world = given();
    let stranger = Principal::Client { tenant: ACME, client: WEB, scopes: OWN };
    let denied = Err(Rejection::Denied("consents:write".into()));
    assert_eq!(administer(&mut world, stranger, withdraw(None)), denied);
    let foreign = person(OTHER, ROOT, OWN);
    assert_eq!(administer(&mut world, foreign, withdraw(None)), Err(Rejection::NotFound));
    // The same id in another tenant is another user.
    let namesake = person(OTHER, BOB, OWN);
    assert_eq!(administer(&mut world, namesake, withdraw(None)), Err(Rejection::NotFound));
    assert_eq!(administer(&mut world, operator(), withdraw(Some(9))), Err(Rejection::Stale));
    assert!(consent(&world).unwrap().withdrawn_at_ms.is_none());
    for by in
        [person(ACME, BOB, OWN), person(ACME, ROOT, OWN), person(crate::world::DEFAULT, ROOT, ALL)]
    {
        let mut world = given();
        administer(&mut world, by, withdraw(Some(1))).unwrap();
        assert!(consent(&world).unwrap().withdrawn_at_ms.is_some());
    }
}

#[test]
fn a_person_withdraws_their_own_consents_only_and_only_while_signed_in() {
    let mut world = asking();
    allow(&mut world, wanting(2, &["openid"])).unwrap();
    begin(&mut world, oauth::SignIn { code: None, ..sign_in(ROOT, 9, None) }).unwrap();
    let id = consents::id_of(BOB, WEB);
    let own = |by| consents::Command::WithdrawOwn { by, id };
    // An administrator of the tenant too: here everybody is only themselves.
    let at_account = |user| Principal::Person { tenant: ACME, user };
    let (root, bob) = (at_account(ROOT), at_account(BOB));
    assert_eq!(administer(&mut world, root, own(shown(9))), Err(Rejection::NotFound));
    let denied = Err(Rejection::Denied("account".into()));
    assert_eq!(administer(&mut world, root, own(shown(1))), denied);
    let wrong = identity::sessions::Presented { cookie: digest(0x55), ..shown(1) };
    let ended = Err(Rejection::Issue(IssueRefusal::SessionEnded));
    assert_eq!(administer(&mut world, bob, own(wrong)), ended);
    assert!(consent(&world).unwrap().withdrawn_at_ms.is_none());
    assert_eq!(administer(&mut world, operator(), own(shown(1))), denied);
    administer(&mut world, bob, own(shown(1))).unwrap();
    assert!(consent(&world).unwrap().withdrawn_at_ms.is_some());
    assert_eq!(go_on(&mut world, wanting(4, &["openid"])), unasked());
    assert_eq!(administer(&mut world, bob, own(shown(1))), Err(Rejection::NotFound));
}

#[test]
fn clients_of_administrators_must_ask_and_those_of_the_product_need_not() {
    let mut world = World::ready();
    let required = |world: &World, client: ClientId| {
        world.record::<Requirement>(ACME, client.bytes()).is_some_and(|found| found.required)
    };
    assert!(!required(&world, WEB) && !required(&world, CLI));
    let id = ClientId::from_bytes([0x77; 16]);
    let (settings, secret) = (client("registered"), Some(digest(3)));
    let create = clients::Command::Create { id, settings, secret };
    world.done(person(ACME, ROOT, OWN), ACME, Command::Clients(create));
    assert!(required(&world, id));
    let root = person(ACME, ROOT, OWN);
    administer(&mut world, root, require(id, false)).unwrap();
    assert!(!required(&world, id));
    let bob = administer(&mut world, person(ACME, BOB, OWN), require(WEB, true));
    assert_eq!(bob, Err(Rejection::Denied("clients:write".into())));
    let built_in = administer(&mut world, root, require(CLI, true));
    assert!(matches!(built_in, Err(Rejection::Protected(_))));
    let unknown = administer(&mut world, root, require(ClientId::from_bytes([9; 16]), true));
    assert_eq!(unknown, Err(Rejection::NotFound));
    let stale = consents::Command::Require { client: id, expected: Some(7), required: true };
    assert_eq!(administer(&mut world, root, stale), Err(Rejection::Stale));
}
