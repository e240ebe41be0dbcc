//! The authorization request (RFC 6749 §4.1.1, OIDC Core §3.1.2.1), decided without I/O.
//!
//! Until client and redirect URI are proven an error is a page; after that it is a redirect. A
//! repeated parameter is an error everywhere; an unknown one is ignored.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    dpop,
    error::{Code, Error},
    pkce,
    prompt::Prompt,
    redirect,
    scope::{self, SCOPE_MAX},
};
use crate::{
    clients::{Client, GrantType},
    id::UserId,
};

/// Longest `state` and `nonce`, bytes.
const ECHO_MAX: usize = 2048;

/// Parameters of a request, each at most once.
#[derive(Debug, Clone, Default)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Collects parameters; an empty value counts as absent (RFC 6749 §3.1).
    ///
    /// # Errors
    /// `invalid_request` for a repeated one.
    pub fn collect(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut map = BTreeMap::new();
        for (name, value) in pairs {
            if map.contains_key(&name) {
                let hint = format!("the parameter {name} is repeated");
                return Err(Error::new(Code::InvalidRequest, hint));
            }
            map.insert(name, value);
        }
        map.retain(|_, value: &mut String| !value.is_empty());
        Ok(Self(map))
    }

    /// One parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// How the answer travels. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseMode {
    /// In the query of a redirect.
    Query,
    /// In a form that posts itself (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

/// Where an answer goes, once client and redirect URI are proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnTo {
    /// Proven redirect URI.
    pub redirect_uri: String,
    /// The client's `state`, echoed unchanged.
    pub client_state: Option<String>,
    /// How it travels.
    pub mode: ResponseMode,
    /// The client's name, for the page of a form that posts itself.
    pub client_name: String,
    /// Languages for every page of this request, as the client wishes (OIDC Core §3.1.2.1).
    pub ui_locales: Option<String>,
}

/// Where an error goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is proven: a page.
    Page(Error),
    /// Client and redirect URI are proven.
    Client {
        /// Where to.
        to: Box<ReturnTo>,
        /// What.
        error: Error,
    },
}

/// A request that may show the login page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The OAuth `client_id`.
    pub client_id: String,
    /// Where the answer goes.
    pub to: ReturnTo,
    /// Scopes the client may have.
    pub scopes: BTreeSet<String>,
    /// Echoed in the ID token.
    pub nonce: Option<String>,
    /// S256 challenge.
    pub challenge: Option<String>,
    /// Whether the administration API's audience was asked for.
    pub api: bool,
    /// Prefills the login page.
    pub login_hint: Option<String>,
    /// What the person must be asked.
    pub prompt: Prompt,
    /// How long ago the person may have proved who they are, seconds.
    pub max_age_s: Option<u32>,
    /// Who must sign in: the subject of `id_token_hint`, which a flow verifies.
    pub subject: Option<UserId>,
    /// Thumbprint of the key that the code is to be bound to (RFC 9449 §10).
    pub thumbprint: Option<String>,
}

/// Decides a request. `client` is what `client_id` names, if that is live; `api_audience` is the
/// administration API's resource indicator.
///
/// # Errors
/// A [`Refusal`] that says where its error goes.
pub fn decide(
    parameters: &Parameters,
    client: Option<&Client>,
    api_audience: &str,
) -> Result<Request, Refusal> {
    let page = |code, hint: &str| Refusal::Page(Error::new(code, hint));
    let Some(client_id) = parameters.get("client_id") else {
        return Err(page(Code::InvalidRequest, "client_id is missing"));
    };
    let Some(client) = client else {
        return Err(page(Code::InvalidRequest, "the client is not known here"));
    };
    let redirect_uri = proven_redirect_uri(parameters, client)?;
    let client_state = parameters.get("state").map(str::to_owned);
    if client_state.as_ref().is_some_and(|state| state.len() > ECHO_MAX) {
        return Err(page(Code::InvalidRequest, "state is longer than 2048 bytes"));
    }
    let mode = match parameters.get("response_mode") {
        Some("form_post") => ResponseMode::FormPost,
        Some(_) | None => ResponseMode::Query,
    };
    let ui_locales = parameters.get("ui_locales").map(|tags| tags.chars().take(128).collect());
    let client_name = client.name.clone();
    let to = ReturnTo { redirect_uri, client_state, mode, client_name, ui_locales };
    let refuse = |error: Error| Refusal::Client { to: Box::new(to.clone()), error };
    shape(parameters, client).map_err(refuse)?;
    let challenge = challenge(parameters, client).map_err(refuse)?;
    let thumbprint = thumbprint(parameters).map_err(refuse)?;
    let api = target(parameters, client, api_audience).map_err(refuse)?;
    let requested = parameters.get("scope").unwrap_or("");
    if requested.len() > SCOPE_MAX {
        return Err(refuse(Error::new(Code::InvalidScope, "scope is longer than 4096 bytes")));
    }
    let scopes = scope::narrow(client, requested, true);
    if scopes.is_empty() && !requested.is_empty() {
        let hint = "none of these scopes is available to this client";
        return Err(refuse(Error::new(Code::InvalidScope, hint)));
    }
    let prompt = Prompt::parse(parameters.get("prompt").unwrap_or("")).map_err(refuse)?;
    let max_age_s = max_age_s(parameters).map_err(refuse)?;
    let nonce = parameters.get("nonce").map(str::to_owned);
    if nonce.as_ref().is_some_and(|nonce| nonce.len() > ECHO_MAX) {
        return Err(refuse(Error::new(Code::InvalidRequest, "nonce is longer than 2048 bytes")));
    }
    Ok(Request {
        client_id: client_id.to_owned(),
        to: to.clone(),
        scopes,
        nonce,
        challenge,
        api,
        login_hint: parameters.get("login_hint").map(|hint| hint.chars().take(128).collect()),
        prompt,
        max_age_s,
        subject: None,
        thumbprint,
    })
}

/// OIDC Core §3.1.2.1; an age that no session reaches is no condition.
fn max_age_s(parameters: &Parameters) -> Result<Option<u32>, Error> {
    match parameters.get("max_age") {
        None => Ok(None),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Some(text.parse().unwrap_or(u32::MAX)))
        }
        Some(_) => Err(Error::new(Code::InvalidRequest, "max_age must be a number of seconds")),
    }
}

fn proven_redirect_uri(parameters: &Parameters, client: &Client) -> Result<String, Refusal> {
    let page = |hint: &str| Refusal::Page(Error::new(Code::InvalidRequest, hint));
    match parameters.get("redirect_uri") {
        Some(uri) if redirect::matches(client, uri) => Ok(uri.to_owned()),
        Some(_) => Err(page("the redirect_uri is not registered for this client")),
        None => Err(page("redirect_uri is missing")),
    }
}

fn shape(parameters: &Parameters, client: &Client) -> Result<(), Error> {
    let no = |code, hint: &str| Err(Error::new(code, hint));
    // OIDC Core §6: a request object must never be silently ignored.
    if parameters.get("request").is_some() {
        return no(Code::RequestNotSupported, "request objects are not supported");
    }
    if parameters.get("request_uri").is_some() {
        return no(Code::RequestUriNotSupported, "request_uri is not supported");
    }
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => {
            return no(Code::UnsupportedResponseType, "only response_type=code is supported");
        }
        None => return no(Code::InvalidRequest, "response_type is missing"),
    }
    if !client.grant_types.contains(&GrantType::AuthorizationCode) {
        return no(Code::UnauthorizedClient, "the client may not use authorization codes");
    }
    match parameters.get("response_mode") {
        None | Some("query" | "form_post") => Ok(()),
        Some(_) => no(Code::InvalidRequest, "only response_mode=query and form_post are supported"),
    }
}

/// RFC 7636 §4.3, RFC 9700 §2.1.1: S256 only, required for public clients.
fn challenge(parameters: &Parameters, client: &Client) -> Result<Option<String>, Error> {
    let no = |hint: &str| Err(Error::new(Code::InvalidRequest, hint));
    match (parameters.get("code_challenge"), parameters.get("code_challenge_method")) {
        (None, None) if client.public() => no("code_challenge is required for this client"),
        (None, None) => Ok(None),
        (None, Some(_)) => no("code_challenge is missing"),
        (Some(_), None) => no("code_challenge_method must be S256"),
        (Some(challenge), Some("S256")) if pkce::is_challenge(challenge) => {
            Ok(Some(challenge.to_owned()))
        }
        (Some(_), Some("S256")) => no("code_challenge must be 43 base64url characters"),
        (Some(_), Some(_)) => no("code_challenge_method must be S256"),
    }
}

/// RFC 9449 §10.
fn thumbprint(parameters: &Parameters) -> Result<Option<String>, Error> {
    match parameters.get("dpop_jkt") {
        None => Ok(None),
        Some(text) if dpop::is_thumbprint(text) => Ok(Some(text.to_owned())),
        Some(_) => {
            Err(Error::new(Code::InvalidRequest, "dpop_jkt must be 43 base64url characters"))
        }
    }
}

/// RFC 8707: which resource the access token is for.
///
/// # Errors
/// `invalid_target` for a resource this server does not know or the client may not reach.
pub fn target(parameters: &Parameters, client: &Client, api_audience: &str) -> Result<bool, Error> {
    match parameters.get("resource") {
        None => Ok(false),
        Some(resource) if resource == api_audience && client.admin_api => Ok(true),
        Some(resource) if resource == api_audience => {
            Err(Error::new(Code::InvalidTarget, "the client may not reach the administration API"))
        }
        Some(_) => Err(Error::new(Code::InvalidTarget, "the resource is not known here")),
    }
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
mod tests;
