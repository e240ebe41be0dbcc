//! Administration of a running node from the command line: `vaultara user list`.
//!
//! The commands are made of the API's own description, so a resource that the API gains is a
//! command without a line here. What a person may do is decided by the server alone.

pub mod commands;
pub mod credential;
pub mod import;
pub mod input;
pub mod login;
pub mod lookup;
mod making;
pub mod operation;
pub mod server;
pub mod show;

use std::io::{self, IsTerminal as _};

use clap::{ArgMatches, Command};
use serde_json::Value;

use self::{
    commands::{ALL, COLUMNS, FILE, OUTPUT, SERVER},
    input::Request,
    operation::{CURSOR, Operation},
    server::{Failure, Server},
    show::Format,
};
use crate::{
    cli::{exit::Exit, output},
    config::Surroundings,
    openapi,
};

/// The operations of the API, as commands.
pub struct Api(Vec<Operation>);

impl Api {
    /// Reads the description of the API.
    pub fn described() -> Self {
        let document = serde_json::to_value(openapi::document()).unwrap_or_default();
        Self(operation::all(&document))
    }

    /// The command line with these commands.
    pub fn extend(&self, command: Command) -> Command {
        commands::extend(command, &self.0)
    }

    /// The operation that was asked for, if it is one of these.
    pub fn asked<'a, 'm>(
        &'a self,
        matches: &'m ArgMatches,
    ) -> Option<(&'a Operation, &'m ArgMatches)> {
        let (noun, matches) = matches.subcommand()?;
        let (verb, matches) = matches.subcommand()?;
        let named = |verb: &str| {
            self.0.iter().find(|operation| operation.noun == noun && operation.verb == verb)
        };
        if let Some(operation) = named(verb) {
            return Some((operation, matches));
        }
        let (second, matches) = matches.subcommand()?;
        Some((named(&format!("{verb}.{second}"))?, matches))
    }
}

/// Does an operation and shows what came of it.
pub fn run(
    api: &Api,
    (operation, matches): (&Operation, &ArgMatches),
    around: &Surroundings,
) -> Exit {
    finish(|| async {
        let mut request = input::read(operation, matches, around)
            .map_err(|message| Failure::new(Exit::Usage, message))?;
        let at = matches.get_one::<String>(SERVER).map(String::as_str);
        let (base, token) = credential::find(around, at).await?;
        let server = Server::new(&base, token)?;
        lookup::names(&api.0, operation, &mut request, &server).await?;
        let shown = Shown::asked(operation, matches);
        if operation.paged() {
            return pages(&server, request, matches.get_flag(ALL), &shown).await;
        }
        if let Some(file) = matches.try_get_one::<String>(FILE).ok().flatten() {
            return import::run(&server, &request, file, &shown).await;
        }
        let answer = server.send(&request, operation.repeatable).await?;
        if shown.format == Format::Table
            && let Some(etag) = &answer.etag
        {
            output::message(&format!("ETag: {etag}"));
        }
        if (operation.noun.as_str(), operation.verb.as_str()) == ("backup", "create") {
            return Ok(shown.one(&making::wait(&server, &request, answer.body).await?));
        }
        Ok(shown.one(&answer.body))
    })
}

/// Runs something that talks to a server.
pub(super) fn finish<F, T>(work: F) -> Exit
where
    F: FnOnce() -> T,
    T: Future<Output = Result<Exit, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(work()),
        Err(error) => Err(Failure::new(Exit::Failure, error.to_string())),
    };
    done.unwrap_or_else(|failure| {
        output::message(&format!("vaultara: {}", failure.message));
        failure.exit
    })
}

/// How answers are to be shown.
pub struct Shown {
    format: Format,
    columns: Vec<String>,
}

impl Shown {
    fn asked(operation: &Operation, matches: &ArgMatches) -> Self {
        let format = matches.get_one::<String>(OUTPUT).map_or("", String::as_str);
        let columns: Vec<String> =
            matches.get_many::<String>(COLUMNS).into_iter().flatten().cloned().collect();
        let columns = if columns.is_empty() { operation.columns.clone() } else { columns };
        Self { format: Format::of(format), columns }
    }

    fn one(&self, body: &Value) -> Exit {
        // What answers all there is at once is a list too; what it says besides, people read.
        let text = match body.get("items").and_then(Value::as_array) {
            Some(items) => {
                if self.format == Format::Table {
                    show::besides(body).iter().for_each(|line| output::message(line));
                }
                show::entries(items, self.format, &self.columns)
            }
            None => show::entry(body, self.format, &self.columns),
        };
        output::data(text.as_bytes())
    }
}

/// A list, to the end of a page or to its own.
async fn pages(
    server: &Server,
    mut request: Request,
    all: bool,
    shown: &Shown,
) -> Result<Exit, Failure> {
    let mut items: Vec<Value> = Vec::new();
    let mut count: usize = 0;
    let next = loop {
        let page = server.send(&request, false).await?.body;
        let found = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        count = count.saturating_add(found.len());
        if shown.format == Format::Lines {
            // A line at a time: what reads them need not wait for the end.
            let exit = output::data(show::entries(&found, shown.format, &[]).as_bytes());
            if exit != Exit::Ok {
                return Ok(exit);
            }
        } else {
            items.extend(found);
        }
        let next = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        match next {
            Some(cursor) if all => {
                if io::stderr().is_terminal() {
                    output::progress(&format!("{count} so far"));
                }
                request.query.retain(|(name, _)| name != CURSOR);
                request.query.push((CURSOR.to_owned(), cursor));
            }
            next => break next,
        }
    };
    if all && io::stderr().is_terminal() {
        output::progress("");
    }
    let exit = match shown.format {
        Format::Lines => Exit::Ok,
        _ => output::data(show::entries(&items, shown.format, &shown.columns).as_bytes()),
    };
    if count == 0 {
        output::message("There are none.");
    }
    if let Some(cursor) = next {
        output::message(&format!("More: --all, or --cursor {cursor}"));
    }
    Ok(exit)
}
