//! Positions of the log in headers: every answer says how new it is, a request may ask for that.
//!
//! Callers are checked against a Fresh state, so whatever was acknowledged anywhere before a
//! request is there when it is answered: a position that is missing then was never handed out.

use actors::{Context, changes::Life};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};

use crate::http::error::{Class, Failure};

/// Where a position is told.
pub const INDEX: HeaderName = HeaderName::from_static("vaultara-index");
/// Where a position is asked for.
pub const MIN_INDEX: HeaderName = HeaderName::from_static("vaultara-min-index");

/// The one shard there is, and the log index.
pub fn text(index: u64) -> String {
    format!("s0.{index}")
}

/// The position as a header.
pub fn value(index: u64) -> HeaderValue {
    HeaderValue::from_str(&text(index)).unwrap_or(HeaderValue::from_static("s0.0"))
}

/// The log index behind a position; only our own spelling counts.
pub fn parse(given: &str) -> Option<u64> {
    let index = given.strip_prefix("s0.")?.parse().ok()?;
    (text(index) == given).then_some(index)
}

/// A position of a feed, with the cluster's life in front unless it is the first: a log that went
/// back goes through the same numbers again.
pub fn of_life(life: &Life, position: String) -> String {
    match life {
        Some(life) => format!("{life}.{position}"),
        None => position,
    }
}

/// The life in front of a position of a feed, and the rest.
pub fn life_of(text: &str) -> (Life, &str) {
    match text.find(".s0.") {
        Some(place) => {
            let (life, rest) = text.split_at(place);
            (Some(life.to_owned()), rest.strip_prefix('.').unwrap_or(rest))
        }
        None => (None, text),
    }
}

/// Refuses a request that asks for more than there is.
///
/// # Errors
/// [`Class::INVALID_REQUEST`].
pub fn require(ctx: &Context, headers: &HeaderMap) -> Result<(), Failure> {
    for wanted in headers.get_all(MIN_INDEX) {
        let wanted = wanted.to_str().ok().and_then(parse);
        let wanted = wanted.ok_or_else(|| refused("is not a position: s0. and digits"))?;
        if wanted > ctx.applied()? {
            return Err(refused("is a position that was never reached"));
        }
    }
    Ok(())
}

fn refused(reason: &str) -> Failure {
    Failure::new(Class::INVALID_REQUEST)
        .detail("the position cannot be waited for")
        .field("Vaultara-Min-Index", reason)
}

/// Adds the position to every answer that shows or changes something and does not name one.
pub async fn stamp(State(ctx): State<Context>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = response.status();
    let tells = status.is_success() || status == StatusCode::NOT_MODIFIED;
    // Read afterwards: at least what was shown, so whoever asks for it elsewhere sees it too.
    if tells
        && !response.headers().contains_key(INDEX)
        && let Ok(applied) = ctx.applied()
    {
        response.headers_mut().insert(INDEX, value(applied));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        for index in [0, 1, 12_345, u64::MAX] {
            assert_eq!(parse(&text(index)), Some(index));
        }
        for bad in ["", "7", "s0.", "s1.7", "s0.07", "s0.+7", "s0.-1", "S0.7", "s0.7 "] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
