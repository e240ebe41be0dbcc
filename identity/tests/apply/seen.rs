//! Signs of life: recorded once in a window, with another write or alone.

use identity::{outcome::Rejection, principal::Principal, sessions, users};

use crate::{
    sessions::{Result, administer, further, go_on, session, shown, signed_in},
    world::{ACME, BOB, World, operator, user},
};

fn seen(world: &mut World, by: Principal) -> Result {
    administer(world, by, sessions::Command::Seen { id: shown(1).session })
}

#[test]
fn signs_of_life_are_recorded_once_in_a_window() {
    let mut world = signed_in();
    let began = session(&world, 1);
    assert_eq!(began.window_ms(), 60_000);
    for (later_ms, seen_ms) in [(0, 0), (59_999, 0), (60_000, 60_000), (119_999, 60_000)] {
        world.now_ms = began.seen_at_ms + later_ms;
        let mut alone = world.clone();
        seen(&mut alone, Principal::System).unwrap();
        go_on(&mut world, further(shown(1), 9)).unwrap();
        for found in [session(&world, 1), session(&alone, 1)] {
            assert_eq!(found.seen_at_ms, began.seen_at_ms + seen_ms, "{later_ms}");
            let writes = u64::from(seen_ms > 0);
            assert_eq!(found.revision, began.revision + writes, "{later_ms}");
            assert_eq!(found.clients, began.clients, "{later_ms}");
        }
    }
    let refused = seen(&mut world, operator());
    assert_eq!(refused, Err(Rejection::Denied("system".into())));
}

#[test]
fn a_session_that_has_ended_is_not_brought_back_by_a_sign_of_life() {
    type Change = fn(&mut World);
    let table: [(&str, Change); 4] = [
        ("unused for too long", |world| world.now_ms += 7_260_000),
        ("ended", |world| {
            let end = sessions::Command::End { id: shown(1).session, expected: None };
            administer(world, operator(), end).unwrap();
        }),
        ("all ended", |world| {
            administer(world, operator(), sessions::Command::EndAll { user: BOB }).unwrap();
        }),
        ("disabled", |world| {
            let settings = users::Settings { enabled: false, ..user("bob") };
            world.update_user(operator(), ACME, BOB, settings).unwrap();
        }),
    ];
    for (what, change) in table {
        let mut world = signed_in();
        world.now_ms += 60_000;
        change(&mut world);
        let before = session(&world, 1);
        assert_eq!(seen(&mut world, Principal::System), Err(Rejection::NotFound), "{what}");
        assert_eq!(session(&world, 1), before, "{what}");
    }
}
