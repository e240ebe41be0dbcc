//! What must still hold at every use of a refresh token, and how a family is ended.

use std::collections::BTreeSet;

use identity::{
    clients::{self, Client},
    command::Command,
    id::{ClientId, SessionId},
    oauth::{self, introspect},
    outcome::{IssueRefusal, Outcome, RefreshRefusal, Rejection},
    principal::Principal,
    sessions::{self, Presented},
    users,
};

use crate::{
    refresh::{FIRST, Result, counts, offline, online, refreshed, refused, row, set, use_of, web},
    world::{ACME, BOB, SERVICE, WEB, World, client, digest, operator, phc, user},
};

/// Names a change between two uses.
type Change = (&'static str, fn(&mut World), Result);

#[test]
fn everything_is_asked_again_at_every_use() {
    let issue = |refusal| Err(Rejection::Issue(refusal));
    let changes: [Change; 7] = [
        (
            "user disabled",
            |world| {
                let off = users::Settings { enabled: false, ..user("bob") };
                world.update_user(operator(), ACME, BOB, off).unwrap();
            },
            issue(IssueRefusal::UserDisabled),
        ),
        (
            "user deleted",
            |world| {
                let delete = users::Command::Delete { id: BOB, expected: None };
                world.done(operator(), ACME, Command::Users(delete));
            },
            issue(IssueRefusal::UserDisabled),
        ),
        (
            "client disabled",
            |world| set(world, clients::Settings { enabled: false, ..web() }),
            issue(IssueRefusal::ClientDisabled),
        ),
        (
            "client deleted",
            |world| {
                let delete = clients::Command::Delete { id: WEB, expected: None };
                world.done(operator(), ACME, Command::Clients(delete));
            },
            issue(IssueRefusal::ClientDisabled),
        ),
        ("grant type taken", |world| set(world, client("web")), issue(IssueRefusal::GrantType)),
        (
            "scope taken",
            |world| set(world, clients::Settings { scopes: BTreeSet::new(), ..web() }),
            issue(IssueRefusal::Scope),
        ),
        (
            "tenant disabled",
            |world| world.enable_tenant(ACME, false),
            issue(IssueRefusal::TenantDisabled),
        ),
    ];
    let password_changed = |world: &mut World| {
        let (settings, password) = (user("bob"), Some(phc("another")));
        let change = users::Command::Update { id: BOB, expected: None, settings, password };
        world.done(operator(), ACME, Command::Users(change));
    };
    // An offline grant outlives its session, not the password it was given with.
    let by_credential = Err(Rejection::Refresh(RefreshRefusal::Credential));
    for (before, refusal) in
        [(online(), issue(IssueRefusal::SessionEnded)), (offline(), by_credential)]
    {
        let mut world = before.clone();
        password_changed(&mut world);
        assert_eq!(use_of(&mut world, FIRST, 2), refusal);
    }
    for before in [online(), offline()] {
        let mut used = before.clone();
        use_of(&mut used, FIRST, 2).unwrap();
        for (name, change, refusal) in &changes {
            let mut world = before.clone();
            change(&mut world);
            assert_eq!(use_of(&mut world, FIRST, 2), *refusal, "{name}");
            assert!(row(&world, 2).is_none(), "{name}");
            // A grace hit is a full request.
            let mut world = used.clone();
            change(&mut world);
            assert_eq!(use_of(&mut world, FIRST, 3), *refusal, "{name}, inside the grace");
        }
    }
}

#[test]
fn only_an_offline_grant_outlives_its_session() {
    let (mut online, mut offline) = (online(), offline());
    for world in [&mut online, &mut offline] {
        world.now_ms += 12 * 3_600_000;
    }
    let ended = Err(Rejection::Issue(IssueRefusal::SessionEnded));
    assert_eq!(use_of(&mut online, FIRST, 2), ended);
    let issued = refreshed(use_of(&mut offline, FIRST, 2));
    assert!(counts(&offline, &issued), "an offline access token counts without the session");
}

#[test]
fn whoever_ends_all_sessions_of_a_user_ends_their_offline_grants_too() {
    let everywhere = |world: &mut World| {
        let all = Command::Sessions(sessions::Command::EndAll { user: BOB });
        world.done(operator(), ACME, all);
    };
    let elsewhere = |world: &mut World| {
        let by = Presented { session: SessionId::from_bytes([1; 16]), cookie: digest(0x50) };
        let others = Command::Sessions(sessions::Command::EndOthers { by });
        world.done(Principal::Person { tenant: ACME, user: BOB }, ACME, others);
    };
    let back_again = |world: &mut World| {
        let off = users::Settings { enabled: false, ..user("bob") };
        world.update_user(operator(), ACME, BOB, off).unwrap();
        world.update_user(operator(), ACME, BOB, user("bob")).unwrap();
    };
    type Way = (&'static str, fn(&mut World));
    let ways: [Way; 3] = [
        ("everywhere", everywhere),
        ("everywhere else", elsewhere),
        ("disabled and enabled again", back_again),
    ];
    let grant_ended = Err(Rejection::Issue(IssueRefusal::GrantEnded));
    for (way, end) in ways {
        let mut world = offline();
        let issued = refreshed(use_of(&mut world, FIRST, 2));
        assert!(counts(&world, &issued), "{way}");
        end(&mut world);
        assert!(!counts(&world, &issued), "{way}");
        assert_eq!(use_of(&mut world, 2, 3), grant_ended, "{way}");
        assert_eq!(use_of(&mut world, FIRST, 3), grant_ended, "{way}, inside the grace");
    }
    // What hangs off the session that goes on goes on as well.
    let mut world = online();
    elsewhere(&mut world);
    let issued = refreshed(use_of(&mut world, FIRST, 2));
    assert!(counts(&world, &issued));
}

#[test]
fn revoking_any_token_of_a_family_ends_it_for_its_own_client_only() {
    let mut world = online();
    let issued = refreshed(use_of(&mut world, FIRST, 2));
    let revoke = |token, client| {
        let token = digest(token);
        Command::Oauth(oauth::Command::RevokeRefresh { token, client })
    };
    let stranger = world.result(Principal::Anonymous, ACME, revoke(2, SERVICE));
    assert_eq!(stranger, refused(RefreshRefusal::Client));
    let nobody = world.result(Principal::Anonymous, ACME, revoke(0x77, WEB));
    assert_eq!(nobody, Ok(Outcome::Done));
    assert!(counts(&world, &issued));
    for _ in 0..2 {
        assert_eq!(world.result(Principal::Anonymous, ACME, revoke(FIRST, WEB)), Ok(Outcome::Done));
        assert!(!counts(&world, &issued));
        assert_eq!(use_of(&mut world, 2, 3), refused(RefreshRefusal::Ended));
    }
}

#[test]
fn a_refresh_token_counts_for_its_client_until_it_is_used() {
    let mut world = online();
    let live = |world: &World, token, client: ClientId| {
        let tables = world.tables.opened(ACME);
        let client: Client = world.record(ACME, client.bytes()).unwrap();
        introspect::live_refresh(&tables, ACME, digest(token), &client, world.now_ms)
            .unwrap()
            .is_some()
    };
    assert!(live(&world, FIRST, WEB));
    assert!(!live(&world, FIRST, SERVICE) && !live(&world, 0x77, WEB));
    use_of(&mut world, FIRST, 2).unwrap();
    assert!(!live(&world, FIRST, WEB) && live(&world, 2, WEB));
    world.now_ms += 86_400_000;
    assert!(!live(&world, 2, WEB));
}
