//! The three forms of an error as bytes; the page is made by `refusal`.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use serde::Serialize;

use crate::http::{
    error::{
        Dialect, Failure,
        failure::{FieldError, Occurrence},
    },
    layer::Arrival,
    refusal,
};

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

#[derive(Serialize)]
struct OAuthError<'a> {
    error: &'a str,
    error_description: String,
}

/// Makes the answer; `kept` are headers of the refused response that still hold (`Allow`).
pub(crate) fn response(
    failure: Failure,
    dialect: Dialect,
    arrival: &Arrival,
    kept: HeaderMap,
) -> Response {
    let mut response = match dialect {
        Dialect::Page => refusal::page(failure, arrival),
        Dialect::Problem | Dialect::OAuth => document(failure, dialect, arrival),
    };
    let headers = response.headers_mut();
    for (name, value) in &kept {
        if name != header::CONTENT_LENGTH && !headers.contains_key(name) {
            headers.append(name, value.clone());
        }
    }
    response
}

fn document(failure: Failure, dialect: Dialect, arrival: &Arrival) -> Response {
    let occurrence = failure.into_occurrence();
    let (content_type, body) = match dialect {
        Dialect::OAuth => ("application/json", oauth(&occurrence)),
        Dialect::Problem | Dialect::Page => {
            ("application/problem+json", problem(&occurrence, arrival.request_id()))
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = occurrence.class.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in occurrence.headers {
        headers.append(name, value);
    }
    response
}

fn problem(occurrence: &Occurrence, request_id: &str) -> String {
    let class = occurrence.class;
    let problem = Problem {
        r#type: format!("/errors/{}", class.code),
        title: class.title,
        status: class.status.as_u16(),
        code: class.code,
        detail: occurrence.detail.as_deref(),
        request_id,
        errors: &occurrence.errors,
    };
    // Strings and numbers always serialize.
    serde_json::to_string(&problem).unwrap_or_default()
}

fn oauth(occurrence: &Occurrence) -> String {
    let class = occurrence.class;
    let mut description = occurrence.detail.as_deref().unwrap_or(class.title).to_owned();
    for error in &occurrence.errors {
        description.push_str(&format!(" {}: {}", error.pointer, error.detail));
    }
    let error = OAuthError { error: class.oauth, error_description: allowed(&description) };
    serde_json::to_string(&error).unwrap_or_default()
}

/// Only the characters that RFC 6749 §5.2 lets into an `error_description`.
fn allowed(description: &str) -> String {
    let letter = |letter: char| match letter {
        '"' | '\\' | '`' => '\'',
        ' '..='~' => letter,
        _ => '?',
    };
    description.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::http::{error::Class, pages::Wishes};

    fn rendered(failure: Failure, dialect: Dialect) -> Response {
        let source = Ipv4Addr::LOCALHOST.into();
        let arrival = Arrival::new("r-1".to_owned(), source, Wishes::default());
        let kept = HeaderMap::from_iter([
            (header::ALLOW, HeaderValue::from_static("GET")),
            (header::CONTENT_TYPE, HeaderValue::from_static("text/plain")),
            (header::CONTENT_LENGTH, HeaderValue::from_static("7")),
        ]);
        let response = response(failure, dialect, &arrival, kept);
        assert_eq!(response.headers()["allow"], "GET");
        assert!(!response.headers().contains_key("content-length"));
        response
    }

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_document_has_the_members_of_rfc_9457_and_ours() {
        let failure = Failure::new(Class::INVALID_REQUEST)
            .detail("no")
            .field("/name", "is required")
            .retry_after_s(3);
        let response = rendered(failure, Dialect::Problem);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "3");
        let document: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        let expected = serde_json::json!({
            "type": "/errors/invalid_request", "title": "The request is malformed.",
            "status": 400, "code": "invalid_request", "detail": "no", "request_id": "r-1",
            "errors": [{ "pointer": "/name", "detail": "is required" }],
        });
        assert_eq!(document, expected);
    }

    #[tokio::test]
    async fn an_oauth_error_keeps_to_the_allowed_characters() {
        let failure = Failure::new(Class::DENIED).detail("a \"b\\\" é\n");
        let response = rendered(failure, Dialect::OAuth);
        assert_eq!(response.headers()["content-type"], "application/json");
        let document: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        let expected =
            serde_json::json!({ "error": "access_denied", "error_description": "a 'b'' ??" });
        assert_eq!(document, expected);
    }

    #[tokio::test]
    async fn a_page_escapes_what_it_shows() {
        let failure = Failure::new(Class::NOT_FOUND).detail("<script>\"&'");
        let response = rendered(failure, Dialect::Page);
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let page = text(response).await;
        assert!(page.contains("&#60;script&#62;&#34;&#38;&#39;"), "{page}");
        assert!(page.contains("id=\"error-code\">not_found<"), "{page}");
        assert!(page.contains("data-page=\"error\""), "{page}");
    }
}
