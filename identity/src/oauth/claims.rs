//! What tokens and userinfo say. Access tokens follow RFC 9068, ID tokens OIDC Core §2; claims of a
//! scope appear at userinfo, not in the ID token (OIDC Core §5.4).

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use serde_json::{Map, Value, json};

use crate::{
    grants::Issued,
    id::{ClientId, SessionId, UserId},
    oauth::scope,
    users::{PROFILE_CLAIMS, User},
};

/// `typ` of access tokens (RFC 9068 §2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// `typ` of ID tokens.
pub const ID_TOKEN_TYPE: &str = "JWT";

/// Claims of an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// Issuer.
    pub iss: String,
    /// User id, or `client_id` for a client's own token.
    pub sub: String,
    /// Resources.
    pub aud: Audience,
    /// The OAuth `client_id`.
    pub client_id: String,
    /// Seconds since 1970.
    pub exp: u64,
    /// Seconds since 1970.
    pub iat: u64,
    /// Unique id.
    pub jti: String,
    /// Scopes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The grant it hangs off, or what [`own_grant`] says of a client's own token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Seconds since 1970 when the person proved who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// Session id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The key that its holder must have (RFC 7800 §3.1); none for a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// For whom a token is: one resource as a text, or several as a list (RFC 7519 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AudienceVisitor)
    }
}

struct AudienceVisitor;

impl<'de> Visitor<'de> for AudienceVisitor {
    type Value = Audience;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Audience, E> {
        Ok(Audience::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Audience, A::Error> {
        let mut several = Vec::new();
        while let Some(one) = list.next_element()? {
            several.push(one);
        }
        Ok(Audience::Several(several))
    }
}

/// How the holder of a token is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Thumbprint of their key (RFC 9449 §6.1).
    pub jkt: String,
}

/// Claims of an ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdToken {
    /// Issuer.
    pub iss: String,
    /// User id.
    pub sub: String,
    /// The OAuth `client_id`.
    pub aud: String,
    /// Seconds since 1970.
    pub exp: u64,
    /// Seconds since 1970.
    pub iat: u64,
    /// Seconds since 1970 when the person proved who they are.
    pub auth_time: u64,
    /// The request's nonce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Left half of the access token's hash (OIDC Core §3.1.3.6).
    pub at_hash: String,
    /// How the person proved who they are (RFC 8176).
    pub amr: Vec<String>,
    /// Session id; none for what no session is behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// Claims of a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4): no `nonce`, so that
/// nobody takes it for an ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutToken {
    /// Issuer.
    pub iss: String,
    /// User id.
    pub sub: String,
    /// The OAuth `client_id`.
    pub aud: String,
    /// Seconds since 1970.
    pub iat: u64,
    /// Seconds since 1970.
    pub exp: u64,
    /// Unique id.
    pub jti: String,
    /// The one event, with an empty object.
    pub events: Value,
    /// Session id.
    pub sid: String,
}

/// How long a logout token is good for, seconds (Back-Channel Logout 1.0 §4 advises two minutes).
const LOGOUT_TOKEN_S: u64 = 120;

/// Claims of the logout token that tells a client of the end of a session.
pub fn logout_token(
    issuer: &str,
    client_id: &str,
    (user, session): (UserId, SessionId),
    jti: String,
    at_ms: u64,
) -> LogoutToken {
    let iat = at_ms / 1000;
    LogoutToken {
        iss: issuer.to_owned(),
        sub: user.to_string(),
        aud: client_id.to_owned(),
        iat,
        exp: iat.saturating_add(LOGOUT_TOKEN_S),
        jti,
        events: json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
        sid: session.to_string(),
    }
}

/// Who signs what for whom.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Issuer of the tenant.
    pub issuer: &'a str,
    /// The administration API's audience.
    pub api_audience: &'a str,
}

/// Claims of the access token of what was issued at a state time.
pub fn access_token(issued: &Issued, names: Names<'_>, jti: String, at_ms: u64) -> AccessToken {
    let iat = at_ms / 1000;
    AccessToken {
        iss: names.issuer.to_owned(),
        sub: issued.user.map_or_else(|| issued.client_id.clone(), |user| user.to_string()),
        aud: Audience::One(if issued.api { names.api_audience } else { names.issuer }.to_owned()),
        client_id: issued.client_id.clone(),
        exp: iat.saturating_add(u64::from(issued.access_token_s)),
        iat,
        jti,
        scope: scope::join(&issued.scopes),
        grant: Some(match issued.grant {
            Some(grant) => grant.to_string(),
            None => own_grant(issued.client, None),
        }),
        auth_time: issued.authenticated_at_ms.map(|ms| ms / 1000),
        sid: issued.session.map(|session| session.to_string()),
        cnf: None,
    }
}

/// What a client's own token says that it hangs off: the client, by its record's id, so that the
/// token stays with it whatever it is called; and the cluster's life if it is not the first,
/// because nothing else that is looked up was issued in it.
pub fn own_grant(client: ClientId, life: Option<&str>) -> String {
    match life {
        Some(life) => format!("{client}@{life}"),
        None => client.to_string(),
    }
}

/// Claims of the ID token of what was issued, none without `openid` or a person.
pub fn id_token(issued: &Issued, names: Names<'_>, at_hash: String, at_ms: u64) -> Option<IdToken> {
    if !issued.scopes.contains("openid") {
        return None;
    }
    let (user, authenticated) = (issued.user?, issued.authenticated_at_ms?);
    let iat = at_ms / 1000;
    Some(IdToken {
        iss: names.issuer.to_owned(),
        sub: user.to_string(),
        aud: issued.client_id.clone(),
        exp: iat.saturating_add(u64::from(issued.id_token_s)),
        iat,
        auth_time: authenticated / 1000,
        nonce: issued.nonce.clone(),
        at_hash,
        amr: vec!["pwd".to_owned()],
        sid: issued.session.map(|session| session.to_string()),
    })
}

/// What userinfo says of a user for a set of scopes (OIDC Core §5.4).
pub fn userinfo(user: &User, scopes: &BTreeSet<String>) -> Value {
    let mut claims = Map::new();
    claims.insert("sub".into(), json!(user.id.to_string()));
    if scopes.contains("profile") {
        claims.insert("preferred_username".into(), json!(user.username));
        claims.insert("updated_at".into(), json!(user.updated_at_ms / 1000));
        // Fields of a tenant's own schema go where its mappers put them.
        let told = |name: &str| name != "phone_number" && PROFILE_CLAIMS.contains(&name);
        for (name, value) in user.profile.iter().filter(|(name, _)| told(name)) {
            claims.insert(name.clone(), json!(value));
        }
    }
    if scopes.contains("email")
        && let Some(email) = &user.email
    {
        claims.insert("email".into(), json!(email));
        claims.insert("email_verified".into(), json!(user.email_verified));
    }
    if scopes.contains("phone")
        && let Some(number) = user.profile.get("phone_number")
    {
        claims.insert("phone_number".into(), json!(number));
        claims.insert("phone_number_verified".into(), json!(user.phone_number_verified));
    }
    if scopes.contains("address") && !user.address.is_empty() {
        claims.insert("address".into(), json!(user.address));
    }
    Value::Object(claims)
}
