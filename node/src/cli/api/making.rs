//! Waiting for a backup that takes longer than the answer about it.

use std::time::Duration;

use serde_json::Value;

use super::{
    input::Request,
    server::{Failure, Server},
};
use crate::cli::{exit::Exit, output};

/// How often it is asked how far it is.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Says how far it is until it is made, and then what came of it. A node behind a load balancer may
/// not know of it: then the answer stays what it was.
///
/// # Errors
/// It was not made.
pub(super) async fn wait(
    server: &Server,
    request: &Request,
    mut body: Value,
) -> Result<Value, Failure> {
    let begun = text(&body, "name").to_owned();
    let listing = Request { method: "GET".into(), body: None, key: None, ..request.clone() };
    while text(&body, "state") == "making" {
        tokio::time::sleep(ASK_EVERY).await;
        let answer = server.send(&listing, false).await?;
        let mut items = answer.body.get("items").and_then(Value::as_array).into_iter().flatten();
        // Once it is made its name goes on with the log index.
        let found = items.find(|one| text(one, "name").starts_with(&begun)).cloned();
        let Some(found) = found else {
            output::message("another node answers now: look at the list of the one that makes it");
            return Ok(body);
        };
        if text(&found, "state") == "making" {
            let bytes = found.get("bytes").and_then(Value::as_u64).unwrap_or_default();
            output::message(&format!("{} MiB written", bytes >> 20));
        }
        body = found;
    }
    match text(&body, "problem") {
        "" => Ok(body),
        problem => Err(Failure::new(Exit::Failure, problem)),
    }
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}
