//! 100,000 live sessions: start and memory of a node that holds them, and what those in use cost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actors::{
    Asker, Context,
    clients::Credentials,
    demo,
    oauth::token,
    runtime::secret::ClientSecret,
    system::{System, fresh_root_secret},
};
use identity::{
    clients::{BY_CLIENT_ID, Client},
    command::Command,
    id::{ClientId, SessionId, TenantId},
    oauth::{self, Login, authorize::Parameters},
    principal::Source,
    secret::Digest,
    stamp::Placement,
    table::{self, Record as _},
};
use vaultara_cluster_tests::{Failure, during};
use zeroize::Zeroizing;

use crate::{
    core::{self, create_user, user_id},
    figures::{line, resident_mib},
    load::Connection,
    refreshes,
    scale::{demo_tenant, millis, settled},
    server::{Launch, Server},
};

const USERS: u64 = 1_000;
/// Sessions of each; no tenant allows more by default.
const EACH: u64 = 100;
/// Sessions that are refreshed, each once.
const USED: u64 = 10_000;
/// Longer than the actor of a session that is not used stays.
const PASSIVATED: Duration = Duration::from_secs(100);
const REDIRECT: &str = "http://localhost:3000/callback";

pub(crate) async fn measure() -> Result<(), Failure> {
    line("live sessions");
    let dir = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
    let root = fresh_root_secret();
    let text = String::from_utf8_lossy(&root).into_owned();
    let launch = Launch::new(dir.path(), Some(text))?;
    core_of(&launch, root.clone(), users).await?;
    let (server, ready) = launch.start().await?;
    settled(&format!("{USERS} users, no session"), &server, ready).await;
    server.stop()?;
    let tokens = core_of(&launch, root, sessions).await?;
    let (server, ready) = launch.start().await?;
    settled(&format!("{} sessions, after a clean stop", USERS * EACH), &server, ready).await;
    used(&server, tokens).await?;
    drop(server);
    let (server, ready) = launch.start().await?;
    line(&format!("  after kill -9: ready in {:.0} ms", millis(ready)));
    server.stop()
}

/// Works on the data directory through the core itself.
async fn core_of<T, F>(
    launch: &Launch,
    root: Zeroizing<Vec<u8>>,
    work: impl FnOnce(Context, TenantId) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let config = core::config(&launch.data_dir, &launch.external_url(), root);
    let mut system = System::start(config).await.map_err(during("start the core"))?;
    let ctx = system.context().clone();
    if let Some(secret) = system.take_bootstrap() {
        demo::seed(&ctx, secret).await.map_err(during("make the demo data"))?;
    }
    let tenant = demo_tenant(&ctx)?;
    let done = work(ctx, tenant).await;
    system.stop().await;
    done
}

async fn users(ctx: Context, tenant: TenantId) -> Result<(), Failure> {
    core::fill(USERS, 64, move |number| {
        let ctx = ctx.clone();
        async move {
            let command = create_user(number.saturating_add(1));
            ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await.map(drop)
        }
    })
    .await
}

/// Signs everybody in and gives the refresh tokens of some.
async fn sessions(ctx: Context, tenant: TenantId) -> Result<Vec<String>, Failure> {
    let client = {
        let reading = ctx.local();
        let view = reading.view().map_err(during("read the state"))?;
        let found = table::unique(&view, tenant, Client::TABLE, BY_CLIENT_ID, b"web-demo");
        let found = found.map_err(during("find the client"))?.ok_or("no web-demo")?;
        ClientId::from_bytes(found)
    };
    let began = Instant::now();
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&tokens);
    core::fill(USERS * EACH, 256, move |number| {
        let (ctx, kept) = (ctx.clone(), Arc::clone(&kept));
        async move {
            let code = sign_in(&ctx, tenant, client, number).await?;
            if number < USED {
                let token = redeem(&ctx, tenant, &code).await?;
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(token);
            }
            Ok(())
        }
    })
    .await?;
    let (count, took) = (USERS * EACH, began.elapsed().as_secs_f64());
    line(&format!("  {count} sessions made in {took:.1} s ({:.0}/s)", count as f64 / took));
    Ok(std::mem::take(&mut *tokens.lock().unwrap_or_else(PoisonError::into_inner)))
}

async fn sign_in(
    ctx: &Context,
    tenant: TenantId,
    client: ClientId,
    number: u64,
) -> Result<String, actors::Error> {
    let random = ctx.random();
    let code = format!("vlt_ac_{}", random.request_id());
    let login = Login {
        user: user_id(number % USERS + 1),
        credential_revision: 1,
        session: random.id(SessionId::from_bytes),
        cookie: Digest::of(&random.bytes::<32>()),
        address: "192.0.2.1".into(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".into(),
        code: Digest::of(code.as_bytes()),
        client,
        redirect_uri: REDIRECT.into(),
        scopes: ["profile".into()].into(),
        nonce: None,
        challenge: None,
        api: false,
    };
    let command = Command::Oauth(oauth::Command::CompleteLogin(Box::new(login)));
    ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await?;
    Ok(code)
}

async fn redeem(
    ctx: &Context,
    tenant: TenantId,
    code: &str,
) -> Result<Option<String>, actors::Error> {
    let credentials =
        Credentials::Post("web-demo".into(), ClientSecret::new(demo::WEB_SECRET.into()));
    let pairs = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let parameters = Parameters::collect(pairs)?;
    let answer =
        token::issue(ctx, tenant, &credentials, &parameters, None, Source::default()).await?;
    Ok(answer.refresh_token)
}

/// Refreshes in each of some sessions once, and looks at what their actors hold.
async fn used(server: &Server, tokens: Vec<String>) -> Result<(), Failure> {
    let before = resident_mib(server.pid());
    let (address, began, count) = (server.address, Instant::now(), tokens.len());
    let tokens = Arc::new(Mutex::new(tokens));
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let tokens = Arc::clone(&tokens);
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await?;
                let next = || tokens.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(token) = next() {
                    let (status, _) = connection.ask(&refreshes::request(&token)).await?;
                    if status != 200 {
                        return Err(format!("a refresh was answered {status}"));
                    }
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(during("refresh"))??;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    let alive = server.metric("vaultara_sessions_in_use").await?;
    let during_use = resident_mib(server.pid());
    line(&format!(
        "  {count} of them refreshed once ({rate:.0}/s): {alive:.0} alive as actors, resident \
         {before:.1} MiB before, {during_use:.1} MiB after"
    ));
    tokio::time::sleep(PASSIVATED).await;
    let alive = server.metric("vaultara_sessions_in_use").await?;
    line(&format!(
        "  {} s later: {alive:.0} alive, resident {:.1} MiB",
        PASSIVATED.as_secs(),
        resident_mib(server.pid())
    ));
    Ok(())
}
