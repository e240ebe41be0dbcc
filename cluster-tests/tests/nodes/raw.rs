//! Single requests and what exactly came of them: status, `Retry-After`, how long it took.
//!
//! It never asks twice and forgives nothing. Invariant: an answer that is neither a success nor a
//! refusal that says when to come again is [`Said::Otherwise`], no answer at all included.

use std::time::{Duration, Instant};

use actors::demo;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use vaultara_cluster_tests::{api::Api, process::Launch};

/// How long a request waits for somebody who can decide it: two election timeouts.
pub(crate) const PATIENCE: Duration = Duration::from_millis(raft::PATIENCE_MS);
/// What a busy machine adds.
pub(crate) const BUSY: Duration = Duration::from_secs(3);
/// How long a question that the leader does not answer keeps a read beyond its patience.
const READ_WAIT_MS: u64 = 700;
/// Within this a node without a majority refuses.
pub(crate) const REFUSED_WITHIN: Duration =
    Duration::from_millis(raft::PATIENCE_MS + READ_WAIT_MS).saturating_add(BUSY);
/// Within this a write is answered that may have come into a log when the leader was lost: it is
/// tried for 8 s (`UNKNOWN_PATIENCE_MS`), and what was decided elsewhere is waited for here for
/// 10 s (`APPLY_WAIT`); a read may have come before it.
pub(crate) const UNKNOWN_WITHIN: Duration = REFUSED_WITHIN.saturating_add(Duration::from_secs(10));
/// No client waits longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// What the two refusals of a node without a majority say, in every dialect.
const UNAVAILABLE: &str = "The service is not available right now.";
const OUTCOME_UNKNOWN: &str = "It is not known whether the change was made.";

/// What a node was told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client's own token.
    Token,
    /// Whether an access token counts.
    Introspect,
    /// A new user.
    Create,
    /// The users.
    List,
    /// The next refresh token.
    Refresh,
    /// The end of a refresh token.
    Revoke,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Token, Self::Introspect, Self::Create, Self::List, Self::Refresh, Self::Revoke];

    pub(crate) const fn changes(self) -> bool {
        !matches!(self, Self::Introspect | Self::List)
    }
}

/// What became of a request, as its answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It was done.
    Done,
    /// Nothing was changed; come again.
    Refused,
    /// It may have been done; come again.
    Unknown,
    /// Anything else.
    Otherwise,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    /// None without an answer.
    pub(crate) status: Option<u16>,
    /// `Vaultara-Index`.
    pub(crate) index: Option<String>,
    pub(crate) text: String,
    retry_after_s: Option<u32>,
}

impl Answer {
    pub(crate) fn said(&self) -> Said {
        match (self.status, self.retry_after_s) {
            (Some(200..=299), _) => Said::Done,
            (Some(503), Some(1..)) if self.text.contains(UNAVAILABLE) => Said::Refused,
            (Some(503), Some(1..)) if self.text.contains(OUTCOME_UNKNOWN) => Said::Unknown,
            _ => Said::Otherwise,
        }
    }

    pub(crate) fn ended(&self) -> Instant {
        self.began + self.took
    }
}

async fn sent(request: RequestBuilder) -> Answer {
    let began = Instant::now();
    let (mut status, mut index) = (None, None);
    let mut retry_after_s: Option<u32> = None;
    let text = match request.send().await {
        Ok(response) => {
            status = Some(response.status().as_u16());
            let told = |name: &str| {
                let value = response.headers().get(name).and_then(|value| value.to_str().ok());
                value.map(str::to_owned)
            };
            index = told("vaultara-index");
            retry_after_s = told("retry-after").and_then(|seconds| seconds.parse().ok());
            response.text().await.unwrap_or_else(|error| {
                // Cut short is no answer.
                status = None;
                error.to_string()
            })
        }
        Err(error) => error.to_string(),
    };
    Answer { began, took: began.elapsed(), status, index, text, retry_after_s }
}

/// A node, and what is needed to ask it for anything.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    http: Client,
    base: String,
    users: String,
    token: String,
    /// Of `alice` at the web client.
    access: String,
    refresh: String,
}

impl Door {
    /// A node; `tokens` are a person's, if any are to be asked about.
    pub(crate) fn new(api: &Api, launch: &Launch, tokens: &Value) -> Self {
        let text = |name| tokens.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (users, token) = api.creating();
        Self {
            http: Client::builder().timeout(ANSWER_WITHIN).build().unwrap(),
            base: format!("http://127.0.0.1:{}", launch.port),
            users,
            token,
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// The refresh token.
    pub(crate) fn refresh(&self) -> &str {
        &self.refresh
    }

    /// Asks once; `name` is that of a new user.
    pub(crate) async fn ask(&self, kind: Kind, name: &str) -> Answer {
        sent(self.request(kind, name)).await
    }

    /// Users of a name, at a position or later.
    pub(crate) async fn find(&self, name: &str, position: &str) -> Answer {
        let url = format!("{}{}?filter=username%20eq%20%22{name}%22", self.base, self.users);
        let request = self.http.get(url).bearer_auth(&self.token);
        sent(request.header("vaultara-min-index", position)).await
    }

    fn request(&self, kind: Kind, name: &str) -> RequestBuilder {
        let users = format!("{}{}", self.base, self.users);
        let oauth = |path: &str, more: &[(&str, &str)]| {
            let client = [("client_id", "web-demo"), ("client_secret", demo::WEB_SECRET)];
            let url = format!("{}/t/{}/oauth/{path}", self.base, demo::TENANT);
            self.http.post(url).form(&[&client[..], more].concat())
        };
        match kind {
            Kind::Token => self
                .http
                .post(format!("{}/t/{}/oauth/token", self.base, demo::TENANT))
                .basic_auth("service-demo", Some(demo::SERVICE_SECRET))
                .form(&[("grant_type", "client_credentials")]),
            Kind::Introspect => oauth("introspect", &[("token", self.access.as_str())]),
            Kind::Refresh => oauth(
                "token",
                &[("grant_type", "refresh_token"), ("refresh_token", self.refresh.as_str())],
            ),
            Kind::Revoke => oauth("revoke", &[("token", self.refresh.as_str())]),
            Kind::Create => self
                .http
                .post(users)
                .bearer_auth(&self.token)
                .header("idempotency-key", name)
                .json(&json!({ "username": name })),
            Kind::List => self.http.get(format!("{users}?limit=1")).bearer_auth(&self.token),
        }
    }
}
