//! Roles in JSON: the built-in one by its name, every other by its id.
//!
//! An id is always written in 36 characters, so no name can be mistaken for one.

use std::{collections::BTreeSet, fmt};

use identity::id::RoleId;
use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error, Unexpected, Visitor},
};

/// The built-in role: everything in its tenant.
pub const ADMINISTRATOR: &str = "administrator";

fn written(role: &RoleId) -> String {
    if *role == RoleId::ADMINISTRATOR { ADMINISTRATOR.to_owned() } else { role.to_string() }
}

/// Writes roles.
///
/// # Errors
/// Those of the format.
pub fn serialize<S: Serializer>(roles: &BTreeSet<RoleId>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(roles.iter().map(written))
}

/// Reads roles.
///
/// # Errors
/// A text that is neither the name of a built-in role nor an id.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<RoleId>, D::Error> {
    Ok(Vec::<Name>::deserialize(from)?.into_iter().map(|name| name.0).collect())
}

struct Name(RoleId);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Refused by the visitor, so that the error is found at this entry, not at the list.
        from.deserialize_str(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a built-in role or the id of one")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
        if text == ADMINISTRATOR {
            return Ok(Name(RoleId::ADMINISTRATOR));
        }
        text.parse().map(Name).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Holder {
        #[serde(with = "super")]
        roles: BTreeSet<RoleId>,
    }

    #[test]
    fn roles_are_written_by_name_or_id_and_read_back() {
        let other = RoleId::from_bytes(*b"0123456789abcdef");
        let holder = Holder { roles: BTreeSet::from([RoleId::ADMINISTRATOR, other]) };
        let text = serde_json::to_string(&holder).unwrap();
        assert_eq!(text, format!("{{\"roles\":[\"{other}\",\"administrator\"]}}"));
        assert_eq!(serde_json::from_str::<Holder>(&text).unwrap(), holder);
        assert!(serde_json::from_str::<Holder>("{\"roles\":[\"root\"]}").is_err());
    }
}
