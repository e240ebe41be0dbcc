//! Lists over HTTP: that the last page costs what the first does, of 1,000 and of 100,000 users.

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
    figures::line,
    load::{self, Connection},
    server::{Launch, Server},
};

/// How many users the lists have.
const SIZES: [u64; 2] = [1_000, 100_000];
/// Entries of a page that is measured.
const PAGE: usize = 50;
/// How often each page is asked for.
const TIMES: usize = 500;

pub(crate) async fn measure() -> Result<(), Failure> {
    line(&format!("lists of users, pages of {PAGE}: p50 and p99"));
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
        lists.push((size, filled(&ctx, size).await?));
    }
    drop(ctx);
    system.stop().await;
    let (server, _) = launch.start().await?;
    let token = token(&server).await?;
    for (size, tenant) in lists {
        let users = format!("/api/v1/tenants/{tenant}/users?limit={PAGE}");
        let last = last_page(&server, &users, &token).await?;
        let first = timed(&server, &users, &token).await?;
        let last = timed(&server, &last, &token).await?;
        line(&format!(
            "  {size:>7} users: first page {:.2} and {:.2} ms, last page {:.2} and {:.2} ms",
            first.0, first.1, last.0, last.1
        ));
    }
    server.stop()
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
    let form =
        format!("grant_type=client_credentials&resource={}/api&scope=read+platform", server.url);
    let request = load::post("/oauth/token", &format!("Basic {basic}"), &form);
    let answer: serde_json::Value =
        serde_json::from_slice(&server.ask(&request).await?).map_err(during("read a token"))?;
    let token = answer.get("access_token").and_then(|token| token.as_str());
    Ok(token.ok_or("no token came")?.to_owned())
}

/// The path of the last page, found by walking there.
async fn last_page(server: &Server, path: &str, token: &str) -> Result<String, Failure> {
    let mut connection = Connection::open(server.address).await?;
    let mut at = path.to_owned();
    loop {
        let (status, body) = connection.ask(&load::get_as(&at, token)).await?;
        if status != 200 {
            return Err(format!("a list answered {status}"));
        }
        let page: serde_json::Value =
            serde_json::from_slice(&body).map_err(during("read a page"))?;
        match page.get("next_cursor").and_then(|cursor| cursor.as_str()) {
            Some(cursor) => at = format!("{path}&cursor={cursor}"),
            None => return Ok(at),
        }
    }
}

/// Median and 99th percentile of a page, milliseconds.
async fn timed(server: &Server, path: &str, token: &str) -> Result<(f64, f64), Failure> {
    let mut connection = Connection::open(server.address).await?;
    let request = load::get_as(path, token);
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let (status, _) = connection.ask(&request).await?;
        if status != 200 {
            return Err(format!("a list answered {status}"));
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |part: usize| times.get(TIMES * part / 100).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}
