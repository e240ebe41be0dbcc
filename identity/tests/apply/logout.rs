//! What clients register for logout, and who is told of which session's end.

use identity::{
    command::Command,
    id::{ClientId, SessionId},
    logout::{self, ClientRules, Leaving, Notice},
    outcome::{Outcome, Rejection},
    principal::Principal,
    sessions::{self, Session},
    users,
};

use crate::{
    sessions::{begin, further, go_on, shown, sign_in},
    world::{ACME, BOB, OTHER, OWN, ROOT, WEB, World, operator, person, phc, user},
};

type Result = std::result::Result<Outcome, Rejection>;

fn rules(client: ClientId) -> ClientRules {
    ClientRules {
        backchannel_logout_uri: Some("https://app.example/back".into()),
        ..ClientRules::none(client)
    }
}

fn set_rules(
    world: &mut World,
    by: Principal,
    rules: ClientRules,
    expected: Option<u64>,
) -> Result {
    let rules = Box::new(rules);
    world.result(by, ACME, Command::Logout(logout::Command::SetRules { rules, expected }))
}

/// Bob is signed in at the web client, which is to be told.
fn signed_in() -> World {
    let mut world = World::ready();
    set_rules(&mut world, operator(), rules(WEB), None).unwrap();
    begin(&mut world, sign_in(BOB, 1, None)).unwrap();
    world
}

fn sessions(world: &mut World, by: Principal, command: sessions::Command) -> Result {
    world.result(by, ACME, Command::Sessions(command))
}

fn note(world: &mut World, command: logout::Command) {
    world.done(Principal::System, ACME, Command::Logout(command));
}

fn notice(world: &World, number: u8) -> Option<Notice> {
    world.record(ACME, [number; 16])
}

fn due(world: &World) -> (Vec<u8>, Option<u64>) {
    let due = logout::due(&world.tables.opened(ACME), ACME, world.now_ms, (None, 100)).unwrap();
    let numbers = due.notices.iter().map(|notice| notice.session.bytes()[0]).collect();
    (numbers, due.next_at_ms)
}

fn leaving(world: &World) -> bool {
    let found = logout::leaving(&world.tables.opened(ACME), ACME, 10).unwrap();
    assert!(found.is_empty() || found == [BOB], "{found:?}");
    !found.is_empty()
}

fn end(number: u8) -> sessions::Command {
    sessions::Command::End { id: SessionId::from_bytes([number; 16]), expected: None }
}

#[test]
fn an_ended_session_leaves_a_notice_for_the_clients_that_want_to_hear() {
    let mut world = signed_in();
    assert_eq!(due(&world), (vec![], None));
    sessions(&mut world, operator(), end(1)).unwrap();
    let written = notice(&world, 1).unwrap();
    assert_eq!((written.user, written.pending.len()), (BOB, 1));
    assert_eq!(written.pending[&WEB].attempts, 0);
    assert_eq!(due(&world), (vec![1], None));

    // Another sign-in, at a client that does not want to hear.
    set_rules(&mut world, operator(), ClientRules::none(WEB), None).unwrap();
    begin(&mut world, sign_in(BOB, 2, None)).unwrap();
    sessions(&mut world, operator(), end(2)).unwrap();
    assert_eq!((notice(&world, 2), due(&world).0), (None, vec![1]));
}

#[test]
fn somebody_else_in_the_same_browser_ends_the_session_and_its_clients_hear() {
    let mut world = signed_in();
    begin(&mut world, sign_in(ROOT, 2, Some(shown(1)))).unwrap();
    assert_eq!(due(&world).0, vec![1]);
}

#[test]
fn a_client_that_was_told_is_not_told_again() {
    let mut world = signed_in();
    sessions(&mut world, operator(), end(1)).unwrap();
    let told = logout::Command::Delivered { session: SessionId::from_bytes([1; 16]), client: WEB };
    for _ in 0..2 {
        note(&mut world, told.clone());
        assert_eq!((notice(&world, 1), due(&world)), (None, (vec![], None)));
    }
    for by in [operator(), Principal::Anonymous, person(ACME, ROOT, OWN)] {
        let refused = world.result(by, ACME, Command::Logout(told.clone()));
        assert!(matches!(refused, Err(Rejection::Denied(_))), "{refused:?}");
    }
}

#[test]
fn who_cannot_be_told_is_tried_again_later_and_later_and_then_given_up() {
    let mut world = signed_in();
    sessions(&mut world, operator(), end(1)).unwrap();
    let session = SessionId::from_bytes([1; 16]);
    let failed = |attempts| logout::Command::Failed {
        session,
        client: WEB,
        attempts,
        reason: "status 500".into(),
    };
    let mut wait_before_ms = 0;
    for attempts in 0..8 {
        // One that was counted already changes nothing.
        note(&mut world, failed(attempts + 1));
        assert_eq!(due(&world), (vec![1], None), "{attempts}");
        note(&mut world, failed(attempts));
        let (now, next) = due(&world);
        let wait_ms = next.unwrap() - world.now_ms;
        assert!(now.is_empty() && wait_ms > wait_before_ms, "{attempts}: {wait_ms}");
        world.now_ms += wait_ms - 1;
        assert!(due(&world).0.is_empty(), "{attempts}");
        world.now_ms += 1;
        wait_before_ms = wait_ms;
    }
    assert!(wait_before_ms > 10 * 3_600_000);
    note(&mut world, failed(8));
    assert_eq!((notice(&world, 1), due(&world)), (None, (vec![], None)));
}

#[test]
fn sessions_that_end_all_at_once_are_settled_a_few_at_a_time() {
    let mut world = signed_in();
    for number in 2..=20 {
        begin(&mut world, sign_in(BOB, number, None)).unwrap();
    }
    assert!(!leaving(&world));
    sessions(&mut world, operator(), sessions::Command::EndAll { user: BOB }).unwrap();
    assert!(leaving(&world) && due(&world).0.is_empty());
    let settle = sessions::Command::Settle { user: BOB };
    let refused = sessions(&mut world, operator(), settle.clone());
    assert!(matches!(refused, Err(Rejection::Denied(_))), "{refused:?}");
    // One that began after it stays.
    begin(&mut world, sign_in(BOB, 21, None)).unwrap();
    for (ended, left) in [(8, true), (8, true), (4, false)] {
        let settled = sessions(&mut world, Principal::System, settle.clone());
        assert_eq!((settled, leaving(&world)), (Ok(Outcome::Swept(ended)), left));
    }
    assert_eq!(due(&world).0, (1..=20).collect::<Vec<u8>>());
    let (mut after, mut paged) = (None, Vec::new());
    loop {
        let tables = world.tables.opened(ACME);
        let page = logout::due(&tables, ACME, world.now_ms, (after, 8)).unwrap();
        assert!(page.notices.len() <= 8 && page.next_at_ms.is_none());
        paged.extend(page.notices.iter().map(|notice| notice.session.bytes()[0]));
        after = page.more_after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, due(&world).0);
    go_on(&mut world, further(shown(21), 30)).unwrap();
    let session: Session = world.record(ACME, [20; 16]).unwrap();
    assert_eq!(session.ended_at_ms, Some(world.now_ms));
    let again = sessions(&mut world, Principal::System, settle);
    assert_eq!(again, Err(Rejection::NotFound));
}

#[test]
fn whatever_moves_the_epoch_leaves_sessions_to_settle() {
    let update = |settings, password| {
        Command::Users(users::Command::Update { id: BOB, expected: None, settings, password })
    };
    let disabled = users::Settings { enabled: false, ..user("bob") };
    let commands = [
        (Command::Sessions(sessions::Command::EndAll { user: BOB }), true),
        (update(user("bob"), Some(phc("new"))), true),
        (update(disabled, None), true),
        (Command::Users(users::Command::Delete { id: BOB, expected: None }), true),
        // Neither of these ends a session.
        (update(user("bob"), None), false),
    ];
    for (command, leaves) in commands {
        let mut world = signed_in();
        world.done(operator(), ACME, command.clone());
        assert_eq!(leaving(&world), leaves, "{command:?}");
        // Nobody leaves who is signed in nowhere.
        let mut world = World::ready();
        world.done(operator(), ACME, command.clone());
        assert!(!leaving(&world), "{command:?}");
    }
}

#[test]
fn a_person_who_ends_the_others_keeps_their_own() {
    let mut world = signed_in();
    begin(&mut world, sign_in(BOB, 2, None)).unwrap();
    let others = sessions::Command::EndOthers { by: shown(2) };
    sessions(&mut world, Principal::Person { tenant: ACME, user: BOB }, others).unwrap();
    let settled = sessions(&mut world, Principal::System, sessions::Command::Settle { user: BOB });
    assert_eq!(settled, Ok(Outcome::Swept(1)));
    assert_eq!(due(&world).0, vec![1]);
    go_on(&mut world, further(shown(2), 30)).unwrap();
}

#[test]
fn many_sessions_beyond_a_lowered_limit_are_left_to_be_settled() {
    let mut world = signed_in();
    for number in 2..=20 {
        begin(&mut world, sign_in(BOB, number, None)).unwrap();
    }
    let rules = sessions::Command::SetRules { expected: None, idle_s: 7200, per_user_max: 2 };
    sessions(&mut world, operator(), rules).unwrap();
    begin(&mut world, sign_in(BOB, 21, None)).unwrap();
    assert!(leaving(&world));
    while leaving(&world) {
        let settle = sessions::Command::Settle { user: BOB };
        sessions(&mut world, Principal::System, settle).unwrap();
    }
    assert_eq!(due(&world).0.len(), 19);
    for (number, counts) in [(19, false), (20, true), (21, true)] {
        assert_eq!(go_on(&mut world, further(shown(number), 30)).is_ok(), counts, "{number}");
    }
}

#[test]
fn rules_are_changed_by_who_may_change_the_client() {
    let mut world = World::ready();
    let denied = set_rules(&mut world, person(ACME, BOB, OWN), rules(WEB), None);
    assert!(matches!(denied, Err(Rejection::Denied(_))), "{denied:?}");
    let unknown = ClientId::from_bytes([0x55; 16]);
    assert_eq!(set_rules(&mut world, operator(), rules(unknown), None), Err(Rejection::NotFound));
    set_rules(&mut world, operator(), rules(WEB), Some(0)).unwrap();
    assert_eq!(set_rules(&mut world, operator(), rules(WEB), Some(7)), Err(Rejection::Stale));
    let bad = ClientRules { backchannel_logout_uri: Some("/back".into()), ..rules(WEB) };
    let refused = set_rules(&mut world, operator(), bad, Some(1));
    assert!(matches!(refused, Err(Rejection::Invalid { .. })), "{refused:?}");
    assert_eq!(world.record::<ClientRules>(OTHER, WEB.bytes()), None);
    assert_eq!(world.record::<Leaving>(ACME, BOB.bytes()), None);
}

#[test]
fn a_session_that_was_kept_outlives_those_that_were_ended_beside_it() {
    let mut world = World::ready();
    let rules = sessions::Command::SetRules { expected: None, idle_s: 7200, per_user_max: 3 };
    sessions(&mut world, operator(), rules).unwrap();
    for number in 1..=3 {
        begin(&mut world, sign_in(BOB, number, None)).unwrap();
    }
    // The oldest is kept; before the others are settled, room is made for one more.
    let others = sessions::Command::EndOthers { by: shown(1) };
    sessions(&mut world, Principal::Person { tenant: ACME, user: BOB }, others).unwrap();
    begin(&mut world, sign_in(BOB, 4, None)).unwrap();
    for (number, counts) in [(1, true), (2, false), (3, false), (4, true)] {
        assert_eq!(go_on(&mut world, further(shown(number), 30)).is_ok(), counts, "{number}");
    }
}
