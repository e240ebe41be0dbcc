//! A random log that is the same for the same seed: tenants, users, clients, logins, codes, refresh
//! tokens, repeats and mistakes.

use std::collections::{BTreeMap, BTreeSet};

use identity::{
    clients::{self, Authentication, GrantType},
    cluster, codec,
    command::Command,
    id::{ClientId, GrantId, RequestId, SagaId, SessionId, TenantId, UserId},
    keys::Algorithm,
    oauth::{self, refresh},
    principal::{Principal, Source},
    secret::{Digest, PasswordHash, Sealed},
    stamp::{Draft, Entry, Idempotency, Placement, Stamp},
    sweep::Sweep,
    tenants::{self, Lifetimes, Saga, Seed},
    users,
};

const REDIRECT: &str = "https://app.example.org/callback";

/// A small generator (xorshift64*), so that a seed says everything.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }

    fn id(&mut self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next().to_be_bytes());
        id[8..].copy_from_slice(&self.next().to_be_bytes());
        id
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())]) }
    }
}

#[derive(Default)]
struct Known {
    tenants: Vec<TenantId>,
    users: Vec<(TenantId, UserId)>,
    clients: Vec<(TenantId, ClientId)>,
    codes: Vec<(TenantId, ClientId, Digest)>,
    refresh_tokens: Vec<(TenantId, ClientId, Digest)>,
    drafts: Vec<Draft>,
}

struct Recorder {
    dice: Dice,
    known: Known,
    now_ms: u64,
    made: u64,
}

/// Encoded entries; the first has index 1.
pub(crate) fn recorded(seed: u64, entries: u64) -> Vec<Vec<u8>> {
    let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut recorder =
        Recorder { dice, known: Known::default(), now_ms: 1_700_000_000_000, made: 0 };
    (0..entries).map(|number| recorder.entry(number == 0)).collect()
}

impl Recorder {
    fn entry(&mut self, first: bool) -> Vec<u8> {
        self.now_ms += self.dice.next() % 900;
        let mut drafts = Vec::new();
        if first {
            let command = cluster::Command::Initialize {
                external_url: "http://localhost:8080".into(),
                audit_key: vec![1; 32],
                access_token_lifetime_s: 60,
            };
            drafts.push(self.draft(Placement::Cluster, Command::Cluster(command)));
            drafts.extend(self.tenant());
        }
        for _ in 0..=self.dice.below(5) {
            drafts.extend(self.drafts());
        }
        let at_ms = self.now_ms;
        let drafts = drafts.iter().map(Draft::encoded).collect();
        codec::encode(&Entry { stamp: Stamp { at_ms, feature_level: 1 }, drafts })
    }

    fn draft(&mut self, placement: Placement, command: Command) -> Draft {
        let address = format!("192.0.2.{}", self.dice.below(200));
        let source = Source { salt: self.dice.id(), address, user_agent: "test".into() };
        let with_key = self.dice.below(4) == 0;
        let idempotency = with_key.then(|| Idempotency {
            key: Digest::of(&self.dice.id()),
            body: Digest::of(b"body"),
            once: None,
        });
        let draft = Draft {
            request: RequestId::from_bytes(self.dice.id()),
            not_after_ms: self.now_ms + 20_000,
            placement,
            principal: Principal::System,
            source,
            idempotency,
            command,
        };
        self.known.drafts.push(draft.clone());
        draft
    }

    fn drafts(&mut self) -> Vec<Draft> {
        let Some(tenant) = self.dice.one(&self.known.tenants.clone()) else { return Vec::new() };
        let command = match self.dice.below(23) {
            0 => return self.tenant(),
            1..=5 => self.new_user(tenant),
            6..=8 => return self.changed_user().into_iter().collect(),
            9 => self.new_client(tenant),
            10..=12 => return self.login().into_iter().collect(),
            13..=15 => return self.redemption().into_iter().collect(),
            16 => Command::Sweep(Sweep { until_ms: self.now_ms }),
            17 => Command::Oauth(oauth::Command::DenyToken {
                jti: Digest::of(&self.dice.id()),
                expires_at_ms: self.now_ms + self.dice.next() % 30_000,
            }),
            18 => return self.repeated().into_iter().collect(),
            19..=21 => return self.refresh().into_iter().collect(),
            _ => Command::Noop,
        };
        vec![self.draft(Placement::Tenant(tenant), command)]
    }

    /// The three steps of a creation.
    fn tenant(&mut self) -> Vec<Draft> {
        let tenant = TenantId::from_bytes(self.dice.id());
        // Now and then a name that is taken: the later steps then find nothing to do.
        let slug = format!("tenant-{}", self.dice.below(40));
        let seed = Seed {
            tenant,
            issuer: format!("http://localhost:8080/t/{slug}"),
            slug,
            name: "A tenant".into(),
            keys: Vec::new(),
            clients: Vec::new(),
            administrator: None,
            lifetimes: Lifetimes { access_token_s: 20, session_s: 40, ..Lifetimes::default() },
            refresh: refresh::Policy { idle_s: 60, lifetime_s: 90, grace_s: 3 },
            key_rotation_s: None,
        };
        let saga = Saga {
            id: SagaId::from_bytes(tenant.bytes()),
            revision: 0,
            seed: seed.clone(),
            setup: None,
            deleting: false,
        };
        self.known.tenants.push(tenant);
        let begin = Command::Tenants(tenants::Command::Begin(Box::new(saga)));
        let open = Command::Tenants(tenants::Command::Open(Box::new(seed)));
        let publish = Command::Tenants(tenants::Command::Publish(tenant));
        vec![
            self.draft(Placement::Cluster, begin),
            self.draft(Placement::Tenant(tenant), open),
            self.draft(Placement::Cluster, publish),
        ]
    }

    fn settings(&mut self) -> users::Settings {
        let number = self.dice.below(300);
        users::Settings {
            username: format!("user-{number}"),
            email: (!number.is_multiple_of(3)).then(|| format!("User-{number}@example.org")),
            email_verified: number.is_multiple_of(2),
            phone_number_verified: false,
            profile: BTreeMap::from([("nickname".to_owned(), number.to_string())]),
            address: BTreeMap::new(),
            enabled: !number.is_multiple_of(17),
            roles: BTreeSet::new(),
        }
    }

    fn new_user(&mut self, tenant: TenantId) -> Command {
        let id = UserId::from_bytes(self.dice.id());
        self.known.users.push((tenant, id));
        let password = Some(PasswordHash::from_phc("$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA".into()));
        let settings = self.settings();
        Command::Users(users::Command::Create { id, settings, password })
    }

    fn changed_user(&mut self) -> Option<Draft> {
        let (tenant, id) = self.dice.one(&self.known.users.clone())?;
        let expected = (self.dice.below(4) == 0).then(|| self.dice.next() % 3);
        let settings = self.settings();
        let command = if self.dice.below(6) == 0 {
            users::Command::Delete { id, expected }
        } else {
            users::Command::Update { id, expected, settings, password: None }
        };
        Some(self.draft(Placement::Tenant(tenant), Command::Users(command)))
    }

    fn new_client(&mut self, tenant: TenantId) -> Command {
        self.made += 1;
        let id = ClientId::from_bytes(self.dice.id());
        self.known.clients.push((tenant, id));
        let settings = clients::Settings {
            client_id: format!("client-{}", self.made),
            name: "A client".into(),
            enabled: true,
            authentication: Authentication::ClientSecretBasic,
            native: false,
            redirect_uris: vec![REDIRECT.into()],
            grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            scopes: BTreeSet::new(),
            id_token_algorithm: Algorithm::Rs256,
            access_token_algorithm: Algorithm::Es256,
            access_token_lifetime_s: None,
            admin_api: false,
            roles: BTreeSet::new(),
            refresh: refresh::ClientPolicy::default(),
            cors_origins: BTreeSet::new(),
            dpop_bound_access_tokens: false,
        };
        let secret = Some(Digest::of(b"secret"));
        Command::Clients(clients::Command::Create { id, settings, secret })
    }

    fn login(&mut self) -> Option<Draft> {
        let (tenant, client) = self.dice.one(&self.known.clients.clone())?;
        let here: Vec<_> =
            self.known.users.iter().filter(|(home, _)| *home == tenant).copied().collect();
        let (_, user) = self.dice.one(&here)?;
        let code = Digest::of(&self.dice.id());
        self.known.codes.push((tenant, client, code));
        let login = oauth::Login {
            user,
            credential_revision: 1,
            session: SessionId::from_bytes(self.dice.id()),
            cookie: Digest::of(&self.dice.id()),
            address: "192.0.2.1".into(),
            user_agent: "test".into(),
            code,
            client,
            redirect_uri: REDIRECT.into(),
            scopes: BTreeSet::from(["openid".to_owned()]),
            nonce: Some("nonce".into()),
            challenge: Some("challenge".into()),
            api: false,
        };
        let command = Command::Oauth(oauth::Command::CompleteLogin(Box::new(login)));
        Some(self.draft(Placement::Tenant(tenant), command))
    }

    /// Mostly of a recent code, sometimes a second time or with a wrong verifier.
    fn redemption(&mut self) -> Option<Draft> {
        let recent = self.known.codes.len().saturating_sub(4);
        let (tenant, client, code) = self.dice.one(&self.known.codes[recent..])?;
        let challenge = if self.dice.below(8) == 0 { "another" } else { "challenge" };
        let refresh = Digest::of(&self.dice.id());
        self.known.refresh_tokens.push((tenant, client, refresh));
        let redemption = oauth::Redemption {
            code,
            client,
            redirect_uri: Some(REDIRECT.into()),
            challenge: Some(challenge.into()),
            grant: GrantId::from_bytes(self.dice.id()),
            refresh: Some(refresh),
        };
        let command = oauth::Command::RedeemCode(Box::new(redemption));
        Some(self.draft(Placement::Tenant(tenant), Command::Oauth(command)))
    }

    /// Mostly of a recent token, sometimes of one that was used, now and then its end.
    fn refresh(&mut self) -> Option<Draft> {
        let recent = self.known.refresh_tokens.len().saturating_sub(4);
        let (tenant, client, token) = self.dice.one(&self.known.refresh_tokens[recent..])?;
        let command = if self.dice.below(8) == 0 {
            oauth::Command::RevokeRefresh { token, client }
        } else {
            let successor = Digest::of(&self.dice.id());
            self.known.refresh_tokens.push((tenant, client, successor));
            let sealed = Sealed { key: 1, nonce: [0; 12], bytes: self.dice.id().to_vec() };
            let (scopes, api) = (None, false);
            let shown = refresh::Presentation { token, client, scopes, api, successor, sealed };
            oauth::Command::Refresh(Box::new(shown))
        };
        Some(self.draft(Placement::Tenant(tenant), Command::Oauth(command)))
    }

    /// An earlier draft again: the same request, or a new one under the same key.
    fn repeated(&mut self) -> Option<Draft> {
        let keyed = self.known.drafts.iter().filter(|draft| draft.idempotency.is_some());
        let recent: Vec<Draft> = keyed.rev().take(5).cloned().collect();
        let place = self.dice.below(recent.len().max(1));
        let mut draft = recent.get(place)?.clone();
        if self.dice.below(2) == 0 {
            draft.request = RequestId::from_bytes(self.dice.id());
            draft.not_after_ms = self.now_ms + 20_000;
        }
        Some(draft)
    }
}
