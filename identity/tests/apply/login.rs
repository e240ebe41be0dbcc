//! Logins, codes and tokens: what is agreed before anything is signed.

use std::collections::BTreeSet;

use identity::{
    clients::{self, Authentication},
    command::Command,
    grants::{Grant, Issued},
    id::{ClientId, GrantId, SessionId, TenantId},
    incarnation,
    oauth::{
        self,
        claims::{self, AccessToken},
        introspect,
    },
    outcome::{CodeRefusal, IssueRefusal, Outcome, Refusal, Rejection},
    principal::Principal,
    sessions::Session,
    users,
};

use crate::world::{
    ACME, BOB, CALLBACK, CLI, SERVICE, URL, WEB, World, client, digest, operator, phc, user,
};

type Result = std::result::Result<Outcome, Rejection>;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn bob(number: u8) -> oauth::Login {
    oauth::Login {
        user: BOB,
        credential_revision: 1,
        session: SessionId::from_bytes([number; 16]),
        cookie: digest(0x50),
        address: "192.0.2.1".into(),
        user_agent: "browser".into(),
        code: digest(number),
        client: WEB,
        redirect_uri: CALLBACK.into(),
        scopes: ["openid".into()].into(),
        nonce: Some("n".into()),
        challenge: Some(CHALLENGE.into()),
        api: false,
    }
}

fn completing(login: oauth::Login) -> Command {
    Command::Oauth(oauth::Command::CompleteLogin(Box::new(login)))
}

/// A login that earns the code of a number.
pub(crate) fn login(number: u8) -> Command {
    completing(bob(number))
}

/// The exchange of a code for a grant.
pub(crate) fn redeem(code: u8, grant: u8) -> Command {
    redeeming(redemption(code, grant))
}

/// The same, as a test may change it.
pub(crate) fn redemption(code: u8, grant: u8) -> oauth::Redemption {
    oauth::Redemption {
        code: digest(code),
        client: WEB,
        redirect_uri: Some(CALLBACK.into()),
        challenge: Some(CHALLENGE.into()),
        grant: GrantId::from_bytes([grant; 16]),
        refresh: None,
    }
}

pub(crate) fn redeeming(redemption: oauth::Redemption) -> Command {
    Command::Oauth(oauth::Command::RedeemCode(Box::new(redemption)))
}

fn ask(world: &mut World, command: Command) -> Result {
    world.result(Principal::Anonymous, ACME, command)
}

fn issue(refusal: IssueRefusal) -> Result {
    Err(Rejection::Issue(refusal))
}

fn signed_in() -> World {
    let mut world = World::ready();
    ask(&mut world, login(1)).unwrap();
    world
}

fn issued(result: Result) -> Issued {
    match result {
        Ok(Outcome::Issued(issued)) => issued,
        other => panic!("not issued: {other:?}"),
    }
}

#[test]
fn a_login_against_a_moved_credential_is_stale() {
    let mut world = World::ready();
    let (id, expected, settings) = (BOB, None, user("bob"));
    let password = Some(phc("another"));
    let change = users::Command::Update { id, expected, settings, password };
    world.done(operator(), ACME, Command::Users(change));
    assert_eq!(ask(&mut world, login(1)), Err(Rejection::Stale));
    assert!(world.record::<Session>(ACME, [1; 16]).is_none());
    let retried = oauth::Login { credential_revision: 2, ..bob(1) };
    ask(&mut world, completing(retried)).unwrap();
    let session: Session = world.record(ACME, [1; 16]).unwrap();
    assert_eq!((session.user, session.authenticated_at_ms), (BOB, world.now_ms));
    assert!(session.live(world.now_ms));
}

#[test]
fn a_login_is_refused_where_nothing_may_be_issued() {
    let world = World::ready();
    let table: [(oauth::Login, IssueRefusal); 5] = [
        (
            oauth::Login { redirect_uri: "https://evil.example/".into(), ..bob(1) },
            IssueRefusal::RedirectUri,
        ),
        (
            oauth::Login { client: ClientId::from_bytes([9; 16]), ..bob(1) },
            IssueRefusal::ClientDisabled,
        ),
        (oauth::Login { scopes: ["root".into()].into(), ..bob(1) }, IssueRefusal::Scope),
        (oauth::Login { api: true, ..bob(1) }, IssueRefusal::Scope),
        (
            oauth::Login { user: identity::id::UserId::from_bytes([9; 16]), ..bob(1) },
            IssueRefusal::UserDisabled,
        ),
    ];
    for (login, refusal) in table {
        assert_eq!(ask(&mut world.clone(), completing(login)), issue(refusal));
    }
}

#[test]
fn a_code_is_redeemed_once_and_its_replay_revokes_what_it_issued() {
    let mut world = signed_in();
    let first = issued(ask(&mut world, redeem(1, 1)));
    assert_eq!((first.grant, first.user), (Some(GrantId::from_bytes([1; 16])), Some(BOB)));
    assert_eq!((first.nonce.as_deref(), first.client_id.as_str()), (Some("n"), "web"));
    let names = claims::Names { issuer: URL, api_audience: "https://id.example/api" };
    let token = claims::access_token(&first, names, "jti".into(), world.now_ms);
    let live = |world: &World| {
        let tables = world.tables.opened(ACME);
        introspect::live(&tables, ACME, &token, world.now_ms).unwrap().is_some()
    };
    assert!(live(&world));
    assert_eq!(ask(&mut world, redeem(1, 2)), Ok(Outcome::Refused(Refusal::CodeReplayed)));
    assert!(!live(&world), "the token of the first exchange still counts");
    let grant: Grant = world.record(ACME, [1; 16]).unwrap();
    assert_eq!(grant.revoked_at_ms, Some(world.now_ms));
    assert!(world.record::<Grant>(ACME, [2; 16]).is_none());
    assert_eq!(ask(&mut world, redeem(1, 3)), Ok(Outcome::Refused(Refusal::CodeReplayed)));
}

#[test]
fn the_same_exchange_asked_again_by_its_request_id_is_no_replay() {
    let mut world = signed_in();
    let draft = world.draft(Principal::Anonymous, ACME, redeem(1, 1));
    let first = world.apply(&draft);
    assert_eq!(world.apply(&draft), first);
    assert_eq!(world.record::<Grant>(ACME, [1; 16]).unwrap().revoked_at_ms, None);
}

#[test]
fn a_code_shown_with_a_wrong_proof_stays_good() {
    let mut world = signed_in();
    let right = redemption(1, 1);
    let wrong_client = redeeming(oauth::Redemption { client: SERVICE, ..right.clone() });
    let no_verifier = redeeming(oauth::Redemption { challenge: None, ..right.clone() });
    let other = Some("https://app.example/other".into());
    let other_uri = redeeming(oauth::Redemption { redirect_uri: other, ..right });
    let table = [
        (redeem(9, 1), CodeRefusal::Unknown),
        (wrong_client, CodeRefusal::Client),
        (no_verifier, CodeRefusal::Verifier),
        (other_uri, CodeRefusal::RedirectUri),
    ];
    for (command, refusal) in table {
        assert_eq!(ask(&mut world, command), Err(Rejection::Code(refusal)));
    }
    let mut late = world.clone();
    late.now_ms += 60_000;
    assert_eq!(ask(&mut late, redeem(1, 1)), Err(Rejection::Code(CodeRefusal::Expired)));
    issued(ask(&mut world, redeem(1, 1)));
}

fn unnamed() -> Command {
    redeeming(oauth::Redemption { redirect_uri: None, ..redemption(1, 1) })
}

#[test]
fn a_redirect_uri_must_be_named_again() {
    let mut world = signed_in();
    assert_eq!(ask(&mut world, unnamed()), Err(Rejection::Code(CodeRefusal::RedirectUri)));
}

#[test]
fn a_client_that_turned_public_redeems_no_code_without_a_verifier() {
    let mut world = World::ready();
    ask(&mut world, completing(oauth::Login { challenge: None, ..bob(1) })).unwrap();
    let grant_types = [clients::GrantType::AuthorizationCode].into();
    let authentication = Authentication::None;
    let settings = clients::Settings { authentication, grant_types, ..client("web") };
    world.update_client(operator(), ACME, WEB, settings).unwrap();
    let bare = redeeming(oauth::Redemption { challenge: None, ..redemption(1, 1) });
    assert_eq!(ask(&mut world, bare), Err(Rejection::Code(CodeRefusal::Verifier)));
}

/// Names a change between login and exchange.
type Change = (&'static str, fn(&mut World), IssueRefusal);

#[test]
fn a_code_is_worth_nothing_once_user_client_or_tenant_are_gone() {
    let changes: [Change; 6] = [
        (
            "user disabled",
            |world| {
                let off = users::Settings { enabled: false, ..user("bob") };
                world.update_user(operator(), ACME, BOB, off).unwrap();
            },
            IssueRefusal::UserDisabled,
        ),
        (
            "user deleted",
            |world| {
                let delete = users::Command::Delete { id: BOB, expected: None };
                world.done(operator(), ACME, Command::Users(delete));
            },
            IssueRefusal::UserDisabled,
        ),
        (
            "client disabled",
            |world| {
                let off = clients::Settings { enabled: false, ..client("web") };
                world.update_client(operator(), ACME, WEB, off).unwrap();
            },
            IssueRefusal::ClientDisabled,
        ),
        (
            "client deleted",
            |world| {
                let delete = clients::Command::Delete { id: WEB, expected: None };
                world.done(operator(), ACME, Command::Clients(delete));
            },
            IssueRefusal::ClientDisabled,
        ),
        (
            "grant type taken",
            |world| {
                let grant_types = [clients::GrantType::ClientCredentials].into();
                let less = clients::Settings { grant_types, ..client("web") };
                world.update_client(operator(), ACME, WEB, less).unwrap();
            },
            IssueRefusal::GrantType,
        ),
        ("tenant disabled", |world| world.enable_tenant(ACME, false), IssueRefusal::TenantDisabled),
    ];
    let before = signed_in();
    for (name, change, refusal) in changes {
        let mut world = before.clone();
        change(&mut world);
        assert_eq!(ask(&mut world, redeem(1, 1)), issue(refusal), "{name}");
        assert_eq!(ask(&mut world, login(2)), issue(refusal), "{name}: a new login");
        assert!(world.record::<Grant>(ACME, [1; 16]).is_none());

        let mut world = before.clone();
        let token = issued(ask(&mut world, redeem(1, 1)));
        let names = claims::Names { issuer: URL, api_audience: "https://id.example/api" };
        let token = claims::access_token(&token, names, "jti".into(), world.now_ms);
        change(&mut world);
        let tables = world.tables.opened(ACME);
        let live = introspect::live(&tables, ACME, &token, world.now_ms).unwrap().is_some();
        // Grant types say what may be asked for next; what was issued stays.
        assert_eq!(live, refusal == IssueRefusal::GrantType, "{name}: a token issued before");
    }
}

fn client_token(client: ClientId, scopes: &[&str], api: bool) -> Command {
    let scopes: BTreeSet<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    Command::Oauth(oauth::Command::IssueClientToken { client, scopes, api })
}

/// A token that a client was given for itself, as it is signed.
pub(crate) fn own_token(world: &mut World, client: ClientId) -> AccessToken {
    let issued = issued(ask(world, client_token(client, &["read"], false)));
    let names = claims::Names { issuer: URL, api_audience: "https://id.example/api" };
    let life = incarnation::mark(&world.tables.opened(TenantId::CLUSTER)).unwrap();
    let grant = Some(claims::own_grant(client, life.as_deref()));
    AccessToken { grant, ..claims::access_token(&issued, names, "jti".into(), world.now_ms) }
}

/// Whether it counts.
pub(crate) fn lives(world: &World, token: &AccessToken) -> bool {
    let tables = world.tables.opened(ACME);
    introspect::live(&tables, ACME, token, world.now_ms).unwrap().is_some()
}

#[test]
fn a_client_gets_for_itself_what_it_is_registered_for() {
    let mut world = World::ready();
    let token = issued(ask(&mut world, client_token(SERVICE, &["read"], true)));
    assert_eq!((token.client, token.user, token.grant, token.api), (SERVICE, None, None, true));
    let table = [
        (client_token(WEB, &["read"], true), IssueRefusal::Scope),
        (client_token(SERVICE, &["openid"], false), IssueRefusal::Scope),
        (client_token(SERVICE, &["root"], false), IssueRefusal::Scope),
        (client_token(CLI, &[], false), IssueRefusal::GrantType),
        (client_token(ClientId::from_bytes([9; 16]), &[], false), IssueRefusal::ClientDisabled),
    ];
    for (command, refusal) in table {
        assert_eq!(ask(&mut world, command), issue(refusal));
    }
    world.enable_tenant(ACME, false);
    let refused = ask(&mut world, client_token(SERVICE, &["read"], false));
    assert_eq!(refused, issue(IssueRefusal::TenantDisabled));
}

#[test]
fn a_denied_token_and_one_of_an_earlier_client_of_that_name_count_no_more() {
    let mut world = World::ready();
    let token = issued(ask(&mut world, client_token(SERVICE, &["read"], true)));
    let names = claims::Names { issuer: URL, api_audience: "https://id.example/api" };
    let token = claims::access_token(&token, names, "jti".into(), world.now_ms);
    let live = |world: &World, tenant| {
        let tables = world.tables.opened(tenant);
        introspect::live(&tables, tenant, &token, world.now_ms).unwrap().is_some()
    };
    assert!(live(&world, ACME));
    let (mut denied, mut swapped, mut renewed) = (world.clone(), world.clone(), world);
    let jti = identity::grants::denied_digest("jti");
    let deny = oauth::Command::DenyToken { jti, expires_at_ms: token.exp * 1000 };
    ask(&mut denied, Command::Oauth(deny)).unwrap();
    assert!(!live(&denied, ACME));

    for (id, name) in [(SERVICE, "elsewhere"), (WEB, "service")] {
        let (settings, secret) = (client(name), None);
        let rename = clients::Command::Update { id, expected: None, settings, secret };
        swapped.done(operator(), ACME, Command::Clients(rename));
    }
    assert!(!live(&swapped, ACME), "an older client inherited a token with the name");

    let delete = clients::Command::Delete { id: SERVICE, expected: None };
    renewed.done(operator(), ACME, Command::Clients(delete));
    assert!(!live(&renewed, ACME));
    renewed.now_ms += 1000;
    let id = ClientId::from_bytes([9; 16]);
    let (settings, secret) = (client("service"), Some(digest(9)));
    let create = clients::Command::Create { id, settings, secret };
    renewed.done(operator(), ACME, Command::Clients(create));
    assert!(!live(&renewed, ACME), "the new client inherited a token");
    renewed.now_ms = token.exp * 1000;
    assert!(!live(&renewed, ACME));
}
