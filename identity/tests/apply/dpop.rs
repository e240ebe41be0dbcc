//! Clients with a key: a proof is used once, and what is bound to a key is for its holder alone.

use identity::{
    clients::{self, Authentication, GrantType},
    command::Command,
    grants::Grant,
    id::GrantId,
    oauth::{
        self,
        code::AuthorizationCode,
        dpop::{self, Proof, UsedProof},
        refresh::{ClientPolicy, Handover, Presentation, RefreshToken, Rotation},
    },
    outcome::{
        CodeRefusal, IssueRefusal, Outcome, ProofRefusal, RefreshRefusal, Refusal, Rejection,
    },
    principal::Principal,
    secret::Sealed,
    sessions::Presented,
    sweep::Sweep,
    table::flow,
};

use crate::{
    login::{login, redemption},
    refresh::{FIRST, refreshed, refused, set, web},
    world::{ACME, SERVICE, WEB, World, client, digest},
};

type Result = std::result::Result<Outcome, Rejection>;

const KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const OTHER_KEY: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
/// How long a proof lives in these tests, milliseconds.
const LIFE: u64 = 60_000;

fn ask(world: &mut World, command: oauth::Command) -> Result {
    world.result(Principal::Anonymous, ACME, Command::Oauth(command))
}

fn proof(world: &World, key: &str, jti: u8) -> Proof {
    let used = dpop::used(key, &jti.to_string());
    Proof { used, expires_at_ms: world.now_ms + LIFE }
}

/// Asks with the proof of a number.
fn with(world: &mut World, key: &str, jti: u8, command: oauth::Command) -> Result {
    let proof = proof(world, key, jti);
    ask(world, dpop::asked(command, Some((key, Some(proof)))))
}

fn service_token() -> oauth::Command {
    let scopes = ["read".into()].into();
    oauth::Command::IssueClientToken { client: SERVICE, scopes, api: false }
}

fn exchange(code: u8) -> oauth::Command {
    let redemption = oauth::Redemption { refresh: Some(digest(FIRST)), ..redemption(code, code) };
    oauth::Command::RedeemCode(Box::new(redemption))
}

fn presentation(token: u8, successor: u8) -> oauth::Command {
    oauth::Command::Refresh(Box::new(Presentation {
        token: digest(token),
        client: WEB,
        scopes: None,
        api: false,
        successor: digest(successor),
        sealed: Sealed { key: 1, nonce: [successor; 12], bytes: vec![successor] },
    }))
}

fn used(world: &World, key: &str, jti: u8) -> Option<UsedProof> {
    let digest = dpop::used(key, &jti.to_string()).bytes();
    flow(&world.tables.opened(ACME), ACME, digest).unwrap()
}

fn grant(world: &World) -> Grant {
    world.record(ACME, [1; 16]).unwrap()
}

fn token(world: &World, token: u8) -> RefreshToken {
    flow(&world.tables.opened(ACME), ACME, digest(token).bytes()).unwrap().unwrap()
}

fn public() -> clients::Settings {
    clients::Settings {
        authentication: Authentication::None,
        grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
        ..web()
    }
}

/// A family of a client that began with [`KEY`] and proof 1.
fn begun(settings: clients::Settings) -> World {
    let mut world = World::ready();
    set(&mut world, settings);
    world.done(Principal::Anonymous, ACME, login(1));
    let first = with(&mut world, KEY, 1, exchange(1));
    assert_eq!(refreshed(first).token, Handover::Begun);
    world
}

#[test]
fn a_proof_is_used_once_and_kept_until_it_is_too_old() {
    let mut world = World::ready();
    with(&mut world, KEY, 1, service_token()).unwrap();
    let again = with(&mut world, KEY, 1, service_token());
    assert_eq!(again, Err(Rejection::Proof(ProofRefusal::Used)));
    with(&mut world, KEY, 2, service_token()).unwrap();
    // The same number of another key is another proof: nobody uses up those of others.
    with(&mut world, OTHER_KEY, 1, service_token()).unwrap();

    let first = used(&world, KEY, 1).unwrap();
    let same = Proof { used: dpop::used(KEY, "1"), expires_at_ms: first.expires_at_ms };
    world.now_ms = first.expires_at_ms - 1;
    let sweep = |world: &mut World| {
        let until_ms = world.now_ms;
        world.done(Principal::System, ACME, Command::Sweep(Sweep { until_ms }));
    };
    sweep(&mut world);
    let replayed = dpop::asked(service_token(), Some((KEY, Some(same))));
    assert_eq!(ask(&mut world, replayed.clone()), Err(Rejection::Proof(ProofRefusal::Used)));
    world.now_ms += 1;
    sweep(&mut world);
    assert_eq!(used(&world, KEY, 1), None);
    assert_eq!(ask(&mut world, replayed), Err(Rejection::Proof(ProofRefusal::Expired)));
}

#[test]
fn what_is_refused_leaves_its_proof_unused() {
    let mut world = World::ready();
    let scopes = ["root".into()].into();
    let wrong = oauth::Command::IssueClientToken { client: SERVICE, scopes, api: false };
    let refused = with(&mut world, KEY, 1, wrong);
    assert_eq!(refused, Err(Rejection::Issue(IssueRefusal::Scope)));
    assert_eq!(used(&world, KEY, 1), None);
    with(&mut world, KEY, 1, service_token()).unwrap();
}

#[test]
fn a_key_stands_before_exchanges_with_a_proof_and_codes_without_and_nothing_else() {
    let mut world = World::ready();
    let unproven = dpop::asked(service_token(), Some((KEY, None)));
    assert_eq!(ask(&mut world, unproven), Err(Rejection::Proof(ProofRefusal::Missing)));
    let Command::Oauth(begins) = login(1) else { panic!() };
    let deny = oauth::Command::DenyToken { jti: digest(1), expires_at_ms: u64::MAX };
    let nested = dpop::asked(service_token(), Some((KEY, Some(proof(&world, KEY, 7)))));
    for other in [begins, deny, nested] {
        let refused = with(&mut world, KEY, 8, other);
        assert!(matches!(refused, Err(Rejection::Invalid { .. })), "{refused:?}");
    }
    assert_eq!((used(&world, KEY, 7), used(&world, KEY, 8)), (None, None));
}

#[test]
fn a_code_of_an_announced_key_is_redeemed_with_that_key_alone() {
    let mut world = World::ready();
    set(&mut world, web());
    world.done(Principal::Anonymous, ACME, login(1));
    let Command::Oauth(oauth::Command::CompleteLogin(asked)) = login(2) else { panic!() };
    let ask_for = oauth::SignIn::from(asked.as_ref()).ask;
    let session = identity::id::SessionId::from_bytes([1; 16]);
    let further = oauth::Command::Continue(Box::new(oauth::Continue {
        presented: Presented { session, cookie: asked.cookie },
        ask: ask_for,
        code: digest(2),
        max_age_s: None,
    }));
    ask(&mut world, dpop::asked(further, Some((KEY, None)))).unwrap();
    let code: AuthorizationCode =
        flow(&world.tables.opened(ACME), ACME, digest(2).bytes()).unwrap().unwrap();
    assert_eq!(code.thumbprint.as_deref(), Some(KEY));

    let bare = ask(&mut world, exchange(2));
    assert_eq!(bare, Err(Rejection::Proof(ProofRefusal::Missing)));
    let other = with(&mut world, OTHER_KEY, 1, exchange(2));
    assert_eq!(other, Err(Rejection::Code(CodeRefusal::Key)));
    refreshed(with(&mut world, KEY, 1, exchange(2)));
    let again = with(&mut world, KEY, 2, exchange(2));
    assert_eq!(again, Ok(Outcome::Refused(Refusal::CodeReplayed)));
    assert!(used(&world, KEY, 2).is_some(), "a refusal that is written down uses its proof");
}

#[test]
fn refresh_tokens_of_a_client_without_a_secret_are_bound_to_its_key() {
    let mut world = begun(public());
    assert_eq!(grant(&world).thumbprint.as_deref(), Some(KEY));
    let before = (grant(&world), token(&world, FIRST));
    let bare = ask(&mut world, presentation(FIRST, 2));
    assert_eq!(bare, Err(Rejection::Proof(ProofRefusal::Missing)));
    let stolen = with(&mut world, OTHER_KEY, 1, presentation(FIRST, 2));
    assert_eq!(stolen, refused(RefreshRefusal::Key));
    assert_eq!((grant(&world), token(&world, FIRST)), before, "nothing changes");

    let next = refreshed(with(&mut world, KEY, 2, presentation(FIRST, 2)));
    assert!(matches!(next.token, Handover::Rotated(_)));
    // Inside the grace, with the same key: the same successor.
    let again = refreshed(with(&mut world, KEY, 3, presentation(FIRST, 3)));
    assert!(matches!(again.token, Handover::SameSuccessor(sealed) if sealed.bytes == [2]));
    assert_eq!(
        ask(&mut world, presentation(FIRST, 4)),
        Err(Rejection::Proof(ProofRefusal::Missing))
    );
    // After it whoever has another key cannot even end the family.
    world.now_ms += 10_000;
    let late = with(&mut world, OTHER_KEY, 4, presentation(FIRST, 4));
    assert_eq!(late, refused(RefreshRefusal::Key));
    assert!(grant(&world).live(world.now_ms));
    let replayed = with(&mut world, KEY, 4, presentation(FIRST, 4));
    assert_eq!(replayed, Ok(Outcome::Refused(Refusal::RefreshReplayed)));
}

#[test]
fn a_client_with_a_secret_may_change_its_key_or_show_none() {
    let mut world = begun(web());
    assert_eq!(grant(&world).thumbprint, None);
    refreshed(with(&mut world, OTHER_KEY, 1, presentation(FIRST, 2)));
    refreshed(ask(&mut world, presentation(2, 3)));
}

#[test]
fn a_family_that_began_without_a_key_is_bound_to_none() {
    let mut world = World::ready();
    set(&mut world, public());
    world.done(Principal::Anonymous, ACME, login(1));
    refreshed(ask(&mut world, exchange(1)));
    refreshed(with(&mut world, KEY, 1, presentation(FIRST, 2)));
    assert_eq!(grant(&world).thumbprint, None);
    refreshed(ask(&mut world, presentation(2, 3)));
}

#[test]
fn a_bound_token_may_stay_and_an_unbound_one_rotates() {
    let refresh = ClientPolicy { rotation: Rotation::SenderBound, ..ClientPolicy::default() };
    let settings = clients::Settings { refresh, ..public() };
    let mut world = begun(settings.clone());
    for jti in 2..5 {
        let kept = refreshed(with(&mut world, KEY, jti, presentation(FIRST, 2)));
        assert_eq!(kept.token, Handover::Kept);
    }
    let stolen = with(&mut world, OTHER_KEY, 5, presentation(FIRST, 2));
    assert_eq!(stolen, refused(RefreshRefusal::Key));

    let mut world = World::ready();
    set(&mut world, settings);
    world.done(Principal::Anonymous, ACME, login(1));
    let unbound = refreshed(ask(&mut world, exchange(1)));
    assert_eq!(unbound.issued.grant, Some(GrantId::from_bytes([1; 16])));
    let next = refreshed(with(&mut world, KEY, 1, presentation(FIRST, 2)));
    assert!(matches!(next.token, Handover::Rotated(_)));
}

#[test]
fn a_client_that_must_show_its_key_gets_nothing_without() {
    let must = |settings| clients::Settings { dpop_bound_access_tokens: true, ..settings };
    let missing = Err(Rejection::Proof(ProofRefusal::Missing));
    let mut world = World::ready();
    set(&mut world, must(public()));
    world.done(Principal::Anonymous, ACME, login(1));
    assert_eq!(ask(&mut world, exchange(1)), missing);
    refreshed(with(&mut world, KEY, 1, exchange(1)));
    assert_eq!(ask(&mut world, presentation(FIRST, 2)), missing);
    refreshed(with(&mut world, KEY, 2, presentation(FIRST, 2)));

    // With a secret any key will do, but one it must be.
    let mut world = begun(must(web()));
    assert_eq!(ask(&mut world, presentation(FIRST, 2)), missing);
    refreshed(with(&mut world, OTHER_KEY, 1, presentation(FIRST, 2)));

    // A family from before the rule is bound to nothing, and ends in a new sign-in.
    let mut world = World::ready();
    set(&mut world, public());
    world.done(Principal::Anonymous, ACME, login(1));
    refreshed(ask(&mut world, exchange(1)));
    set(&mut world, must(public()));
    let unbound = with(&mut world, KEY, 1, presentation(FIRST, 2));
    assert_eq!(unbound, refused(RefreshRefusal::Key));

    let mut world = World::ready();
    let service = must(client("web"));
    set(&mut world, service);
    let scopes = ["read".into()].into();
    let token = oauth::Command::IssueClientToken { client: WEB, scopes, api: false };
    assert_eq!(ask(&mut world, token.clone()), missing);
    with(&mut world, KEY, 1, token).unwrap();
}
