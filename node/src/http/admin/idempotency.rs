//! `Idempotency-Key`: the same key again is the same request.
//!
//! The key counts per tenant, principal and route. The body is remembered only as an HMAC: a bare
//! hash of a body with a password in it would let a reader of the state guess the password. What
//! was answered is remembered by `apply`, in the command's own batch.

use actors::{Context, runtime::keyring::MacPurpose};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use identity::{id::TenantId, principal::Principal, secret::Digest, stamp::Idempotency};

use crate::http::error::{Class, Failure};

/// The request header.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Set on an answer that an earlier request earned.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Its only value.
pub const TRUE: HeaderValue = HeaderValue::from_static("true");

/// Longest key, bytes.
const LENGTH_MAX: usize = 255;

/// A caller's own name for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Class::INVALID_REQUEST`] for anything but one value of 1 to 255 visible ASCII characters.
    pub fn parse(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let mut values = headers.get_all(KEY).iter();
        let (Some(value), rest) = (values.next(), values.next()) else {
            return Ok(None);
        };
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        match value.to_str() {
            Ok(text)
                if rest.is_none() && (1..=LENGTH_MAX).contains(&text.len()) && visible(text) =>
            {
                Ok(Some(Self(text.to_owned())))
            }
            _ => Err(Failure::new(Class::INVALID_REQUEST)
                .detail("Idempotency-Key must be 1 to 255 visible ASCII characters")
                .field("Idempotency-Key", "is malformed")),
        }
    }

    /// The key bound to tenant, principal, route and body.
    pub fn bind(
        &self,
        ctx: &Context,
        tenant: TenantId,
        principal: &Principal,
        (method, path): (&Method, &str),
        body: &[u8],
    ) -> Idempotency {
        Idempotency {
            key: self.scoped(tenant, principal, (method, path)),
            body: Digest::from_bytes(ctx.keyring().mac(MacPurpose::Idempotency, tenant, &[body])),
            once: None,
        }
    }

    /// The key of one line of a body that holds many requests.
    #[must_use]
    pub fn of_line(&self, number: usize) -> Self {
        // No key of a caller holds a blank.
        Self(format!("{} {number}", self.0))
    }

    fn scoped(
        &self,
        tenant: TenantId,
        principal: &Principal,
        (method, path): (&Method, &str),
    ) -> Digest {
        let parts: [&[u8]; 5] = [
            &tenant.bytes(),
            &who(principal),
            method.as_str().as_bytes(),
            path.as_bytes(),
            self.0.as_bytes(),
        ];
        let mut text = Vec::with_capacity(128);
        for part in parts {
            // With its length in front no part can pass for a piece of another.
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        Digest::of(&text)
    }
}

/// The principal without what its token opens: with a new token it may still repeat a request.
fn who(principal: &Principal) -> Vec<u8> {
    let (kind, tenant, id) = match principal {
        Principal::User { tenant, user, .. } => (b'u', tenant.bytes(), user.bytes()),
        Principal::Client { tenant, client, .. } => (b'c', tenant.bytes(), client.bytes()),
        Principal::Anonymous => (b'a', [0; 16], [0; 16]),
        Principal::System => (b's', [0; 16], [0; 16]),
        Principal::Bootstrap => (b'b', [0; 16], [0; 16]),
        Principal::Person { tenant, user } => (b'p', tenant.bytes(), user.bytes()),
    };
    [&[kind][..], &tenant, &id].concat()
}

#[cfg(test)]
mod tests {
    use identity::{
        id::{ClientId, UserId},
        principal::ApiScopes,
    };

    use super::*;

    #[test]
    fn a_key_is_one_short_visible_text() {
        let read = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(KEY, HeaderValue::from_bytes(value).unwrap());
            }
            Key::parse(&headers).map_err(|failure| failure.class())
        };
        let longest = "k".repeat(LENGTH_MAX);
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b"a-1"]), Ok(Some(Key("a-1".into()))));
        assert_eq!(read(&[longest.as_bytes()]), Ok(Some(Key(longest.clone()))));
        let too_long = format!("{longest}k");
        for bad in [&[&b""[..]][..], &[b"a b"], &[b"\xff"], &[too_long.as_bytes()], &[b"a", b"b"]] {
            assert_eq!(read(bad), Err(Class::INVALID_REQUEST), "{bad:?}");
        }
    }

    #[test]
    fn a_key_counts_per_tenant_principal_and_route() {
        let tenant = TenantId::from_bytes([1; 16]);
        let user = |user: u8, scopes| Principal::User {
            tenant,
            user: UserId::from_bytes([user; 16]),
            client: ClientId::from_bytes([3; 16]),
            scopes,
        };
        let none = ApiScopes::default();
        let key = Key("k".into());
        let route = (&Method::POST, "/api/v1/tenants");
        let digest = key.scoped(tenant, &user(2, none), route);
        let others = [
            Key("l".into()).scoped(tenant, &user(2, none), route),
            key.scoped(TenantId::CLUSTER, &user(2, none), route),
            key.scoped(tenant, &user(4, none), route),
            key.scoped(tenant, &user(2, none), (&Method::PUT, "/api/v1/tenants")),
            key.scoped(tenant, &user(2, none), (&Method::POST, "/api/v1/tenant")),
            key.scoped(tenant, &Principal::System, route),
        ];
        for (number, other) in others.iter().enumerate() {
            assert_ne!(*other, digest, "{number}");
        }
        let wider = ApiScopes { read: true, write: true, platform: true };
        assert_eq!(key.scoped(tenant, &user(2, wider), route), digest);
    }
}
