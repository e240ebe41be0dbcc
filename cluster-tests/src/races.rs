//! Many who do the same at the same moment on one node: codes, refresh tokens (`tokens`), proofs of
//! keys (`proofs`), and what ends them (`ends`).
//!
//! The node runs in this process and its clock stands still, so a grace lasts until the race moves
//! the time. Invariant: what is raced for is made anew for every round.

mod ends;
mod proofs;
mod tokens;

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use actors::{
    Asker, Context, bearer,
    clients::Credentials,
    demo,
    oauth::token,
    runtime::{clock::Clock, secret::ClientSecret},
    system::{Config, System},
};
use identity::{
    clients::{BY_CLIENT_ID, Client},
    command::Command,
    id::{ClientId, SessionId, TenantId, UserId},
    oauth::{self, authorize::Parameters},
    principal::Source,
    secret::Digest,
    stamp::Placement,
    table::{self, Record as _},
    users::{BY_USERNAME, User},
};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{Failure, during};

/// How many there are.
const RACES: usize = 8;
/// How long a request may come again that waited too long for its turn in its session.
const TURN_WITHIN: Duration = Duration::from_secs(120);
const REDIRECT: &str = "http://localhost:3000/callback";

/// How often, and how many at once.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rounds of every race.
    pub rounds: usize,
    /// Requests at the same moment.
    pub fold: usize,
}

/// What was tried.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    plan: Plan,
    took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { rounds, fold } = self.plan;
        write!(
            f,
            "{RACES} races, {rounds} rounds of {fold} at once each, {} s",
            self.took.as_secs()
        )
    }
}

/// Runs every race.
///
/// # Errors
/// What should not have happened.
pub async fn run(folder: &Path, plan: Plan) -> Result<Report, Failure> {
    let began = Instant::now();
    let clock = Clock::manual(1_790_000_000_000);
    let system = System::start_at(config(folder), clock.clone()).await.map_err(during("start"))?;
    let bootstrap = system.bootstrap().cloned().ok_or("setup is not open")?;
    demo::seed(system.context(), bootstrap).await.map_err(during("fill the node"))?;
    let race = Race::new(system.context().clone(), clock)?;
    for round in 1..=plan.rounds {
        let within = |error| format!("round {round}: {error}");
        race.one_code(plan.fold).await.map_err(within)?;
        race.inside_the_grace(plan.fold).await.map_err(within)?;
        race.after_the_grace(plan.fold).await.map_err(within)?;
        race.one_proof(plan.fold).await.map_err(within)?;
        race.revocation(plan.fold).await.map_err(within)?;
        race.session_end(plan.fold).await.map_err(within)?;
        race.password_change(plan.fold).await.map_err(within)?;
        race.password_change_at_login(plan.fold).await.map_err(within)?;
    }
    system.stop().await;
    Ok(Report { plan, took: began.elapsed() })
}

fn config(folder: &Path) -> Config {
    Config {
        data_dir: folder.join("data"),
        settings: actors::context::Settings {
            external_url: "http://localhost:8080".into(),
            secure_cookies: false,
            access_token_lifetime_s: 3600,
            refresh_token_lifetime_s: 86_400,
            license_issuers: Vec::new(),
            node: None,
            backups: Default::default(),
        },
        root_secret: b"a root secret that only races know".to_vec().into(),
        previous_root_secret: None,
        hash_slots: 1,
        hash_memory_kib: 19_456,
        hash_passes: 2,
        log_budget_bytes: 1 << 30,
        egress: Default::default(),
        cluster: None,
    }
}

#[derive(Clone)]
struct Race {
    ctx: Context,
    clock: Clock,
    tenant: TenantId,
    client: ClientId,
    user: UserId,
}

/// A session and the code it began with.
struct Begun {
    session: SessionId,
    code: String,
}

type Tokens = Result<token::Answer, actors::Error>;

impl Race {
    fn new(ctx: Context, clock: Clock) -> Result<Self, Failure> {
        let (tenant, client, user) = Self::find(&ctx)?;
        Ok(Self { ctx, clock, tenant, client, user })
    }

    fn find(ctx: &Context) -> Result<(TenantId, ClientId, UserId), Failure> {
        let reading = ctx.local();
        let view = reading.view().map_err(during("read"))?;
        let slug = actors::tenants::Address::Slug(demo::TENANT.into());
        let tenant = actors::tenants::find(&view, &slug).map_err(during("find the tenant"))?;
        let id = |table, index, name: &str| {
            let found = table::unique(&view, tenant, table, index, name.as_bytes());
            found.map_err(during("look a name up"))?.ok_or_else(|| format!("no {name}"))
        };
        let client = ClientId::from_bytes(id(Client::TABLE, BY_CLIENT_ID, "web-demo")?);
        let user = UserId::from_bytes(id(User::TABLE, BY_USERNAME, "alice")?);
        Ok((tenant, client, user))
    }

    fn alice(&self) -> Result<User, Failure> {
        let reading = self.ctx.local();
        let view = reading.view().map_err(during("read"))?;
        let found = table::record::<User>(&view, self.tenant, self.user.bytes());
        found.map_err(during("read alice"))?.ok_or_else(|| "alice is gone".to_owned())
    }

    async fn write(&self, command: Command) -> Result<(), Failure> {
        let done = self.ctx.write(&Asker::system(), Placement::Tenant(self.tenant), command).await;
        done.map(drop).map_err(during("write"))
    }

    /// A login of `alice`, who proved who she is when her credential had this revision.
    async fn login(&self, scope: &str, credential_revision: u64) -> Result<Begun, actors::Error> {
        let random = self.ctx.random();
        let session = random.id(SessionId::from_bytes);
        let code = format!("vlt_ac_{}", random.request_id());
        let login = oauth::Login {
            user: self.user,
            credential_revision,
            session,
            cookie: Digest::of(&random.bytes::<32>()),
            address: String::new(),
            user_agent: String::new(),
            code: Digest::of(code.as_bytes()),
            client: self.client,
            redirect_uri: REDIRECT.into(),
            scopes: scope.split(' ').map(str::to_owned).collect(),
            nonce: None,
            challenge: None,
            api: false,
        };
        let command = Command::Oauth(oauth::Command::CompleteLogin(Box::new(login)));
        self.ctx.write(&Asker::system(), Placement::Tenant(self.tenant), command).await?;
        Ok(Begun { session, code })
    }

    /// A login of `alice`, who just proved who she is.
    async fn begun(&self, scope: &str) -> Result<Begun, Failure> {
        let revision = self.alice()?.credential_revision;
        self.login(scope, revision).await.map_err(during("sign in"))
    }

    fn credentials() -> Credentials {
        Credentials::Post("web-demo".into(), ClientSecret::new(demo::WEB_SECRET.into()))
    }

    async fn ask(&self, pairs: &[(&str, &str)]) -> Tokens {
        self.ask_with(None, pairs).await
    }

    /// Asks with a proof of a key.
    async fn ask_with(&self, proof: Option<&str>, pairs: &[(&str, &str)]) -> Tokens {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let parameters = Parameters::collect(pairs)?;
        let (credentials, source) = (Self::credentials(), Source::default());
        let began = Instant::now();
        loop {
            let source = source.clone();
            let asked =
                token::issue(&self.ctx, self.tenant, &credentials, &parameters, proof, source);
            match asked.await {
                // It waited too long for its turn and nothing was done: it comes again, as told.
                Err(actors::Error::Overloaded { .. }) if began.elapsed() < TURN_WITHIN => {}
                answer => return answer,
            }
        }
    }

    async fn redeem(&self, code: &str) -> Tokens {
        let grant = ("grant_type", "authorization_code");
        self.ask(&[grant, ("code", code), ("redirect_uri", REDIRECT)]).await
    }

    async fn refresh(&self, token: &str) -> Tokens {
        self.ask(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// The refresh token of a login.
    async fn family(&self, begun: &Begun) -> Result<String, Failure> {
        held(&self.redeem(&begun.code).await.map_err(during("exchange a code"))?)
    }

    async fn counts(&self, access_token: &str) -> bool {
        bearer::live(&self.ctx, self.tenant, access_token, None).await.is_ok()
    }

    /// The same request from many at the same moment.
    async fn all_at_once<F>(
        &self,
        fold: usize,
        ask: impl Fn(Self) -> F,
    ) -> Result<Vec<Tokens>, Failure>
    where
        F: Future<Output = Tokens> + Send + 'static,
    {
        let start = Arc::new(Barrier::new(fold));
        let mut tasks = JoinSet::new();
        for _ in 0..fold {
            let (start, request) = (Arc::clone(&start), ask(self.clone()));
            tasks.spawn(async move {
                start.wait().await;
                request.await
            });
        }
        let mut answers = Vec::new();
        while let Some(answer) = tasks.join_next().await {
            answers.push(answer.map_err(during("ask"))?);
        }
        Ok(answers)
    }
}

fn held(answer: &token::Answer) -> Result<String, Failure> {
    answer.refresh_token.clone().ok_or_else(|| "no refresh token".to_owned())
}
