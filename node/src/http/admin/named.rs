//! Roles and permissions in JSON: built-in ones by their names, every other by its id.
//!
//! An id is always written in 36 characters, so no name can be mistaken for one.

use std::{collections::BTreeSet, fmt, marker::PhantomData, str::FromStr};

use identity::{
    id::{PermissionId, RoleId},
    permissions, roles,
};
use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error, Unexpected, Visitor},
};

/// An id of which the product gave some out itself.
pub trait Named: Copy + Ord + FromStr + fmt::Display {
    /// What a text must be.
    const EXPECTED: &'static str;
    /// The name of a built-in one.
    fn name(self) -> Option<String>;
    /// The built-in one of that name.
    fn named(name: &str) -> Option<Self>;
}

impl Named for RoleId {
    const EXPECTED: &'static str = "the name of a built-in role or the id of one";

    fn name(self) -> Option<String> {
        let found = roles::BUILT_IN.iter().find(|(_, id)| *id == self);
        found.map(|(name, _)| (*name).to_owned())
    }

    fn named(name: &str) -> Option<Self> {
        roles::BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
    }
}

impl Named for PermissionId {
    const EXPECTED: &'static str = "the name of a built-in permission or the id of one";

    fn name(self) -> Option<String> {
        permissions::built_in(self).map(|known| known.name())
    }

    fn named(name: &str) -> Option<Self> {
        permissions::built_in_named(name)
    }
}

/// Writes ids.
///
/// # Errors
/// Those of the format.
pub fn serialize<T: Named, S: Serializer>(ids: &BTreeSet<T>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(|id| id.name().unwrap_or_else(|| id.to_string())))
}

/// Reads ids.
///
/// # Errors
/// A text that is neither the name of a built-in one nor an id.
pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<T>, D::Error> {
    Ok(Vec::<One<T>>::deserialize(from)?.into_iter().map(|one| one.0).collect())
}

struct One<T>(T);

impl<'de, T: Named> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Refused by the visitor, so that the error is found at this entry, not at the list.
        from.deserialize_str(Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

impl<T: Named> Visitor<'_> for Reader<T> {
    type Value = One<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<One<T>, E> {
        let found = T::named(text).or_else(|| text.parse().ok());
        found.map(One).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Holder {
        #[serde(with = "super")]
        roles: BTreeSet<RoleId>,
        #[serde(with = "super")]
        permissions: BTreeSet<PermissionId>,
    }

    #[test]
    fn ids_are_written_by_name_or_id_and_read_back() {
        let other = RoleId::from_bytes(*b"0123456789abcdef");
        let read = permissions::id_of(identity::users::READ);
        let holder = Holder {
            roles: BTreeSet::from([RoleId::ADMINISTRATOR, RoleId::READER, other]),
            permissions: BTreeSet::from([read]),
        };
        let text = serde_json::to_string(&holder).unwrap();
        let expected = format!(
            "{{\"roles\":[\"{other}\",\"administrator\",\"reader\"],\
             \"permissions\":[\"users:read\"]}}"
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Holder>(&text).unwrap(), holder);
        let by_id = format!("{{\"roles\":[],\"permissions\":[\"{read}\"]}}");
        assert_eq!(serde_json::from_str::<Holder>(&by_id).unwrap().permissions, [read].into());
        for bad in [
            "{\"roles\":[\"root\"],\"permissions\":[]}",
            "{\"roles\":[],\"permissions\":[\"users:everything\"]}",
        ] {
            assert!(serde_json::from_str::<Holder>(bad).is_err(), "{bad}");
        }
    }
}
