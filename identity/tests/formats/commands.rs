//! One draft with every variant of every command.

use std::collections::BTreeSet;

use identity::{
    clients,
    command::Command,
    consents,
    keys::{self, Algorithm},
    oauth::{self, password::HandedIn, refresh},
    profiles,
    sessions::{self, Presented},
    setup,
    stamp::{Draft, Idempotency, Placement},
    sweep::Sweep,
    tenants, users,
};

use crate::{
    Sample,
    clients::scope_commands as scopes,
    codes,
    events::event_commands,
    labels::{LABELS, label},
    old,
    passwords::attempt_commands,
    records::{
        AT, CLIENT, GRANT, KEY, REQUEST, SAGA, SESSION, TENANT, USER, client_settings, digest,
        hash, key_seed, principals, saga, sealed, seed, source, user_settings,
    },
    sample,
};

fn administration() -> Vec<Command> {
    let tenants = [
        tenants::Command::BeginV1(Box::new(old::saga_1())),
        tenants::Command::Begin(Box::new(saga())),
        tenants::Command::OpenV1(Box::new(old::seed_1())),
        tenants::Command::Open(Box::new(seed())),
        tenants::Command::Publish(TENANT),
        tenants::Command::UpdateV1 {
            expected: Some(3),
            settings: tenants::old::SettingsV1 {
                name: "Acme".into(),
                enabled: false,
                lifetimes: tenants::Lifetimes::default(),
            },
        },
        tenants::Command::Update {
            expected: Some(3),
            settings: tenants::Settings {
                name: "Acme".into(),
                enabled: false,
                lifetimes: tenants::Lifetimes::default(),
                refresh: refresh::Policy::default(),
                key_rotation_s: Some(90_000),
            },
        },
        tenants::Command::BeginDelete { tenant: TENANT, saga: SAGA },
        tenants::Command::Close,
        tenants::Command::FinishDelete(TENANT),
        tenants::Command::CloseAt { line: 3 },
        tenants::Command::BeginRestore(Box::new(tenants::restore::Request {
            tenant: TENANT,
            saga: SAGA,
            address: Some(tenants::restore::Address {
                slug: "acme-2".into(),
                issuer: "https://id.example/t/acme-2".into(),
            }),
            keys: seed().keys,
        })),
        tenants::Command::Reopen { line: 5, seed: Box::new(seed()) },
        tenants::Command::Finish { tenant: TENANT, line: 5 },
    ];
    let (settings, password) = (user_settings(), Some(hash()));
    let users = [
        users::Command::Create { id: USER, settings: settings.clone(), password: password.clone() },
        users::Command::Update { id: USER, expected: Some(7), settings, password },
        users::Command::Delete { id: USER, expected: None },
    ];
    let (settings, secret) = (client_settings(), Some(digest(2)));
    let (old, old_2) = (old::client_settings_1(), old::client_settings_2());
    let clients = [
        clients::Command::CreateV1 { id: CLIENT, settings: old.clone(), secret },
        clients::Command::UpdateV1 { id: CLIENT, expected: Some(7), settings: old, secret: None },
        clients::Command::CreateV2 { id: CLIENT, settings: old_2.clone(), secret },
        clients::Command::UpdateV2 { id: CLIENT, expected: Some(7), settings: old_2, secret: None },
        clients::Command::Create { id: CLIENT, settings: settings.clone(), secret },
        clients::Command::Update { id: CLIENT, expected: Some(7), settings, secret: None },
        clients::Command::Delete { id: CLIENT, expected: Some(300) },
        clients::Command::RegenerateSecret { id: CLIENT, secret: digest(3) },
        clients::Command::RotateSecret { id: CLIENT, secret: digest(3), overlap_s: 3600 },
    ];
    let mut all = vec![
        Command::Setup(setup::Command::BeginV1(Box::new(old::saga_1()))),
        Command::Setup(setup::Command::Begin(Box::new(saga()))),
    ];
    all.extend(tenants.map(Command::Tenants));
    all.extend(users.map(Command::Users));
    all.extend(clients.map(Command::Clients));
    all
}

fn key_commands() -> [keys::Command; 5] {
    let next = key_seed(keys::State::Pending);
    let replacement = keys::Replacement { key: KEY, next: next.clone() };
    [
        keys::Command::Introduce(vec![key_seed(keys::State::Active), next.clone()]),
        keys::Command::Rotate { algorithm: Algorithm::Ps256, next, revoke: true },
        keys::Command::Retire(KEY),
        keys::Command::Replace(vec![replacement.clone()]),
        keys::Command::Revoke(replacement),
    ]
}

fn login() -> oauth::Login {
    oauth::Login {
        user: USER,
        credential_revision: 3,
        session: SESSION,
        cookie: digest(4),
        address: "192.0.2.1".into(),
        user_agent: "browser".into(),
        code: digest(5),
        client: CLIENT,
        redirect_uri: "https://app.example/cb".into(),
        scopes: ["openid".into(), "read".into()].into(),
        nonce: Some("n".into()),
        challenge: Some("c".into()),
        api: true,
    }
}

/// A sign-in to the own account.
pub(crate) fn own_sign_in() -> sessions::SignIn {
    sessions::SignIn {
        user: USER,
        credential_revision: 3,
        session: SESSION,
        cookie: digest(4),
        presented: Some(Presented { session: SESSION, cookie: digest(11) }),
        address: "192.0.2.1".into(),
        user_agent: "browser".into(),
    }
}

fn sign_ins() -> Vec<Command> {
    let presented = Presented { session: SESSION, cookie: digest(9) };
    let sign_in = oauth::SignIn { presented: Some(presented), ..oauth::SignIn::from(&login()) };
    let oauth = [
        oauth::Command::CompleteLogin(Box::new(login())),
        oauth::Command::SignIn(Box::new(sign_in.clone())),
        oauth::Command::Continue(Box::new(oauth::Continue {
            presented,
            ask: sign_in.ask,
            code: digest(5),
            max_age_s: Some(300),
        })),
        oauth::Command::Allow(Box::new(oauth::Continue {
            presented,
            ask: oauth::SignIn::from(&login()).ask,
            code: digest(5),
            max_age_s: None,
        })),
    ];
    let consents = [
        consents::Command::Withdraw { id: consents::id_of(USER, CLIENT), expected: Some(3) },
        consents::Command::Require { client: CLIENT, expected: Some(1), required: true },
        consents::Command::WithdrawOwn { by: presented, id: consents::id_of(USER, CLIENT) },
    ];
    let by = Presented { session: SESSION, cookie: digest(11) };
    let sessions = [
        sessions::Command::End { id: SESSION, expected: Some(3) },
        sessions::Command::EndAll { user: USER },
        sessions::Command::SetRules { expected: Some(1), idle_s: 600, per_user_max: 5 },
        sessions::Command::EndOwn { by, id: SESSION },
        sessions::Command::EndOthers { by },
        sessions::Command::SignIn(Box::new(own_sign_in())),
        sessions::Command::Seen { id: SESSION },
        sessions::Command::Settle { user: USER },
    ];
    let profiles = [
        profiles::Command::SetRules { expected: Some(1), editable: ["name".into()].into() },
        profiles::Command::EditOwn { by, claims: [("name".into(), "Alice".into())].into() },
    ];
    let mut all: Vec<Command> = oauth.map(Command::Oauth).into();
    all.extend(profiles.map(Command::Profiles));
    all.extend(sessions.map(Command::Sessions));
    all.extend(consents.map(Command::Consents));
    all
}

fn protocol() -> Vec<Command> {
    let oauth = [
        oauth::Command::RedeemCodeV1 {
            code: digest(5),
            client: CLIENT,
            redirect_uri: Some("https://app.example/cb".into()),
            challenge: Some("c".into()),
            grant: GRANT,
        },
        oauth::Command::IssueClientToken {
            client: CLIENT,
            scopes: ["read".into()].into(),
            api: false,
        },
        oauth::Command::DenyToken { jti: digest(6), expires_at_ms: AT },
        oauth::Command::RedeemCode(Box::new(oauth::Redemption {
            code: digest(5),
            client: CLIENT,
            redirect_uri: Some("https://app.example/cb".into()),
            challenge: None,
            grant: GRANT,
            refresh: Some(digest(9)),
        })),
        oauth::Command::Refresh(Box::new(refresh::Presentation {
            token: digest(9),
            client: CLIENT,
            scopes: Some(["openid".into()].into()),
            api: true,
            successor: digest(10),
            sealed: sealed(),
        })),
        oauth::Command::RevokeRefresh { token: digest(9), client: CLIENT },
        oauth::Command::Password(Box::new(HandedIn {
            user: USER,
            credential_revision: 3,
            client: CLIENT,
            scopes: ["openid".into()].into(),
            api: false,
            grant: GRANT,
            refresh: Some(digest(9)),
        })),
        codes::keyed(),
    ];
    let mut all = vec![Command::Noop, Command::Sweep(Sweep { until_ms: AT })];
    all.extend(event_commands());
    all.extend(key_commands().map(Command::Keys));
    all.extend(oauth.map(Command::Oauth));
    all.extend(sign_ins());
    all
}

pub(crate) fn draft(command: Command) -> Draft {
    Draft {
        request: REQUEST,
        not_after_ms: AT + 30_000,
        placement: Placement::Tenant(TENANT),
        principal: principals()[3].1,
        source: source(),
        idempotency: None,
        command,
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut covered = BTreeSet::new();
    let mut all = Vec::new();
    let all_commands = [
        administration(),
        attempt_commands(),
        protocol(),
        crate::logout::commands(),
        crate::licenses::commands(),
        scopes(),
        crate::roles::commands(),
        crate::settings::commands(),
        crate::members::commands(),
    ];
    for command in all_commands.into_iter().flatten() {
        let label = label(&command);
        covered.insert(label);
        all.push(sample(format!("draft-{label}"), draft(command)));
    }
    let every: BTreeSet<&str> = LABELS.iter().copied().collect();
    assert_eq!(covered, every, "a command has no sample");
    for (name, principal) in principals() {
        let idempotency =
            Some(Idempotency { key: digest(7), body: digest(8), once: Some(sealed()) });
        let draft =
            Draft { placement: Placement::Cluster, principal, idempotency, ..draft(Command::Noop) };
        all.push(sample(format!("draft-by-{name}"), draft));
    }
    all
}
