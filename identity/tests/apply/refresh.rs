//! Refresh tokens: one successor for all inside the grace, the end of the family outside it, and
//! everything that must still hold at every use.

use std::collections::BTreeSet;

use identity::{
    clients::{self, GrantType},
    command::Command,
    event::{AuditEvent, Verdict},
    grants::Grant,
    id::GrantId,
    oauth::{
        self, claims, introspect,
        refresh::{
            ClientPolicy, Handover, Policy, Presentation, RefreshToken, Refreshed, Rotation,
        },
    },
    outcome::{IssueRefusal, Outcome, RefreshRefusal, Refusal, Rejection},
    principal::Principal,
    secret::Sealed,
    sweep::Sweep,
    table::{Row, flow},
    tenants::{self, Lifetimes},
};

use crate::{
    login::{login, redeeming, redemption},
    world::{ACME, BOB, CALLBACK, SERVICE, URL, WEB, World, client, digest, operator},
};

pub(crate) type Result = std::result::Result<Outcome, Rejection>;

pub(crate) const FIRST: u8 = 0x10;
const MINUTE: u64 = 60_000;
const GRACE: u64 = 10_000;

pub(crate) fn web() -> clients::Settings {
    let grant_types = [GrantType::AuthorizationCode, GrantType::RefreshToken].into();
    clients::Settings { grant_types, ..client("web") }
}

pub(crate) fn set(world: &mut World, settings: clients::Settings) {
    world.update_client(operator(), ACME, WEB, settings).unwrap();
}

fn sealed(successor: u8) -> Sealed {
    Sealed { key: 1, nonce: [successor; 12], bytes: vec![successor] }
}

fn presented(token: u8, successor: u8) -> Presentation {
    Presentation {
        token: digest(token),
        client: WEB,
        scopes: None,
        api: false,
        successor: digest(successor),
        sealed: sealed(successor),
    }
}

pub(crate) fn ask(world: &mut World, shown: Presentation) -> Result {
    let command = Command::Oauth(oauth::Command::Refresh(Box::new(shown)));
    world.result(Principal::Anonymous, ACME, command)
}

pub(crate) fn use_of(world: &mut World, token: u8, successor: u8) -> Result {
    ask(world, presented(token, successor))
}

pub(crate) fn refused(refusal: RefreshRefusal) -> Result {
    Err(Rejection::Refresh(refusal))
}

pub(crate) fn refreshed(result: Result) -> Refreshed {
    match result {
        Ok(Outcome::Refreshed(refreshed)) => *refreshed,
        other => panic!("not refreshed: {other:?}"),
    }
}

fn begun(scopes: &[&str], settings: clients::Settings) -> World {
    let mut world = World::ready();
    set(&mut world, settings);
    let Command::Oauth(oauth::Command::CompleteLogin(mut asked)) = login(1) else { panic!() };
    asked.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let asked = Command::Oauth(oauth::Command::CompleteLogin(asked));
    world.done(Principal::Anonymous, ACME, asked);
    let redemption = oauth::Redemption { refresh: Some(digest(FIRST)), ..redemption(1, 1) };
    let first = refreshed(world.result(Principal::Anonymous, ACME, redeeming(redemption)));
    assert_eq!(first.token, Handover::Begun);
    world
}

pub(crate) fn online() -> World {
    begun(&["openid", "read"], web())
}

pub(crate) fn offline() -> World {
    begun(&["openid", "read", "offline_access"], web())
}

fn grant(world: &World) -> Grant {
    world.record(ACME, [1; 16]).unwrap()
}

pub(crate) fn row(world: &World, token: u8) -> Option<RefreshToken> {
    flow(&world.tables.opened(ACME), ACME, digest(token).bytes()).unwrap()
}

/// Whether a token that was just issued counts where it is shown.
pub(crate) fn counts(world: &World, refreshed: &Refreshed) -> bool {
    let names = claims::Names { issuer: URL, api_audience: "https://id.example/api" };
    let token = claims::access_token(&refreshed.issued, names, "jti".into(), world.now_ms);
    let tables = world.tables.opened(ACME);
    introspect::live(&tables, ACME, &token, world.now_ms).unwrap().is_some()
}

fn last_event(world: &World) -> AuditEvent {
    let events =
        (1..).map_while(|sequence| world.tables.peek(ACME, Row::Audit { part: 1, sequence }));
    identity::codec::decode(&events.last().unwrap()).unwrap()
}

#[test]
fn a_use_rotates_and_says_what_may_be_signed() {
    let mut world = online();
    let before = grant(&world);
    world.now_ms += MINUTE;
    let first = refreshed(use_of(&mut world, FIRST, 2));
    assert_eq!(first.token, Handover::Rotated(sealed(2)));
    let issued = &first.issued;
    assert_eq!((issued.grant, issued.user), (Some(GrantId::from_bytes([1; 16])), Some(BOB)));
    assert_eq!(issued.nonce, None, "OIDC Core §12.2: no nonce, rather than another");
    assert_eq!(issued.authenticated_at_ms, Some(world.now_ms - MINUTE));
    assert_eq!(issued.scopes, before.scopes);
    assert!(counts(&world, &first));
    assert_eq!(row(&world, 2).unwrap().generation, 2);
    assert_eq!(grant(&world), before, "a rotation leaves its grant alone");
}

#[test]
fn inside_the_grace_everybody_gets_the_winners_successor() {
    let mut world = online();
    assert_eq!(refreshed(use_of(&mut world, FIRST, 2)).token, Handover::Rotated(sealed(2)));
    world.now_ms += GRACE - 1;
    for proposal in 3..10 {
        let again = refreshed(use_of(&mut world, FIRST, proposal));
        assert_eq!(again.token, Handover::SameSuccessor(sealed(2)));
        assert!(row(&world, proposal).is_none(), "a second successor exists");
        assert!(counts(&world, &again));
    }
    let event = last_event(&world);
    assert_eq!((event.verdict, event.detail.as_str()), (Verdict::Allowed, "generation=1 grace=1"));
    assert_eq!(refreshed(use_of(&mut world, 2, 20)).token, Handover::Rotated(sealed(20)));
}

#[test]
fn a_predecessor_whose_successor_was_used_is_refused_and_the_family_lives() {
    let mut world = online();
    use_of(&mut world, FIRST, 2).unwrap();
    use_of(&mut world, 2, 3).unwrap();
    assert_eq!(use_of(&mut world, FIRST, 4), refused(RefreshRefusal::Superseded));
    assert!(grant(&world).live(world.now_ms));
    refreshed(use_of(&mut world, 3, 5));
}

#[test]
fn a_reuse_after_the_grace_ends_the_family_and_every_token_of_it() {
    let mut world = online();
    let issued = refreshed(use_of(&mut world, FIRST, 2));
    world.now_ms += GRACE;
    assert_eq!(use_of(&mut world, FIRST, 3), Ok(Outcome::Refused(Refusal::RefreshReplayed)));
    let event = last_event(&world);
    assert_eq!(event.verdict, Verdict::Refused("refresh_replayed".into()));
    assert_eq!(event.target.map(|target| target.id), Some([1; 16]), "the grant is named");
    assert_eq!(grant(&world).revoked_at_ms, Some(world.now_ms));
    assert!(!counts(&world, &issued));
    for token in [FIRST, 2] {
        assert_eq!(use_of(&mut world, token, 4), refused(RefreshRefusal::Ended));
    }
}

#[test]
fn without_a_grace_the_second_use_is_a_reuse() {
    let refresh = ClientPolicy { grace_s: Some(0), ..ClientPolicy::default() };
    let mut world = begun(&["openid"], clients::Settings { refresh, ..web() });
    use_of(&mut world, FIRST, 2).unwrap();
    let replay = use_of(&mut world, FIRST, 3);
    assert_eq!(replay, Ok(Outcome::Refused(Refusal::RefreshReplayed)));
}

#[test]
fn a_client_with_a_secret_may_keep_its_token() {
    let rotation = Rotation::Never;
    let refresh = ClientPolicy { rotation, idle_s: Some(600), ..ClientPolicy::default() };
    let keeping = clients::Settings { refresh, ..web() };
    let mut world = begun(&["openid", "offline_access"], keeping.clone());
    for _ in 0..3 {
        world.now_ms += 599_999;
        assert_eq!(refreshed(use_of(&mut world, FIRST, 2)).token, Handover::Kept);
        assert!(row(&world, 2).is_none());
    }
    // Rotation switched on: what follows is the first of a chain, and good.
    let refresh = ClientPolicy { rotation: Rotation::Always, ..refresh };
    set(&mut world, clients::Settings { refresh, ..keeping });
    assert_eq!(refreshed(use_of(&mut world, FIRST, 2)).token, Handover::Rotated(sealed(2)));
    assert_eq!(refreshed(use_of(&mut world, FIRST, 3)).token, Handover::SameSuccessor(sealed(2)));
    world.now_ms += 600_000;
    assert_eq!(use_of(&mut world, 2, 4), refused(RefreshRefusal::Expired));
}

#[test]
fn a_public_client_must_rotate() {
    let mut world = World::ready();
    let refresh = ClientPolicy { rotation: Rotation::Never, ..ClientPolicy::default() };
    let authentication = clients::Authentication::None;
    let settings = clients::Settings { refresh, authentication, ..web() };
    let refused = world.update_client(operator(), ACME, WEB, settings);
    assert!(
        matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "/refresh/rotation")
    );
}

#[test]
fn a_token_ends_when_it_lies_idle_and_a_family_at_its_end() {
    let refresh =
        ClientPolicy { idle_s: Some(600), lifetime_s: Some(1000), ..ClientPolicy::default() };
    let settings = clients::Settings { refresh, ..web() };
    let mut world = begun(&["openid", "offline_access"], settings);
    let mut idle = world.clone();
    idle.now_ms += 600_000;
    assert_eq!(use_of(&mut idle, FIRST, 2), refused(RefreshRefusal::Expired));

    world.now_ms += 599_000;
    let first = refreshed(use_of(&mut world, FIRST, 2));
    assert_eq!(first.issued.access_token_s, 3600);
    world.now_ms += 400_999;
    let last = refreshed(use_of(&mut world, 2, 3));
    world.now_ms += 1;
    assert_eq!(use_of(&mut world, 3, 4), refused(RefreshRefusal::Expired));
    assert!(counts(&world, &last), "the last access token has its full life");
}

#[test]
fn an_unknown_token_and_one_of_another_client_are_refused_and_change_nothing() {
    let mut world = online();
    assert_eq!(use_of(&mut world, 0x77, 2), refused(RefreshRefusal::Unknown));
    let both =
        [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];
    let service = clients::Settings { grant_types: both.into(), ..client("service") };
    world.update_client(operator(), ACME, SERVICE, service).unwrap();
    let stolen = Presentation { client: SERVICE, ..presented(FIRST, 2) };
    assert_eq!(ask(&mut world, stolen), refused(RefreshRefusal::Client));
    refreshed(use_of(&mut world, FIRST, 2));
    let taken = use_of(&mut world, 2, FIRST);
    assert_eq!(taken, Err(Rejection::AlreadyExists("refresh_token".into())));
}

#[test]
fn a_narrower_scope_is_for_one_access_token_only() {
    let mut world = online();
    let narrow = |scopes: &[&str], token, successor| Presentation {
        scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
        ..presented(token, successor)
    };
    let less = refreshed(ask(&mut world, narrow(&["read"], FIRST, 2)));
    assert_eq!(less.issued.scopes, BTreeSet::from(["read".to_owned()]));
    assert_eq!(refreshed(use_of(&mut world, 2, 3)).issued.scopes.len(), 2);
    for more in [&["read", "write"][..], &["email"], &["root"]] {
        let refused = ask(&mut world, narrow(more, 3, 4));
        assert_eq!(refused, Err(Rejection::Issue(IssueRefusal::Scope)), "{more:?}");
    }
    let api = ask(&mut world, Presentation { api: true, ..presented(3, 4) });
    assert_eq!(api, refused(RefreshRefusal::Target));
}

#[test]
fn a_client_without_the_grant_type_gets_no_refresh_token() {
    let mut world = World::ready();
    world.done(Principal::Anonymous, ACME, login(1));
    let redemption = oauth::Redemption { refresh: Some(digest(FIRST)), ..redemption(1, 1) };
    let outcome = world.result(Principal::Anonymous, ACME, redeeming(redemption));
    assert!(matches!(outcome, Ok(Outcome::Issued(_))), "{outcome:?}");
    assert!(row(&world, FIRST).is_none());
    assert_eq!(use_of(&mut world, FIRST, 2), refused(RefreshRefusal::Unknown));
}

#[test]
fn rows_of_a_family_are_swept_when_nothing_can_come_of_them() {
    let mut world = offline();
    let start = world.now_ms;
    // Used in its last second: the grace outlives the token, and so does its row.
    world.now_ms = start + 86_399_000;
    use_of(&mut world, FIRST, 2).unwrap();
    let sweep = |world: &mut World, at_ms: u64| {
        world.now_ms = at_ms;
        let command = Command::Sweep(Sweep { until_ms: at_ms });
        world.done(Principal::System, ACME, command);
    };
    sweep(&mut world, start + 86_400_000);
    assert!(row(&world, FIRST).is_some());
    refreshed(use_of(&mut world, FIRST, 3));
    sweep(&mut world, start + 86_399_000 + GRACE);
    assert!(row(&world, FIRST).is_none() && row(&world, 2).is_some());
    sweep(&mut world, start + 86_399_000 + 86_400_000);
    assert!(row(&world, 2).is_none());
    assert!(world.record::<Grant>(ACME, [1; 16]).is_some());
    sweep(&mut world, start + 30 * 86_400_000 + 3_600_000);
    assert!(world.record::<Grant>(ACME, [1; 16]).is_none());
}

#[test]
fn a_tenant_says_how_long_and_settings_of_an_older_version_leave_it_alone() {
    let mut world = World::ready();
    let refresh = Policy { idle_s: 120, lifetime_s: 240, grace_s: 1 };
    let (name, lifetimes) = ("Acme".to_owned(), Lifetimes::default());
    let key_rotation_s = Some(4000);
    let new = tenants::Settings {
        name,
        enabled: true,
        lifetimes: lifetimes.clone(),
        refresh,
        key_rotation_s,
    };
    let update = tenants::Command::Update { expected: None, settings: new };
    world.done(operator(), ACME, Command::Tenants(update));
    let old = tenants::old::SettingsV1 { name: "Acme 2".into(), enabled: true, lifetimes };
    let update = tenants::Command::UpdateV1 { expected: None, settings: old };
    world.done(operator(), ACME, Command::Tenants(update));
    let tenant: tenants::Tenant = world.record(ACME, ACME.bytes()).unwrap();
    assert_eq!((tenant.name.as_str(), tenant.refresh), ("Acme 2", refresh));
    assert_eq!(tenant.key_rotation_s, key_rotation_s);
    assert_eq!(web().redirect_uris, [CALLBACK]);
}
