//! Talking to a running node: one request, its answer, and what a failure means for the exit code.
//!
//! A request that may be repeated carries a key of its own, so that it can be sent again when the
//! answer was lost or the node was busy, and is still done once.

use std::time::Duration;

use actors::runtime::{clock::Clock, random::Random};
use reqwest::{Client, Method, header, redirect::Policy};
use serde_json::Value;

use crate::{
    cli::{api::input::Request, exit::Exit},
    version,
};

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a request is sent that may be repeated.
const ATTEMPTS: u32 = 4;
/// How long a node may ask to wait before the next attempt, seconds.
const WAIT_MAX_S: u64 = 10;

/// Why there is no answer to show.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What to tell.
    pub message: String,
}

impl Failure {
    /// A failure with a sentence.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// A node, and the token that is shown to it.
pub struct Server {
    http: Client,
    base: String,
    token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The body; null if there is none.
    pub body: Value,
    /// The revision of what is shown.
    pub etag: Option<String>,
}

/// A client for everything that is said to a server.
///
/// # Errors
/// When the machine has no TLS to offer.
pub fn client() -> Result<Client, Failure> {
    Client::builder()
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .user_agent(format!("vaultara/{}", version::VERSION))
        .build()
        .map_err(|error| Failure::new(Exit::Failure, error.to_string()))
}

impl Server {
    /// A node at an address.
    ///
    /// # Errors
    /// When the machine has no TLS to offer.
    pub fn new(base: &str, token: String) -> Result<Self, Failure> {
        Ok(Self { http: client()?, base: base.trim_end_matches('/').to_owned(), token })
    }

    /// A key that nobody used before.
    pub fn own_key(&self) -> String {
        Random::new(Clock::system()).request_id().to_string()
    }

    /// Sends a request until it is answered.
    ///
    /// # Errors
    /// The problem that the node answered, or that it could not be reached.
    pub async fn send(&self, request: &Request, repeatable: bool) -> Result<Answer, Failure> {
        let key = repeatable.then(|| request.key.clone().unwrap_or_else(|| self.own_key()));
        // Reading changes nothing, whatever became of the first attempt.
        let again = repeatable || request.method == "GET";
        let mut attempt = 1;
        loop {
            let last = !again || attempt == ATTEMPTS;
            let wait_s = match self.once(request, key.as_deref()).await {
                Ok(response) => {
                    let busy = matches!(response.status().as_u16(), 429 | 503);
                    match retry_after_s(&response) {
                        Some(wait_s) if busy && !last => wait_s,
                        _ => return answer(response).await,
                    }
                }
                Err(_) if !last => 1,
                Err(error) => return Err(unreachable(&self.base, &error)),
            };
            tokio::time::sleep(Duration::from_secs(wait_s)).await;
            attempt += 1;
        }
    }

    async fn once(
        &self,
        request: &Request,
        key: Option<&str>,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let method = Method::from_bytes(request.method.as_bytes()).unwrap_or_default();
        let mut url = format!("{}{}", self.base, request.filled());
        if !request.query.is_empty() {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            url.push_str(&format!("?{}", query.extend_pairs(&request.query).finish()));
        }
        let mut sent = self.http.request(method, url).bearer_auth(&self.token);
        if let Some((media, body)) = &request.body {
            sent = sent.header(header::CONTENT_TYPE, media).body(body.text());
        }
        if let Some(tag) = &request.if_match {
            sent = sent.header(header::IF_MATCH, tag);
        }
        if let Some(key) = key {
            sent = sent.header("idempotency-key", key);
        }
        sent.send().await
    }
}

/// The failure of a node that does not answer.
pub fn unreachable(base: &str, error: &reqwest::Error) -> Failure {
    let mut message = format!("{base} cannot be reached: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        message.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    Failure::new(Exit::Unreachable, message)
}

fn retry_after_s(response: &reqwest::Response) -> Option<u64> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().filter(|wait_s| *wait_s <= WAIT_MAX_S)
}

/// Reads an answer.
///
/// # Errors
/// The problem that it is.
pub async fn answer(response: reqwest::Response) -> Result<Answer, Failure> {
    let status = response.status();
    let etag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let etag = etag.map(str::to_owned);
    let text = response.text().await.unwrap_or_default();
    let body: Value = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    if status.is_success() {
        Ok(Answer { body, etag })
    } else {
        Err(Failure::new(exit_of(status.as_u16()), problem(status.as_u16(), &body)))
    }
}

/// The exit code of a status.
pub const fn exit_of(status: u16) -> Exit {
    match status {
        401 | 403 => Exit::Denied,
        404 | 410 => Exit::NotFound,
        409 | 412 => Exit::Conflict,
        429 | 503 => Exit::Unavailable,
        _ => Exit::Failure,
    }
}

/// A problem document in words, with a line for each field that is wrong.
fn problem(status: u16, body: &Value) -> String {
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut message = match (text("title"), text("detail")) {
        (Some(title), Some(detail)) if title != detail => format!("{title}: {detail}"),
        (Some(title), _) => title.to_owned(),
        (None, Some(detail)) => detail.to_owned(),
        // The OAuth endpoints have a form of their own.
        (None, None) => match (text("error"), text("error_description")) {
            (Some(error), Some(about)) => format!("{error}: {about}"),
            (Some(error), None) => error.to_owned(),
            _ => "the answer cannot be read".to_owned(),
        },
    };
    message.push_str(&format!(" ({status})"));
    for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        message.push_str(&format!("\n  {} {}", text("pointer"), text("detail")));
    }
    message
}

/// What an OAuth endpoint answered to a form.
///
/// # Errors
/// The error that it answered, or that it could not be reached.
pub async fn form(
    http: &Client,
    url: &str,
    credentials: Option<(&str, &str)>,
    fields: &[(&str, &str)],
) -> Result<Value, Failure> {
    let mut request = http.post(url).form(fields);
    if let Some((id, secret)) = credentials {
        request = request.basic_auth(id, Some(secret));
    }
    let response = request.send().await.map_err(|error| unreachable(url, &error))?;
    answer(response).await.map(|answer| answer.body).map_err(|failure| match failure.exit {
        // A grant that is refused is a question of who asks.
        Exit::Failure => Failure { exit: Exit::Denied, ..failure },
        _ => failure,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_names_every_field_that_is_wrong() {
        let body = json!({
            "title": "A rule is violated",
            "detail": "the body breaks a rule",
            "errors": [{ "pointer": "/username", "detail": "must not be empty" }],
        });
        let wanted =
            "A rule is violated: the body breaks a rule (422)\n  /username must not be empty";
        assert_eq!(problem(422, &body), wanted);
        let oauth = json!({ "error": "invalid_client", "error_description": "no such secret" });
        assert_eq!(problem(400, &oauth), "invalid_client: no such secret (400)");
        assert_eq!(problem(502, &Value::Null), "the answer cannot be read (502)");
    }
}
