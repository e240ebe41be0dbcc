//! Forms: from a setting's text to its typed value, with a message a person can act on.
//!
//! Pure: no file, no environment, no other setting. A message never repeats a secret's text.

use std::net::{IpAddr, SocketAddr};

use actors::licenses::key::{PublicKey, parse_public};
pub use identity::network::Network;
use url::{Host, Url};

use crate::config::{backups::BucketName, settings::Form};

/// A setting's text, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Host, word, path, name, origin, connection string or secret, in its normal form.
    Text(String),
    /// A number, seconds or bytes.
    Number(u64),
    /// A listening address; `None` is `off`.
    Listen(Option<SocketAddr>),
    /// Networks.
    Networks(Vec<Network>),
    /// Public keys.
    Keys(Vec<PublicKey>),
}

/// Reads a text as its form wants it; the error says what would be right.
pub fn parse(form: Form, text: &str) -> Result<Value, String> {
    match form {
        Form::Host => host(text).map(Value::Text),
        Form::Number(least, most) => bounded(number(text)?, least, most, "").map(Value::Number),
        Form::Duration(least, most) => {
            bounded(duration_s(text)?, least, most, " s").map(Value::Number)
        }
        Form::Bytes(least, most) => bounded(bytes(text)?, least, most, " bytes").map(Value::Number),
        Form::Word(words) => word(text, words).map(Value::Text),
        Form::ListenAddress => listen_address(text).map(Value::Listen),
        Form::Networks => networks(text).map(Value::Networks),
        Form::Origin => origin(text).map(Value::Text),
        Form::HostPort => host_port(text).map(Value::Text),
        Form::DatabaseUrl => database_url(text).map(Value::Text),
        Form::Path => Ok(Value::Text(text.to_owned())),
        Form::Name => name(text).map(Value::Text),
        Form::Secret(least) => secret(text, least).map(Value::Text),
        Form::PublicKeys => public_keys(text).map(Value::Keys),
        Form::Bucket if BucketName::parse(text).is_some() => Ok(Value::Text(text.to_owned())),
        Form::Bucket => Err(format!("`{text}` is not a bucket such as s3://backups/vaultara")),
    }
}

/// The form in words, for the reference page.
pub fn describe(form: Form) -> String {
    match form {
        Form::Host => "IP address or host name".to_owned(),
        Form::Number(least, most) => format!("number, {least} to {most}"),
        Form::Duration(least, most) => {
            format!("seconds, or a number with `s`, `m`, `h`, `d`, `w`; {least} s to {most} s")
        }
        Form::Bytes(least, most) => format!(
            "bytes, or a number with `KiB`, `MiB`, `GiB`, `TiB`; {} MiB to {} GiB",
            least >> 20,
            most >> 30
        ),
        Form::Word(words) => {
            let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            quoted.join(", ")
        }
        Form::ListenAddress => "address and port, or `off`".to_owned(),
        Form::Networks => "networks as `10.0.0.0/8`, separated by commas".to_owned(),
        Form::Origin => "URL without path".to_owned(),
        Form::HostPort => "host and port, as `node-1.example:7400`".to_owned(),
        Form::DatabaseUrl => "`postgres://` URL".to_owned(),
        Form::Path => "path".to_owned(),
        Form::Name => "up to 63 letters, digits, `.`, `-`, `_`".to_owned(),
        Form::Secret(least) => format!("at least {least} bytes"),
        Form::PublicKeys => "up to 16 public keys, separated by commas".to_owned(),
        Form::Bucket => "`s3://bucket` or `s3://bucket/folder`".to_owned(),
    }
}

fn bounded(value: u64, least: u64, most: u64, unit: &str) -> Result<u64, String> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!("must be {least}{unit} to {most}{unit}, not {value}{unit}"))
}

fn number(text: &str) -> Result<u64, String> {
    // `parse` alone would accept a leading plus.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{text}` is not a whole number"));
    }
    text.parse().map_err(|_| format!("`{text}` is too large"))
}

fn duration_s(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit_s = match text.get(digits.len()..) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3_600,
        Some("d") => 86_400,
        Some("w") => 7 * 86_400,
        _ => return Err(format!("`{text}` is not a duration such as 3600, 90s, 15m, 1h or 30d")),
    };
    number(digits)?.checked_mul(unit_s).ok_or_else(|| format!("`{text}` is too long"))
}

fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("" | "B") => 1,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        Some("TiB") => 1 << 40,
        _ => return Err(format!("`{text}` is not a size such as 1073741824, 512MiB or 1GiB")),
    };
    number(digits.trim_end())?.checked_mul(unit).ok_or_else(|| format!("`{text}` is too large"))
}

fn word(text: &str, words: &[&str]) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    if words.contains(&lower.as_str()) {
        return Ok(lower);
    }
    Err(format!("`{text}` is not one of {}", words.join(", ")))
}

fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    match Host::parse(text) {
        Ok(Host::Domain(domain)) if !domain.contains('_') => Ok(domain),
        _ => Err(format!("`{text}` is neither an IP address nor a host name")),
    }
}

fn listen_address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| format!("`{text}` is not an address with a port such as 127.0.0.1:9000"))
}

fn host_port(text: &str) -> Result<String, String> {
    identity::members::address("", text)
        .map(|()| text.to_owned())
        .map_err(|_| format!("`{text}` is not a host and a port such as node-1.example:7400"))
}

fn name(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if text.is_empty() || text.len() > 63 || !text.bytes().all(allowed) {
        return Err(format!("`{text}` is not up to 63 letters, digits, `.`, `-` or `_`"));
    }
    Ok(text.to_owned())
}

fn secret(text: &str, least: usize) -> Result<String, String> {
    if text.len() < least {
        return Err(format!("must have at least {least} bytes, has {}", text.len()));
    }
    Ok(text.to_owned())
}

fn database_url(text: &str) -> Result<String, String> {
    // The text may hold a password: it is not repeated.
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("must start with postgres://".to_owned());
    }
    Ok(text.to_owned())
}

/// An origin in its serialized form (RFC 6454 §6.2): default port dropped, host in lower case.
fn origin(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{text}` must start with https:// (or http:// on loopback)"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` must have no path, query or fragment"));
    }
    if url.scheme() == "http" && !loopback(&url) {
        return Err(format!("`{text}` is plain http, which is accepted on loopback hosts only"));
    }
    Ok(url.origin().ascii_serialization())
}

fn loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => loopback_name(domain),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn loopback_name(domain: &str) -> bool {
    domain == "localhost" || domain.ends_with(".localhost")
}

/// Whether a host setting can only mean this machine.
pub fn loopback_host(host: &str) -> bool {
    host.parse::<IpAddr>().map_or_else(|_| loopback_name(host), |address| address.is_loopback())
}

/// Whether a normalised origin can only mean this machine.
pub fn loopback_origin(origin: &str) -> bool {
    Url::parse(origin).is_ok_and(|url| loopback(&url))
}

fn public_keys(text: &str) -> Result<Vec<PublicKey>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parsed = parts.map(|part| {
        parse_public(part).ok_or_else(|| format!("`{part}` is not a public key of an issuer"))
    });
    let keys: Vec<PublicKey> = parsed.collect::<Result<_, _>>()?;
    if keys.len() > 16 { Err("must be at most 16 keys".to_owned()) } else { Ok(keys) }
}

fn networks(text: &str) -> Result<Vec<Network>, String> {
    let network = |part: &str| {
        let wrong = |_| format!("`{part}` is not a network such as 10.0.0.0/8 or fd00::/8");
        part.parse().map_err(wrong)
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_carry_a_unit() {
        let form = Form::Duration(0, u64::MAX);
        for (text, seconds) in [
            ("0", 0),
            ("3600", 3_600),
            ("90s", 90),
            ("15m", 900),
            ("1h", 3_600),
            ("30d", 2_592_000),
        ] {
            assert_eq!(parse(form, text), Ok(Value::Number(seconds)), "{text}");
        }
        for text in ["", "h", "1x", "-1", "+1", "1.5h", "1 h", "99999999999999999999", "9e9d"] {
            assert!(parse(form, text).is_err(), "{text}");
        }
        assert!(parse(form, "18446744073709551615w").is_err(), "no overflow");
    }

    #[test]
    fn sizes_are_bytes_or_carry_a_binary_unit() {
        let form = Form::Bytes(1, u64::MAX);
        for (text, bytes) in [("1", 1), ("512MiB", 512 << 20), ("1GiB", 1 << 30), ("2KiB", 2_048)] {
            assert_eq!(parse(form, text), Ok(Value::Number(bytes)), "{text}");
        }
        for text in ["0", "1GB", "1gib", "GiB", "1.5GiB"] {
            assert!(parse(form, text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_is_normalised_and_http_stays_on_loopback() {
        for (text, normal) in [
            ("https://Id.Example.com", "https://id.example.com"),
            ("https://id.example.com:443/", "https://id.example.com"),
            ("https://id.example.com:8443", "https://id.example.com:8443"),
            ("http://localhost:8080/", "http://localhost:8080"),
            ("http://a.localhost", "http://a.localhost"),
            ("http://127.0.0.2:1", "http://127.0.0.2:1"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(parse(Form::Origin, text), Ok(Value::Text(normal.to_owned())), "{text}");
        }
        for text in [
            "http://id.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "https://id.example.com/auth",
            "https://id.example.com?x",
            "https://id.example.com#x",
            "https://user@id.example.com",
            "ftp://localhost",
            "id.example.com",
            "",
        ] {
            assert!(parse(Form::Origin, text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_are_separated_by_commas_and_each_of_them_is_one() {
        let two = ["10.0.0.0/8", "::1/128"].map(|text| text.parse().unwrap());
        let read = parse(Form::Networks, " 10.0.0.0/8,, ::1 ");
        assert_eq!(read, Ok(Value::Networks(two.into())));
        for text in ["10.0.0.0/33", "10.0.0.0/8, host", "10.0.0.0/8 ::1"] {
            assert!(parse(Form::Networks, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_is_never_repeated_in_a_message() {
        for (form, text) in [
            (Form::Secret(32), "hunter2"),
            (Form::DatabaseUrl, "mysql://u:hunter2@h/d"),
            (Form::DatabaseUrl, "hunter2"),
        ] {
            let message = parse(form, text).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn hosts_words_and_names_are_checked() {
        assert!(parse(Form::Host, "::").is_ok());
        assert!(parse(Form::Host, "[::1]").is_ok());
        assert!(parse(Form::Host, "node-1.example.com").is_ok());
        assert!(parse(Form::Host, "not a host").is_err());
        assert!(parse(Form::Host, "300.1.1.1").is_err());
        assert_eq!(parse(Form::Word(&["info"]), "INFO"), Ok(Value::Text("info".to_owned())));
        assert!(parse(Form::Word(&["info"]), "loud").is_err());
        assert!(parse(Form::Name, "node/1").is_err());
        assert_eq!(parse(Form::ListenAddress, "off"), Ok(Value::Listen(None)));
        assert!(parse(Form::ListenAddress, "127.0.0.1").is_err());
        assert!(parse(Form::Number(1, 10), "11").is_err());
    }
}
