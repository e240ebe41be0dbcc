//! One sample of every record, short-lived row and row of the mechanism.

use identity::{
    clients::{self, Authentication, Client, GrantType},
    cluster,
    grants::{DeniedToken, Grant},
    id::{
        ClientId, GrantId, GroupId, RequestId, RoleId, SagaId, SessionId, SigningKeyId, TenantId,
        UserId,
    },
    idempotency::{Kept, Remembered},
    keys::{self, Algorithm, SigningKey},
    oauth::refresh::{ClientPolicy, Policy, RefreshToken, Rotation, Successor},
    outcome::Outcome,
    principal::{ApiScopes, Principal, Source},
    secret::{Digest, PasswordHash, Sealed},
    sessions::{Method, Rules, Session},
    stamp::{Entry, Stamp},
    tenants::{
        Directory, KeySeed, Lifetimes, Saga, Seed, State, Tenant, UserSeed, restore::Restoration,
        saga::SetupProof,
    },
    users::{self, User},
};

use crate::{Sample, codes::THUMBPRINT, members::still_written, old, older, sample};

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
    let person = Principal::Person { tenant: TENANT, user: USER };
    let all =
        vec![Principal::Anonymous, Principal::System, Principal::Bootstrap, user, client, person];
    let named = |principal: Principal| {
        let name = match principal {
            Principal::Anonymous => "anonymous",
            Principal::System => "system",
            Principal::Bootstrap => "bootstrap",
            Principal::User { .. } => "user",
            Principal::Client { .. } => "client",
            Principal::Person { .. } => "person",
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
        grant_types: [
            GrantType::AuthorizationCode,
            GrantType::ClientCredentials,
            GrantType::RefreshToken,
        ]
        .into(),
        scopes: ["read".into(), "write".into()].into(),
        id_token_algorithm: Algorithm::Rs256,
        access_token_algorithm: Algorithm::EdDsa,
        access_token_lifetime_s: Some(600),
        admin_api: true,
        roles: [RoleId::ADMINISTRATOR].into(),
        refresh: ClientPolicy {
            rotation: Rotation::Never,
            idle_s: Some(600),
            lifetime_s: Some(70_000),
            grace_s: None,
        },
        cors_origins: ["https://pages.example".into()].into(),
        dpop_bound_access_tokens: true,
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
    let built_in = Client { built_in: true, ..built_in };
    Seed {
        tenant: TENANT,
        slug: "acme".into(),
        issuer: "https://id.example/t/acme".into(),
        name: "Acme".into(),
        keys: vec![key_seed(keys::State::Active), key_seed(keys::State::Pending)],
        clients: vec![built_in.into()],
        administrator: Some(UserSeed {
            id: USER,
            username: "root".into(),
            email: "root@example.org".into(),
            password: hash(),
        }),
        lifetimes: Lifetimes::default(),
        refresh: Policy::default(),
        key_rotation_s: Some(90_000),
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
        groups: [GroupId::from_bytes([0x66; 16])].into(),
        password: Some(hash()),
        credential_revision: 3,
        session_epoch: 4,
        updated_at_ms: AT + 1,
        ..User::new(USER, settings.username, AT)
    }
}

pub(crate) fn client() -> Client {
    Client {
        revision: 300,
        deleted_at_ms: Some(AT + 2),
        secret_generation: 2,
        previous_secret: Some(digest(16)),
        previous_secret_until_ms: Some(AT + 3_600_000),
        ended_until_ms: Some(AT + 1),
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
        refresh: Policy { idle_s: 600, lifetime_s: 86_400, grace_s: 30 },
        key_rotation_s: None,
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
        epoch: 2,
        began_at_ms: AT - 5,
        authenticated_at_ms: AT,
        methods: [Method::Password].into(),
        seen_at_ms: AT + 2,
        idle_s: 7200,
        expires_at_ms: AT + 3_600_000,
        ended_at_ms: Some(AT + 3),
        clients: [CLIENT].into(),
    }
}

/// As a session of the first layout reads.
fn session_1() -> Session {
    Session {
        epoch: 0,
        began_at_ms: AT,
        seen_at_ms: AT,
        idle_s: u32::MAX,
        clients: Default::default(),
        ..session()
    }
}

pub(crate) fn grant() -> Grant {
    Grant {
        id: GRANT,
        revision: 2,
        client: CLIENT,
        user: USER,
        session: Some(SESSION),
        epoch: 4,
        scopes: ["openid".into(), "profile".into()].into(),
        expires_at_ms: AT + 60_000,
        revoked_at_ms: Some(AT + 4),
        thumbprint: Some(THUMBPRINT.into()),
        began_at_ms: AT - 7,
    }
}

/// As it was before keys of clients.
fn grant_2() -> Grant {
    Grant { thumbprint: None, began_at_ms: 0, ..grant() }
}

fn refresh_token() -> RefreshToken {
    let grace_until_ms = AT + 10_000;
    RefreshToken {
        grant: GRANT,
        generation: 3,
        api: true,
        authenticated_at_ms: AT - 9,
        credential_revision: 7,
        expires_at_ms: AT + 600_000,
        family_ends_at_ms: AT + 700_000,
        used_at_ms: Some(AT),
        successor: Some(Successor { token: digest(23), sealed: sealed(), grace_until_ms }),
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

fn line(state: State) -> (&'static str, Directory) {
    let name = match state {
        State::Opening => "opening",
        State::Open => "open",
        State::Closing => "closing",
        State::Deleted => "deleted",
        State::Restoring => "restoring",
    };
    let (slug, issuer) = ("acme".into(), "https://id.example/t/acme".into());
    let deleted_at_ms = None;
    (name, Directory { id: TENANT, revision: 2, slug, issuer, state, deleted_at_ms })
}

/// As a line is written as long as the cluster is at the first level.
fn directory_1(state: State) -> Sample {
    let (name, line) = line(state);
    still_written(&format!("directory-{name}"), line)
}

fn directory(state: State, deleted_at_ms: Option<u64>) -> Sample {
    let (name, line) = line(state);
    sample(format!("directory-2-{name}"), Directory { deleted_at_ms, ..line })
}

pub(crate) fn samples() -> Vec<Sample> {
    use keys::State as Key;
    let remembered = Remembered {
        body: digest(22),
        outcome: Outcome::Written { id: CLIENT.bytes(), revision: 1 },
        once: Some(sealed()),
        expires_at_ms: AT + 86_400_000,
    };
    vec![
        older("user", User { session_epoch: 0, groups: [].into(), ..user() }),
        older("user-plain", User::new(USER, "bob".into(), AT)),
        older("user-2", User { groups: [].into(), ..user() }),
        older("user-2-plain", User::new(USER, "bob".into(), AT)),
        sample("user-3", user()),
        older("tenant", old::tenant_1()),
        sample("tenant-2", tenant()),
        directory_1(State::Opening),
        directory_1(State::Open),
        directory_1(State::Closing),
        directory_1(State::Deleted),
        directory(State::Opening, None),
        directory(State::Open, None),
        directory(State::Closing, None),
        directory(State::Deleted, Some(AT)),
        directory(State::Restoring, Some(AT)),
        sample("idempotency-kept", Kept { rows: 300 }),
        sample("restoration", Restoration { revision: 2, ended_until_ms: AT, line: 5 }),
        older("saga", Saga::from(old::saga_1())),
        sample("saga-2", saga()),
        sample("cluster-settings", settings()),
        older("session", session_1()),
        sample("session-2", session()),
        sample("session-rules", Rules { revision: 3, idle_s: 600, ..Rules::of(TENANT) }),
        older("grant", Grant { epoch: 0, ..grant_2() }),
        older("grant-2", grant_2()),
        older("grant-2-of-no-session", Grant { session: None, revoked_at_ms: None, ..grant_2() }),
        older("grant-3", Grant { began_at_ms: 0, ..grant() }),
        sample("grant-4", grant()),
        sample("denied-token", DeniedToken { expires_at_ms: AT }),
        sample("refresh-token", refresh_token()),
        sample(
            "refresh-token-unused",
            RefreshToken { used_at_ms: None, successor: None, ..refresh_token() },
        ),
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
    ]
}
