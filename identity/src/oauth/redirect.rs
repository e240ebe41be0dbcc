//! Redirect URIs: byte-exact comparison, with the one exception of RFC 8252 §7.3 — the port of a
//! native client's loopback address.

use crate::{clients::Client, name};

/// Whether a client registered this redirect URI.
pub fn matches(client: &Client, uri: &str) -> bool {
    client
        .redirect_uris
        .iter()
        .any(|registered| registered == uri || (client.native && loopback_equal(registered, uri)))
}

/// Equal but for the port of a loopback IP literal; `localhost` is not one (RFC 8252 §8.3).
fn loopback_equal(registered: &str, uri: &str) -> bool {
    let (Some((host_a, _, path_a)), Some((host_b, port, path_b))) = (parts(registered), parts(uri))
    else {
        return false;
    };
    let literal = matches!(host_a, "127.0.0.1" | "[::1]");
    let port_is_fine = port.is_none_or(|p| {
        (1..=5).contains(&p.len())
            && p.parse::<u16>().is_ok_and(|n| n > 0)
            && p.bytes().all(|b| b.is_ascii_digit())
    });
    literal && host_a == host_b && path_a == path_b && port_is_fine
}

fn parts(uri: &str) -> Option<(&str, Option<&str>, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let (host, port) = name::split_port(authority);
    Some((host, port, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clients::{Authentication, Settings},
        id::ClientId,
        keys::Algorithm,
    };

    fn client(native: bool, uris: &[&str]) -> Client {
        let settings = Settings {
            client_id: "c".into(),
            name: "c".into(),
            enabled: true,
            authentication: Authentication::None,
            native,
            redirect_uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
            grant_types: Default::default(),
            scopes: Default::default(),
            id_token_algorithm: Algorithm::Rs256,
            access_token_algorithm: Algorithm::Es256,
            access_token_lifetime_s: None,
            admin_api: false,
            roles: Default::default(),
            refresh: Default::default(),
            cors_origins: Default::default(),
            dpop_bound_access_tokens: false,
        };
        Client::new(ClientId::from_bytes([1; 16]), &settings, None, 0)
    }

    #[test]
    fn a_redirect_uri_matches_byte_for_byte() {
        let web = client(false, &["https://app.example/cb?x=1", "http://127.0.0.1/cb"]);
        assert!(matches(&web, "https://app.example/cb?x=1"));
        for other in [
            "https://app.example/cb",
            "https://app.example/cb?x=1&y=2",
            "https://app.example/cb?x=2",
            "https://app.example/cb/?x=1",
            "HTTPS://app.example/cb?x=1",
            "https://app.example:443/cb?x=1",
            "https://evil.example/cb?x=1",
            "http://127.0.0.1:8000/cb",
            "",
        ] {
            assert!(!matches(&web, other), "{other}");
        }
    }

    #[test]
    fn only_the_port_of_a_native_loopback_address_is_free() {
        let native = client(true, &["http://127.0.0.1/cb", "http://localhost/cb"]);
        for good in ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"] {
            assert!(matches(&native, good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:+80/cb",
            "http://127.0.0.1:80/cb2",
            "http://127.0.0.2:80/cb",
            "http://localhost:80/cb",
            "https://127.0.0.1:80/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1:80/cb#f",
            "http://127.0.0.1:/cb",
        ] {
            assert!(!matches(&native, bad), "{bad}");
        }
    }
}
