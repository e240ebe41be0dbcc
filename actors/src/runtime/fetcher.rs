//! The one way out: every request that this server makes to somebody else's address.
//!
//! Addresses come from tenants and clients, so each is a stranger's: https only, public addresses
//! only, checked after resolving and then used as resolved, no redirect followed, five seconds and
//! one megabyte at most, a few requests at once. Exceptions are the operator's ([`Policy`]), never
//! a tenant's. It retries nothing and remembers nothing. Invariant: no byte is sent to an address
//! that was not checked.

mod addresses;
mod gate;
mod resolver;

use std::{net::IpAddr, sync::Arc, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Method, Url, header, redirect};

use self::{gate::Gate, resolver::Checked};

pub use self::addresses::public;

/// The longest that a request may take, from resolving to the last byte.
const TOTAL_MAX: Duration = Duration::from_secs(5);
/// The longest that connecting to an address of the operator's may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// The longest body that is read, bytes.
const BODY_MAX: usize = 1 << 20;
/// Requests at once, to all destinations together.
const ALL_MAX: usize = 64;
/// Requests at once to one host and port.
const DESTINATION_MAX: usize = 4;
/// The longest address, bytes.
const URL_MAX: usize = 2048;

/// What the operator allows beyond the rule.
#[derive(Clone)]
pub struct Policy {
    /// Addresses that may be called although they are not public, over plain http too.
    pub also: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// Further certificate authorities, PEM.
    pub authorities: Option<Vec<u8>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { also: Arc::new(|_| false), authorities: None }
    }
}

impl Policy {
    fn allows(&self, address: IpAddr) -> bool {
        public(address) || self.excepts(address)
    }

    /// A mapped address is never excepted: it is another spelling, made to slip through.
    fn excepts(&self, address: IpAddr) -> bool {
        !addresses::mapped(address) && (self.also)(address)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The address is not one of ours to call: malformed, another scheme, user information.
    #[error("the address is not an https address")]
    Address,
    /// It leads to a machine that must not be called from here.
    #[error("the address leads into a network that must not be called")]
    Forbidden,
    /// No machine has that name.
    #[error("the name cannot be resolved")]
    Unresolved,
    /// The other side answered with a redirect.
    #[error("the address answers with a redirect")]
    Redirect,
    /// It took too long.
    #[error("no answer within the time")]
    Timeout,
    /// The answer is too large.
    #[error("the answer is too large")]
    TooLarge,
    /// Too many requests are under way, there or in all; later there may be room.
    #[error("too many requests are under way")]
    Busy,
    /// No connection, no TLS, or an answer that is none.
    #[error("the connection failed")]
    Failed,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whereto.
    pub url: String,
    /// What to send; none asks with GET.
    pub body: Option<Body>,
    /// The media types that are understood.
    pub accept: &'static str,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Body {
    /// Its media type.
    pub content_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// An answer, whatever its status but a redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The media type as it was given, without parameters.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// How much one fetcher does.
#[derive(Debug, Clone, Copy)]
struct Limits {
    total: Duration,
    body: usize,
    all: usize,
    destination: usize,
}

const LIMITS: Limits =
    Limits { total: TOTAL_MAX, body: BODY_MAX, all: ALL_MAX, destination: DESTINATION_MAX };

/// What a fetcher is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Requests under way.
    pub running: usize,
    /// Destinations they go to.
    pub destinations: usize,
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    secure: Client,
    plain: Client,
    policy: Policy,
    gate: Gate,
    limits: Limits,
}

/// The client cannot be made: the operator's authorities are not certificates, or there are none
/// at all.
#[derive(Debug, thiserror::Error)]
#[error("outgoing requests cannot be made: {0}")]
pub struct Unusable(String);

impl Fetcher {
    /// A client that obeys a policy.
    ///
    /// # Errors
    /// [`Unusable`] when the certificate authorities cannot be read.
    pub fn new(policy: Policy) -> Result<Self, Unusable> {
        Self::with(policy, LIMITS)
    }

    fn with(policy: Policy, limits: Limits) -> Result<Self, Unusable> {
        let unusable = |error: reqwest::Error| Unusable(in_full(&error));
        let authorities = authorities(&policy)?;
        let client = |resolver: Checked| {
            direct(authorities.clone())
                .dns_resolver(resolver)
                // A connection belongs to one request: the next is resolved and checked anew.
                .pool_max_idle_per_host(0)
                .timeout(limits.total)
        };
        let secure = client(Checked::secure(&policy)).https_only(true).build().map_err(unusable)?;
        let plain = client(Checked::plain(&policy)).build().map_err(unusable)?;
        let gate = Gate::new(limits.all, limits.destination);
        Ok(Self { secure, plain, policy, gate, limits })
    }

    /// Makes one request and reads the whole answer.
    ///
    /// # Errors
    /// A [`Refused`]; only `Timeout` and `Failed` can mean that the other side saw the request.
    pub async fn fetch(&self, request: Request) -> Result<Answer, Refused> {
        let (url, destination) = self.parse(&request.url)?;
        let _entered = self.gate.enter(destination).ok_or(Refused::Busy)?;
        let exchange = self.exchange(url, request);
        tokio::time::timeout(self.limits.total, exchange).await.unwrap_or(Err(Refused::Timeout))
    }

    /// What it is doing.
    pub fn observe(&self) -> Observed {
        self.gate.observe()
    }

    /// The address if it may be called, as far as it can be told without resolving; and host and
    /// port.
    fn parse(&self, text: &str) -> Result<(Url, String), Refused> {
        if text.len() > URL_MAX {
            return Err(Refused::Address);
        }
        let url = Url::parse(text).map_err(|_| Refused::Address)?;
        let named = url.username().is_empty() && url.password().is_none();
        let (Some(host), Some(port), true) = (url.host_str(), url.port_or_known_default(), named)
        else {
            return Err(Refused::Address);
        };
        // The parser has read every spelling of a number (hexadecimal, octal, one word) already.
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if literal.is_some_and(|address| !self.policy.allows(address)) {
            return Err(Refused::Forbidden);
        }
        let plain_is_fine = literal.is_none_or(|address| self.policy.excepts(address));
        match url.scheme() {
            "https" => {}
            "http" if plain_is_fine => {}
            _ => return Err(Refused::Address),
        }
        let destination = format!("{host}:{port}");
        Ok((url, destination))
    }

    async fn exchange(&self, mut url: Url, request: Request) -> Result<Answer, Refused> {
        url.set_fragment(None);
        let client = if url.scheme() == "https" { &self.secure } else { &self.plain };
        let builder = match request.body {
            Some(body) => client
                .request(Method::POST, url)
                .header(header::CONTENT_TYPE, body.content_type)
                .body(body.bytes),
            None => client.request(Method::GET, url),
        };
        let sent = builder.header(header::ACCEPT, request.accept).send().await;
        let mut response = sent.map_err(|error| refused(&error))?;
        if response.status().is_redirection() {
            return Err(Refused::Redirect);
        }
        let content_type =
            response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(
                |value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase(),
            );
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| refused(&error))? {
            if body.len().saturating_add(chunk.len()) > self.limits.body {
                return Err(Refused::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status().as_u16(), content_type, body })
    }
}

/// A client for an address that the operator chose for the server's own use, never a tenant or a
/// client: it may be anywhere and take its time. Whom it believes is the same.
///
/// # Errors
/// [`Unusable`] when the certificate authorities cannot be read.
pub(crate) fn of_operator(policy: &Policy) -> Result<Client, Unusable> {
    let client = direct(authorities(policy)?).connect_timeout(CONNECT_MAX);
    client.build().map_err(|error| Unusable(in_full(&error)))
}

/// What every client of this server is: nobody sends it elsewhere.
fn direct(authorities: Vec<Certificate>) -> ClientBuilder {
    Client::builder()
        .tls_certs_merge(authorities)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent("Vaultara")
}

fn authorities(policy: &Policy) -> Result<Vec<Certificate>, Unusable> {
    let Some(pem) = policy.authorities.as_deref() else { return Ok(Vec::new()) };
    let read = Certificate::from_pem_bundle(pem);
    let authorities = read.map_err(|error| Unusable(in_full(&error)))?;
    if authorities.is_empty() {
        return Err(Unusable("no certificate was found in the file".into()));
    }
    Ok(authorities)
}

/// The reason behind the client's error.
fn refused(error: &reqwest::Error) -> Refused {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return *refused;
        }
        cause = inner.source();
    }
    if error.is_timeout() { Refused::Timeout } else { Refused::Failed }
}

/// An error with all that is behind it.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
