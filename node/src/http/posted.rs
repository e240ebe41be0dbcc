//! A form that a page of ours was sent with: the only way in which the pages read one.
//!
//! A form of another site is refused before it is read (login CSRF, clickjacked buttons), so no
//! handler can forget to. What proves that the form belongs to this very browser and session is in
//! its `csrf` field, which `actors` looks at. Routes that other sites may post to
//! (`/oauth/authorize`, `/oauth/logout`) read `Parameters` instead.
//! Invariant: whoever holds a `Posted` holds a form that no other site sent.

use actors::{
    Context,
    oauth::login::Visit,
    runtime::secret::{Password, Token},
};
use axum::{
    extract::{FromRequest, FromRequestParts as _, Request},
    http::{HeaderMap, request::Parts},
};
use identity::{id::TenantId, principal};

use crate::http::{
    cookie,
    error::{Class, Failure},
    extract::{Parameters, Source, Tenant},
    layer::Arrival,
    pages::Language,
};

/// Longest user name that is looked at, bytes; real ones are shorter.
const USERNAME_MAX: usize = 256;

/// A form of one of our pages, and who sent it.
pub(crate) struct Posted {
    pub(crate) ctx: Context,
    pub(crate) tenant: Tenant,
    pub(crate) source: principal::Source,
    /// Of a page that answers it.
    pub(crate) language: Language,
    headers: HeaderMap,
    form: Parameters,
}

impl FromRequest<Context> for Posted {
    type Rejection = Failure;

    async fn from_request(request: Request, ctx: &Context) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let Visited { tenant, source, language } = visited(&mut parts, ctx).await?;
        same_site(&parts.headers, &ctx.settings().external_url)?;
        let headers = parts.headers.clone();
        let form = Parameters::from_request(Request::from_parts(parts, body), ctx).await?;
        Ok(Self { ctx: ctx.clone(), tenant, source, language, headers, form })
    }
}

struct Visited {
    tenant: Tenant,
    source: principal::Source,
    language: Language,
}

async fn visited(parts: &mut Parts, ctx: &Context) -> Result<Visited, Failure> {
    let tenant = Tenant::from_request_parts(parts, ctx).await?;
    let Ok(Source(source)) = Source::from_request_parts(parts, ctx).await;
    let Ok(arrival) = Arrival::from_request_parts(parts, ctx).await;
    Ok(Visited { tenant, source, language: arrival.language(None) })
}

impl Posted {
    /// A field; one that is empty or missing is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.form.get(name)
    }

    /// What proves that the page was opened by this browser.
    pub(crate) fn csrf(&self) -> &str {
        self.get("csrf").unwrap_or_default()
    }

    /// A password as typed.
    pub(crate) fn password(&self, name: &str) -> Password {
        Password::new(self.get(name).unwrap_or_default().to_owned())
    }

    /// The user name as typed, without what no name has.
    pub(crate) fn username(&self) -> &str {
        let typed = self.get("username").unwrap_or_default();
        typed.get(..typed.floor_char_boundary(USERNAME_MAX)).unwrap_or_default()
    }

    /// A cookie that came with it.
    pub(crate) fn cookie(&self, kind: cookie::Kind) -> Option<Token> {
        cookie::read(&self.ctx, &self.headers, kind, self.tenant.id)
    }

    /// The cookies that the login knows a browser by.
    pub(crate) fn visit(&self) -> Visit {
        visit(&self.ctx, &self.headers, self.tenant.id, self.source.clone())
    }
}

/// The cookies that the login knows a browser by.
pub(crate) fn visit(
    ctx: &Context,
    headers: &HeaderMap,
    tenant: TenantId,
    source: principal::Source,
) -> Visit {
    let read = |kind| cookie::read(ctx, headers, kind, tenant);
    Visit {
        browser: read(cookie::Kind::Browser),
        session: read(cookie::Kind::Session),
        device: read(cookie::Kind::Device),
        source,
    }
}

/// Refuses a form of another site, as the browser itself tells (Fetch Metadata, else `Origin`). Our
/// pages send no referrer, so their own forms come with `Origin: null`.
fn same_site(headers: &HeaderMap, external_url: &str) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin == "null" || origin == external_url,
        (None, None) => true,
    };
    if ours {
        return Ok(());
    }
    let hint = "the form was sent by another site";
    Err(Failure::new(Class::DENIED).detail(hint).cause("error-cause-other-site"))
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn verdict(pairs: &[(&'static str, &str)]) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        same_site(&headers.collect(), "https://id.example").is_ok()
    }

    #[test]
    fn only_our_own_form_is_taken() {
        let (site, origin) = ("sec-fetch-site", "origin");
        for ours in [
            &[][..],
            &[(site, "same-origin"), (origin, "null")],
            &[(site, "none")],
            &[(origin, "null")],
            &[(origin, "https://id.example")],
        ] {
            assert!(verdict(ours), "{ours:?}");
        }
        for foreign in [
            &[(site, "cross-site"), (origin, "null")][..],
            &[(site, "same-site"), (origin, "https://id.example")],
            &[(site, "")],
            &[(site, "é")],
            &[(origin, "https://evil.example")],
            &[(origin, "")],
        ] {
            assert!(!verdict(foreign), "{foreign:?}");
        }
    }
}
