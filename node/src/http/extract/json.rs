//! JSON bodies: content type, depth and place of an error.

use axum::{
    extract::{FromRequest, Request},
    http::{Method, header},
};
use serde::de::DeserializeOwned;

use crate::http::{
    error::{Class, Failure},
    extract::{media_type, pointer, whole},
};

/// Objects and arrays inside each other at most.
pub const DEPTH_MAX: usize = 64;

/// A body of JSON, read as `T`. What `T` does not know it refuses (`deny_unknown_fields`).
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let given = media_type(request.headers());
        let merge_patch = *request.method() == Method::PATCH;
        let fits = match given.as_deref() {
            Some("application/json") => true,
            Some("application/merge-patch+json") => merge_patch,
            _ => false,
        };
        if !fits {
            let accepts =
                if merge_patch { "application/merge-patch+json" } else { "application/json" };
            let failure = Failure::new(Class::UNSUPPORTED_MEDIA_TYPE)
                .detail(format!("send {accepts}"))
                .header(header::ACCEPT, axum::http::HeaderValue::from_static(accepts));
            return Err(failure);
        }
        parse(&whole(request.into_body()).await?).map(Self)
    }
}

/// Reads JSON text; a refusal points to the place in it.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Failure> {
    if deeper_than(text, DEPTH_MAX) {
        return Err(Failure::new(Class::INVALID_REQUEST).detail("the JSON is nested too deeply"));
    }
    serde_json::from_slice(text).map_err(|error| {
        let place = pointer::of_error(text, &error);
        let failure = Failure::new(Class::INVALID_REQUEST);
        match place {
            Some(pointer) => failure
                .detail("the JSON does not fit this route")
                .field(pointer, pointer::message(&error)),
            None => failure.detail(format!("the body is not JSON: {error}")),
        }
    })
}

/// Whether brackets open deeper than that, outside strings. Counting needs no recursion.
fn deeper_than(text: &[u8], most: usize) -> bool {
    let (mut depth, mut inside_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside_string => escaped = true,
            b'"' => inside_string = !inside_string,
            b'[' | b'{' if !inside_string => depth += 1,
            b']' | b'}' if !inside_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "a/b")]
        odd: u8,
    }

    #[test]
    fn good_json_is_read() {
        let read: Outer = parse(br#"{"name":"x","inner":[{"a/b":7}]}"#).unwrap();
        assert_eq!(read, Outer { name: "x".to_owned(), inner: vec![Inner { odd: 7 }] });
    }

    #[test]
    fn a_wrong_place_is_pointed_at() {
        for (text, pointer) in [
            (r#"{}"#, "/name"),
            (r#"{"name":1}"#, "/name"),
            (r#"{"name":"x","extra":1}"#, "/extra"),
            (r#"{"name":"x","name":"y"}"#, "/name"),
            (r#"{"name":"x","inner":[{"a/b":1},{"a/b":300}]}"#, "/inner/1/a~1b"),
            (r#"{"name":"x","inner":[{"a/b":1},{}]}"#, "/inner/1/a~1b"),
            (r#"{"name":"x","inner":[{"a/b":1,"c\u0041":2}]}"#, "/inner/0/cA"),
            (r#"{"inner":{},"name":"x"}"#, "/inner"),
            ("{\n  \"name\": null\n}", "/name"),
            (r#"[]"#, "/"),
            (r#"{"name":"x","a/b~c":1}"#, "/a~1b~0c"),
            // Names that nobody would read are not repeated.
            (&format!(r#"{{"name":"x","{}":1}}"#, "y".repeat(129)), "/"),
            (r#"{"name":"x","a\nb":1}"#, "/"),
            (&format!(r#"{{"name":"x","inner":[{{"{}":2}}]}}"#, "y".repeat(500_000)), "/inner/0"),
        ] {
            let failure = parse::<Outer>(text.as_bytes()).unwrap_err();
            let occurrence = failure.into_occurrence();
            let found: Vec<&str> =
                occurrence.errors.iter().map(|error| error.pointer.as_str()).collect();
            let expected = if pointer == "/" { "" } else { pointer };
            assert_eq!(found, [expected], "{text:.100}");
            let detail = &occurrence.errors[0].detail;
            assert!(detail.len() <= 1024 && !detail.contains(char::is_control), "{detail:.100}");
        }
    }

    #[test]
    fn broken_json_says_the_line() {
        for text in ["", "{", "{\"name\":\"x\"} trailing", "nonsense", "{\"name\": \"\u{1}\"}"] {
            let occurrence = parse::<Outer>(text.as_bytes()).unwrap_err().into_occurrence();
            assert_eq!(occurrence.class, Class::INVALID_REQUEST);
            assert!(occurrence.detail.unwrap().contains("line 1"), "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!deeper_than(nested(DEPTH_MAX).as_bytes(), DEPTH_MAX));
        assert!(deeper_than(nested(DEPTH_MAX + 1).as_bytes(), DEPTH_MAX));
        assert!(!deeper_than(format!("\"\\\"{}\"", "[".repeat(99)).as_bytes(), DEPTH_MAX));
    }
}
