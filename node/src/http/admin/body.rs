//! JSON bodies of this API: as text, because the request key is bound to it; and merge patches.
//!
//! Content type, size, pace and depth are checked here; what the fields mean is not.

use axum::{
    body::Bytes,
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderValue, Method, header},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::http::{
    error::{Class, Failure},
    extract::{json, media_type, whole},
};

/// The content type of a merge patch (RFC 7396 §4).
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// The content type of everything else.
pub const JSON: &str = "application/json";

/// A request body that claims to be JSON.
pub struct JsonText(Bytes);

impl JsonText {
    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text as a value.
    ///
    /// # Errors
    /// [`Class::INVALID_REQUEST`] pointing at the place.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        json::parse(&self.0)
    }

    /// What comes of `base` when this text is merged into it (RFC 7396 §2).
    ///
    /// # Errors
    /// [`Class::INVALID_REQUEST`] for a patch that is no object, or a result that does not fit.
    pub fn merged<T: Serialize + DeserializeOwned>(&self, base: &T) -> Result<T, Failure> {
        let Value::Object(patch) = self.parse::<Value>()? else {
            let detail = "a merge patch of a resource is an object";
            return Err(Failure::new(Class::INVALID_REQUEST).detail(detail).field("", detail));
        };
        let mut target = serde_json::to_value(base).map_err(unwritable)?;
        merge(&mut target, patch);
        json::parse(&serde_json::to_vec(&target).map_err(unwritable)?)
    }
}

fn unwritable(error: serde_json::Error) -> Failure {
    tracing::error!(%error, "a resource could not be written as JSON");
    Class::INTERNAL.into()
}

/// Merges members; the depth of a patch was limited when it was parsed.
fn merge(target: &mut Value, patch: Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, value) in patch {
        match value {
            Value::Null => {
                members.remove(&name);
            }
            Value::Object(inner) => merge(members.entry(name).or_insert(Value::Null), inner),
            other => {
                members.insert(name, other);
            }
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let accepted = if *request.method() == Method::PATCH { MERGE_PATCH } else { JSON };
        if media_type(request.headers()).as_deref() != Some(accepted) {
            return Err(other_than(accepted));
        }
        whole(request.into_body()).await.map(Self)
    }
}

/// None for a request without a body, which then has no content type either.
impl<S: Send + Sync> OptionalFromRequest<S> for JsonText {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Failure> {
        if request.headers().contains_key(header::CONTENT_TYPE) {
            return <Self as FromRequest<S>>::from_request(request, state).await.map(Some);
        }
        if whole(request.into_body()).await?.is_empty() { Ok(None) } else { Err(other_than(JSON)) }
    }
}

fn other_than(accepted: &'static str) -> Failure {
    Failure::new(Class::UNSUPPORTED_MEDIA_TYPE)
        .detail(format!("send {accepted}"))
        .header(header::ACCEPT, HeaderValue::from_static(accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, patch: &str) -> Result<Value, Class> {
        let base: Value = serde_json::from_str(base).unwrap();
        let text = JsonText(Bytes::copy_from_slice(patch.as_bytes()));
        text.merged(&base).map_err(|failure| failure.class())
    }

    #[test]
    fn a_merge_patch_does_what_rfc_7396_says() {
        // RFC 7396 appendix A, as far as resource and patch are objects.
        for (base, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
            (r#"{"a":"foo"}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
        ] {
            let expected: Value = serde_json::from_str(result).unwrap();
            assert_eq!(merged(base, patch), Ok(expected), "{base} {patch}");
        }
    }

    #[test]
    fn a_patch_that_is_no_object_is_refused() {
        for patch in ["null", "[]", "\"x\"", "1", "{", ""] {
            assert_eq!(merged("{}", patch), Err(Class::INVALID_REQUEST), "{patch}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(70), "}".repeat(70));
        assert_eq!(merged("{}", &deep), Err(Class::INVALID_REQUEST));
    }
}
