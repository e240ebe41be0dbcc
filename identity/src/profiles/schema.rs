//! Fields of the profile that a tenant defines beside the standard claims: what they hold, who must
//! give them, and who sees and changes them.
//!
//! Whoever may read users sees every field. A value that is there stays as it is when its field
//! changes or goes; only what somebody gives anew is checked. Values are kept as texts among the
//! claims of the profile and reach tokens through mappers alone. Invariant: no field has the name
//! of a claim that the product itself speaks of.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{EMAIL, value};
use crate::{
    applying::Applying,
    authorize::Permission,
    codec::Persisted,
    fault::Fault,
    id::TenantId,
    languages, name,
    outcome::{Outcome, Rejection, Stop},
    table::{self, Record, Tables, TablesMut, record_by},
    tenants, users,
};

/// Reading the schema.
pub const READ: Permission = Permission::read("profile-schema");
/// Changing the schema.
pub const WRITE: Permission = Permission::write("profile-schema");

/// The one record's id.
pub const SCHEMA_ID: [u8; 16] = [0; 16];

/// Most fields.
pub const FIELDS_MAX: usize = 50;
/// Most values of a choice.
pub const CHOICES_MAX: usize = 100;
/// Longest name of a field, bytes.
const NAME_MAX: usize = 40;

/// Names that mean something else wherever a claim is named.
const RESERVED: [&str; 13] = [
    "sub",
    "username",
    EMAIL,
    "email_verified",
    "phone_number_verified",
    "address",
    "password",
    "enabled",
    "roles",
    "groups",
    "updated_at",
    "preferred_username",
    "csrf",
];

/// What a field holds. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any text.
    Text,
    /// A decimal number: at most 15 digits, and 6 after the point.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A day, as `2026-11-26`.
    Date,
    /// An e-mail address.
    Email,
    /// An https address.
    Url,
    /// One of the field's choices.
    Choice,
}

/// What people may do with a field of theirs. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// They do not see it.
    None,
    /// They see it.
    Read,
    /// They see it and change it.
    Edit,
}

/// Who gives a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// The person it is about.
    Person,
    /// Whoever may change users.
    Administrator,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// What it holds.
    pub kind: Kind,
    /// What a choice may be; empty for every other kind.
    pub choices: BTreeSet<String>,
    /// What pages call it, by language; its name where there is none.
    pub labels: BTreeMap<String, String>,
    /// Whether who may change it must give it.
    pub required: bool,
    /// What people may do with theirs.
    pub person: Access,
    /// Whether administrators may change it.
    pub administrators_edit: bool,
}

impl Field {
    /// Whether that giver may change it.
    pub fn edited_by(&self, giver: Giver) -> bool {
        match giver {
            Giver::Person => self.person == Access::Edit,
            Giver::Administrator => self.administrators_edit,
        }
    }

    fn check(&self, at: &str) -> Result<(), Rejection> {
        let no = |member: &str, reason: String| {
            Err(Rejection::invalid(format!("{at}/{member}"), reason))
        };
        match (self.kind, self.choices.len()) {
            (Kind::Choice, 1..=CHOICES_MAX) => {}
            (Kind::Choice, _) => return no("choices", format!("must be 1 to {CHOICES_MAX}")),
            (_, 0) => {}
            (_, _) => return no("choices", "are for fields of the kind choice".into()),
        }
        for choice in &self.choices {
            name::label(&format!("{at}/choices"), choice)?;
        }
        for (tag, label) in &self.labels {
            if !languages::SHIPPED.contains(&tag.as_str()) {
                return no("labels", format!("{tag} is no language of the pages"));
            }
            name::label(&format!("{at}/labels/{tag}"), label)?;
        }
        if self.required && !self.edited_by(Giver::Person) && !self.administrators_edit {
            return no("required", "is for fields that somebody may change".into());
        }
        Ok(())
    }
}

/// Most values of one person beside the standard ones, those of former fields included.
const VALUES_MAX: usize = 100;

/// The fields of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// One more with every write; 0 where nobody set it.
    pub revision: u64,
    /// By name.
    pub fields: BTreeMap<String, Field>,
}

impl Schema {
    fn check(&self) -> Result<(), Rejection> {
        if self.fields.len() > FIELDS_MAX {
            return Err(Rejection::invalid("/fields", format!("must be at most {FIELDS_MAX}")));
        }
        for (name, field) in &self.fields {
            let at = name::pointer("/fields", name);
            if !is_name(name) {
                let reason = "must be 1 to 40 of a-z 0-9 _, begin with a letter, and be no name \
                              of the product's own";
                return Err(Rejection::invalid(at, reason));
            }
            field.check(&at)?;
        }
        Ok(())
    }

    /// Refuses what a giver may not give: values of no field, of another kind or not theirs to
    /// change, and what must be given and is not. What stays as it was is not looked at.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first claim that breaks a rule.
    pub fn admit(
        &self,
        before: Option<&BTreeMap<String, String>>,
        after: &BTreeMap<String, String>,
        giver: Giver,
    ) -> Result<(), Rejection> {
        // Values of fields that left the schema stay, so their number is bounded here: a record
        // must never grow beyond what can be read again.
        let others = |values: &BTreeMap<String, String>| {
            values.keys().filter(|name| !is_standard(name)).count()
        };
        if others(after) > VALUES_MAX && others(after) > before.map_or(0, others) {
            let reason = format!("must be at most {VALUES_MAX} values beside the standard ones");
            return Err(Rejection::invalid("/profile", reason));
        }
        let was = |name: &String| before.and_then(|before| before.get(name));
        let own = after.iter().filter(|(name, _)| !is_standard(name));
        for (name, value) in own.filter(|(name, value)| was(name) != Some(*value)) {
            let at = users::pointer(name);
            let Some(field) = self.fields.get(name) else {
                return Err(Rejection::invalid(at, "is no field of the profile"));
            };
            if !field.edited_by(giver) {
                return Err(Rejection::invalid(at, "is not yours to change"));
            }
            value::check(&at, field, value)?;
        }
        for (name, field) in self.fields.iter().filter(|(name, _)| !after.contains_key(*name)) {
            let taken = was(name).is_some();
            if taken && !field.edited_by(giver) {
                return Err(Rejection::invalid(users::pointer(name), "is not yours to change"));
            }
            // What was never given is asked for when an account is made, not at each change of it.
            let asked = before.is_none() || taken;
            if asked && field.required && field.edited_by(giver) {
                return Err(Rejection::invalid(users::pointer(name), "must be given"));
            }
        }
        Ok(())
    }
}

/// Whether a claim is one that every tenant has.
pub fn is_standard(claim: &str) -> bool {
    users::PROFILE_CLAIMS.contains(&claim)
}

/// Whether a field may be called so.
pub fn is_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_MAX).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(fine)
        && !RESERVED.contains(&name)
        && !is_standard(name)
}

impl Persisted for Schema {
    const KIND: [u8; 2] = *b"fs";
}

impl Record for Schema {
    record_by!(= SCHEMA_ID, never deleted);
}

pub(super) fn set<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    fields: &BTreeMap<String, Field>,
) -> Result<Outcome, Stop> {
    at.target(Schema::TABLE, SCHEMA_ID);
    at.require(WRITE)?;
    tenants::own(at)?;
    let schema = Schema { revision: 0, fields: fields.clone() };
    schema.check()?;
    at.settle(expected, schema)
}

/// The fields of a tenant.
///
/// # Errors
/// Faults only.
pub fn schema(tables: &impl Tables, tenant: TenantId) -> Result<Schema, Fault> {
    Ok(table::record::<Schema>(tables, tenant, SCHEMA_ID)?.unwrap_or_default())
}
