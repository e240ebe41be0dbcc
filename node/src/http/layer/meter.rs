//! Counts and times answers by route, method and status.
//!
//! Handles to the counters are kept per route, because finding a metric by its labels costs more
//! than everything else the envelope does. The route is the pattern, never the path.

use std::sync::RwLock;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram};
use tokio::time::Duration;

/// Name of the counter of answers.
pub const REQUESTS: &str = "vaultara_http_requests_total";
/// Name of the histogram of seconds to the head of the answer.
pub const DURATION: &str = "vaultara_http_request_duration_seconds";

/// The counters of one route.
#[derive(Default)]
pub(crate) struct Meter(RwLock<Vec<Entry>>);

struct Entry {
    route: Box<str>,
    method: &'static str,
    status: StatusCode,
    answers: Counter,
    seconds: Histogram,
}

impl Meter {
    pub(crate) fn count(
        &self,
        route: &str,
        method: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        if let Ok(entries) = self.0.read()
            && let Some(entry) = find(&entries, route, method, status)
        {
            entry.answers.increment(1);
            entry.seconds.record(took);
            return;
        }
        let Ok(mut entries) = self.0.write() else { return };
        if find(&entries, route, method, status).is_none() {
            entries.push(Entry::new(route, method, status));
        }
        if let Some(entry) = find(&entries, route, method, status) {
            entry.answers.increment(1);
            entry.seconds.record(took);
        }
    }
}

fn find<'a>(
    entries: &'a [Entry],
    route: &str,
    method: &str,
    status: StatusCode,
) -> Option<&'a Entry> {
    entries
        .iter()
        .find(|entry| entry.status == status && entry.method == method && *entry.route == *route)
}

impl Entry {
    fn new(route: &str, method: &'static str, status: StatusCode) -> Self {
        let labels = [
            ("route", route.to_owned()),
            ("method", method.to_owned()),
            ("status", status.as_u16().to_string()),
        ];
        Self {
            route: route.into(),
            method,
            status,
            answers: metrics::counter!(REQUESTS, &labels),
            seconds: metrics::histogram!(DURATION, "route" => route.to_owned(), "method" => method),
        }
    }
}

/// A method as a label: strangers may invent methods, but not metrics.
pub(crate) fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
