//! A refusal as a page, for routes that a person's browser opens.
//!
//! The envelope can render any failure as a page too; here the words say how a person gets on, and
//! the page brings its own content policy. Nothing links back: what the request asked to return to
//! is what could not be trusted.

use axum::{http::StatusCode, response::Response};

use crate::http::{error::Failure, layer::Arrival, pages::ErrorPage};

const START_AGAIN: &str = "Go back to the application and start signing in again. If it happens \
                           again, tell the people who run the application.";
const WAIT: &str = "Wait a moment and try again.";
const TELL: &str = "Try again. If it happens again, tell the people who run this server.";

/// The page of a failure.
pub(crate) fn page(failure: Failure, arrival: &Arrival) -> Response {
    let occurrence = failure.into_occurrence();
    let advice = match occurrence.class.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => WAIT,
        StatusCode::INTERNAL_SERVER_ERROR => TELL,
        _ => START_AGAIN,
    };
    let detail = match &occurrence.detail {
        Some(detail) => format!("{} {advice}", sentence(detail)),
        None => advice.to_owned(),
    };
    let page = ErrorPage {
        status: occurrence.class.status,
        code: occurrence.class.code,
        title: occurrence.class.title.trim_end_matches('.'),
        detail: &detail,
        request_id: Some(arrival.request_id()),
    };
    let mut response = page.respond();
    for (name, value) in occurrence.headers {
        response.headers_mut().append(name, value);
    }
    response
}

/// A hint as a sentence; one that begins with the name of a parameter keeps it as it is written.
fn sentence(hint: &str) -> String {
    let hint = hint.trim_end_matches('.');
    let named = hint.split(' ').next().is_some_and(|word| word.contains('_'));
    let mut letters = hint.chars();
    match letters.next() {
        Some(first) if !named => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        _ => format!("{hint}."),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::http::error::Class;

    #[test]
    fn a_hint_becomes_a_sentence() {
        assert_eq!(sentence("the client is not known here"), "The client is not known here.");
        assert_eq!(sentence("client_id is missing"), "client_id is missing.");
        assert_eq!(sentence("Done."), "Done.");
    }

    #[tokio::test]
    async fn the_page_has_the_code_the_cause_and_the_request() {
        let arrival = Arrival::new("r-17".to_owned(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let failure = Failure::new(Class::UNAVAILABLE).detail("no <leader>").retry_after_s(2);
        let response = page(failure, &arrival);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "2");
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        for expected in ["data-page=\"error\"", ">unavailable<", ">r-17<", "No &#60;leader&#62;."] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
