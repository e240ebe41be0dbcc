//! Operations that are going to end: `Deprecation` (RFC 9745) says since when, `Sunset` (RFC 8594)
//! says when they are gone, `Link` leads to what takes their place.

use axum::{
    http::{HeaderName, HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::MethodRouter,
};

use crate::telemetry::timestamp::ImfFixdate;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The end of an operation, announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deprecation {
    /// Since when it should not be used any more, seconds since 1970.
    pub since_s: u64,
    /// When it goes, seconds since 1970, once that is known.
    pub sunset_s: Option<u64>,
    /// Where it says what takes its place.
    pub link: &'static str,
}

impl Deprecation {
    /// Announces it in an answer.
    pub fn told(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        let mut tell = |name: HeaderName, text: String| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.append(name, value);
            }
        };
        tell(DEPRECATION, format!("@{}", self.since_s));
        if let Some(sunset_s) = self.sunset_s {
            tell(SUNSET, ImfFixdate(sunset_s).to_string());
        }
        tell(header::LINK, format!("<{}>; rel=\"deprecation\"", self.link));
        response
    }
}

/// A route that says so if it ends.
pub fn ending<S: Clone + Send + Sync + 'static>(
    methods: MethodRouter<S>,
    deprecation: Option<Deprecation>,
) -> MethodRouter<S> {
    match deprecation {
        Some(end) => methods.layer(map_response(move |answer| async move { end.told(answer) })),
        None => methods,
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, http::Request, response::IntoResponse as _};
    use tower::ServiceExt as _;

    use super::*;

    const ENDING: Deprecation = Deprecation {
        since_s: 1_688_169_599,
        sunset_s: Some(1_719_791_999),
        link: "https://docs.example/moved",
    };

    fn lines(response: &Response) -> Vec<(String, String)> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        response.headers().iter().map(line).collect()
    }

    #[test]
    fn an_operation_that_ends_says_so_in_its_answers() {
        let answer = ([(header::LINK, "</next>; rel=\"next\"")], "x").into_response();
        let told = lines(&ENDING.told(answer));
        for (name, text) in [
            ("deprecation", "@1688169599"),
            ("sunset", "Sun, 30 Jun 2024 23:59:59 GMT"),
            ("link", "</next>; rel=\"next\""),
            ("link", "<https://docs.example/moved>; rel=\"deprecation\""),
        ] {
            assert!(told.contains(&(name.to_owned(), text.to_owned())), "{name} {told:?}");
        }
        let open = Deprecation { sunset_s: None, ..ENDING };
        assert!(open.told(().into_response()).headers().get(SUNSET).is_none());
    }

    #[tokio::test]
    async fn only_the_route_that_ends_says_so() {
        let handler = || async { "x" };
        let router: Router = Router::new()
            .route("/new", ending(axum::routing::get(handler), None))
            .route("/old", ending(axum::routing::get(handler), Some(ENDING)));
        for (path, ends) in [("/new", false), ("/old", true)] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.headers().contains_key(DEPRECATION), ends, "{path}");
        }
    }
}
