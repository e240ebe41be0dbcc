//! The sealed form that every page of the flow carries: the request, the browser it belongs to, and
//! the one step it may be posted for.

use identity::{
    codec::{self, Persisted},
    command::Command,
    id::{SessionId, TenantId, UserId},
    oauth::{self, authorize::Request},
    outcome::{Outcome, Rejection},
    principal::{ApiScopes, Principal},
    secret::Digest,
    stamp::Placement,
};
use serde::{Deserialize, Serialize};

use super::{Asks, Flow, Granted, Next, Page, Problem};
use crate::{
    context::{Asker, Context},
    error::Error,
    runtime::{
        sealer::{CookiePurpose, CookieRefused},
        secret::Token,
    },
};

/// How long a page may stay open, milliseconds.
const PAGE_LIFETIME_MS: u64 = 30 * 60 * 1000;

/// The form's contents.
#[derive(Serialize, Deserialize)]
pub(super) struct Form {
    browser: Digest,
    pub(super) request: Request,
    pub(super) step: FormStep,
}

/// Which page it belongs to, and whose it is. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FormStep {
    /// The login page: nobody is known.
    Credentials,
    /// The choice of an account, in this session.
    Account(SessionId),
    /// The consent page, in this session.
    Consent(SessionId),
}

/// It never stands in the state; a form of an older layout is simply opened anew.
impl Persisted for Form {
    const KIND: [u8; 2] = *b"_f";
    const VERSION: u16 = 3;
}

impl Form {
    /// Opens a form that this browser was given.
    pub(super) fn open(
        ctx: &Context,
        tenant: TenantId,
        text: &str,
        browser: Option<&Token>,
    ) -> Result<Self, Problem> {
        let browser = browser.ok_or(Problem::NotGenuine)?;
        let form: Self = opened(ctx, tenant, text)?;
        if browser.matches(&form.browser) { Ok(form) } else { Err(Problem::NotGenuine) }
    }
}

/// Seals what a page of a sign-in posts back.
pub(crate) fn sealed(
    ctx: &Context,
    tenant: TenantId,
    form: &impl Persisted,
) -> Result<String, Error> {
    let expires_at_ms = ctx.now_ms().saturating_add(PAGE_LIFETIME_MS);
    ctx.keyring()
        .seal_cookie(CookiePurpose::Login, tenant, expires_at_ms, &codec::encode(form))
        .map_err(|error| Error::Internal(error.to_string()))
}

/// Opens what a page of a sign-in posted.
pub(crate) fn opened<F: Persisted>(
    ctx: &Context,
    tenant: TenantId,
    text: &str,
) -> Result<F, Problem> {
    let bytes = ctx
        .keyring()
        .open_cookie(CookiePurpose::Login, tenant, ctx.now_ms(), text)
        .map_err(|refused| match refused {
            CookieRefused::Expired => Problem::Expired,
            CookieRefused::NotGenuine => Problem::NotGenuine,
        })?;
    codec::decode(&bytes).map_err(|_| Problem::NotGenuine)
}

impl Flow<'_> {
    /// A page with the request sealed inside.
    pub(super) async fn page(&self, step: FormStep, asks: Asks) -> Result<Page, Error> {
        let (ctx, request) = (self.ctx, &self.request);
        let snapshot = ctx.tenant(self.tenant).await?;
        let mut form_targets = vec![request.to.redirect_uri.clone()];
        form_targets.extend(self.client.redirect_uris.iter().cloned());
        let form = Form { browser: self.browser, request: request.clone(), step };
        let form = sealed(ctx, self.tenant, &form)?;
        Ok(Page {
            tenant_name: snapshot.shown_name(ctx.now_ms()).to_owned(),
            client_name: self.client.name.clone(),
            ui_locales: request.to.ui_locales.clone(),
            login_hint: request.login_hint.clone().unwrap_or_default(),
            form,
            form_targets,
            asks,
            session: None,
            device: None,
        })
    }

    /// What a code is asked for.
    pub(super) fn ask(&self) -> oauth::Ask {
        let request = &self.request;
        oauth::Ask {
            client: self.client.id,
            redirect_uri: request.to.redirect_uri.clone(),
            scopes: request.scopes.clone(),
            nonce: request.nonce.clone(),
            challenge: request.challenge.clone(),
            api: request.api,
        }
    }

    /// A command that asks for a code, for the holder of the key if the request announces one.
    pub(super) fn asked(&self, command: oauth::Command) -> oauth::Command {
        let key = self.request.thumbprint.as_deref();
        oauth::dpop::asked(command, key.map(|thumbprint| (thumbprint, None)))
    }

    /// Proposes in the name of a person.
    pub(super) async fn propose(
        &self,
        user: UserId,
        command: Command,
    ) -> Result<Result<Outcome, Rejection>, Error> {
        let scopes = ApiScopes::default();
        let principal =
            Principal::User { tenant: self.tenant, user, client: self.client.id, scopes };
        let asker = Asker { principal, source: self.source.clone(), idempotency: None };
        Ok(self.ctx.propose(&asker, Placement::Tenant(self.tenant), command).await?.result)
    }

    /// Back to the client, with a code.
    pub(super) async fn granted(self, code: Token, session: Option<Token>) -> Result<Next, Error> {
        let snapshot = self.ctx.tenant(self.tenant).await?;
        let issuer = snapshot.tenant.issuer.clone();
        Ok(Next::Granted(Box::new(Granted {
            to: self.request.to,
            code,
            issuer,
            session,
            device: None,
        })))
    }
}
