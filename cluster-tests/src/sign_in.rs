//! A person who signs in at the demo web client over HTTP, and that client's token requests.
//!
//! It never retries: who calls decides what an unknown outcome means.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Client, RequestBuilder, Response, header, redirect::Policy};
use serde_json::Value;

use crate::{Failure, during, process::Launch};

const REDIRECT: &str = "http://localhost:3000/callback";
const CLIENT: [(&str, &str); 2] =
    [("client_id", "web-demo"), ("client_secret", actors::demo::WEB_SECRET)];
/// Longer than any answer may take, also on a busy machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The demo web client at a node.
#[derive(Debug, Clone)]
pub struct Web {
    http: Client,
    base: String,
    issuer: String,
}

impl Web {
    /// The client, as it talks to a node.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn at(launch: &Launch) -> Result<Self, Failure> {
        let http = Client::builder().redirect(Policy::none()).timeout(ANSWER_WITHIN).build();
        Ok(Self {
            http: http.map_err(during("make a client"))?,
            base: format!("http://127.0.0.1:{}/t/{}", launch.port, actors::demo::TENANT),
            issuer: format!("{}/t/{}", launch.external_url, actors::demo::TENANT),
        })
    }

    /// Signs `alice` in and exchanges the code.
    ///
    /// # Errors
    /// The node does not answer as it should.
    pub async fn sign_in(&self, scope: &str) -> Result<Value, Failure> {
        let (status, answer) = self.redeem(&self.code(scope).await?).await?;
        if status == 200 { Ok(answer) } else { Err(format!("no tokens: {status} {answer}")) }
    }

    /// Signs `alice` in; the code.
    ///
    /// # Errors
    /// The node does not answer as it should.
    pub async fn code(&self, scope: &str) -> Result<String, Failure> {
        Ok(self.signed_in(scope).await?.0)
    }

    /// A further code of who is signed in; at any node.
    ///
    /// # Errors
    /// The node does not answer as it should.
    pub async fn next_code(&self, session: &str, scope: &str) -> Result<String, Failure> {
        let asked = self.http.get(self.authorization(scope)).header(header::COOKIE, session);
        code(&answered(asked).await?)
    }

    fn authorization(&self, scope: &str) -> String {
        format!(
            "{}/oauth/authorize?response_type=code&client_id=web-demo&redirect_uri={REDIRECT}\
             &scope={}",
            self.base,
            scope.replace(' ', "+")
        )
    }

    /// Signs `alice` in; the code, and the cookies of her session.
    ///
    /// # Errors
    /// The node does not answer as it should.
    pub async fn signed_in(&self, scope: &str) -> Result<(String, String), Failure> {
        let page = answered(self.http.get(self.authorization(scope))).await?;
        let sent_back = cookies(&page);
        let text = page.text().await.map_err(during("read the page"))?;
        let csrf = between(&text, "name=\"csrf\" value=\"", "\"")
            .ok_or_else(|| format!("no form on the page: {text}"))?;
        let form =
            [("csrf", csrf), ("username", "alice"), ("password", actors::demo::ALICE_PASSWORD)];
        let posted = self
            .http
            .post(format!("{}/login", self.base))
            .header(header::COOKIE, sent_back)
            .header("sec-fetch-site", "same-origin")
            .header("origin", "null")
            .form(&form);
        let back = answered(posted).await?;
        Ok((code(&back)?, cookies(&back)))
    }

    /// Presents a code.
    ///
    /// # Errors
    /// No answer came.
    pub async fn redeem(&self, code: &str) -> Result<(u16, Value), Failure> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            CLIENT[0],
            CLIENT[1],
        ];
        self.post("/oauth/token", &form).await
    }

    /// Asks for a token as `service-demo`; the status.
    ///
    /// # Errors
    /// No answer came.
    pub async fn as_service(&self) -> Result<u16, Failure> {
        let asked = self
            .http
            .post(format!("{}/oauth/token", self.base))
            .basic_auth("service-demo", Some(actors::demo::SERVICE_SECRET))
            .form(&[("grant_type", "client_credentials")]);
        let response = answered(asked).await?;
        let status = response.status().as_u16();
        // Whole or not at all: an answer cut short is no answer.
        response.bytes().await.map_err(during("read the answer"))?;
        Ok(status)
    }

    /// Presents a refresh token.
    ///
    /// # Errors
    /// No answer came.
    pub async fn refresh(&self, token: &str) -> Result<(u16, Value), Failure> {
        self.post("/oauth/token", &refreshing(token)).await
    }

    /// Whether a token counts.
    ///
    /// # Errors
    /// No answer came.
    pub async fn counts(&self, token: &str) -> Result<bool, Failure> {
        let (status, answer) =
            self.post("/oauth/introspect", &[CLIENT[0], CLIENT[1], ("token", token)]).await?;
        let active = answer.get("active").and_then(Value::as_bool);
        active.ok_or_else(|| format!("no introspection: {status} {answer}"))
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// No answer came, or it does not count.
    pub async fn owner(&self, token: &str) -> Result<String, Failure> {
        let form = [CLIENT[0], CLIENT[1], ("token", token)];
        let (status, answer) = self.post("/oauth/introspect", &form).await?;
        let owner = answer.get("sub").and_then(Value::as_str).map(str::to_owned);
        owner.ok_or_else(|| format!("nobody's token: {status} {answer}"))
    }

    /// Ends a token.
    ///
    /// # Errors
    /// No answer came, or another one than that it is ended.
    pub async fn revoke(&self, token: &str) -> Result<(), Failure> {
        let form = [CLIENT[0], CLIENT[1], ("token", token)];
        let asked = self.http.post(format!("{}/oauth/revoke", self.base)).form(&form);
        let status = answered(asked).await?.status();
        if status.is_success() { Ok(()) } else { Err(format!("not revoked: {status}")) }
    }

    /// A refresh as the bytes of a request, for whoever does not wait for the answer.
    pub fn refresh_request(&self, token: &str) -> Vec<u8> {
        let pairs = refreshing(token).map(|(name, value)| format!("{name}={value}"));
        let body = pairs.join("&");
        let path = format!("/t/{}/oauth/token", actors::demo::TENANT);
        let host = self.issuer.trim_start_matches("http://").split('/').next().unwrap_or_default();
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<(u16, Value), Failure> {
        let response = answered(self.http.post(format!("{}{path}", self.base)).form(form)).await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(during("read the answer"))?;
        let value = serde_json::from_slice(&bytes).map_err(during("read the answer"))?;
        Ok((status, value))
    }
}

fn refreshing(token: &str) -> [(&str, &str); 4] {
    [("grant_type", "refresh_token"), ("refresh_token", token), CLIENT[0], CLIENT[1]]
}

async fn answered(request: RequestBuilder) -> Result<Response, Failure> {
    request.send().await.map_err(during("ask the node"))
}

/// The code that a browser is sent away with.
fn code(back: &Response) -> Result<String, Failure> {
    let to = back.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let code = to.and_then(|to| between(to, "code=", "&"));
    Ok(code.ok_or_else(|| format!("no code: {} {to:?}", back.status()))?.to_owned())
}

/// What a browser would send back.
fn cookies(page: &Response) -> String {
    let mut kept = BTreeMap::new();
    for line in page.headers().get_all(header::SET_COOKIE) {
        let pair = line.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            kept.insert(name.to_owned(), value.to_owned());
        }
    }
    let pairs: Vec<String> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end).map_or(rest, |(found, _)| found))
}
