//! Many who do the same at the same moment on one node: codes, refresh tokens, and what ends them.
//!
//! The node runs in this process and its clock stands still, so a grace lasts until the race moves
//! the time. Invariant: what is raced for is made anew for every round.

use std::{
    collections::BTreeSet,
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actors::{
    Asker, Context, bearer,
    clients::Credentials,
    demo,
    oauth::{revoke, token},
    runtime::{clock::Clock, housekeeper, secret::ClientSecret},
    system::{Config, System},
};
use identity::{
    clients::{BY_CLIENT_ID, Client},
    command::Command,
    id::{ClientId, SessionId, TenantId, UserId},
    oauth::{self, authorize::Parameters},
    principal::Source,
    secret::{Digest, PasswordHash},
    stamp::Placement,
    table::{self, Record as _},
    users::{self, BY_USERNAME, User},
};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{Failure, during};

const REDIRECT: &str = "http://localhost:3000/callback";
/// Longer than the grace of the demo tenant, milliseconds.
const AFTER_THE_GRACE_MS: u64 = 10_000;

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
        write!(f, "5 races, {rounds} rounds of {fold} at once each, {} s", self.took.as_secs())
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
        race.revocation(plan.fold).await.map_err(within)?;
        race.password_change(plan.fold).await.map_err(within)?;
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
        },
        root_secret: b"a root secret that only races know".to_vec().into(),
        previous_root_secret: None,
        hash_slots: 1,
        hash_memory_kib: 19_456,
        hash_passes: 2,
        log_budget_bytes: 1 << 30,
        egress: Default::default(),
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

    /// A code for `alice`, who just proved who she is.
    async fn code(&self, scope: &str) -> Result<String, Failure> {
        let random = self.ctx.random();
        let code = format!("vlt_ac_{}", random.request_id());
        let login = oauth::Login {
            user: self.user,
            credential_revision: self.alice()?.credential_revision,
            session: random.id(SessionId::from_bytes),
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
        self.write(Command::Oauth(oauth::Command::CompleteLogin(Box::new(login)))).await?;
        Ok(code)
    }

    fn credentials() -> Credentials {
        Credentials::Post("web-demo".into(), ClientSecret::new(demo::WEB_SECRET.into()))
    }

    async fn ask(&self, pairs: &[(&str, &str)]) -> Tokens {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let parameters = Parameters::collect(pairs)?;
        let (credentials, source) = (Self::credentials(), Source::default());
        token::issue(&self.ctx, self.tenant, &credentials, &parameters, source).await
    }

    async fn redeem(&self, code: &str) -> Tokens {
        let grant = ("grant_type", "authorization_code");
        self.ask(&[grant, ("code", code), ("redirect_uri", REDIRECT)]).await
    }

    async fn refresh(&self, token: &str) -> Tokens {
        self.ask(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    async fn begun(&self, scope: &str) -> Result<String, Failure> {
        let code = self.code(scope).await?;
        held(&self.redeem(&code).await.map_err(during("exchange a code"))?)
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

    /// One code: at most one exchange, and its tokens die with the replays.
    async fn one_code(&self, fold: usize) -> Result<(), Failure> {
        let code = self.code("openid").await?;
        let ask = |race: Self| {
            let code = code.clone();
            async move { race.redeem(&code).await }
        };
        let answers = self.all_at_once(fold, ask).await?;
        let won: Vec<&token::Answer> = answers.iter().flatten().collect();
        let [won] = won.as_slice() else {
            return Err(format!("one code was exchanged {} times", won.len()));
        };
        all_refused(&answers, fold - 1)?;
        if fold > 1 && self.counts(&won.access_token).await {
            return Err("a replayed code's tokens still count".into());
        }
        Ok(())
    }

    /// One refresh token inside the grace: everybody gets the same successor, and it is good.
    async fn inside_the_grace(&self, fold: usize) -> Result<(), Failure> {
        let token = self.begun("openid").await?;
        let answers = self.refreshed_by_all(fold, &token).await?;
        let mut successors = BTreeSet::new();
        for answer in answers {
            let answer = answer.map_err(during("refresh inside the grace"))?;
            successors.insert(held(&answer)?);
            if !self.counts(&answer.access_token).await {
                return Err("an access token from inside the grace does not count".into());
            }
        }
        match successors.first() {
            Some(one) if successors.len() == 1 => {
                self.refresh(one).await.map(drop).map_err(during("use the successor"))
            }
            _ => Err(format!("the family forked into {}", successors.len())),
        }
    }

    /// One refresh token after its grace: nobody gets anything, and the family has ended.
    async fn after_the_grace(&self, fold: usize) -> Result<(), Failure> {
        let token = self.begun("openid").await?;
        let first = self.refresh(&token).await.map_err(during("refresh"))?;
        self.clock.advance_ms(AFTER_THE_GRACE_MS);
        // As each second: a node that slept must not trust its time before.
        housekeeper::check_clock(&self.ctx);
        all_refused(&self.refreshed_by_all(fold, &token).await?, fold)?;
        if self.counts(&first.access_token).await {
            return Err("an access token of an ended family counts".into());
        }
        match self.refresh(&held(&first)?).await {
            Ok(_) => Err("the successor of an ended family is good".into()),
            Err(_) => Ok(()),
        }
    }

    async fn refreshed_by_all(&self, fold: usize, token: &str) -> Result<Vec<Tokens>, Failure> {
        self.all_at_once(fold, |race| {
            let token = token.to_owned();
            async move { race.refresh(&token).await }
        })
        .await
    }

    /// A family is revoked while many refresh: no request that came after the answer succeeds, and
    /// no token of the family counts any more.
    async fn revocation(&self, fold: usize) -> Result<(), Failure> {
        let token = self.begun("openid").await?;
        let end = {
            let (race, token) = (self.clone(), token.clone());
            async move {
                let credentials = Self::credentials();
                let source = Source::default();
                let done =
                    revoke::revoke(&race.ctx, race.tenant, &credentials, Some(&token), source);
                done.await.map_err(during("revoke"))
            }
        };
        for answer in self.until_ended(fold, &token, end).await? {
            if self.counts(&answer.access_token).await {
                return Err("an access token counts after the revocation was answered".into());
            }
        }
        Ok(())
    }

    /// The password changes while many refresh: no request that came after the answer succeeds.
    async fn password_change(&self, fold: usize) -> Result<(), Failure> {
        let token = self.begun("openid offline_access").await?;
        let user = self.alice()?;
        let settings = users::Settings {
            username: user.username,
            email: user.email,
            email_verified: user.email_verified,
            phone_number_verified: user.phone_number_verified,
            profile: user.profile,
            address: user.address,
            enabled: user.enabled,
            roles: user.roles,
        };
        let password = Some(PasswordHash::from_phc("$argon2id$another".into()));
        let change = users::Command::Update { id: self.user, expected: None, settings, password };
        let race = self.clone();
        let end = async move { race.write(Command::Users(change)).await };
        self.until_ended(fold, &token, end).await.map(drop)
    }

    /// Many present a token again and again until they are refused, while it is ended once.
    async fn until_ended(
        &self,
        fold: usize,
        token: &str,
        end: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> Result<Vec<token::Answer>, Failure> {
        let ended = Arc::new(AtomicBool::new(false));
        let start = Arc::new(Barrier::new(fold));
        let mut tasks = JoinSet::new();
        for _ in 1..fold {
            let (race, token) = (self.clone(), token.to_owned());
            let (ended, start) = (Arc::clone(&ended), Arc::clone(&start));
            tasks.spawn(async move {
                start.wait().await;
                let mut got = Vec::new();
                loop {
                    let late = ended.load(Ordering::SeqCst);
                    match race.refresh(&token).await {
                        Ok(_) if late => return Err("a token after the end was answered".into()),
                        Ok(answer) => got.push(answer),
                        Err(_) if late => return Ok(got),
                        // Refused before the end was answered: once more, after it.
                        Err(_) => tokio::task::yield_now().await,
                    }
                }
            });
        }
        start.wait().await;
        let done = end.await;
        ended.store(true, Ordering::SeqCst);
        done?;
        let mut all = Vec::new();
        while let Some(got) = tasks.join_next().await {
            let got: Result<Vec<token::Answer>, Failure> = got.map_err(during("refresh"))?;
            all.extend(got?);
        }
        Ok(all)
    }
}

fn held(answer: &token::Answer) -> Result<String, Failure> {
    answer.refresh_token.clone().ok_or_else(|| "no refresh token".to_owned())
}

fn all_refused(answers: &[Tokens], expected: usize) -> Result<(), Failure> {
    use identity::oauth::error::Code;
    let refused = |answer: &&Tokens| match answer {
        Err(actors::Error::OAuth(error)) => error.code == Code::InvalidGrant,
        Ok(_) | Err(_) => false,
    };
    let found = answers.iter().filter(refused).count();
    if found == expected {
        return Ok(());
    }
    let errors: Vec<String> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err().map(ToString::to_string))
        .collect();
    Err(format!("{found} of {expected} were refused as they should be: {errors:?}"))
}
