//! Who sent this request and under which id: known before any handler runs.
//!
//! Forwarding headers are believed only from `TRUSTED_PROXIES`; everybody else could write
//! anything there.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use actors::runtime::tenant::TenantSnapshot;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, Request, request::Parts},
};

use crate::{
    config::Network,
    http::{
        layer::Sharing,
        pages::{Language, Spoken, Wishes},
    },
};

/// Header of the request id in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

tokio::task_local! {
    static CURRENT: Arrival;
}

/// The peer of a connection, put into each request by the accept loop.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// One request's id and source; cheap to clone. Handlers take it as an extractor.
#[derive(Clone)]
pub struct Arrival(Arc<Details>);

/// What pages of the addressed tenant look like, for whatever page answers the request.
pub(crate) struct Dress {
    /// The tenant.
    pub(crate) snapshot: Arc<TenantSnapshot>,
    /// What the paths of its routes begin with.
    pub(crate) path: String,
    /// When the request came, state time in milliseconds.
    pub(crate) now_ms: u64,
}

struct Details {
    request_id: String,
    source: IpAddr,
    wishes: Wishes,
    sharing: OnceLock<Sharing>,
    dress: OnceLock<Dress>,
}

impl Arrival {
    pub(crate) fn new(request_id: String, source: IpAddr, wishes: Wishes) -> Self {
        let (sharing, dress) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Details { request_id, source, wishes, sharing, dress }))
    }

    /// The id that the answer and every log line of this request carry.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The address that sent the request, as far as trusted proxies tell.
    pub fn source(&self) -> IpAddr {
        self.0.source
    }

    /// Says who may read the answer, whatever becomes of the request; only the first word counts.
    pub(crate) fn share(&self, sharing: Sharing) {
        drop(self.0.sharing.set(sharing));
    }

    /// Who may read the answer; none means that it is no matter of other sites.
    pub(crate) fn sharing(&self) -> Option<&Sharing> {
        self.0.sharing.get()
    }

    /// Says whose pages answer it; only the first word counts.
    pub(crate) fn wear(&self, dress: Dress) {
        drop(self.0.dress.set(dress));
    }

    /// Whose pages answer it; none means that they are the product's own.
    pub(crate) fn dress(&self) -> Option<&Dress> {
        self.0.dress.get()
    }

    /// The language of a page that answers it; `ui_locales` is what the authorization request
    /// behind it said, if there is one.
    pub(crate) fn language(&self, ui_locales: Option<&str>) -> Language {
        let spoken = self.dress().map(|dress| Spoken::of(&dress.snapshot.languages));
        self.0.wishes.language(ui_locales, &spoken.unwrap_or_default())
    }

    /// The request that the current task handles, if it handles one.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Makes this the current request for as long as the future runs.
    pub(crate) fn during<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }
}

impl<S: Sync> FromRequestParts<S> for Arrival {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let nowhere = || Self::new(String::new(), Ipv4Addr::UNSPECIFIED.into(), Wishes::default());
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(nowhere))
    }
}

/// Where a request comes from: the peer, or what trusted proxies say of those before them.
pub(crate) fn source<B>(request: &Request<B>, trusted: &[Network]) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    let Some(Peer(peer)) = peer else { return Ipv4Addr::UNSPECIFIED.into() };
    let peer = peer.ip().to_canonical();
    if !contains(trusted, peer) {
        return peer;
    }
    // Each proxy appends whom it saw: from the right, the first address that is not one of ours.
    let mut source = peer;
    for hop in hops(request.headers()) {
        let address = std::str::from_utf8(hop).ok().and_then(|hop| hop.parse::<IpAddr>().ok());
        let Some(address) = address else { return source };
        source = address.to_canonical();
        if !contains(trusted, source) {
            return source;
        }
    }
    source
}

/// Addresses from the right, as bytes: what the client wrote to the left of what a proxy saw may be
/// anything, and must not hide what the proxy appended to the same line.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines: Vec<&[u8]> =
        headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let hops = lines.into_iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
    hops.map(<[u8]>::trim_ascii)
}

fn contains(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// The id a trusted proxy gave the request, if it is one we would show.
pub(crate) fn forwarded_id<B>(request: &Request<B>, trusted: &[Network]) -> Option<String> {
    let given = request.headers().get(REQUEST_ID)?;
    let Peer(peer) = request.extensions().get::<Peer>()?;
    if !contains(trusted, peer.ip()) {
        return None;
    }
    let given = given.to_str().ok()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    ((8..=128).contains(&given.len()) && given.bytes().all(allowed)).then(|| given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request.headers_mut().append(name, value);
        }
        request
    }

    #[test]
    fn only_trusted_proxies_are_believed_about_the_source() {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap());
        for (peer, forwarded, expected) in [
            ("203.0.113.1:1", &["198.51.100.7"][..], "203.0.113.1"),
            ("10.0.0.1:1", &[][..], "10.0.0.1"),
            ("10.0.0.1:1", &["198.51.100.7"][..], "198.51.100.7"),
            ("10.0.0.1:1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"][..], "198.51.100.7"),
            ("10.0.0.1:1", &["198.51.100.7", "10.9.9.9"][..], "198.51.100.7"),
            ("10.0.0.1:1", &["garbage, 10.0.0.2"][..], "10.0.0.2"),
            ("10.0.0.1:1", &["é, 198.51.100.7"][..], "198.51.100.7"),
            ("10.0.0.1:1", &["198.51.100.7", "é,10.0.0.2"][..], "10.0.0.2"),
            ("10.0.0.1:1", &["10.0.0.3, 10.0.0.2"][..], "10.0.0.3"),
            ("[::ffff:10.0.0.1]:1", &["2001:db8::1"][..], "2001:db8::1"),
        ] {
            let headers: Vec<(&str, &str)> =
                forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
            let found = source(&request(peer, &headers), &trusted);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_request_id_is_taken_from_trusted_proxies_only() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for (peer, id, taken) in [
            ("10.0.0.1:1", "0190-abc_DEF.1", true),
            ("203.0.113.1:1", "0190-abc_DEF.1", false),
            ("10.0.0.1:1", "short", false),
            ("10.0.0.1:1", "with space in it", false),
        ] {
            let found = forwarded_id(&request(peer, &[("x-request-id", id)]), &trusted);
            assert_eq!(found.as_deref(), taken.then_some(id), "{peer} {id}");
        }
    }
}
