//! The schema of a merge patch: that of the whole, with nothing required.

use serde_json::Value;
use utoipa::openapi::{RefOr, Schema};

/// The name of the schema of a merge patch.
pub(super) fn patch_of(name: &str) -> String {
    format!("{}Patch", name.strip_suffix("Input").unwrap_or(name))
}

/// The same schema without required fields, down to the schemas it refers to.
pub(super) fn optional(schema: RefOr<Schema>) -> RefOr<Schema> {
    let loosened = serde_json::to_value(&schema).ok().and_then(|mut value| {
        loosen(&mut value);
        serde_json::from_value(value).ok()
    });
    loosened.unwrap_or(schema)
}

fn loosen(value: &mut Value) {
    match value {
        Value::Object(members) => {
            // A list is the keyword; a field of that name would be a schema.
            if members.get("required").is_some_and(Value::is_array) {
                members.remove("required");
            }
            if let Some(Value::String(reference)) = members.get_mut("$ref") {
                *reference = patch_of(reference);
            }
            members.values_mut().for_each(loosen);
        }
        Value::Array(items) => items.iter_mut().for_each(loosen),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
