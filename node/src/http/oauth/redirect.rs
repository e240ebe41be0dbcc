//! Sending a browser back to a client (RFC 6749 §4.1.2).
//!
//! The redirect URI was proven byte for byte, so its bytes stay as they are, also its query; only
//! parameters are appended. Invariant: nothing is ever sent to a URI that was not proven.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use identity::oauth::authorize::{ResponseMode, ReturnTo};

use crate::http::{
    error::{Class, Failure},
    pages::{Brand, FormPostPage, Language},
};

/// Sends an answer to a client, the way it asked for.
///
/// # Errors
/// As [`to`].
pub(crate) fn answer(
    target: &ReturnTo,
    parameters: &[(&str, Option<&str>)],
) -> Result<Response, Failure> {
    match target.mode {
        ResponseMode::Query => to(&target.redirect_uri, parameters),
        ResponseMode::FormPost => {
            let given = parameters.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
            let fields: Vec<(&str, &str)> = given.collect();
            let language = Language::current(target.ui_locales.as_deref());
            let page = FormPostPage {
                language,
                brand: Brand::current(language),
                client_name: &target.client_name,
                action: &target.redirect_uri,
                fields: &fields,
            };
            Ok(page.respond())
        }
    }
}

/// A redirect that turns a POST into a GET, so that no credentials travel on (RFC 9700 §4.12).
///
/// # Errors
/// [`Class::INTERNAL`] for a URI that is no header value, which registration does not allow.
fn to(redirect_uri: &str, parameters: &[(&str, Option<&str>)]) -> Result<Response, Failure> {
    let location = HeaderValue::try_from(with_parameters(redirect_uri, parameters));
    let mut location = location.map_err(|_| Failure::new(Class::INTERNAL))?;
    location.set_sensitive(true);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// Appends parameters to the query; those without a value are left out.
pub(crate) fn with_parameters(uri: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut whole = uri.to_owned();
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        match whole.find('?') {
            None => whole.push('?'),
            Some(_) if whole.ends_with(['?', '&']) => {}
            Some(_) => whole.push('&'),
        }
        whole.push_str(name);
        whole.push('=');
        for piece in url::form_urlencoded::byte_serialize(value.as_bytes()) {
            // Both forms of a space mean the same here; this one no client gets wrong.
            whole.push_str(if piece == "+" { "%20" } else { piece });
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_appended_and_the_registered_query_stays() {
        let parameters =
            [("code", Some("a b+&=é")), ("state", None), ("iss", Some("https://i/t/a"))];
        let query = "code=a%20b%2B%26%3D%C3%A9&iss=https%3A%2F%2Fi%2Ft%2Fa";
        for (uri, start) in [
            ("https://a.example/cb", "https://a.example/cb?"),
            ("https://a.example/cb?x=1&y=%20", "https://a.example/cb?x=1&y=%20&"),
            ("https://a.example/cb?", "https://a.example/cb?"),
            ("https://a.example/cb?x=1&", "https://a.example/cb?x=1&"),
            ("com.example.app:/cb", "com.example.app:/cb?"),
        ] {
            assert_eq!(with_parameters(uri, &parameters), format!("{start}{query}"));
        }
    }

    #[test]
    fn a_value_cannot_end_the_header_or_the_query() {
        let parameters = [("state", Some("a\r\nset-cookie: b#c"))];
        let response = to("https://a.example/cb", &parameters).unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let expected = "https://a.example/cb?state=a%0D%0Aset-cookie%3A%20b%23c";
        assert_eq!(response.headers()["location"], expected);
        assert!(to("https://a.example/\n", &[]).is_err());
    }
}
