//! What is refused before a handler sees it: sizes, missing host, ambiguous paths.
//!
//! Paths are looked at once, on the same text that the router matched: no encoded slash, dot
//! segment or path parameter can mean one thing to a proxy and another to a handler.

use axum::http::{HeaderMap, Request, Uri, Version, header};

use crate::http::error::{Class, Failure};

/// Longest request target in bytes.
pub const TARGET_MAX: usize = 8 << 10;
/// Header fields at most.
pub const HEADERS_MAX: usize = 100;
/// Bytes of header fields at most.
pub const HEADER_BYTES_MAX: usize = 32 << 10;

/// Checks a request's head.
pub fn check<B>(request: &Request<B>) -> Result<(), Failure> {
    check_target(request.uri())?;
    check_headers(request.headers())?;
    check_host(request)?;
    if ambiguous(request.uri().path()) {
        return Err(Failure::new(Class::INVALID_REQUEST)
            .detail("the path has an encoded separator, a dot segment or a parameter"));
    }
    Ok(())
}

fn check_target(uri: &Uri) -> Result<(), Failure> {
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length > TARGET_MAX { Err(Class::URI_TOO_LONG.into()) } else { Ok(()) }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Failure> {
    if headers.len() > HEADERS_MAX {
        return Err(Class::HEADERS_TOO_LARGE.into());
    }
    // Four bytes for the colon, the space and the line's end.
    let size = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        name.as_str().len() + value.len() + 4
    };
    let bytes: usize = headers.iter().map(size).sum();
    if bytes > HEADER_BYTES_MAX { Err(Class::HEADERS_TOO_LARGE.into()) } else { Ok(()) }
}

/// RFC 9112 §3.2: exactly one `Host` in HTTP/1.1; HTTP/2 has `:authority` instead.
fn check_host<B>(request: &Request<B>) -> Result<(), Failure> {
    if request.version() != Version::HTTP_11 {
        return Ok(());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => Ok(()),
        _ => Err(Failure::new(Class::INVALID_REQUEST).detail("there must be one Host header")),
    }
}

/// Whether two readers could understand the path differently.
fn ambiguous(path: &str) -> bool {
    if path.bytes().any(|byte| matches!(byte, b';' | b'\\')) || path.contains("//") {
        return true;
    }
    if !path.contains('%') && !path.contains("/.") {
        return false;
    }
    let lower = path.to_ascii_lowercase();
    if ["%2f", "%5c", "%00", "%3b", "%25"].iter().any(|code| lower.contains(code)) {
        return true;
    }
    lower.replace("%2e", ".").split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_can_be_read_in_two_ways_are_refused() {
        for path in [
            "/api/%2e%2e/x",
            "/api/../x",
            "/api/./x",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a;b=c",
            "//x",
            "/a//b",
            "/a%00",
            "/a%252f",
            "/a/..",
            "/a/.%2E/b",
            "/a%3Bb",
        ] {
            assert!(ambiguous(path), "{path}");
        }
        for path in [
            "/",
            "/health",
            "/.well-known/openid-configuration",
            "/api/v1/users/a%20b",
            "/a.b/c..d",
            "/a/...",
            "/%C3%A9",
        ] {
            assert!(!ambiguous(path), "{path}");
        }
    }

    #[test]
    fn sizes_have_limits() {
        let request = |path: String| Request::builder().uri(path).header("host", "h").body(());
        let longest = format!("/{}", "a".repeat(TARGET_MAX - 1));
        assert!(check(&request(longest.clone()).unwrap()).is_ok());
        let failure = check(&request(format!("{longest}a")).unwrap()).unwrap_err();
        assert_eq!(failure.class(), Class::URI_TOO_LONG);

        let mut many = request("/".to_owned()).unwrap();
        for index in 0..HEADERS_MAX - 1 {
            many.headers_mut().append("x-a", index.into());
        }
        assert!(check(&many).is_ok());
        many.headers_mut().append("x-a", 1.into());
        assert_eq!(check(&many).unwrap_err().class(), Class::HEADERS_TOO_LARGE);

        let mut large = request("/".to_owned()).unwrap();
        let value = "a".repeat(HEADER_BYTES_MAX).parse().unwrap();
        large.headers_mut().insert("x-a", value);
        assert_eq!(check(&large).unwrap_err().class(), Class::HEADERS_TOO_LARGE);
    }

    #[test]
    fn http_1_1_needs_one_host() {
        for (hosts, fine) in [(0, false), (1, true), (2, false)] {
            let mut request = Request::builder().uri("/").body(()).unwrap();
            for _ in 0..hosts {
                request.headers_mut().append("host", "h".parse().unwrap());
            }
            assert_eq!(check(&request).is_ok(), fine, "{hosts}");
            *request.version_mut() = Version::HTTP_2;
            assert!(check(&request).is_ok());
        }
    }
}
