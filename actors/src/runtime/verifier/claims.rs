//! The registered claims that decide whether a token is accepted now and here (RFC 7519 §4.1).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Number;

use super::{Expected, LEEWAY_MAX_S, Refused, object};

#[derive(Deserialize)]
struct Registered<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Audience<'a>,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
}

/// One audience or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience<'a> {
    #[serde(borrow)]
    One(Cow<'a, str>),
    Several(Vec<String>),
}

/// Seconds since the epoch. The RFC allows fractions, which are cut off; negative is refused.
#[derive(Clone, Copy)]
pub(super) struct NumericDate(u64);

impl NumericDate {
    pub(super) const fn seconds(self) -> u64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(from)?;
        if let Some(seconds) = number.as_u64() {
            return Ok(Self(seconds));
        }
        match number.as_f64() {
            // Exact up to 2^53, and a cast of anything larger saturates.
            Some(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(Self(seconds as u64)),
            _ => Err(D::Error::custom("not a time")),
        }
    }
}

/// Checks form, times, issuer and audience of a payload whose signature is verified.
pub(super) fn check(payload: &[u8], expected: &Expected<'_>) -> Result<(), Refused> {
    let claims: Registered<'_> = object(payload).ok_or(Refused::Claims)?;
    let leeway_s = expected.leeway_s.min(LEEWAY_MAX_S);
    // Not at or after `exp` (RFC 7519 §4.1.4).
    if expected.now_s >= claims.exp.0.saturating_add(leeway_s) {
        return Err(Refused::Expired);
    }
    let latest_s = expected.now_s.saturating_add(leeway_s);
    if [claims.nbf, claims.iat].into_iter().flatten().any(|from| from.0 > latest_s) {
        return Err(Refused::NotYetValid);
    }
    if claims.iss != expected.issuer {
        return Err(Refused::Issuer);
    }
    let Some(audience) = expected.audience else {
        return Ok(());
    };
    let named = match &claims.aud {
        Audience::One(one) => one == audience,
        Audience::Several(several) => several.iter().any(|one| one == audience),
    };
    if named { Ok(()) } else { Err(Refused::Audience) }
}
