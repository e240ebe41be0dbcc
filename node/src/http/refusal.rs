//! A refusal as a page, for routes that a person's browser opens.
//!
//! The words are for people and in their language; the hint that a machine would get stands below
//! them in English. Nothing links back: what the request asked to return to is what could not be
//! trusted.

use std::borrow::Cow;

use axum::{http::StatusCode, response::Response};

use crate::http::{
    error::{Class, Failure},
    layer::Arrival,
    pages::{Brand, ErrorPage, Language},
};

/// The causes that the rules name by a hint, and the message that says the same to a person.
const CAUSES: [(&str, &str); 3] = [
    ("the client is not known here", "error-cause-client"),
    ("the redirect_uri is not registered for this client", "error-cause-redirect-uri"),
    ("redirect_uri is missing", "error-cause-redirect-uri"),
];

/// The page of a failure.
pub(crate) fn page(failure: Failure, arrival: &Arrival) -> Response {
    let occurrence = failure.into_occurrence();
    let language = arrival.language(None);
    let hint = occurrence.detail.as_deref();
    let cause = occurrence.cause.or_else(|| hint.and_then(cause)).map(|id| language.say(id));
    let page = ErrorPage {
        language,
        brand: Brand::of(arrival, language),
        status: occurrence.class.status,
        code: occurrence.class.code,
        title: &title(language, occurrence.class),
        cause: cause.as_deref(),
        advice: &language.say(advice(occurrence.class)),
        details: hint,
        request_id: Some(arrival.request_id()),
    };
    let mut response = page.respond();
    for (name, value) in occurrence.headers {
        response.headers_mut().append(name, value);
    }
    response
}

fn cause(hint: &str) -> Option<&'static str> {
    CAUSES.iter().find(|(known, _)| *known == hint).map(|(_, message)| *message)
}

fn title(language: Language, class: Class) -> Cow<'static, str> {
    let id = format!("error-{}", class.code);
    if language.knows(&id) { language.say(&id) } else { Cow::Borrowed(class.title) }
}

fn advice(class: Class) -> &'static str {
    match class.status {
        _ if class == Class::SOURCE_BLOCKED => "error-advice-blocked",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "error-advice-wait",
        StatusCode::INTERNAL_SERVER_ERROR => "error-advice-tell",
        _ => "error-advice-again",
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::http::{Request, header};
    use identity::oauth::authorize::{self, Parameters, Refusal};

    use super::*;
    use crate::http::pages::Wishes;

    async fn shown(failure: Failure, language: &str) -> (Response<()>, String) {
        let request = Request::get("/").header(header::ACCEPT_LANGUAGE, language).body(()).unwrap();
        let source = Ipv4Addr::LOCALHOST.into();
        let arrival = Arrival::new("r-17".to_owned(), source, Wishes::of(&request));
        let (parts, body) = page(failure, &arrival).into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 16).await.unwrap();
        (Response::from_parts(parts, ()), String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_page_has_the_code_the_hint_and_the_request() {
        let failure = Failure::new(Class::UNAVAILABLE).detail("no <leader>").retry_after_s(2);
        let (response, text) = shown(failure, "en").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "2");
        for expected in ["data-page=\"error\"", ">unavailable<", ">r-17<", ">no &#60;leader&#62;<"]
        {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[tokio::test]
    async fn people_are_told_in_their_language_and_machines_in_english() {
        let failure = Failure::from(actors::Error::from(refused("client_id=nobody")));
        let (_, text) = shown(failure, "de-CH").await;
        for expected in [
            "<html lang=\"de\" dir=\"ltr\">",
            &Language::German.say("error-invalid_request"),
            &Language::German.say("error-cause-client"),
            &Language::German.say("error-advice-again"),
            "lang=\"en\" dir=\"ltr\">the client is not known here<",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    fn refused(query: &str) -> identity::oauth::error::Error {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        let parameters = Parameters::collect(pairs).unwrap();
        match authorize::decide(&parameters, None, "") {
            Err(Refusal::Page(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_rules_say_without_a_client_has_a_cause_for_people() {
        assert_eq!(cause(&refused("client_id=nobody").hint), Some("error-cause-client"));
        assert_eq!(cause(&refused("").hint), None, "only developers leave out client_id");
        let rules = include_str!("../../../identity/src/oauth/authorize.rs");
        for (hint, message) in CAUSES {
            assert!(rules.contains(&format!("\"{hint}\"")), "{hint}");
            for language in Language::ALL {
                assert!(language.knows(message), "{message}");
            }
        }
    }
}
