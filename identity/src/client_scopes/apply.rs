//! What the commands do to client scopes, and the rules they obey: one validator for create and
//! update.

use super::{
    AUDIENCES_MAX, BY_NAME, ClientScope, Command, MAPPERS_MAX, Mapper, SCOPES_MAX, Settings,
    Source, TEXT_MAX, WRITE,
};
use crate::{
    applying::Applying,
    id::ClientScopeId,
    name,
    outcome::{Outcome, Rejection, Stop},
    profiles::schema,
    table::{Record, Span, TablesMut},
};

/// Claims that say who somebody is, for whom a token is, or what may be done with it (RFC 7519,
/// RFC 7662, RFC 7800, RFC 8693, RFC 9068, OpenID Connect Core and its logout specifications).
/// Nobody sets them but the protocols.
const PROTOCOL: [&str; 31] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "nonce",
    "azp",
    "sid",
    "cnf",
    "client_id",
    "scope",
    "grant",
    "auth_time",
    "acr",
    "amr",
    "typ",
    "at_hash",
    "c_hash",
    "s_hash",
    "act",
    "may_act",
    "events",
    "toe",
    "txn",
    "active",
    "token_type",
    "sub_jwk",
    "email_verified",
    "phone_number_verified",
];

impl Command {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Create { id, settings } => create(at, *id, settings),
            Self::Update { id, expected, settings } => {
                let before = at.find::<ClientScope>(WRITE, id.bytes(), *expected)?;
                settings.check()?;
                if settings.name != before.name {
                    let id = before.id.bytes();
                    at.claim(ClientScope::TABLE, BY_NAME, &settings.name, id, "name")?;
                    at.release(ClientScope::TABLE, BY_NAME, &before.name);
                }
                let after = ClientScope {
                    created_at_ms: before.created_at_ms,
                    updated_at_ms: before.updated_at_ms,
                    ..ClientScope::new(before.id, settings, at.now_ms)
                };
                Ok(at.update(&before, after))
            }
            Self::Delete { id, expected } => {
                let before = at.find::<ClientScope>(WRITE, id.bytes(), *expected)?;
                at.release(ClientScope::TABLE, BY_NAME, &before.name);
                let after = ClientScope { deleted_at_ms: Some(at.now_ms), ..before.clone() };
                Ok(at.update(&before, after))
            }
        }
    }
}

fn create<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: ClientScopeId,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    at.require_for(ClientScope::TABLE, id.bytes(), WRITE)?;
    settings.check()?;
    require_room(at)?;
    at.claim(ClientScope::TABLE, BY_NAME, &settings.name, id.bytes(), "name")?;
    at.create(ClientScope::new(id, settings, at.now_ms))
}

/// Refuses one more than a tenant may have.
pub(super) fn require_room<T: TablesMut>(at: &Applying<'_, T>) -> Result<(), Stop> {
    let (table, index) = (ClientScope::TABLE, BY_NAME);
    let span = Span::Index { table, index, prefix: b"", after: None, unique: true };
    if at.scan(span, SCOPES_MAX)?.len() >= SCOPES_MAX {
        let reason = format!("a tenant has at most {SCOPES_MAX} client scopes");
        return Err(Rejection::invalid("/name", reason).into());
    }
    Ok(())
}

/// Scopes that mean something to every client: nobody gets them without asking.
const ASKED_FOR: [&str; 2] = ["openid", "offline_access"];

impl Settings {
    /// The settings that a client scope has.
    pub fn of(scope: &ClientScope) -> Self {
        let ClientScope { name, description, default, mappers, audiences, .. } = scope.clone();
        Self { name, description, default, mappers, audiences }
    }

    /// Every rule about a client scope's fields.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        name::scope("/name", &self.name)?;
        if self.default && ASKED_FOR.contains(&self.name.as_str()) {
            return Err(Rejection::invalid("/default", "cannot be set: it must be asked for"));
        }
        if self.description.len() > TEXT_MAX {
            return Err(Rejection::invalid("/description", "must be at most 1024 bytes"));
        }
        if self.mappers.len() > MAPPERS_MAX {
            return Err(Rejection::invalid("/mappers", "must be at most 50"));
        }
        for (number, mapper) in self.mappers.iter().enumerate() {
            mapper.check(&format!("/mappers/{number}"))?;
        }
        if self.audiences.len() > AUDIENCES_MAX {
            return Err(Rejection::invalid("/audiences", "must be at most 20"));
        }
        for audience in &self.audiences {
            if !visible(audience, TEXT_MAX) {
                let reason = "must be 1 to 1024 visible ASCII characters";
                return Err(Rejection::invalid("/audiences", reason));
            }
        }
        Ok(())
    }
}

impl Mapper {
    fn check(&self, field: &str) -> Result<(), Rejection> {
        let no = |member: &str, reason: &str| {
            Err(Rejection::invalid(format!("{field}/{member}"), reason))
        };
        if !visible(&self.claim, 128) {
            return no("claim", "must be 1 to 128 visible ASCII characters");
        }
        if PROTOCOL.contains(&self.claim.as_str()) {
            return no("claim", "is set by the protocols alone");
        }
        if self.places.is_empty() {
            return no("places", "must name at least one");
        }
        match &self.source {
            Source::UserAttribute(name) if !known(name) => {
                no("user_attribute", "is no attribute of users")
            }
            Source::FixedText(text) if text.len() > TEXT_MAX => {
                no("fixed_text", "must be at most 1024 bytes")
            }
            Source::UserAttribute(_)
            | Source::FixedText(_)
            | Source::UserRoles
            | Source::UserGroups => Ok(()),
        }
    }
}

fn known(attribute: &str) -> bool {
    matches!(attribute, "username" | "email")
        || schema::is_standard(attribute)
        || schema::is_name(attribute)
}

fn visible(text: &str, len_max: usize) -> bool {
    (1..=len_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_scopes::Place;

    fn settings(claim: &str, source: Source) -> Settings {
        let places = [Place::AccessToken].into();
        Settings {
            name: "orders".into(),
            description: String::new(),
            default: false,
            mappers: vec![Mapper { claim: claim.into(), source, places }],
            audiences: Default::default(),
        }
    }

    fn field(settings: &Settings) -> Option<String> {
        match settings.check() {
            Ok(()) => None,
            Err(Rejection::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_mapper_sets_a_claim_of_the_protocols() {
        for claim in PROTOCOL {
            let settings = settings(claim, Source::FixedText("x".into()));
            assert_eq!(field(&settings).as_deref(), Some("/mappers/0/claim"), "{claim}");
        }
        for claim in ["department", "https://app.example/claims/plan", "name", "roles"] {
            assert_eq!(field(&settings(claim, Source::FixedText("x".into()))), None, "{claim}");
        }
    }

    #[test]
    fn limits_are_named_by_their_field() {
        let text = |text: &str| Source::FixedText(text.to_owned());
        let fine = settings("plan", text("gold"));
        let attribute = |name: &str| settings("plan", Source::UserAttribute(name.to_owned()));
        let audience =
            |audience: &str| Settings { audiences: [audience.to_owned()].into(), ..fine.clone() };
        let nowhere = Mapper { places: Default::default(), ..fine.mappers[0].clone() };
        for (settings, expected) in [
            (fine.clone(), None),
            (Settings { name: "a b".into(), ..fine.clone() }, Some("/name")),
            (Settings { description: "d".repeat(1025), ..fine.clone() }, Some("/description")),
            (settings("", text("x")), Some("/mappers/0/claim")),
            (settings("a b", text("x")), Some("/mappers/0/claim")),
            (settings(&"c".repeat(129), text("x")), Some("/mappers/0/claim")),
            (settings("c", text(&"x".repeat(1025))), Some("/mappers/0/fixed_text")),
            (Settings { mappers: vec![nowhere], ..fine.clone() }, Some("/mappers/0/places")),
            (
                Settings { mappers: vec![fine.mappers[0].clone(); 51], ..fine.clone() },
                Some("/mappers"),
            ),
            (attribute("email"), None),
            (attribute("locale"), None),
            (attribute("password"), Some("/mappers/0/user_attribute")),
            (attribute("roles"), Some("/mappers/0/user_attribute")),
            (audience("https://orders.example"), None),
            (audience("a b"), Some("/audiences")),
            (audience(""), Some("/audiences")),
        ] {
            assert_eq!(field(&settings).as_deref(), expected, "{settings:?}");
        }
    }
}
