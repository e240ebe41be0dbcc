//! What limits leave, in the fields of draft-ietf-httpapi-ratelimit-headers: on every answer to a
//! request that was counted, so that whoever comes near a limit can slow down before it.

use actors::{rates::Tally, runtime::limiter::Left};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The two fields for some limits; none for no limit.
pub(crate) fn fields<'a>(
    left: impl Iterator<Item = &'a Left> + Clone,
) -> Option<[(HeaderName, HeaderValue); 2]> {
    let joined = |item: fn(&Left) -> String| {
        let items: Vec<String> = left.clone().map(item).collect();
        HeaderValue::from_str(&items.join(", ")).ok().filter(|value| !value.is_empty())
    };
    let policy = joined(|Left { kind, rate, .. }| {
        let window_s = rate.burst.div_ceil(rate.per_s.max(1));
        format!("\"{}\";q={};w={window_s}", kind.name(), rate.burst)
    })?;
    let state = joined(|Left { kind, requests, reset_s, .. }| {
        format!("\"{}\";r={requests};t={reset_s}", kind.name())
    })?;
    Some([(POLICY, policy), (STATE, state)])
}

/// Writes what limits leave, unless a refusal says which of them is used up.
pub(super) fn write(headers: &mut HeaderMap, tally: &Tally) {
    if tally.iter().all(Option::is_none) || headers.contains_key(&STATE) {
        return;
    }
    for (name, value) in fields(tally.iter().flatten()).into_iter().flatten() {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use actors::runtime::limiter::Kind;
    use identity::rates::Rate;

    use super::*;

    #[test]
    fn every_limit_has_its_part_and_a_refusal_stands_alone() {
        let left = |kind, requests| {
            let rate = Rate { per_s: 10, burst: 45 };
            Some(Left { kind, rate, requests, reset_s: 3 })
        };
        let mut headers = HeaderMap::new();
        write(&mut headers, &[None; 4]);
        assert!(headers.is_empty());
        let tally = [left(Kind::Source, 7), left(Kind::Tenant, 0), None, None];
        write(&mut headers, &tally);
        assert_eq!(headers[POLICY], "\"source\";q=45;w=5, \"tenant\";q=45;w=5");
        assert_eq!(headers[STATE], "\"source\";r=7;t=3, \"tenant\";r=0;t=3");
        headers.insert(STATE, HeaderValue::from_static("\"tenant\";r=0;t=9"));
        write(&mut headers, &tally);
        assert_eq!(headers[STATE], "\"tenant\";r=0;t=9");
    }
}
