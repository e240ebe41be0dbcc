//! A form that a client posts, and what it authenticates with (RFC 6749 §2.3.1).
//!
//! Exactly one method: HTTP Basic, form fields, or only a `client_id`. Nothing secret may stand in
//! the address. Whether the credentials are right, and of the registered method, is decided by
//! `actors::clients::authenticate`.

use actors::{clients::Credentials, runtime::secret::ClientSecret};
use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use identity::oauth::authorize;

use crate::http::{
    error::{Class, Failure},
    extract::Parameters,
};

/// RFC 7617 §2 with the character set that we read.
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"vaultara\", charset=\"UTF-8\"");

/// Parameters that must never be in an address: it ends up in logs.
const SECRET: [&str; 7] = [
    "client_secret",
    "client_assertion",
    "code",
    "code_verifier",
    "token",
    "refresh_token",
    "password",
];

/// A client's form with its credentials.
pub struct ClientForm {
    /// What it authenticates with.
    pub credentials: Credentials,
    /// The form.
    pub parameters: authorize::Parameters,
    by_header: bool,
}

impl ClientForm {
    /// The refusal of this request: who tried HTTP Basic is challenged (RFC 6749 §5.2).
    pub fn refused(&self, error: actors::Error) -> Failure {
        challenged(error.into(), self.by_header)
    }
}

impl<S: Send + Sync> FromRequest<S> for ClientForm {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        for name in SECRET {
            if Parameters::in_query(request.uri(), name) {
                let failure = Failure::new(Class::INVALID_REQUEST);
                return Err(failure.detail(format!("{name} must not be in the address")));
            }
        }
        let basic = in_header(request.headers());
        let parameters = Parameters::from_request(request, state).await?.for_flow()?;
        let by_header = !matches!(basic, Ok(None));
        let credentials = basic
            .and_then(|basic| one_method(basic, &parameters))
            .map_err(|failure| challenged(failure, by_header))?;
        Ok(Self { credentials, parameters, by_header })
    }
}

fn challenged(failure: Failure, by_header: bool) -> Failure {
    if by_header && failure.class().code == Class::INVALID_CLIENT.code {
        return failure.header(header::WWW_AUTHENTICATE, BASIC);
    }
    failure
}

fn refuse(class: Class, detail: &'static str) -> Failure {
    Failure::new(class).detail(detail)
}

type Basic = (String, ClientSecret);

fn one_method(
    basic: Option<Basic>,
    parameters: &authorize::Parameters,
) -> Result<Credentials, Failure> {
    let id = parameters.get("client_id");
    let secret = parameters.get("client_secret");
    let assertion = parameters.get("client_assertion").is_some()
        || parameters.get("client_assertion_type").is_some();
    let methods =
        usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(assertion);
    if methods > 1 {
        return Err(refuse(Class::INVALID_REQUEST, "the client authenticates in two ways"));
    }
    if assertion {
        let detail = "client assertions are not supported";
        return Err(refuse(Class::INVALID_CLIENT, detail));
    }
    match (basic, id, secret) {
        (Some((given, _)), Some(id), _) if given != id => {
            Err(refuse(Class::INVALID_REQUEST, "client_id differs from the Authorization header"))
        }
        (Some((id, secret)), ..) => Ok(Credentials::Basic(id, secret)),
        (None, Some(id), Some(secret)) => {
            Ok(Credentials::Post(id.to_owned(), ClientSecret::new(secret.to_owned())))
        }
        (None, Some(id), None) => Ok(Credentials::Public(id.to_owned())),
        (None, None, Some(_)) => Err(refuse(Class::INVALID_REQUEST, "client_id is missing")),
        (None, None, None) => Err(refuse(Class::INVALID_CLIENT, "the client did not authenticate")),
    }
}

/// The `Authorization` header of a client; both halves are form-encoded (RFC 6749 §2.3.1).
fn in_header(headers: &HeaderMap) -> Result<Option<Basic>, Failure> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(refuse(Class::INVALID_REQUEST, "there are two Authorization headers"));
    }
    let malformed = || refuse(Class::INVALID_CLIENT, "the Authorization header cannot be read");
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refuse(Class::INVALID_CLIENT, "only Basic is supported here"));
    }
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
    let id = decoded(id).ok_or_else(malformed)?;
    let secret = decoded(secret).ok_or_else(malformed)?;
    if id.is_empty() {
        return Err(malformed());
    }
    Ok(Some((id, ClientSecret::new(secret))))
}

/// Undoes form encoding; a `%` that begins no code stands for itself, as many clients send it.
fn decoded(text: &str) -> Option<String> {
    // As a parameter without separators, so that the one decoder for forms does it.
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    let mut pairs = url::form_urlencoded::parse(escaped.as_bytes());
    let name = pairs.next().map_or_else(String::new, |(name, _)| name.into_owned());
    (!name.contains('\u{FFFD}')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    async fn read(uri: &str, authorization: &[&str], body: &str) -> Result<ClientForm, Failure> {
        let mut request = Request::post(uri).header("content-type", FORM);
        for value in authorization {
            request = request.header("authorization", *value);
        }
        ClientForm::from_request(request.body(body.to_owned().into()).unwrap(), &()).await
    }

    async fn shown(authorization: &[&str], body: &str) -> String {
        match read("/", authorization, body).await.map(|form| form.credentials) {
            Ok(Credentials::Basic(id, secret)) => format!("basic {id} {}", secret.expose()),
            Ok(Credentials::Post(id, secret)) => format!("post {id} {}", secret.expose()),
            Ok(Credentials::Public(id)) => format!("public {id}"),
            Err(failure) => failure.class().code.to_owned(),
        }
    }

    #[tokio::test]
    async fn each_method_is_read() {
        assert_eq!(shown(&[&basic("app:s3cret")], "a=b").await, "basic app s3cret");
        assert_eq!(shown(&[&basic("app:a:b")], "").await, "basic app a:b");
        assert_eq!(shown(&[&basic("a%3Ab:s+1%2B=&")], "").await, "basic a:b s 1+=&");
        assert_eq!(shown(&[&basic("app:")], "").await, "basic app ");
        assert_eq!(shown(&[&basic("app:100%")], "").await, "basic app 100%");
        assert_eq!(shown(&[&basic("app:s")], "client_id=app").await, "basic app s");
        assert_eq!(shown(&[], "client_id=app&client_secret=s%2B").await, "post app s+");
        assert_eq!(shown(&[], "client_id=app").await, "public app");
        assert_eq!(shown(&[], "client_id=app&client_secret=").await, "public app");
    }

    #[tokio::test]
    async fn two_methods_are_an_invalid_request() {
        let header = basic("app:s");
        for body in [
            "client_secret=s",
            "client_id=app&client_secret=s",
            "client_id=other",
            "client_assertion=x",
        ] {
            assert_eq!(shown(&[&header], body).await, "invalid_request", "{body}");
        }
        assert_eq!(shown(&[&header, &header], "").await, "invalid_request");
        let both = "client_id=a&client_secret=s&client_assertion=x";
        assert_eq!(shown(&[], both).await, "invalid_request");
        assert_eq!(shown(&[], "client_secret=s").await, "invalid_request");
        assert_eq!(shown(&[], "client_id=a&client_id=a").await, "invalid_request");
    }

    #[tokio::test]
    async fn whoever_cannot_be_read_in_the_header_is_challenged() {
        let broken = [
            "Basic",
            "Basic !!!",
            "Bearer abc",
            &basic("no colon"),
            &basic(":s"),
            &format!("Basic {}", STANDARD.encode(b"a:\xFF")),
            &basic("a:%FF"),
        ];
        for value in broken {
            let failure = read("/", &[value], "").await.err().unwrap().into_occurrence();
            assert_eq!(failure.class, Class::INVALID_CLIENT, "{value}");
            assert_eq!(failure.headers, [(header::WWW_AUTHENTICATE, BASIC)], "{value}");
        }
        for body in ["", "client_assertion=x"] {
            let failure = read("/", &[], body).await.err().unwrap().into_occurrence();
            assert_eq!(failure.class, Class::INVALID_CLIENT);
            assert_eq!(failure.headers, []);
        }
    }

    #[tokio::test]
    async fn secrets_in_the_address_and_other_content_types_are_refused() {
        for uri in ["/?client_secret=s", "/?x=1&code=2", "/?%63ode=2", "/?token"] {
            let failure = read(uri, &[], "client_id=a").await.err().unwrap();
            assert_eq!(failure.class(), Class::INVALID_REQUEST, "{uri}");
        }
        assert!(read("/?other=1", &[], "client_id=a").await.is_ok());
        let json = Request::post("/").header("content-type", "application/json");
        let refused = ClientForm::from_request(json.body("{}".into()).unwrap(), &()).await;
        assert_eq!(refused.err().unwrap().class(), Class::UNSUPPORTED_MEDIA_TYPE);
    }
}
