//! `/account`: a person's own account, opened by the session of their browser.
//!
//! `actors::account` decides what is shown and done; here forms are read and pages made. A form is
//! answered by a redirect to the page, so that reloading it repeats nothing; one that is refused by
//! the page and why.

mod password;
mod profile;
mod sign_in;

use actors::{
    Context,
    account::{self, Act, Allowed, Answer, Overview, SignOut},
};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::http::{
    cookie,
    error::{Class, Failure},
    extract::Tenant,
    layer::Arrival,
    oauth,
    pages::{
        Brand, ConsentView, Done, Language, LoggedOutPage, Moment, OwnAccountPage, PasswordForm,
        PasswordProblem, SessionView,
    },
    posted::Posted,
};

/// The account routes of every tenant.
pub fn routes(ctx: Context) -> Router {
    let router = oauth::at(Router::new(), "/account", get(show));
    let router = oauth::at(router, "/account/sessions/end", post(end));
    let router = oauth::at(router, "/account/sessions/end-all", post(end_others));
    let router = oauth::at(router, "/account/consents/revoke", post(withdraw));
    let router = oauth::at(router, "/account/password", post(password::change));
    let router = oauth::at(router, "/account/profile", post(profile::save));
    let router = oauth::at(router, "/account/sign-in", post(sign_in::submit));
    let router = oauth::at(router, "/account/signed-out", get(signed_out));
    oauth::at(router, "/account/sign-out", post(sign_out)).with_state(ctx)
}

async fn show(
    State(ctx): State<Context>,
    tenant: Tenant,
    arrival: Arrival,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let language = arrival.language(None);
    let session = cookie::read(&ctx, &headers, cookie::Kind::Session, tenant.id);
    match account::open(&ctx, tenant.id, session.as_ref()).await? {
        Some(overview) => {
            let said = Said { done: done(&uri), ..Said::default() };
            Ok(page(&overview, &tenant, language, &said))
        }
        None => sign_in::show(&ctx, &tenant, &headers, language).await,
    }
}

fn done(uri: &Uri) -> Option<Done> {
    let query = uri.query()?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(name, value)| Done::parse(&value).filter(|_| name == "done"))
}

/// What the page says of the form that was posted last.
#[derive(Default)]
struct Said<'a> {
    done: Option<Done>,
    password: Option<PasswordProblem>,
    profile: Option<profile::Unfit<'a>>,
}

fn page(overview: &Overview, tenant: &Tenant, language: Language, said: &Said<'_>) -> Response {
    let profile = profile::fields(overview, said.profile.as_ref());
    let ids: Vec<String> = overview.places.iter().map(|place| place.id.to_string()).collect();
    let sessions: Vec<SessionView<'_>> = ids
        .iter()
        .zip(&overview.places)
        .map(|(id, place)| SessionView {
            id,
            user_agent: &place.user_agent,
            address: &place.address,
            signed_in: Moment(place.began_at_ms),
            last_seen: Moment(place.seen_at_ms),
            current: place.current,
        })
        .collect();
    let consents = Consents::of(overview);
    let page = OwnAccountPage {
        language,
        brand: Brand::current(language),
        tenant_name: &overview.tenant_name,
        path: &tenant.path("/account"),
        csrf_token: &overview.form,
        username: &overview.username,
        done: said.done,
        profile: &profile,
        password: overview
            .password_length_min
            .map(|length_min| PasswordForm { length_min, problem: said.password }),
        sessions: &sessions,
        consents: Some(&consents.views()),
    };
    page.respond()
}

/// What the views of consents borrow from.
struct Consents<'a>(Vec<(String, Vec<&'a str>, &'a Allowed)>);

impl<'a> Consents<'a> {
    fn of(overview: &'a Overview) -> Self {
        let parts = |allowed: &'a Allowed| {
            let scopes = allowed.scopes.iter().map(String::as_str).collect();
            (allowed.id.to_string(), scopes, allowed)
        };
        Self(overview.allowed.iter().map(parts).collect())
    }

    fn views(&self) -> Vec<ConsentView<'_>> {
        let mut views = Vec::new();
        for (id, scopes, allowed) in &self.0 {
            let given = Moment(allowed.given_at_ms);
            views.push(ConsentView { id, client_name: &allowed.client_name, scopes, given });
        }
        views
    }
}

/// Where signing out leads to; it is only said here, whoever asks.
async fn signed_out(
    State(ctx): State<Context>,
    tenant: Tenant,
    arrival: Arrival,
) -> Result<Response, Failure> {
    let snapshot = ctx.tenant(tenant.id).await?;
    let name = snapshot.shown_name(ctx.now_ms());
    let language = arrival.language(None);
    let page = LoggedOutPage {
        language,
        brand: Brand::current(language),
        tenant_name: name,
        back: Some((name, &tenant.path("/account"))),
        frames: &[],
    };
    Ok(page.respond())
}

async fn end(posted: Posted) -> Result<Response, Failure> {
    let id = posted.get("session").and_then(|text| text.parse().ok());
    let hint = "session is missing or no session id";
    let act = id.map(Act::End).ok_or_else(|| Failure::new(Class::INVALID_REQUEST).detail(hint))?;
    answer(&posted, Done::SessionEnded, act).await
}

async fn end_others(posted: Posted) -> Result<Response, Failure> {
    answer(&posted, Done::SignedOutElsewhere, Act::EndOthers).await
}

async fn withdraw(posted: Posted) -> Result<Response, Failure> {
    let id = posted.get("consent").and_then(|text| text.parse().ok());
    let hint = "consent is missing or no consent id";
    let refused = || Failure::new(Class::INVALID_REQUEST).detail(hint);
    let act = id.map(Act::Withdraw).ok_or_else(refused)?;
    answer(&posted, Done::ConsentRevoked, act).await
}

/// Does what a form of the page asks for.
async fn answer(posted: &Posted, done: Done, act: Act) -> Result<Response, Failure> {
    let Posted { ctx, tenant, source, .. } = posted;
    let session = posted.cookie(cookie::Kind::Session);
    let answer = account::act(ctx, tenant.id, session.as_ref(), posted.csrf(), act, source.clone());
    match answer.await? {
        Answer::Done => Ok(said(tenant, done)),
        Answer::SignedOut => Ok(back(tenant)),
        Answer::NotGenuine => Err(not_genuine()),
    }
}

async fn sign_out(posted: Posted) -> Result<Response, Failure> {
    let Posted { ctx, tenant, source, .. } = &posted;
    let session = posted.cookie(cookie::Kind::Session);
    let session = session.as_ref();
    match account::sign_out(ctx, tenant.id, session, posted.csrf(), source.clone()).await? {
        SignOut::Gone(farewell) => {
            let mut response = if farewell.frames.is_empty() {
                see(tenant.path("/account/signed-out"))
            } else {
                // Clients hear of it by this very page.
                oauth::logout::gone(&farewell)?
            };
            if let Some(value) = cookie::forget(ctx, cookie::Kind::Session, tenant.id) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            Ok(response)
        }
        SignOut::SignedOut => Ok(back(tenant)),
        SignOut::NotGenuine => Err(not_genuine()),
    }
}

/// Back to the page.
fn back(tenant: &Tenant) -> Response {
    see(tenant.path("/account"))
}

/// Back to the page, which says what was done.
fn said(tenant: &Tenant, done: Done) -> Response {
    see(format!("{}?done={}", tenant.path("/account"), done.word()))
}

fn see(location: String) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Of a form that fits no session, or not this one.
fn not_genuine() -> Failure {
    let hint = "the form is too old or of another session";
    Failure::new(Class::DENIED).detail(hint).cause("error-cause-form")
}
