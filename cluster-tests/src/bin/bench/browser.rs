//! A browser of one person at the demo web client, and that client's exchange of the code.

use std::{collections::BTreeMap, net::SocketAddr};

use actors::demo;
use identity::oauth::pkce;
use reqwest::{Client, RequestBuilder, Response};
use vaultara_cluster_tests::{Failure, during};

const VERIFIER: &str = "a-code-verifier-that-is-long-enough-for-the-rule";
const REDIRECT: &str = "http://localhost:3000/callback";

/// A browser with cookies of its own.
pub(crate) struct Browser {
    http: Client,
    url: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(url: &str, address: SocketAddr) -> Result<Self, Failure> {
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .resolve("localhost", address)
            .build()
            .map_err(during("make a browser"))?;
        Ok(Self { http, url: url.to_owned(), cookies: BTreeMap::new() })
    }

    /// Signs a person in, who allows what they are asked for, and gives the code.
    pub(crate) async fn sign_in(
        &mut self,
        (username, password): (&str, &str),
        scope: &str,
    ) -> Result<String, Failure> {
        let page = self.authorize(scope).await?;
        let posted = self.post(page, &[("username", username), ("password", password)]).await?;
        if posted.status() != 200 {
            return code(&posted);
        }
        code(&self.post(posted, &[("consent", "allow")]).await?)
    }

    /// Goes on as who is signed in, and gives the code.
    pub(crate) async fn go_on(&mut self, scope: &str) -> Result<String, Failure> {
        code(&self.authorize(scope).await?)
    }

    /// Exchanges a code.
    pub(crate) async fn redeem(&self, code: &str) -> Result<serde_json::Value, Failure> {
        let form = [
            ("client_id", "web-demo"),
            ("client_secret", demo::WEB_SECRET),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let asked = self.http.post(format!("{}/t/demo/oauth/token", self.url)).form(&form).send();
        let answer = asked.await.map_err(during("exchange the code"))?.json().await;
        answer.map_err(during("read the tokens"))
    }

    async fn authorize(&mut self, scope: &str) -> Result<Response, Failure> {
        let asked = [
            ("response_type", "code"),
            ("client_id", "web-demo"),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("state", "a-state"),
            ("nonce", "a-nonce"),
            ("code_challenge", &pkce::challenge(VERIFIER)),
            ("code_challenge_method", "S256"),
        ];
        let at = format!("{}/t/demo/oauth/authorize", self.url);
        let at = reqwest::Url::parse_with_params(&at, asked).map_err(during("make a request"))?;
        let request = self.http.get(at);
        self.send(request).await
    }

    /// Fills in and posts the form of a page.
    async fn post(&mut self, page: Response, fields: &[(&str, &str)]) -> Result<Response, Failure> {
        let html = page.text().await.map_err(during("read the page"))?;
        let (action, csrf) =
            (between(&html, "action=\"", "\"")?, between(&html, "name=\"csrf\" value=\"", "\"")?);
        let mut form = vec![("csrf", csrf.as_str())];
        form.extend_from_slice(fields);
        let request = self.http.post(format!("{}{action}", self.url)).form(&form);
        self.send(request).await
    }

    async fn send(&mut self, request: RequestBuilder) -> Result<Response, Failure> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let sent = request.header("cookie", cookies.join("; ")).send().await;
        let answer = sent.map_err(during("ask for a page"))?;
        for line in answer.headers().get_all("set-cookie") {
            let pair = line.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }
}

/// The code that a redirect carries.
fn code(answer: &Response) -> Result<String, Failure> {
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
    match location {
        Some(location) => between(&format!("{location}&"), "code=", "&"),
        None => Err(format!("no code: {}", answer.status())),
    }
}

fn between(text: &str, start: &str, end: &str) -> Result<String, Failure> {
    let rest = text.split_once(start).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(end)).map(|(found, _)| found);
    found
        .map(|text| text.replace("&amp;", "&").replace("&#38;", "&"))
        .ok_or_else(|| format!("{start} is not in {text}"))
}
