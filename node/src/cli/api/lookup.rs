//! Names instead of identifiers: `vaultara user get alice`.
//!
//! A word that is no identifier is looked up in the list of its resource, by the attribute that the
//! description calls its name. Invariant: a name stands for exactly one, or the command does
//! nothing.

use serde_json::Value;
use uuid::Uuid;

use crate::cli::{
    api::{
        input::Request,
        operation::Operation,
        server::{Failure, Server},
    },
    exit::Exit,
};

/// Puts identifiers in the place of names.
///
/// # Errors
/// That there is none of that name, or whatever the list was answered with.
pub async fn names(
    all: &[Operation],
    operation: &Operation,
    request: &mut Request,
    server: &Server,
) -> Result<(), Failure> {
    let tenant = request.tenant.clone();
    for (place, word) in &mut request.ids {
        let noun = match place.strip_suffix("_id") {
            Some(noun) => noun,
            None => &operation.noun,
        };
        let Some((list, name)) = list_of(all, noun) else { continue };
        if Uuid::parse_str(word).is_err() {
            *word = find(server, (list, name), tenant.clone(), word).await?;
        }
    }
    Ok(())
}

/// The list of a resource whose entries have names.
fn list_of<'a>(all: &'a [Operation], noun: &str) -> Option<(&'a Operation, &'a str)> {
    let list = all.iter().find(|it| it.noun == noun && it.verb == "list")?;
    Some((list, list.named_by.as_deref()?))
}

async fn find(
    server: &Server,
    (list, name): (&Operation, &str),
    tenant: Option<String>,
    word: &str,
) -> Result<String, Failure> {
    let filter = format!("{name} eq {}", Value::from(word));
    let request = Request {
        method: list.method.clone(),
        path: list.path.clone(),
        tenant,
        ids: Vec::new(),
        query: vec![("filter".to_owned(), filter), ("limit".to_owned(), "2".to_owned())],
        body: None,
        if_match: None,
        key: None,
    };
    let page = server.send(&request, false).await?.body;
    let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice);
    match items {
        Some([only]) => {
            let id = only.get("id").and_then(Value::as_str).map(str::to_owned);
            id.ok_or_else(|| Failure::new(Exit::Failure, "the answer has no id"))
        }
        _ => {
            let message = format!("there is no {} with the {name} {word}", list.noun);
            Err(Failure::new(Exit::NotFound, message))
        }
    }
}
