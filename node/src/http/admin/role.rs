//! Roles in JSON: the built-in one by its name, every other by its id.
//!
//! An id is always written in 36 characters, so no name can be mistaken for one.

use std::collections::BTreeSet;

use identity::id::RoleId;
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

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
        let text = String::deserialize(from)?;
        let built_in = (text == ADMINISTRATOR).then_some(RoleId::ADMINISTRATOR);
        built_in
            .or_else(|| text.parse().ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom("is neither a built-in role nor the id of one"))
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
