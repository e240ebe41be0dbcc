//! People who stay signed in: code + PKCE without a page, consent remembered, and how soon the end
//! of a session is seen.
//!
//! The bound of a login is what it signs: an ES256 access token and an RS256 ID token. An end must
//! be seen by the first request after its answer; how long that request takes is measured.

use std::time::{Duration, Instant};

use vaultara_cluster_tests::{Failure, api::Api, during};

use crate::{
    browser::Browser,
    figures::{Sample, cpu_seconds, line},
    limits::Limits,
    load::{self, Connection},
    logins::member,
    people,
    server::{Launch, Server},
};

const SCOPE: &str = "openid profile email";
/// Concurrent people.
const PEOPLE: [usize; 3] = [1, 8, 32];
/// Sessions that are ended, for the latency of seeing it.
const ENDS: usize = 200;

pub(crate) async fn measure(seconds: f64, limits: &Limits) -> Result<(), Failure> {
    let dir = tempfile::tempdir_in(".").map_err(during("make a folder"))?;
    let (server, _) = Launch::new(dir.path(), None)?.start().await?;
    let api = Api::on(server.address.port(), &server.url).await?;
    let third_party = serde_json::json!({ "required": true });
    api.replace_part_of_client("web-demo", "consent-rules", &third_party).await?;
    line("signed in: code + PKCE, consent remembered, ES256 access token, RS256 ID token");
    line("  people      /s   p50 ms   p99 ms   CPU us   bound  ratio   drafts");
    let most = PEOPLE.into_iter().max().unwrap_or(1);
    let mut browsers = Vec::new();
    for name in people::make(&server, most).await? {
        let mut browser = Browser::new(&server.url, server.address)?;
        browser.sign_in((&name, people::PASSWORD), SCOPE).await?;
        browsers.push(browser);
    }
    for people in PEOPLE {
        let rest = browsers.split_off(people.min(browsers.len()));
        let (mut sample, drafts, used) = run(&server, browsers, seconds).await?;
        browsers = used;
        browsers.extend(rest);
        let bound_us = limits.es256_sign_us + limits.rs256_sign_us;
        let (p50, p99) = (sample.quantile_ms(0.5), sample.quantile_ms(0.99));
        line(&format!(
            "  {people:>6} {:>7.0} {p50:>8.2} {p99:>8.2} {:>8.1} {bound_us:>7.1} {:>5.0}% {:>8.2}",
            sample.rate(),
            sample.cpu_us(),
            100.0 * bound_us / sample.cpu_us().max(1e-9),
            drafts / sample.count.max(1) as f64,
        ));
    }
    let browser = browsers.first_mut().ok_or("nobody is signed in")?;
    ends(&server, &api, browser).await?;
    server.stop()
}

/// A sample, the drafts proposed meanwhile, and the browsers again.
async fn run(
    server: &Server,
    browsers: Vec<Browser>,
    seconds: f64,
) -> Result<(Sample, f64, Vec<Browser>), Failure> {
    let drafts = server.metric("vaultara_proposer_drafts").await?;
    let cpu = cpu_seconds(server.pid());
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = browsers
        .into_iter()
        .map(|mut browser| {
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < until {
                    let sent = Instant::now();
                    let code = browser.go_on(SCOPE).await?;
                    browser.redeem(&code).await?;
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Ok::<_, Failure>((latencies, browser))
            })
        })
        .collect();
    let (mut sample, mut used) = (Sample::default(), Vec::new());
    for task in tasks {
        let (latencies, browser) = task.await.map_err(during("go on"))??;
        sample.latencies_us.extend(latencies);
        used.push(browser);
    }
    sample.elapsed = began.elapsed();
    sample.count = sample.latencies_us.len() as u64;
    sample.cpu_s = cpu_seconds(server.pid()) - cpu;
    Ok((sample, server.metric("vaultara_proposer_drafts").await? - drafts, used))
}

/// Ends sessions one by one and asks userinfo at once: from the answer on it must say no.
async fn ends(server: &Server, api: &Api, signed_in: &mut Browser) -> Result<(), Failure> {
    let (mut seen, mut whole, mut late) = (Sample::default(), Sample::default(), 0_usize);
    let mut administrator = Connection::open(server.address).await?;
    let mut client = Connection::open(server.address).await?;
    for number in 0..ENDS {
        // Everybody has a session of their own; the one who stays keeps the server warm.
        signed_in.go_on(SCOPE).await?;
        let mut browser = Browser::new(&server.url, server.address)?;
        let name = format!("person-{}", number % PEOPLE.into_iter().max().unwrap_or(1));
        let code = browser.sign_in((&name, people::PASSWORD), SCOPE).await?;
        let tokens = browser.redeem(&code).await?;
        let (id, token) = (sid(&member(&tokens, "id_token")?)?, member(&tokens, "access_token")?);
        let ask = load::get_as("/t/demo/oauth/userinfo", &token);
        let (status, _) = client.ask(&ask).await?;
        if status != 200 {
            return Err(format!("userinfo of a new session was answered {status}"));
        }
        let (path, administrators) = api.session(&id);
        let sent = Instant::now();
        let (status, _) = administrator.ask(&load::delete_as(&path, administrators)).await?;
        if status != 204 {
            return Err(format!("the end of a session was answered {status}"));
        }
        let answered = Instant::now();
        while client.ask(&ask).await?.0 == 200 {
            late += 1;
        }
        let micros =
            |since: Instant| u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX);
        seen.latencies_us.push(micros(answered));
        whole.latencies_us.push(micros(sent));
    }
    line(&format!(
        "  {ENDS} sessions ended: userinfo says so p50 {:.2} ms, p99 {:.2} ms after the answer, \
         p99 {:.2} ms after the request; {late} times it did not yet",
        seen.quantile_ms(0.5),
        seen.quantile_ms(0.99),
        whole.quantile_ms(0.99),
    ));
    Ok(())
}

/// The session that an ID token names.
fn sid(token: &str) -> Result<String, Failure> {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let bytes = actors::runtime::signer::decoded(payload);
    let claims: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(during("read an ID token"))?;
    member(&claims, "sid")
}
