//! A cluster after setup: the operator's tenant, `acme` and `other`, made by the commands
//! themselves.

use std::collections::BTreeSet;

use identity::{
    apply::apply_draft,
    applying::Mode,
    changes::program_level,
    clients::{self, Authentication, Client, GrantType},
    cluster, codec,
    command::Command,
    id::{ClientId, RequestId, RoleId, SagaId, TenantId, UserId},
    keys::Algorithm,
    oauth::refresh::{ClientPolicy, Policy},
    outcome::{Outcome, Rejection, Reply},
    principal::{ApiScopes, Principal, Source},
    secret::{Digest, PasswordHash},
    setup,
    stamp::{Draft, Idempotency, Placement, Stamp},
    table::{Record, Row},
    tenants::{self, Lifetimes, Saga, Seed, Tenant, UserSeed, saga::SetupProof},
    users,
};

use crate::tables::Memory;

pub(crate) const DEFAULT: TenantId = TenantId::from_bytes([0xd0; 16]);
pub(crate) const ACME: TenantId = TenantId::from_bytes([0xac; 16]);
pub(crate) const OTHER: TenantId = TenantId::from_bytes([0x07; 16]);
pub(crate) const URL: &str = "https://id.example";
pub(crate) const CALLBACK: &str = "https://app.example/cb";

/// In every tenant: its built-in public client, its administrator, a person without a role, a web
/// client and a service client with the role.
pub(crate) const CLI: ClientId = ClientId::from_bytes([0xc1; 16]);
pub(crate) const ROOT: UserId = UserId::from_bytes([0xa0; 16]);
pub(crate) const BOB: UserId = UserId::from_bytes([0xb0; 16]);
pub(crate) const WEB: ClientId = ClientId::from_bytes([0xc2; 16]);
pub(crate) const SERVICE: ClientId = ClientId::from_bytes([0xc3; 16]);

pub(crate) const ALL: ApiScopes = ApiScopes { read: true, write: true, platform: true };
pub(crate) const OWN: ApiScopes = ApiScopes { read: true, write: true, platform: false };

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) tables: Memory,
    pub(crate) now_ms: u64,
    pub(crate) level: u16,
    pub(crate) index: u64,
    pub(crate) mode: Mode,
}

pub(crate) fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

pub(crate) fn phc(text: &str) -> PasswordHash {
    PasswordHash::from_phc(format!("$argon2id${text}"))
}

pub(crate) fn person(tenant: TenantId, user: UserId, scopes: ApiScopes) -> Principal {
    Principal::User { tenant, user, client: CLI, scopes }
}

pub(crate) fn operator() -> Principal {
    person(DEFAULT, ROOT, ALL)
}

pub(crate) fn user(username: &str) -> users::Settings {
    users::Settings {
        username: username.into(),
        email: Some(format!("{username}@example.org")),
        email_verified: false,
        phone_number_verified: false,
        profile: [("name".into(), "A Person".into())].into(),
        address: Default::default(),
        enabled: true,
        roles: BTreeSet::new(),
    }
}

pub(crate) fn administrator(username: &str) -> users::Settings {
    users::Settings { roles: [RoleId::ADMINISTRATOR].into(), ..user(username) }
}

pub(crate) fn client(client_id: &str) -> clients::Settings {
    clients::Settings {
        client_id: client_id.into(),
        name: client_id.into(),
        enabled: true,
        authentication: Authentication::ClientSecretBasic,
        native: false,
        redirect_uris: vec![CALLBACK.into()],
        grant_types: [GrantType::AuthorizationCode, GrantType::ClientCredentials].into(),
        scopes: ["read".into(), "write".into(), "platform".into()].into(),
        id_token_algorithm: Algorithm::Rs256,
        access_token_algorithm: Algorithm::Es256,
        access_token_lifetime_s: None,
        admin_api: false,
        roles: BTreeSet::new(),
        refresh: ClientPolicy::default(),
        cors_origins: Default::default(),
        dpop_bound_access_tokens: false,
    }
}

fn built_in() -> Client {
    let settings = clients::Settings {
        authentication: Authentication::None,
        native: true,
        redirect_uris: vec!["http://127.0.0.1/callback".into()],
        grant_types: [GrantType::AuthorizationCode].into(),
        admin_api: true,
        ..client("vaultara-cli")
    };
    Client { built_in: true, ..Client::new(CLI, &settings, None, 0) }
}

pub(crate) fn saga(tenant: TenantId, slug: &str) -> Saga {
    let issuer = if tenant == DEFAULT { URL.to_owned() } else { format!("{URL}/t/{slug}") };
    let seed = Seed {
        tenant,
        slug: slug.into(),
        issuer,
        name: slug.into(),
        keys: Vec::new(),
        clients: vec![built_in().into()],
        administrator: None,
        lifetimes: Lifetimes::default(),
        refresh: Policy::default(),
        key_rotation_s: None,
    };
    let id = SagaId::from_bytes(tenant.bytes());
    Saga { id, revision: 0, seed, setup: None, deleting: false }
}

pub(crate) fn setup_of(tenant: TenantId, body: u8) -> Command {
    let mut saga = saga(tenant, "default");
    saga.seed.issuer = URL.into();
    let (username, email) = ("root".to_owned(), "root@example.org".to_owned());
    saga.seed.administrator = Some(UserSeed { id: ROOT, username, email, password: phc("root") });
    saga.setup = Some(SetupProof { bootstrap: digest(1), body: digest(body) });
    Command::Setup(setup::Command::Begin(Box::new(saga)))
}

impl World {
    /// Before setup, with a bootstrap secret.
    pub(crate) fn new() -> Self {
        Self::new_at(program_level())
    }

    /// The time and feature level that drafts are applied at.
    pub(crate) fn now(&self) -> Stamp {
        Stamp { at_ms: self.now_ms, feature_level: self.level }
    }

    /// As [`World::new`], of a cluster that began at an earlier feature level.
    pub(crate) fn new_at(level: u16) -> Self {
        let (tables, mode) = (Memory::default(), Mode::Full);
        let mut world = Self { tables, now_ms: 1_000_000, level, index: 0, mode };
        world.cluster(Command::Cluster(cluster::Command::Initialize {
            external_url: URL.into(),
            audit_key: vec![1; 32],
            access_token_lifetime_s: 3600,
        }));
        world.cluster(Command::Cluster(cluster::Command::RenewBootstrap(digest(1))));
        world
    }

    /// After setup, with two more tenants and people and clients in each.
    pub(crate) fn ready() -> Self {
        Self::ready_at(program_level())
    }

    /// As [`World::ready`], of a cluster that began at an earlier feature level.
    pub(crate) fn ready_at(level: u16) -> Self {
        let mut world = Self::new_at(level);
        let reply = world.run(Principal::Bootstrap, TenantId::CLUSTER, setup_of(DEFAULT, 1));
        reply.result.unwrap();
        world.finish(DEFAULT);
        world.furnish(DEFAULT);
        for (tenant, slug) in [(ACME, "acme"), (OTHER, "other")] {
            let saga = Box::new(saga(tenant, slug));
            world.cluster(Command::Tenants(tenants::Command::Begin(saga)));
            world.finish(tenant);
            let root = users::Command::Create {
                id: ROOT,
                settings: administrator("root"),
                password: Some(phc("root")),
            };
            world.done(Principal::System, tenant, Command::Users(root));
            world.furnish(tenant);
        }
        world
    }

    fn furnish(&mut self, tenant: TenantId) {
        let (settings, password) = (user("bob"), Some(phc("bob")));
        let bob = users::Command::Create { id: BOB, settings, password };
        self.done(Principal::System, tenant, Command::Users(bob));
        let service = clients::Settings {
            admin_api: true,
            roles: [RoleId::ADMINISTRATOR].into(),
            ..client("service")
        };
        for (id, settings) in [(WEB, client("web")), (SERVICE, service)] {
            let create = clients::Command::Create { id, settings, secret: Some(digest(2)) };
            self.done(Principal::System, tenant, Command::Clients(create));
        }
    }

    /// The second and third step of a creation.
    pub(crate) fn finish(&mut self, tenant: TenantId) {
        let saga: Saga = self.record(TenantId::CLUSTER, tenant.bytes()).unwrap();
        let open = tenants::Command::Open(Box::new(saga.seed));
        self.done(Principal::System, tenant, Command::Tenants(open));
        self.cluster(Command::Tenants(tenants::Command::Publish(tenant)));
    }

    pub(crate) fn draft(
        &mut self,
        principal: Principal,
        tenant: TenantId,
        command: Command,
    ) -> Draft {
        self.index += 1;
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.index.to_be_bytes());
        let address = format!("192.0.2.{}", self.index % 250);
        Draft {
            request: RequestId::from_bytes(id),
            not_after_ms: self.now_ms + 30_000,
            placement: if tenant == TenantId::CLUSTER {
                Placement::Cluster
            } else {
                Placement::Tenant(tenant)
            },
            principal,
            source: Source { salt: id, address, user_agent: "test".into() },
            idempotency: None,
            command,
        }
    }

    pub(crate) fn apply(&mut self, draft: &Draft) -> Reply {
        let position = (self.index, 0);
        let now = self.now();
        let applied = apply_draft(&mut self.tables, position, now, draft, self.mode);
        codec::decode(&applied.expect("no rule leaves its placement").reply).unwrap()
    }

    pub(crate) fn run(
        &mut self,
        principal: Principal,
        tenant: TenantId,
        command: Command,
    ) -> Reply {
        let draft = self.draft(principal, tenant, command);
        self.apply(&draft)
    }

    pub(crate) fn result(
        &mut self,
        principal: Principal,
        tenant: TenantId,
        command: Command,
    ) -> Result<Outcome, Rejection> {
        self.run(principal, tenant, command).result
    }

    pub(crate) fn done(
        &mut self,
        principal: Principal,
        tenant: TenantId,
        command: Command,
    ) -> Outcome {
        self.result(principal, tenant, command).expect("the command is allowed")
    }

    pub(crate) fn cluster(&mut self, command: Command) -> Outcome {
        self.done(Principal::System, TenantId::CLUSTER, command)
    }

    pub(crate) fn keyed(
        &mut self,
        tenant: TenantId,
        (key, body): (u8, u8),
        command: Command,
    ) -> Reply {
        let mut draft = self.draft(operator(), tenant, command);
        let (key, body) = (digest(key), digest(body));
        draft.idempotency = Some(Idempotency { key, body, once: None });
        self.apply(&draft)
    }

    pub(crate) fn record<R: Record>(&self, tenant: TenantId, id: [u8; 16]) -> Option<R> {
        let bytes = self.tables.peek(tenant, Row::Record { table: R::TABLE, id })?;
        Some(codec::decode(&bytes).unwrap())
    }

    pub(crate) fn tenant(&self, tenant: TenantId) -> Tenant {
        self.record(tenant, tenant.bytes()).unwrap()
    }

    pub(crate) fn update_user(
        &mut self,
        by: Principal,
        tenant: TenantId,
        id: UserId,
        settings: users::Settings,
    ) -> Result<Outcome, Rejection> {
        let update = users::Command::Update { id, expected: None, settings, password: None };
        self.result(by, tenant, Command::Users(update))
    }

    pub(crate) fn update_client(
        &mut self,
        by: Principal,
        tenant: TenantId,
        id: ClientId,
        settings: clients::Settings,
    ) -> Result<Outcome, Rejection> {
        let update = clients::Command::Update { id, expected: None, settings, secret: None };
        self.result(by, tenant, Command::Clients(update))
    }

    pub(crate) fn enable_tenant(&mut self, tenant: TenantId, enabled: bool) {
        let (lifetimes, refresh) = (Lifetimes::default(), Policy::default());
        let name = "T".into();
        let settings =
            tenants::Settings { name, enabled, lifetimes, refresh, key_rotation_s: None };
        let update = tenants::Command::Update { expected: None, settings };
        self.done(Principal::System, tenant, Command::Tenants(update));
    }
}
