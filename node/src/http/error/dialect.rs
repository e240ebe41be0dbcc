//! Which form an error takes, decided by the route family alone.
//!
//! The path decides, not `Accept`: a program must never be surprised by a page, nor a person by
//! JSON, because of a header somebody's proxy changed.

/// The three forms of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// OAuth's JSON (RFC 6749 §5.2).
    OAuth,
    /// A page for people.
    Page,
}

/// OAuth endpoints that a person's browser opens.
const PERSON: [&str; 3] = ["/oauth/authorize", "/oauth/logout", "/oauth/device"];

/// Families of pages.
const PAGES: [&str; 4] = ["/login", "/consent", "/logout", "/account"];

impl Dialect {
    /// The dialect of a request path; routes of a tenant (`/t/{slug}/…`) follow the root's.
    pub fn of(path: &str) -> Self {
        let path = tenant_route(path).unwrap_or(path);
        let within = |family: &str| {
            path.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if PERSON.into_iter().chain(PAGES).any(within) {
            return Self::Page;
        }
        if within("/oauth") { Self::OAuth } else { Self::Problem }
    }
}

/// What follows `/t/{slug}`.
fn tenant_route(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/t/")?;
    rest.get(rest.find('/')?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_decides() {
        for (path, dialect) in [
            ("/", Dialect::Problem),
            ("/api/v1/tenants", Dialect::Problem),
            ("/setup", Dialect::Problem),
            ("/.well-known/openid-configuration", Dialect::Problem),
            ("/oauth/token", Dialect::OAuth),
            ("/oauth/device_authorization", Dialect::OAuth),
            ("/oauth", Dialect::OAuth),
            ("/oauthority", Dialect::Problem),
            ("/oauth/authorize", Dialect::Page),
            ("/oauth/device", Dialect::Page),
            ("/oauth/logout", Dialect::Page),
            ("/login", Dialect::Page),
            ("/login/password", Dialect::Page),
            ("/account", Dialect::Page),
            ("/t/acme/account/sessions/end", Dialect::Page),
            ("/accounts", Dialect::Problem),
            ("/loginx", Dialect::Problem),
            ("/t/acme/oauth/token", Dialect::OAuth),
            ("/t/acme/login", Dialect::Page),
            ("/t/acme", Dialect::Problem),
            ("/t/login", Dialect::Problem),
        ] {
            assert_eq!(Dialect::of(path), dialect, "{path}");
        }
    }
}
