//! What administration costs of a tenant with 1,000, 100,000 and 1,000,000 users, over HTTP on one
//! connection: that the last page costs what the first does, and that nothing grows with the size.
//! The same of tenants, for the part that makes many of them.

use std::time::Instant;

use actors::{
    Asker, Context, demo,
    system::{System, fresh_root_secret},
    tenants::{self, NewTenant},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use identity::{id::TenantId, stamp::Placement};
use vaultara_cluster_tests::{Failure, during};

use crate::{
    core::{self, create_user},
    figures::{line, resident_mib},
    load::{self, Connection},
    rights,
    server::{Launch, Server},
};

/// How many users the tenants have.
const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];
/// Entries of a page that is measured.
const PAGE: usize = 50;
/// Entries of a page on the way to the last one.
const STRIDE: usize = 500;
/// How often each request is made.
const TIMES: usize = 500;

pub(crate) async fn measure() -> Result<(), Failure> {
    line(&format!("administration of users, pages of {PAGE}: p50 and p99 in ms"));
    let dir = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
    let root = fresh_root_secret();
    let text = String::from_utf8_lossy(&root).into_owned();
    let launch = Launch::new(dir.path(), Some(text))?;
    let config = core::config(&launch.data_dir, &launch.external_url(), root);
    let mut system = System::start(config).await.map_err(during("start the core"))?;
    let ctx = system.context().clone();
    let secret = system.take_bootstrap().ok_or("setup is closed already")?;
    demo::seed(&ctx, secret).await.map_err(during("make the demo data"))?;
    let mut lists = Vec::new();
    for size in SIZES {
        let began = Instant::now();
        lists.push((size, filled(&ctx, size).await?));
        let seconds = began.elapsed().as_secs_f64();
        line(&format!("  {size} users made in {seconds:.1} s ({:.0}/s)", size as f64 / seconds));
        // Before the many: nothing is flushed and compacted beside it.
        if let (Some((_, first)), 1) = (lists.last(), lists.len()) {
            rights::measure(&ctx, *first).await?;
        }
    }
    drop(ctx);
    system.stop().await;
    let (server, ready) = launch.start().await?;
    line(&format!(
        "  ready in {:.0} ms, {:.1} MiB resident",
        ready.as_secs_f64() * 1e3,
        resident_mib(server.pid())
    ));
    let token = token(&server).await?;
    for (size, tenant) in lists {
        let users = format!("/api/v1/tenants/{tenant}/users");
        let found = format!("{users}?limit={PAGE}&filter=username%20sw%20%22user-9%22");
        line(&format!("  of {size} users"));
        pages(&server, &users, &token).await?;
        let search = |_| load::get_as(&found, &token);
        shown("search by prefix", timed(&server, 200, search).await?);
        let step = size / TIMES as u64;
        let one = |time: u64| {
            let id = core::user_id(time.saturating_mul(step).saturating_add(1));
            load::get_as(&format!("{users}/{id}"), &token)
        };
        shown("get", timed(&server, 200, one).await?);
        let create = |time: u64| {
            let body = format!(r#"{{"username":"made-{time}","email":"made-{time}@example.org"}}"#);
            load::post_as(&users, &token, &body)
        };
        shown("create", timed(&server, 201, create).await?);
    }
    line(&format!("  {:.1} MiB resident afterwards", resident_mib(server.pid())));
    server.stop()
}

/// What tenants cost on a server that has many.
pub(crate) async fn of_tenants(server: &Server, sync_us: f64) -> Result<(), Failure> {
    let token = token(server).await?;
    pages(server, "/api/v1/tenants", &token).await?;
    let found = format!("/api/v1/tenants?limit={PAGE}&filter=slug%20sw%20%22tenant-9%22");
    shown("search by prefix", timed(server, 200, |_| load::get_as(&found, &token)).await?);
    let some = ids(server, &format!("/api/v1/tenants?limit={STRIDE}"), &token).await?;
    let get = |time: u64| {
        let id = some.get(usize::try_from(time).unwrap_or(usize::MAX) % some.len().max(1));
        load::get_as(&format!("/api/v1/tenants/{}", id.map_or("", String::as_str)), &token)
    };
    shown("get", timed(server, 200, get).await?);
    let create = |time: u64| {
        let body = format!(r#"{{"slug":"made-{time}","name":"Made"}}"#);
        load::post_as("/api/v1/tenants", &token, &body)
    };
    shown("create", timed(server, 201, create).await?);
    line(&format!(
        "    a sync beside it: {:.2} ms, four times {:.2} ms",
        sync_us / 1e3,
        sync_us / 250.0
    ));
    Ok(())
}

/// The ids on a page of a list.
async fn ids(server: &Server, path: &str, token: &str) -> Result<Vec<String>, Failure> {
    let mut connection = Connection::open(server.address).await?;
    let (_, body) = connection.ask(&load::get_as(path, token)).await?;
    let page: serde_json::Value = serde_json::from_slice(&body).map_err(during("read a page"))?;
    let items = page.get("items").and_then(|items| items.as_array()).ok_or("no page came")?;
    Ok(items.iter().filter_map(|item| item.get("id")?.as_str().map(str::to_owned)).collect())
}

/// The first and the last page of a list.
async fn pages(server: &Server, path: &str, token: &str) -> Result<(), Failure> {
    let last = last_page(server, path, token).await?;
    for (what, path) in [("first page", format!("{path}?limit={PAGE}")), ("last page", last)] {
        shown(what, timed(server, 200, |_| load::get_as(&path, token)).await?);
    }
    Ok(())
}

fn shown(what: &str, (median, high): (f64, f64)) {
    line(&format!("    {what:<18} {median:>7.2} {high:>7.2}"));
}

/// A tenant with so many users.
async fn filled(ctx: &Context, size: u64) -> Result<TenantId, Failure> {
    let slug = format!("lists-{size}");
    let name = slug.clone();
    let new = NewTenant { slug, name, lifetimes: None, refresh: None, key_rotation_s: None };
    let made = tenants::create(ctx, &Asker::system(), new).await;
    let (tenant, _) = made.map_err(during("make a tenant"))?;
    let maker = ctx.clone();
    core::fill(size, 256, move |number| {
        let ctx = maker.clone();
        async move {
            let command = create_user(number.saturating_add(1));
            ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await.map(drop)
        }
    })
    .await?;
    Ok(tenant)
}

async fn token(server: &Server) -> Result<String, Failure> {
    let basic = STANDARD.encode(format!("admin-demo:{}", demo::ADMIN_SECRET));
    let form = format!(
        "grant_type=client_credentials&resource={}/api&scope=read+write+platform",
        server.url
    );
    let request = load::post("/oauth/token", &format!("Basic {basic}"), &form);
    let answer: serde_json::Value =
        serde_json::from_slice(&server.ask(&request).await?).map_err(during("read a token"))?;
    let token = answer.get("access_token").and_then(|token| token.as_str());
    Ok(token.ok_or("no token came")?.to_owned())
}

/// The path of the last page, found by walking there; it is the last entries of a longer one.
async fn last_page(server: &Server, path: &str, token: &str) -> Result<String, Failure> {
    let mut connection = Connection::open(server.address).await?;
    let mut cursor = String::new();
    loop {
        let at = format!("{path}?limit={STRIDE}{cursor}");
        let (status, body) = connection.ask(&load::get_as(&at, token)).await?;
        if status != 200 {
            return Err(format!("a list answered {status}"));
        }
        let page: serde_json::Value =
            serde_json::from_slice(&body).map_err(during("read a page"))?;
        match page.get("next_cursor").and_then(|cursor| cursor.as_str()) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(format!("{path}?limit={PAGE}{cursor}")),
        }
    }
}

/// Median and 99th percentile of a request, milliseconds.
async fn timed(
    server: &Server,
    expected: u16,
    request: impl Fn(u64) -> Vec<u8>,
) -> Result<(f64, f64), Failure> {
    let mut connection = Connection::open(server.address).await?;
    let mut times = Vec::new();
    for time in 0..TIMES as u64 {
        let request = request(time);
        let began = Instant::now();
        let (status, _) = connection.ask(&request).await?;
        if status != expected {
            return Err(format!("an answer was {status}, not {expected}"));
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |part: usize| times.get(TIMES * part / 100).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}
