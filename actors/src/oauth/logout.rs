//! The logout endpoint: ends the session of this browser and says where to go then (OpenID Connect
//! RP-Initiated Logout 1.0, Front-Channel Logout 1.0).
//!
//! Who shows an ID token of this very session may end it without a question; anybody else's request
//! is put to the person first, in a sealed form of this session, so that no other site can sign
//! people out. Clients that hear of it by a request of ours are told by the deliverer.
//! Invariant: nobody is sent to an address that the client named by the request did not register.

use identity::{
    clients::Client,
    codec::{self, Persisted},
    command::Command,
    id::{ClientId, SessionId, TenantId},
    logout::ClientRules,
    oauth::{
        authorize::Parameters,
        error::{Code, Error as OAuthError},
    },
    outcome::Rejection,
    principal::{Principal, Source},
    secret::Digest,
    sessions::{self, Presented, Session},
    stamp::Placement,
    table::{self, Tables},
};
use serde::{Deserialize, Serialize};

use super::{
    hint::{self, Hint},
    login::session::{self, Found},
};
use crate::{
    clients,
    context::{Asker, Context},
    error::Error,
    runtime::{
        sealer::{CookiePurpose, CookieRefused},
        secret::Token,
        session::Purpose,
    },
};

/// How long the question may stay open, milliseconds.
const PAGE_LIFETIME_MS: u64 = 30 * 60 * 1000;

/// What is next.
pub enum Next {
    /// The person is asked.
    Ask(Box<Question>),
    /// Nobody is signed in with this browser any more.
    Gone(Box<Farewell>),
    /// The person stays signed in.
    Stays,
    /// The request may not go on; the page says why.
    Refused(OAuthError),
    /// The form was open for too long.
    Expired,
    /// The form is not of this browser's session.
    NotGenuine,
}

/// Whether to sign out.
pub struct Question {
    /// For people.
    pub tenant_name: String,
    /// The client that asks, for people.
    pub client_name: Option<String>,
    /// Who is signed in, for people.
    pub account_name: String,
    /// What the request wants pages to be written in.
    pub ui_locales: Option<String>,
    /// The sealed form.
    pub form: String,
    /// Where the answer to the form may lead.
    pub form_targets: Vec<String>,
}

/// The end.
pub struct Farewell {
    /// For people.
    pub tenant_name: String,
    /// Issuer of the tenant.
    pub issuer: String,
    /// What the request wants pages to be written in.
    pub ui_locales: Option<String>,
    /// Where the person returns to.
    pub back: Option<Back>,
    /// The session that ended just now.
    pub ended: Option<SessionId>,
    /// What is to be loaded in frames, so that clients hear of it.
    pub frames: Vec<String>,
}

/// A proven address to return to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// Whose it is.
    client: ClientId,
    /// That client, for people.
    pub client_name: String,
    /// As registered.
    pub uri: String,
    /// What the client wants back, unchanged.
    pub state: Option<String>,
}

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Sign out.
    Confirm,
    /// Stay signed in.
    Stay,
}

/// What the question carries.
#[derive(Serialize, Deserialize)]
struct Form {
    session: SessionId,
    cookie: Digest,
    client_name: Option<String>,
    back: Option<Back>,
    ui_locales: Option<String>,
}

/// It never stands in the state.
impl Persisted for Form {
    const KIND: [u8; 2] = *b"_l";
}

/// Answers a logout request.
///
/// # Errors
/// What kept the node from answering.
pub async fn start(
    ctx: &Context,
    tenant: TenantId,
    parameters: &Parameters,
    cookie: Option<&Token>,
    source: Source,
) -> Result<Next, Error> {
    let hint = match parameters.get("id_token_hint") {
        Some(text) => match hint::read(ctx, tenant, text).await? {
            Ok(hint) => Some(hint),
            // Of a key that has retired, perhaps: without an address it proves nothing, so that the
            // person is asked.
            Err(_) if parameters.get("post_logout_redirect_uri").is_none() => None,
            Err(error) => return Ok(Next::Refused(error)),
        },
        None => None,
    };
    let reading = ctx.fresh().await?;
    let (asked, found) = {
        let view = reading.view()?;
        let asked = match Asked::read(&view, tenant, parameters, hint.as_ref())? {
            Ok(asked) => asked,
            Err(error) => return Ok(Next::Refused(error)),
        };
        (asked, session::find(&view, tenant, cookie, ctx.now_ms())?)
    };
    drop(reading);
    let Some(found) = found else { return gone(ctx, tenant, asked).await };
    let proven = hint
        .is_some_and(|hint| hint.session == Some(found.session.id) && hint.user == found.user.id);
    if proven {
        leave(ctx, tenant, asked, found, source).await
    } else {
        ask(ctx, tenant, asked, &found).await
    }
}

/// Answers the posted question.
///
/// # Errors
/// What kept the node from answering.
pub async fn answer(
    ctx: &Context,
    tenant: TenantId,
    (form, verdict): (&str, Option<Verdict>),
    cookie: Option<&Token>,
    source: Source,
) -> Result<Next, Error> {
    let opened = ctx.keyring().open_cookie(CookiePurpose::Logout, tenant, ctx.now_ms(), form);
    let form: Form = match opened.map(|bytes| codec::decode(&bytes)) {
        Ok(Ok(form)) => form,
        Err(CookieRefused::Expired) => return Ok(Next::Expired),
        Ok(Err(_)) | Err(CookieRefused::NotGenuine) => return Ok(Next::NotGenuine),
    };
    let Some(verdict) = verdict else { return Ok(Next::NotGenuine) };
    let Form { session, cookie: secret, client_name, back, ui_locales } = form;
    let reading = ctx.fresh().await?;
    let (found, back) = {
        let view = reading.view()?;
        let back = match back {
            // The client may have been changed while the page was open.
            Some(back) if back.stands(&view, tenant)? => Some(back),
            Some(_) | None => None,
        };
        (session::find(&view, tenant, cookie, ctx.now_ms())?, back)
    };
    drop(reading);
    let asked = Asked { client_name, back, ui_locales };
    let Some(found) = found else { return gone(ctx, tenant, asked).await };
    if found.session.id != session || found.presented.cookie != secret {
        return Ok(Next::NotGenuine);
    }
    match verdict {
        Verdict::Stay => Ok(Next::Stays),
        Verdict::Confirm => leave(ctx, tenant, asked, found, source).await,
    }
}

/// What was asked for.
struct Asked {
    client_name: Option<String>,
    back: Option<Back>,
    ui_locales: Option<String>,
}

impl Asked {
    fn read(
        tables: &impl Tables,
        tenant: TenantId,
        parameters: &Parameters,
        hint: Option<&Hint>,
    ) -> Result<Result<Self, OAuthError>, Error> {
        let no = |hint: &str| Ok(Err(OAuthError::new(Code::InvalidRequest, hint)));
        let client_id = match (hint, parameters.get("client_id")) {
            (Some(hint), Some(given)) if hint.client_id != given => {
                return no("id_token_hint was issued to another client than client_id");
            }
            (Some(hint), _) => Some(hint.client_id.as_str()),
            (None, given) => given,
        };
        let client = match client_id {
            Some(client_id) => clients::find(tables, tenant, client_id)?,
            None => None,
        };
        let back = match (parameters.get("post_logout_redirect_uri"), &client) {
            (None, _) => None,
            (Some(_), None) => {
                return no("post_logout_redirect_uri needs an id_token_hint or a client_id");
            }
            (Some(uri), Some(client)) => {
                let state = parameters.get("state").map(str::to_owned);
                let (client, client_name, uri) = (client.id, client.name.clone(), uri.to_owned());
                let back = Back { client, client_name, uri, state };
                if !back.stands(tables, tenant)? {
                    return no("post_logout_redirect_uri is not registered for the client");
                }
                Some(back)
            }
        };
        let ui_locales = parameters.get("ui_locales").map(str::to_owned);
        Ok(Ok(Self { client_name: client.map(|client| client.name), back, ui_locales }))
    }
}

impl Back {
    /// Whether the client is there and the address is registered.
    fn stands(&self, tables: &impl Tables, tenant: TenantId) -> Result<bool, Error> {
        let id = self.client.bytes();
        let client = table::record::<Client>(tables, tenant, id)?;
        let rules = table::record::<ClientRules>(tables, tenant, id)?;
        Ok(client.is_some_and(|client| client.live())
            && rules.is_some_and(|rules| rules.returns_to(&self.uri)))
    }
}

async fn ask(ctx: &Context, tenant: TenantId, asked: Asked, found: &Found) -> Result<Next, Error> {
    let snapshot = ctx.tenant(tenant).await?;
    let Asked { client_name, back, ui_locales } = asked;
    let form = Form {
        session: found.session.id,
        cookie: found.presented.cookie,
        client_name: client_name.clone(),
        back: back.clone(),
        ui_locales: ui_locales.clone(),
    };
    let expires_at_ms = ctx.now_ms().saturating_add(PAGE_LIFETIME_MS);
    let form = ctx
        .keyring()
        .seal_cookie(CookiePurpose::Logout, tenant, expires_at_ms, &codec::encode(&form))
        .map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Next::Ask(Box::new(Question {
        tenant_name: snapshot.shown_name(ctx.now_ms()).to_owned(),
        client_name,
        account_name: found.name(),
        ui_locales,
        form,
        form_targets: back.into_iter().map(|back| back.uri).collect(),
    })))
}

/// Ends the session of somebody who wants to leave from their own account.
///
/// # Errors
/// What kept the node from answering.
pub(crate) async fn leave_own(
    ctx: &Context,
    tenant: TenantId,
    found: Found,
    source: Source,
) -> Result<Farewell, Error> {
    let asked = Asked { client_name: None, back: None, ui_locales: None };
    end(ctx, tenant, asked, found, source).await
}

async fn leave(
    ctx: &Context,
    tenant: TenantId,
    asked: Asked,
    found: Found,
    source: Source,
) -> Result<Next, Error> {
    Ok(Next::Gone(Box::new(end(ctx, tenant, asked, found, source).await?)))
}

/// Ends the session. One that ended meanwhile is as good.
async fn end(
    ctx: &Context,
    tenant: TenantId,
    asked: Asked,
    found: Found,
    source: Source,
) -> Result<Farewell, Error> {
    let frames = frames(ctx, tenant, &found)?;
    let (user, id) = (found.user.id, found.session.id);
    let _turn = ctx.turn(tenant, id, Purpose::End).await?;
    // Whoever had the turn before may have changed the cookie; it is the same session.
    let now = {
        let reading = ctx.fresh().await?;
        table::record::<Session>(&reading.view()?, tenant, id.bytes())?
    };
    let cookie = now.map_or(found.presented.cookie, |session| session.cookie);
    let by = Presented { session: id, cookie };
    let asker = Asker { principal: Principal::Person { tenant, user }, source, idempotency: None };
    let command = Command::Sessions(sessions::Command::EndOwn { by, id });
    match ctx.propose(&asker, Placement::Tenant(tenant), command).await?.result {
        Ok(_) | Err(Rejection::NotFound | Rejection::Issue(_)) => {}
        Err(rejection) => return Err(rejection.into()),
    }
    Ok(Farewell { ended: Some(id), frames, ..farewell(ctx, tenant, asked).await? })
}

/// Addresses of the session's clients that hear of its end by being loaded.
fn frames(ctx: &Context, tenant: TenantId, found: &Found) -> Result<Vec<String>, Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    let mut frames = Vec::new();
    for client in &found.session.clients {
        let rules = table::record::<ClientRules>(&view, tenant, client.bytes())?;
        let Some(uri) = rules.and_then(|rules| rules.frontchannel_logout_uri) else { continue };
        let client = table::record::<Client>(&view, tenant, client.bytes())?;
        if client.is_some_and(|client| client.live()) {
            frames.push(uri);
        }
    }
    Ok(frames)
}

async fn gone(ctx: &Context, tenant: TenantId, asked: Asked) -> Result<Next, Error> {
    Ok(Next::Gone(Box::new(farewell(ctx, tenant, asked).await?)))
}

async fn farewell(ctx: &Context, tenant: TenantId, asked: Asked) -> Result<Farewell, Error> {
    let snapshot = ctx.tenant(tenant).await?;
    let Asked { back, ui_locales, .. } = asked;
    Ok(Farewell {
        tenant_name: snapshot.shown_name(ctx.now_ms()).to_owned(),
        issuer: snapshot.tenant.issuer.clone(),
        ui_locales,
        back,
        ended: None,
        frames: Vec::new(),
    })
}
