//! The three forms of an error as bytes.
//!
//! The page's template belongs to the login pages; until they give one (`ErrorPage`) a plain page
//! without style is served, with the same fixed ids.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use serde::Serialize;

use crate::http::error::{
    Dialect,
    failure::{FieldError, Occurrence},
};

/// What an error page says.
#[derive(Debug, Clone, Copy)]
pub struct PageContent<'a> {
    /// The stable code.
    pub code: &'a str,
    /// The class's sentence.
    pub title: &'a str,
    /// The sentence of this occurrence, if any.
    pub detail: Option<&'a str>,
    /// For whoever reads the log.
    pub request_id: &'a str,
}

/// Renders an error page as HTML; the caller sends it as `text/html; charset=utf-8`.
pub type ErrorPage = fn(&PageContent<'_>) -> String;

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
    occurrence: Occurrence,
    dialect: Dialect,
    page: ErrorPage,
    request_id: &str,
    kept: HeaderMap,
) -> Response {
    let (content_type, body) = match dialect {
        Dialect::Problem => ("application/problem+json", problem(&occurrence, request_id)),
        Dialect::OAuth => ("application/json", oauth(&occurrence)),
        Dialect::Page => ("text/html; charset=utf-8", as_page(&occurrence, page, request_id)),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = occurrence.class.status;
    *response.headers_mut() = kept;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
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

fn as_page(occurrence: &Occurrence, page: ErrorPage, request_id: &str) -> String {
    page(&PageContent {
        code: occurrence.class.code,
        title: occurrence.class.title,
        detail: occurrence.detail.as_deref(),
        request_id,
    })
}

/// The page without style.
pub fn plain_page(content: &PageContent<'_>) -> String {
    let detail = content.detail.map_or_else(String::new, |detail| format!(" {}", escaped(detail)));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <body data-page=\"error\">\n<h1>{title}</h1>\n\
         <p id=\"error-description\">{title}{detail}</p>\n\
         <p>Code: <code id=\"error-code\">{code}</code>. \
         Request: <code id=\"request-id\">{request_id}</code></p>\n</body>\n</html>\n",
        title = escaped(content.title),
        code = escaped(content.code),
        request_id = escaped(content.request_id),
    )
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::{Class, Failure};

    fn rendered(failure: Failure, dialect: Dialect) -> Response {
        let kept = HeaderMap::new();
        response(failure.into_occurrence(), dialect, plain_page, "r-1", kept)
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
        assert!(page.contains("&lt;script&gt;&quot;&amp;&#39;"), "{page}");
        assert!(page.contains("id=\"error-code\">not_found<"), "{page}");
        assert!(page.contains("data-page=\"error\""), "{page}");
    }
}
