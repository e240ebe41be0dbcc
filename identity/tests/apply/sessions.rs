//! Login sessions: single sign-on, raised assurance, limits, and every way of ending.

use identity::{
    authorize::Permission,
    command::Command,
    consents,
    grants::Issued,
    id::{ClientId, SessionId, UserId},
    oauth::{self, introspect},
    outcome::{IssueRefusal, Outcome, Rejection},
    principal::Principal,
    secret::Digest,
    sessions::{self, BY_USER, Presented, SESSIONS, Session},
    table::{FoundRow, Span, Tables},
    users::{self, User},
};

use crate::{
    login::redeem,
    world::{ACME, BOB, CALLBACK, OTHER, ROOT, WEB, World, digest, operator, phc, user},
};

pub(crate) type Result = std::result::Result<Outcome, Rejection>;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The cookie that the session of a number begins with.
pub(crate) fn shown(number: u8) -> Presented {
    Presented { session: SessionId::from_bytes([number; 16]), cookie: cookie(number) }
}

fn cookie(number: u8) -> Digest {
    digest(0x80 | number)
}

fn asked() -> oauth::Ask {
    oauth::Ask {
        client: WEB,
        redirect_uri: CALLBACK.into(),
        scopes: ["openid".into()].into(),
        nonce: None,
        challenge: Some(CHALLENGE.into()),
        api: false,
    }
}

pub(crate) fn sign_in(user: UserId, number: u8, presented: Option<Presented>) -> oauth::SignIn {
    oauth::SignIn {
        user,
        credential_revision: 1,
        session: SessionId::from_bytes([number; 16]),
        cookie: cookie(number),
        presented,
        address: "192.0.2.1".into(),
        user_agent: "browser".into(),
        ask: asked(),
        code: Some(digest(number)),
    }
}

pub(crate) fn further(presented: Presented, code: u8) -> oauth::Continue {
    oauth::Continue { presented, ask: asked(), code: digest(code), max_age_s: None }
}

fn ask(world: &mut World, command: oauth::Command) -> Result {
    world.result(Principal::Anonymous, ACME, Command::Oauth(command))
}

pub(crate) fn begin(world: &mut World, sign_in: oauth::SignIn) -> Result {
    ask(world, oauth::Command::SignIn(Box::new(sign_in)))
}

pub(crate) fn go_on(world: &mut World, further: oauth::Continue) -> Result {
    ask(world, oauth::Command::Continue(Box::new(further)))
}

pub(crate) fn administer(world: &mut World, by: Principal, command: sessions::Command) -> Result {
    world.result(by, ACME, Command::Sessions(command))
}

pub(crate) fn signed_in() -> World {
    let mut world = World::ready();
    begin(&mut world, sign_in(BOB, 1, None)).unwrap();
    world
}

pub(crate) fn session(world: &World, number: u8) -> Session {
    world.record(ACME, [number; 16]).unwrap()
}

fn ended() -> Result {
    Err(Rejection::Issue(IssueRefusal::SessionEnded))
}

fn listed(world: &World, user: UserId) -> Vec<u8> {
    let text = user.to_string();
    let (table, index, prefix, after) = (SESSIONS, BY_USER, text.as_bytes(), None);
    let span = Span::Index { table, index, prefix, after, unique: false };
    let found = world.tables.opened(ACME).scan(ACME, span, 500, false).unwrap();
    let number = |row| match row {
        FoundRow::Listed { id, .. } => id[0],
        other => panic!("{other:?}"),
    };
    found.into_iter().map(|found| number(found.row)).collect()
}

#[test]
fn a_session_goes_on_to_a_client_and_remembers_it() {
    let mut world = signed_in();
    let client = ClientId::from_bytes([0x77; 16]);
    let settings = crate::world::client("second");
    let create =
        identity::clients::Command::Create { id: client, settings, secret: Some(digest(2)) };
    world.done(operator(), ACME, Command::Clients(create));
    let own = consents::Command::Require { client, expected: None, required: false };
    world.done(operator(), ACME, Command::Consents(own));
    world.now_ms += 1000;
    let ask = oauth::Ask { client, ..asked() };
    go_on(&mut world, oauth::Continue { ask, ..further(shown(1), 2) }).unwrap();
    let found = session(&world, 1);
    assert_eq!(found.clients, [WEB, client].into());
    // The code is as old as the sign-in, not as the request.
    go_on(&mut world, further(shown(1), 3)).unwrap();
    match world.result(Principal::Anonymous, ACME, redeem(3, 3)) {
        Ok(Outcome::Issued(Issued { session, authenticated_at_ms, .. })) => {
            assert_eq!(session, Some(found.id));
            assert_eq!(authenticated_at_ms, Some(found.authenticated_at_ms));
            assert!(found.authenticated_at_ms < world.now_ms);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_that_does_not_count_goes_on_to_nobody_and_nothing_is_written() {
    let world = signed_in();
    let other = Presented { cookie: digest(0x55), ..shown(1) };
    let unknown = Presented { session: SessionId::from_bytes([9; 16]), ..shown(1) };
    type Change = fn(&mut World);
    let table: [(&str, Presented, Change); 8] = [
        ("another cookie", other, |_| {}),
        ("an unknown session", unknown, |_| {}),
        ("unused for too long", shown(1), |world| world.now_ms += 7_260_000),
        ("ended", shown(1), |world| {
            let end = sessions::Command::End { id: shown(1).session, expected: None };
            administer(world, operator(), end).unwrap();
        }),
        ("all ended", shown(1), |world| {
            let end = sessions::Command::EndAll { user: BOB };
            administer(world, operator(), end).unwrap();
        }),
        ("disabled", shown(1), |world| {
            let settings = users::Settings { enabled: false, ..user("bob") };
            world.update_user(operator(), ACME, BOB, settings).unwrap();
        }),
        ("disabled and enabled again", shown(1), |world| {
            let settings = users::Settings { enabled: false, ..user("bob") };
            world.update_user(operator(), ACME, BOB, settings).unwrap();
            world.update_user(operator(), ACME, BOB, user("bob")).unwrap();
        }),
        ("another password", shown(1), |world| {
            let (settings, password) = (user("bob"), Some(phc("another")));
            let change = users::Command::Update { id: BOB, expected: None, settings, password };
            world.done(operator(), ACME, Command::Users(change));
        }),
    ];
    for (what, presented, change) in table {
        let mut world = world.clone();
        change(&mut world);
        let before = session(&world, 1);
        assert_eq!(go_on(&mut world, further(presented, 2)), ended(), "{what}");
        assert_eq!(session(&world, 1), before, "{what}");
        assert_eq!(
            world.result(Principal::Anonymous, ACME, redeem(2, 2)),
            Err(Rejection::Code(identity::outcome::CodeRefusal::Unknown)),
            "{what}"
        );
    }
}

#[test]
fn a_code_of_an_ended_session_is_worth_nothing_and_neither_are_its_tokens() {
    for end in [
        sessions::Command::End { id: shown(1).session, expected: None },
        sessions::Command::EndAll { user: BOB },
    ] {
        let mut world = signed_in();
        let issued = match world.result(Principal::Anonymous, ACME, redeem(1, 1)) {
            Ok(Outcome::Issued(issued)) => issued,
            other => panic!("{other:?}"),
        };
        let names = oauth::claims::Names { issuer: "i", api_audience: "a" };
        let token = oauth::claims::access_token(&issued, names, "j".into(), world.now_ms);
        let live = |world: &World| {
            introspect::live(&world.tables.opened(ACME), ACME, &token, world.now_ms).unwrap()
        };
        assert!(live(&world).is_some());
        go_on(&mut world, further(shown(1), 2)).unwrap();
        administer(&mut world, operator(), end).unwrap();
        assert!(live(&world).is_none());
        assert_eq!(world.result(Principal::Anonymous, ACME, redeem(2, 2)), ended());
        // Whoever signs in again is not hindered by what ended.
        begin(&mut world, sign_in(BOB, 3, Some(shown(1)))).unwrap();
        go_on(&mut world, further(shown(3), 4)).unwrap();
    }
}

#[test]
fn a_request_may_want_a_recent_sign_in() {
    let mut world = signed_in();
    world.now_ms += 60_000;
    let at_most = |max_s| oauth::Continue { max_age_s: Some(max_s), ..further(shown(1), 2) };
    go_on(&mut world, at_most(60)).unwrap();
    world.now_ms += 1;
    let old = Err(Rejection::Issue(IssueRefusal::LoginTooOld));
    assert_eq!(go_on(&mut world, at_most(60)), old);
    // Proving it again keeps the session and changes its cookie.
    begin(&mut world, sign_in(BOB, 2, Some(shown(1)))).unwrap();
    let raised = session(&world, 1);
    assert_eq!((raised.authenticated_at_ms, raised.cookie), (world.now_ms, cookie(2)));
    assert!(world.record::<Session>(ACME, [2; 16]).is_none());
    assert_eq!(go_on(&mut world, further(shown(1), 3)), ended());
    let fresh = Presented { cookie: cookie(2), ..shown(1) };
    go_on(&mut world, oauth::Continue { presented: fresh, ..at_most(1) }).unwrap();
    assert_eq!(go_on(&mut world, oauth::Continue { presented: fresh, ..at_most(0) }), old);
}

#[test]
fn somebody_else_at_the_same_browser_ends_the_session_that_was_there() {
    let mut world = signed_in();
    let change = sign_in(ROOT, 2, Some(shown(1)));
    begin(&mut world, change).unwrap();
    assert_eq!(session(&world, 1).ended_at_ms, Some(world.now_ms));
    assert_eq!(session(&world, 2).user, ROOT);
    assert_eq!((listed(&world, BOB), listed(&world, ROOT)), (vec![], vec![2]));
    assert_eq!(go_on(&mut world, further(shown(1), 3)), ended());
    // A cookie that opens nothing is nobody's to end.
    let guess = Presented { cookie: digest(0x55), ..shown(2) };
    begin(&mut world, sign_in(BOB, 3, Some(guess))).unwrap();
    assert!(session(&world, 2).ended_at_ms.is_none());
}

#[test]
fn a_sign_in_without_a_code_begins_a_session_of_no_client() {
    let mut world = World::ready();
    begin(&mut world, oauth::SignIn { code: None, ..sign_in(BOB, 1, None) }).unwrap();
    assert!(session(&world, 1).clients.is_empty());
    go_on(&mut world, further(shown(1), 2)).unwrap();
    assert_eq!(session(&world, 1).clients, [WEB].into());
}

#[test]
fn one_session_too_many_ends_the_oldest() {
    let mut world = World::ready();
    let rules = sessions::Command::SetRules { expected: None, idle_s: 7200, per_user_max: 3 };
    administer(&mut world, operator(), rules).unwrap();
    for number in 1..=3 {
        world.now_ms += 1000;
        begin(&mut world, sign_in(BOB, number, None)).unwrap();
    }
    world.now_ms += 1000;
    begin(&mut world, sign_in(BOB, 4, None)).unwrap();
    assert_eq!(listed(&world, BOB), [2, 3, 4]);
    assert_eq!(go_on(&mut world, further(shown(1), 9)), ended());
    // Others have their own room, and raising a session takes none.
    begin(&mut world, sign_in(ROOT, 5, None)).unwrap();
    begin(&mut world, sign_in(BOB, 6, Some(shown(2)))).unwrap();
    assert_eq!(listed(&world, BOB), [2, 3, 4]);
    // Fewer at once, as soon as the next begins; those of an earlier epoch leave the list with it.
    let rules = sessions::Command::SetRules { expected: None, idle_s: 60, per_user_max: 1 };
    administer(&mut world, operator(), rules).unwrap();
    begin(&mut world, sign_in(BOB, 7, None)).unwrap();
    assert_eq!(listed(&world, BOB), [7]);
    let end = sessions::Command::EndAll { user: BOB };
    administer(&mut world, operator(), end).unwrap();
    begin(&mut world, sign_in(BOB, 8, None)).unwrap();
    assert_eq!(listed(&world, BOB), [8]);
    assert_eq!((session(&world, 8).idle_s, session(&world, 8).epoch), (60, 1));
}

#[test]
fn only_who_may_ends_sessions_or_changes_their_rules() {
    let denied = |permission: Permission| Err(Rejection::Denied(permission.name()));
    let commands = || {
        [
            sessions::Command::End { id: shown(1).session, expected: None },
            sessions::Command::EndAll { user: BOB },
            sessions::Command::SetRules { expected: None, idle_s: 600, per_user_max: 5 },
        ]
    };
    for command in commands() {
        let mut world = signed_in();
        let bob = crate::world::person(ACME, BOB, crate::world::OWN);
        assert_eq!(administer(&mut world, bob, command.clone()), denied(sessions::WRITE));
        let foreign = crate::world::person(OTHER, ROOT, crate::world::OWN);
        let unseen = Err(Rejection::NotFound);
        assert_eq!(administer(&mut world, foreign, command.clone()), unseen);
        assert!(session(&world, 1).ended_at_ms.is_none());
        assert_eq!(world.record::<User>(ACME, BOB.bytes()).unwrap().session_epoch, 0);
        let root = crate::world::person(ACME, ROOT, crate::world::OWN);
        assert!(administer(&mut world, root, command).is_ok());
    }
    let mut world = signed_in();
    let unknown = [
        sessions::Command::End { id: SessionId::from_bytes([9; 16]), expected: None },
        sessions::Command::EndAll { user: UserId::from_bytes([9; 16]) },
    ];
    for command in unknown {
        assert_eq!(administer(&mut world, operator(), command), Err(Rejection::NotFound));
    }
    let stale = sessions::Command::End { id: shown(1).session, expected: Some(77) };
    assert_eq!(administer(&mut world, operator(), stale), Err(Rejection::Stale));
}

#[test]
fn rules_are_changed_under_the_revision_they_were_read_at() {
    let mut world = World::ready();
    let set = |expected, idle_s| sessions::Command::SetRules { expected, idle_s, per_user_max: 5 };
    administer(&mut world, operator(), set(Some(0), 600)).unwrap();
    assert_eq!(administer(&mut world, operator(), set(Some(0), 700)), Err(Rejection::Stale));
    administer(&mut world, operator(), set(Some(1), 700)).unwrap();
    let rules: sessions::Rules = world.record(ACME, ACME.bytes()).unwrap();
    assert_eq!((rules.revision, rules.idle_s, rules.per_user_max), (2, 700, 5));
    let short = administer(&mut world, operator(), set(None, 59));
    assert!(matches!(short, Err(Rejection::Invalid { field, .. }) if field == "/idle_s"));
}

/// What a person asks of their own account.
fn own(world: &mut World, by: UserId, command: sessions::Command) -> Result {
    let principal = Principal::Person { tenant: ACME, user: by };
    world.result(principal, ACME, Command::Sessions(command))
}

#[test]
fn people_end_their_own_sessions_and_nobody_elses() {
    let mut world = signed_in();
    begin(&mut world, sign_in(BOB, 2, None)).unwrap();
    begin(&mut world, sign_in(ROOT, 3, None)).unwrap();
    let end = |by: Presented, number: u8| {
        let id = SessionId::from_bytes([number; 16]);
        sessions::Command::EndOwn { by, id }
    };
    let denied = Err(Rejection::Denied("account".into()));
    let stolen = Presented { cookie: digest(0x55), ..shown(1) };
    assert_eq!(own(&mut world, BOB, end(stolen, 2)), ended());
    assert_eq!(own(&mut world, BOB, end(shown(1), 3)), Err(Rejection::NotFound));
    assert_eq!(own(&mut world, ROOT, end(shown(1), 2)), denied);
    assert_eq!(administer(&mut world, operator(), end(shown(1), 2)), denied);
    for number in [1, 2, 3] {
        assert_eq!(session(&world, number).ended_at_ms, None, "{number}");
    }
    own(&mut world, BOB, end(shown(1), 2)).unwrap();
    assert_eq!(go_on(&mut world, further(shown(2), 4)), ended());
    assert_eq!(own(&mut world, BOB, end(shown(1), 2)), Err(Rejection::NotFound));
    own(&mut world, BOB, end(shown(1), 1)).unwrap();
    assert_eq!(go_on(&mut world, further(shown(1), 5)), ended());
    assert_eq!(own(&mut world, BOB, end(shown(1), 1)), ended());
    go_on(&mut world, further(shown(3), 6)).unwrap();
}

#[test]
fn people_end_all_their_sessions_but_the_one_they_ask_from() {
    let mut world = signed_in();
    begin(&mut world, sign_in(BOB, 2, None)).unwrap();
    begin(&mut world, sign_in(ROOT, 3, None)).unwrap();
    own(&mut world, BOB, sessions::Command::EndOthers { by: shown(1) }).unwrap();
    assert_eq!(go_on(&mut world, further(shown(2), 4)), ended());
    go_on(&mut world, further(shown(1), 5)).unwrap();
    go_on(&mut world, further(shown(3), 6)).unwrap();
    let again = sessions::Command::EndOthers { by: shown(2) };
    assert_eq!(own(&mut world, BOB, again), ended());
    begin(&mut world, sign_in(BOB, 7, None)).unwrap();
    go_on(&mut world, further(shown(7), 8)).unwrap();
    go_on(&mut world, further(shown(1), 9)).unwrap();
}
