//! Sparse answers: `fields=` names the members that are wanted; `id` is always there.
//!
//! What there is to name is read from the schema of the view, so it is what OpenAPI says.

use actors::Error;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::{
    admin::Resource,
    error::{Class, Failure},
};

/// Names of one request at most.
const NAMES_MAX: usize = 100;

/// The members that are wanted; all of them if none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape(Option<Vec<String>>);

/// The members of a view.
pub fn members<V: ToSchema>() -> Vec<String> {
    let schema = serde_json::to_value(V::schema()).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|members| members.keys().cloned().collect()).unwrap_or_default()
}

impl Shape {
    /// Reads `fields`, names with commas between them.
    ///
    /// # Errors
    /// [`Class::INVALID_REQUEST`] for a name that the view does not have.
    pub fn parse<R: Resource>(given: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = given else {
            return Ok(Self::default());
        };
        let known = members::<R::View>();
        let mut wanted = vec!["id".to_owned()];
        for name in text.split(',').map(str::trim) {
            if wanted.len() > NAMES_MAX {
                return Err(refused("names more than 100 fields"));
            }
            if !known.iter().any(|known| known == name) {
                return Err(refused(&format!("{} is not known: {}", name, known.join(", "))));
            }
            wanted.push(name.to_owned());
        }
        Ok(Self(Some(wanted)))
    }

    /// A view with no more than the wanted members.
    ///
    /// # Errors
    /// [`Error::Internal`] for a view that is no JSON object.
    pub fn of<V: Serialize>(&self, view: &V) -> Result<Value, Error> {
        let mut value = shown(view)?;
        if let (Some(wanted), Value::Object(members)) = (&self.0, &mut value) {
            members.retain(|name, _| wanted.contains(name));
        }
        Ok(value)
    }
}

/// A view as JSON.
///
/// # Errors
/// [`Error::Internal`] for one that cannot be written.
pub fn shown<V: Serialize>(view: &V) -> Result<Value, Error> {
    serde_json::to_value(view)
        .map_err(|error| Error::Internal(format!("a view could not be written: {error}")))
}

fn refused(reason: &str) -> Failure {
    Failure::new(Class::INVALID_REQUEST)
        .detail("fields names what is not there")
        .field("fields", reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::admin::users::Users;

    #[test]
    fn only_what_is_named_is_shown_and_the_id() {
        let whole = json!({ "id": "7", "username": "alice", "email": null, "enabled": true });
        for (fields, expected) in [
            (None, whole.clone()),
            (Some("username"), json!({ "id": "7", "username": "alice" })),
            (Some("email, id"), json!({ "id": "7", "email": null })),
        ] {
            assert_eq!(Shape::parse::<Users>(fields).unwrap().of(&whole).unwrap(), expected);
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        for bad in ["", "password", "username,", "Username", "username,nothing"] {
            let occurrence = Shape::parse::<Users>(Some(bad)).unwrap_err().into_occurrence();
            assert_eq!(occurrence.class, Class::INVALID_REQUEST);
            assert_eq!(occurrence.errors[0].pointer, "fields", "{bad}");
        }
    }
}
