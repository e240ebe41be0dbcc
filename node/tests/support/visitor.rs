//! A browser without pictures: it keeps cookies, follows nothing by itself, and shows what it got.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Client, Method, RequestBuilder,
    header::{self, HeaderMap},
    redirect::Policy,
};
use serde_json::Value;
use url::Url;

/// An HTTP client with cookies of its own.
pub(crate) struct Visitor {
    http: Client,
    /// By name.
    pub(crate) cookies: BTreeMap<String, String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Visitor {
    pub(crate) fn new() -> Self {
        let http = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { http, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, url: &str) -> Answer {
        self.send(Method::GET, url, &[], None).await
    }

    /// Posts a form.
    pub(crate) async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Answer {
        self.send_form(url, &[], form).await
    }

    /// Posts a form with further headers.
    pub(crate) async fn send_form(
        &mut self,
        url: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Answer {
        let body = encoded(form);
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send(Method::POST, url, &all, Some(body)).await
    }

    /// Sends JSON.
    pub(crate) async fn send_json(&mut self, url: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, url, &headers, Some(body.to_string())).await
    }

    /// Sends anything.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        self.receive(request).await
    }

    async fn receive(&mut self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let gone = line.to_str().unwrap().contains("; Max-Age=0;");
            match gone {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Answer { status, headers, body: response.text().await.unwrap() }
    }
}

impl Answer {
    /// A header's text; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A text member of a JSON answer.
    pub(crate) fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("{name} in {self:?}")).to_owned()
    }

    /// Status and `error` of a refusal in OAuth's JSON.
    pub(crate) fn oauth_error(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        assert!(!self.text("error_description").is_empty(), "{self:?}");
        (self.status, self.text("error"))
    }

    /// Which of our pages it is.
    pub(crate) fn page(&self) -> &str {
        assert!(self.header("content-type").starts_with("text/html"), "{self:?}");
        self.between("data-page=\"", "\"")
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> &str {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }

    fn between(&self, start: &str, end: &str) -> &str {
        let at = self.body.find(start).unwrap_or_else(|| panic!("{start} in {self:?}"));
        let rest = &self.body[at + start.len()..];
        &rest[..rest.find(end).unwrap()]
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Url {
        assert_eq!(self.status, 303, "{self:?}");
        Url::parse(self.header("location")).unwrap()
    }

    /// A parameter of the redirect.
    pub(crate) fn sent_back(&self, name: &str) -> Option<String> {
        let url = self.location();
        let mut pairs = url.query_pairs().filter(|(given, _)| given == name);
        let value = pairs.next().map(|(_, value)| value.into_owned());
        assert!(pairs.next().is_none(), "{name} comes twice: {url}");
        value
    }
}

/// The header value of HTTP Basic with form-encoded halves (RFC 6749 §2.3.1).
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let half =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", half(id), half(secret))))
}

pub(crate) fn encoded(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}
