//! One sample of every record, short-lived row and row of the mechanism.

use identity::{
    apply::Remembered,
    clients::{self, Authentication, Client, GrantType},
    cluster, event,
    grants::{DeniedToken, Grant},
    id::{ClientId, GrantId, RequestId, RoleId, SagaId, SessionId, SigningKeyId, TenantId, UserId},
    keys::{self, Algorithm, SigningKey},
    oauth::code::AuthorizationCode,
    outcome::Outcome,
    principal::{ApiScopes, Principal, Source},
    secret::{Digest, PasswordHash, Sealed},
    sessions::Session,
    stamp::{Entry, Stamp},
    tenants::{
        Directory, KeySeed, Lifetimes, Saga, Seed, State, Tenant, UserSeed, saga::SetupProof,
    },
    users::{self, User},
};

use crate::{Sample, sample};

/// A state time.
pub(crate) const AT: u64 = 1_790_000_000_123;
pub(crate) const TENANT: TenantId = TenantId::from_bytes([1; 16]);
pub(crate) const USER: UserId = UserId::from_bytes([2; 16]);
pub(crate) const CLIENT: ClientId = ClientId::from_bytes([3; 16]);
pub(crate) const SESSION: SessionId = SessionId::from_bytes([4; 16]);
pub(crate) const GRANT: GrantId = GrantId::from_bytes([5; 16]);
pub(crate) const KEY: SigningKeyId = SigningKeyId::from_bytes([6; 16]);
pub(crate) const SAGA: SagaId = SagaId::from_bytes([7; 16]);
pub(crate) const REQUEST: RequestId = RequestId::from_bytes([8; 16]);

pub(crate) fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

pub(crate) fn hash() -> PasswordHash {
    PasswordHash::from_phc("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into())
}

pub(crate) fn sealed() -> Sealed {
    Sealed { key: 1, nonce: [9; 12], bytes: vec![1, 2, 3, 250] }
}

pub(crate) fn source() -> Source {
    Source { salt: [10; 16], address: "192.0.2.1".into(), user_agent: "browser/1 (ü)".into() }
}

pub(crate) fn principals() -> Vec<(&'static str, Principal)> {
    let scopes = ApiScopes { read: true, write: false, platform: true };
    let user = Principal::User { tenant: TENANT, user: USER, client: CLIENT, scopes };
    let client = Principal::Client { tenant: TENANT, client: CLIENT, scopes };
    let all = vec![Principal::Anonymous, Principal::System, Principal::Bootstrap, user, client];
    let named = |principal: Principal| {
        let name = match principal {
            Principal::Anonymous => "anonymous",
            Principal::System => "system",
            Principal::Bootstrap => "bootstrap",
            Principal::User { .. } => "user",
            Principal::Client { .. } => "client",
        };
        (name, principal)
    };
    all.into_iter().map(named).collect()
}

pub(crate) fn user_settings() -> users::Settings {
    users::Settings {
        username: "alice".into(),
        email: Some("Alice@example.org".into()),
        email_verified: true,
        phone_number_verified: false,
        profile: [("given_name".into(), "Alice".into()), ("locale".into(), "de-AT".into())].into(),
        address: [("country".into(), "Österreich".into())].into(),
        enabled: true,
        roles: [RoleId::ADMINISTRATOR].into(),
    }
}

pub(crate) fn client_settings() -> clients::Settings {
    clients::Settings {
        client_id: "web".into(),
        name: "The web shop".into(),
        enabled: true,
        authentication: Authentication::ClientSecretPost,
        native: false,
        redirect_uris: vec!["https://app.example/cb".into(), "https://app.example/b?x=1".into()],
        grant_types: [GrantType::AuthorizationCode, GrantType::ClientCredentials].into(),
        scopes: ["read".into(), "write".into()].into(),
        id_token_algorithm: Algorithm::Rs256,
        access_token_algorithm: Algorithm::EdDsa,
        access_token_lifetime_s: Some(600),
        admin_api: true,
        roles: [RoleId::ADMINISTRATOR].into(),
    }
}

pub(crate) fn key_seed(state: keys::State) -> KeySeed {
    KeySeed {
        id: KEY,
        algorithm: Algorithm::Es256,
        kid: "thumbprint".into(),
        public_jwk: "{\"kty\":\"EC\"}".into(),
        private: sealed(),
        state,
    }
}

pub(crate) fn seed() -> Seed {
    let built_in = Client::new(CLIENT, &client_settings(), Some(digest(11)), AT);
    Seed {
        tenant: TENANT,
        slug: "acme".into(),
        issuer: "https://id.example/t/acme".into(),
        name: "Acme".into(),
        keys: vec![key_seed(keys::State::Active), key_seed(keys::State::Pending)],
        clients: vec![Client { built_in: true, ..built_in }],
        administrator: Some(UserSeed {
            id: USER,
            username: "root".into(),
            email: "root@example.org".into(),
            password: hash(),
        }),
        lifetimes: Lifetimes::default(),
    }
}

pub(crate) fn saga() -> Saga {
    let setup = SetupProof { bootstrap: digest(12), body: digest(13) };
    Saga { id: SAGA, revision: 1, seed: seed(), setup: Some(setup), deleting: false }
}

pub(crate) fn user() -> User {
    let settings = user_settings();
    User {
        revision: 7,
        email: settings.email,
        email_verified: true,
        profile: settings.profile,
        address: settings.address,
        enabled: false,
        deleted_at_ms: Some(AT + 1),
        roles: settings.roles,
        password: Some(hash()),
        credential_revision: 3,
        updated_at_ms: AT + 1,
        ..User::new(USER, settings.username, AT)
    }
}

pub(crate) fn client() -> Client {
    Client {
        revision: 300,
        deleted_at_ms: Some(AT + 2),
        secret_generation: 2,
        ..Client::new(CLIENT, &client_settings(), Some(digest(14)), AT)
    }
}

pub(crate) fn tenant() -> Tenant {
    Tenant {
        id: TENANT,
        revision: 2,
        slug: "acme".into(),
        issuer: "https://id.example/t/acme".into(),
        name: "Acme".into(),
        enabled: true,
        deleted_at_ms: None,
        created_at_ms: AT,
        updated_at_ms: AT + 5,
        lifetimes: Lifetimes { access_token_s: 60, id_token_s: 61, code_s: 30, session_s: 3600 },
    }
}

pub(crate) fn session() -> Session {
    Session {
        id: SESSION,
        revision: 1,
        user: USER,
        cookie: digest(15),
        address: "2001:db8::1".into(),
        user_agent: "browser".into(),
        authenticated_at_ms: AT,
        expires_at_ms: AT + 3_600_000,
        ended_at_ms: Some(AT + 3),
    }
}

pub(crate) fn grant() -> Grant {
    Grant {
        id: GRANT,
        revision: 2,
        client: CLIENT,
        user: USER,
        session: SESSION,
        scopes: ["openid".into(), "profile".into()].into(),
        expires_at_ms: AT + 60_000,
        revoked_at_ms: Some(AT + 4),
    }
}

pub(crate) fn code() -> AuthorizationCode {
    AuthorizationCode {
        client: CLIENT,
        user: USER,
        session: SESSION,
        redirect_uri: "https://app.example/cb".into(),
        scopes: ["openid".into()].into(),
        nonce: Some("n-0".into()),
        challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into()),
        api: true,
        authenticated_at_ms: AT,
        expires_at_ms: AT + 60_000,
        redeemed: Some(GRANT),
    }
}

pub(crate) fn settings() -> cluster::Settings {
    cluster::Settings {
        revision: 3,
        external_url: "https://id.example".into(),
        default_tenant: Some(TENANT),
        bootstrap: Some(digest(16)),
        setup_closed_at_ms: Some(AT),
        audit_key: vec![17; 32],
        feature_level: 1,
        access_token_lifetime_s: 3600,
    }
}

pub(crate) fn checkpoint() -> event::Checkpoint {
    let signature = vec![19; 64];
    event::Checkpoint { tenant: TENANT, sequence: 9, hash: [18; 32], at_ms: AT, signature }
}

pub(crate) fn audit_event(principal: Principal, verdict: event::Verdict) -> event::AuditEvent {
    let mut event = event::AuditEvent {
        sequence: 10,
        at_ms: AT,
        position: (70_000, 3),
        request: REQUEST,
        principal,
        action: "users.update".into(),
        target: Some(event::Target { table: *b"us", id: USER.bytes() }),
        verdict,
        detail: "count=3".into(),
        commitment: event::commitment(&event::Personal { source: source() }),
        previous: [20; 32],
        hash: [0; 32],
    };
    // So the hash, too, is frozen: another one would make a kept chain read as forged.
    event.hash = event::event_hash(&event);
    event
}

fn key(state: keys::State, algorithm: Algorithm) -> Sample {
    let mut record = SigningKey::from_seed(&key_seed(state), AT);
    record.algorithm = algorithm;
    record.revision = 4;
    let state = match state {
        keys::State::Pending => "pending",
        keys::State::Active => "active",
        keys::State::Retiring => "retiring",
        keys::State::Retired => "retired",
    };
    sample(format!("signing-key-{state}-{}", algorithm.name().to_lowercase()), record)
}

fn directory(state: State) -> Sample {
    let name = match state {
        State::Opening => "opening",
        State::Open => "open",
        State::Closing => "closing",
        State::Deleted => "deleted",
    };
    let issuer = "https://id.example/t/acme".into();
    let line = Directory { id: TENANT, revision: 2, slug: "acme".into(), issuer, state };
    sample(format!("directory-{name}"), line)
}

fn event_samples() -> Vec<Sample> {
    let mut all: Vec<Sample> = principals()
        .into_iter()
        .map(|(name, principal)| {
            let event = audit_event(principal, event::Verdict::Allowed);
            sample(format!("audit-event-{name}"), event)
        })
        .collect();
    let denied = event::Verdict::Denied("stale".into());
    let refused = event::Verdict::Refused("code_replayed".into());
    all.push(sample("audit-event-denied", audit_event(Principal::System, denied)));
    all.push(sample("audit-event-refused", audit_event(Principal::Anonymous, refused)));
    let outbox = event::OutboxEvent {
        tenant: TENANT,
        audit_sequence: 10,
        action: "users.update".into(),
        changed: vec![(*b"us", USER.bytes(), 7)],
    };
    all.push(sample("outbox-event", outbox));
    let history = event::HistoryRow {
        at_ms: AT,
        position: (70_000, 3),
        principal: Principal::System,
        action: "users.update".into(),
        fields: vec![("enabled".into(), "true".into(), "false".into())],
    };
    all.push(sample("history-row", history));
    all.push(sample("personal", event::Personal { source: source() }));
    all.push(sample("chain-head", event::ChainHead { sequence: 10, hash: [21; 32] }));
    all.push(sample("checkpoint", checkpoint()));
    all
}

pub(crate) fn samples() -> Vec<Sample> {
    use keys::State as Key;
    let public = clients::Settings {
        authentication: Authentication::None,
        native: true,
        access_token_lifetime_s: None,
        ..client_settings()
    };
    let basic = clients::Settings {
        authentication: Authentication::ClientSecretBasic,
        ..client_settings()
    };
    let remembered = Remembered {
        body: digest(22),
        outcome: Outcome::Written { id: CLIENT.bytes(), revision: 1 },
        once: Some(sealed()),
        expires_at_ms: AT + 86_400_000,
    };
    let mut all = vec![
        sample("user", user()),
        sample("user-plain", User::new(USER, "bob".into(), AT)),
        sample("client", client()),
        sample("client-public", Client::new(CLIENT, &public, None, AT)),
        sample("client-basic", Client::new(CLIENT, &basic, Some(digest(14)), AT)),
        sample("tenant", tenant()),
        directory(State::Opening),
        directory(State::Open),
        directory(State::Closing),
        directory(State::Deleted),
        sample("saga", saga()),
        sample("cluster-settings", settings()),
        sample("session", session()),
        sample("grant", grant()),
        sample("denied-token", DeniedToken { expires_at_ms: AT }),
        sample("authorization-code", code()),
        key(Key::Pending, Algorithm::Es256),
        key(Key::Active, Algorithm::Rs256),
        key(Key::Retiring, Algorithm::Ps256),
        key(Key::Retired, Algorithm::EdDsa),
        sample("idempotency", remembered),
        sample(
            "entry",
            Entry {
                stamp: Stamp { at_ms: AT, feature_level: 1 },
                drafts: vec![vec![1, 2, 3], Vec::new()],
            },
        ),
    ];
    all.extend(event_samples());
    all
}
