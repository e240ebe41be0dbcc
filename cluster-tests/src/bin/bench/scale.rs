//! 20,000 tenants and 100,000 users: start, memory, and that only tenants in use are alive. Also
//! the start and the memory of an empty node.

use std::time::{Duration, Instant};

use actors::{
    Asker, demo,
    system::{System, fresh_root_secret},
    tenants::{self, NewTenant},
};
use identity::{id::TenantId, stamp::Placement};
use vaultara_cluster_tests::{Failure, during};
use zeroize::Zeroizing;

use crate::{
    core::{self, create_user},
    figures::{line, resident_mib},
    lists, load, requests,
    server::{Launch, Server},
};

const TENANTS: u64 = 20_000;
const USERS: u64 = 100_000;
/// Tenants that are asked for something.
const USED: usize = 10;
/// When memory is read, after a start.
const SETTLED: Duration = Duration::from_secs(60);

pub(crate) async fn measure(seconds: f64, sync_us: f64) -> Result<(), Failure> {
    line("starts and memory");
    let dir = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
    let root = fresh_root_secret();
    let text = String::from_utf8_lossy(&root).into_owned();
    let launch = Launch::new(&dir.path().join("empty"), Some(text.clone()))?;
    let (server, ready) = launch.start().await?;
    settled("empty, first start", &server, ready).await;
    server.stop()?;
    let (server, ready) = launch.start().await?;
    line(&format!("  empty, second start: ready in {:.0} ms", millis(ready)));
    server.stop()?;

    let launch = Launch::new(&dir.path().join("full"), Some(text))?;
    fill(&launch, root).await?;
    let (server, ready) = launch.start().await?;
    settled("full, after a clean stop", &server, ready).await;
    for number in 0..USED {
        let path = format!("/t/tenant-{number}/.well-known/jwks.json");
        server.ask(&load::get(&path)).await?;
    }
    let alive = server.metric("vaultara_tenants_in_use").await?;
    line(&format!(
        "  {USED} of {TENANTS} tenants asked for their keys: {alive:.0} alive as actors, \
         {:.1} MiB resident",
        resident_mib(server.pid())
    ));
    line(&format!("  of {TENANTS} tenants, p50 and p99 in ms"));
    lists::of_tenants(&server, sync_us).await?;
    line(&format!("  {:.1} MiB resident afterwards", resident_mib(server.pid())));
    loaded(&server, seconds).await?;
    drop(server);
    let (server, ready) = launch.start().await?;
    settled("full, after kill -9 under load", &server, ready).await;
    server.stop()
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

pub(crate) async fn settled(what: &str, server: &Server, ready: Duration) {
    let early = resident_mib(server.pid());
    tokio::time::sleep(SETTLED).await;
    line(&format!(
        "  {what}: ready in {:.0} ms; resident {early:.1} MiB at once, {:.1} MiB after {} s",
        millis(ready),
        resident_mib(server.pid()),
        SETTLED.as_secs()
    ));
}

/// Fills a data directory through the core itself, as fast as it goes.
async fn fill(launch: &Launch, root: Zeroizing<Vec<u8>>) -> Result<(), Failure> {
    let config = core::config(&launch.data_dir, &launch.external_url(), root);
    let mut system = System::start(config).await.map_err(during("start the core"))?;
    let ctx = system.context().clone();
    let secret = system.take_bootstrap().ok_or("setup is closed already")?;
    demo::seed(&ctx, secret).await.map_err(during("make the demo data"))?;
    let began = Instant::now();
    let maker = ctx.clone();
    core::fill(TENANTS, 64, move |number| {
        let ctx = maker.clone();
        async move {
            let slug = format!("tenant-{number}");
            let name = slug.clone();
            let new =
                NewTenant { slug, name, lifetimes: None, refresh: None, key_rotation_s: None };
            tenants::create(&ctx, &Asker::system(), new).await.map(drop)
        }
    })
    .await?;
    line(&format!(
        "  {TENANTS} tenants made in {:.1} s ({:.0}/s)",
        began.elapsed().as_secs_f64(),
        TENANTS as f64 / began.elapsed().as_secs_f64()
    ));
    let demo = demo_tenant(&ctx)?;
    let began = Instant::now();
    let maker = ctx.clone();
    core::fill(USERS, 256, move |number| {
        let ctx = maker.clone();
        async move {
            let command = create_user(number.saturating_add(1));
            ctx.write(&Asker::system(), Placement::Tenant(demo), command).await.map(drop)
        }
    })
    .await?;
    line(&format!(
        "  {USERS} users made in {:.1} s ({:.0}/s)",
        began.elapsed().as_secs_f64(),
        USERS as f64 / began.elapsed().as_secs_f64()
    ));
    drop(ctx);
    system.stop().await;
    Ok(())
}

pub(crate) fn demo_tenant(ctx: &actors::Context) -> Result<TenantId, Failure> {
    let reading = ctx.local();
    let view = reading.view().map_err(during("read the state"))?;
    tenants::find(&view, &tenants::Address::Slug(demo::TENANT.into()))
        .map_err(during("find the demo tenant"))
}

/// Tokens for services until the kill.
async fn loaded(server: &Server, seconds: f64) -> Result<(), Failure> {
    let request = requests::service_token();
    let sample = load::run(server.target(), 64, seconds, load::same(request)).await?;
    line(&format!("  client_credentials for {seconds:.0} s: {:.0}/s, then kill -9", sample.rate()));
    Ok(())
}
