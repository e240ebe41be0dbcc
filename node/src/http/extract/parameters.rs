//! Parameters of a form body or a query, as OAuth wants them.
//!
//! A repeated parameter is refused (RFC 6749 §3.1) unless the route names it as repeatable
//! (`resource`, RFC 8707 §2). One without a value counts as omitted.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{Uri, header},
};
use identity::oauth::authorize;

use crate::http::{
    error::{Class, Failure},
    extract::{media_type, whole},
};

const PARAMETERS_MAX: usize = 100;
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Parameters that may come several times.
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// Names and values in the order they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `a=1&b=2`.
    pub fn parse(text: &[u8]) -> Result<Self, Failure> {
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(text) {
            // The decoder puts this letter where the bytes were not UTF-8.
            if name.contains('\u{FFFD}') || value.contains('\u{FFFD}') {
                return Err(Failure::new(Class::INVALID_REQUEST).detail("a parameter is not UTF-8"));
            }
            if value.is_empty() {
                continue;
            }
            if parameters.get(&name).is_some() && !REPEATABLE.contains(&&*name) {
                return Err(Failure::new(Class::INVALID_REQUEST)
                    .detail("a parameter is repeated")
                    .field(name, "is repeated"));
            }
            if parameters.0.len() == PARAMETERS_MAX {
                return Err(Failure::new(Class::INVALID_REQUEST).detail("too many parameters"));
            }
            parameters.0.push((name.into_owned(), value.into_owned()));
        }
        Ok(parameters)
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// All values of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// As the query of an address.
    pub fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.0).finish()
    }

    /// The parameters of an address.
    pub fn of_query(uri: &Uri) -> Result<Self, Failure> {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    /// Whether an address has a parameter of that name, with or without a value.
    pub fn in_query(uri: &Uri, name: &str) -> bool {
        let query = uri.query().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).any(|(given, _)| given == name)
    }

    /// As the OAuth rules read them: every parameter at most once.
    pub fn for_flow(self) -> Result<authorize::Parameters, Failure> {
        authorize::Parameters::collect(self.0).map_err(|error| actors::Error::from(error).into())
    }

    /// The value of that name, or a refusal that names it.
    pub fn required(&self, name: &'static str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| {
            Failure::new(Class::INVALID_REQUEST)
                .detail(format!("{name} is missing"))
                .field(name, "is required")
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        if media_type(request.headers()).as_deref() != Some(FORM) {
            return Err(Failure::new(Class::UNSUPPORTED_MEDIA_TYPE)
                .detail(format!("send {FORM}"))
                .header(header::ACCEPT, axum::http::HeaderValue::from_static(FORM)));
        }
        let body: Bytes = whole(request.into_body()).await?;
        Self::parse(&body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, Class> {
        Parameters::parse(text.as_bytes()).map(|read| read.0).map_err(|failure| failure.class())
    }

    #[test]
    fn parameters_are_decoded_and_empty_ones_omitted() {
        let expected = [("a", "1 2"), ("b", "é&="), ("resource", "x"), ("resource", "y")];
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(read("a=1+2&b=%C3%A9%26%3D&c=&resource=x&resource=y&d"), Ok(expected));
        assert_eq!(read(""), Ok(Vec::new()));
    }

    #[test]
    fn repetition_and_broken_text_are_refused() {
        for text in ["a=1&a=1", "a=1&b=2&%61=3", "a=%FF", "%80=a"] {
            assert_eq!(read(text), Err(Class::INVALID_REQUEST), "{text}");
        }
        let many: Vec<String> = (0..=PARAMETERS_MAX).map(|index| format!("p{index}=1")).collect();
        assert_eq!(read(&many.join("&")), Err(Class::INVALID_REQUEST));
        assert!(read("a=&a=1").is_ok(), "an omitted parameter is not a repetition");
    }
}
