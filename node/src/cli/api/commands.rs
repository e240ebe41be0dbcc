//! The commands of a person out of the operations: `vaultara user create --username alice`.
//!
//! Identifiers of the path are words in their order, fields of the body are flags, and whatever a
//! flag cannot say comes from a file. Secrets are never arguments: they come from files too.

use clap::{Arg, ArgAction, Command, value_parser};

use crate::cli::api::operation::{CURSOR, Field, Form, Operation, Parameter};

/// The flag with the tenant, of every operation in one.
pub const TENANT: &str = "tenant";
/// The flag with the whole body.
pub const FROM_FILE: &str = "from-file";
/// The word with the file of an import.
pub const FILE: &str = "/file";
/// The flag with the revision that a change was read at.
pub const IF_MATCH: &str = "if-match";
/// The flag that repeats a request under a key of the caller's own.
pub const KEY: &str = "idempotency-key";
/// The flag that follows a list to its end.
pub const ALL: &str = "all";
/// The flag that puts fields back to their defaults.
pub const UNSET: &str = "unset";
/// The flag with the form of the output.
pub const OUTPUT: &str = "output";
/// The flag with the columns of a table.
pub const COLUMNS: &str = "columns";
/// The flag with the server's address.
pub const SERVER: &str = "server";

/// Merge patches alone can put a field back.
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// The command line with the commands of these operations. Where a noun is a command already, the
/// verbs stand beside those it has.
pub fn extend(mut command: Command, operations: &[Operation]) -> Command {
    for of_noun in operations.chunk_by(|one, other| one.noun == other.noun) {
        let Some(noun) = of_noun.first().map(|first| first.noun.clone()) else { continue };
        let verbs = verbs(of_noun);
        command = match command.find_subcommand(&noun) {
            Some(_) => command.mut_subcommand(&noun, |existing| existing.subcommands(verbs)),
            None => command.subcommand(
                Command::new(noun.clone())
                    .about(format!("Administers a running node: {}", list(of_noun)))
                    .subcommand_required(true)
                    .arg_required_else_help(true)
                    .subcommands(verbs),
            ),
        };
    }
    command
}

fn list(operations: &[Operation]) -> String {
    let verbs: Vec<&str> = operations.iter().map(|operation| operation.verb.as_str()).collect();
    verbs.join(", ").replace('.', " ")
}

/// The commands of one noun. Verbs of two words, `token.create`, stand together under the first.
fn verbs(operations: &[Operation]) -> Vec<Command> {
    let first =
        |operation: &Operation| operation.verb.split_once('.').map(|(first, _)| first.to_owned());
    let mut commands = Vec::new();
    for together in
        operations.chunk_by(|one, other| first(one).is_some() && first(one) == first(other))
    {
        let Some(name) = together.first().and_then(first) else {
            commands.extend(together.iter().map(verb));
            continue;
        };
        let about: Vec<&str> = together.iter().map(|one| one.verb.as_str()).collect();
        commands.push(
            Command::new(name.clone())
                .about(about.join(", ").replace(&format!("{name}."), ""))
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommands(together.iter().map(verb)),
        );
    }
    commands
}

fn verb(operation: &Operation) -> Command {
    let last = operation.verb.rsplit('.').next().unwrap_or_default();
    let mut command = Command::new(last.to_owned())
        .about(operation.summary.clone())
        .args(server())
        .args(output());
    for place in operation.places() {
        let name = place.strip_suffix("_id").unwrap_or(place);
        let shown = if name == "id" { &operation.noun } else { name };
        command = command.arg(
            Arg::new(format!("/{place}"))
                .value_name(shown.to_uppercase().replace('-', "_"))
                .required(true)
                .help("Its id, or its name where it has one"),
        );
    }
    if operation.in_tenant() {
        let help = "Slug or id of the tenant; without it VAULTARA_TENANT, else the caller's own";
        command = command.arg(Arg::new(TENANT).long(TENANT).help(help));
    }
    command = command.args(operation.query.iter().map(parameter));
    if operation.paged() {
        command = command.arg(
            Arg::new(ALL)
                .long(ALL)
                .action(ArgAction::SetTrue)
                .conflicts_with(format!("?{CURSOR}"))
                .help("Every page, to the end of the list"),
        );
    }
    if operation.conditional {
        let help = "Only if its revision (ETag) is still this one";
        command = command.arg(Arg::new(IF_MATCH).long(IF_MATCH).value_name("ETAG").help(help));
    }
    if operation.repeatable {
        let help = "A key of your own: the same key with the same request is done once";
        command = command.arg(Arg::new(KEY).long(KEY).value_name("KEY").help(help));
    }
    if operation.of_lines() {
        let help = "File with a line of JSON for each; `-` is standard input";
        return command.arg(Arg::new(FILE).value_name("FILE").default_value("-").help(help));
    }
    if let Some(body) = &operation.body {
        let help = "File with the whole body as JSON, `-` is standard input; flags go over it";
        command = command
            .arg(Arg::new(FROM_FILE).long(FROM_FILE).short('f').value_name("FILE").help(help))
            .args(body.fields.iter().map(field));
        if body.media == MERGE_PATCH {
            command = command.arg(
                Arg::new(UNSET)
                    .long(UNSET)
                    .value_name("FIELD")
                    .action(ArgAction::Append)
                    .help("Puts a field back to its default"),
            );
        }
    }
    command
}

/// Which server, and as whom.
pub fn server() -> [Arg; 1] {
    [Arg::new(SERVER)
        .long(SERVER)
        .value_name("URL")
        .help("Where the node answers; without it VAULTARA_URL, else where the last login was")
        .help_heading("Server")]
}

fn output() -> [Arg; 2] {
    [
        Arg::new(OUTPUT)
            .long(OUTPUT)
            .short('o')
            .value_parser(["table", "json", "jsonl"])
            .default_value("table")
            .help("How the answer is written")
            .help_heading("Output"),
        Arg::new(COLUMNS)
            .long(COLUMNS)
            .value_name("NAME,…")
            .value_delimiter(',')
            .help("Columns of the table")
            .help_heading("Output"),
    ]
}

fn parameter(given: &Parameter) -> Arg {
    let name = flag(&given.name);
    Arg::new(format!("?{}", given.name)).long(name).help(plain(&given.about))
}

fn field(field: &Field) -> Arg {
    let name = flag(&field.name);
    let about = plain(&field.about);
    let arg = Arg::new(format!(".{}", field.name)).help(about.clone());
    match field.form {
        Form::Text => arg.long(name).value_name("TEXT"),
        Form::Secret => {
            let about = format!("{about} (a file; `-` is the next line of standard input)");
            arg.long(format!("{name}-file")).value_name("FILE").help(about.trim().to_owned())
        }
        Form::Truth => {
            arg.long(name).value_name("TRUE|FALSE").value_parser(value_parser!(bool)).num_args(1)
        }
        Form::Number => arg.long(name).value_name("NUMBER").value_parser(value_parser!(i64)),
        Form::Texts => arg.long(name).value_name("TEXT").action(ArgAction::Append),
        Form::Json => arg.long(name).value_name("JSON"),
    }
}

/// The flag of a field: names of the API hold underscores, flags hyphens.
fn flag(name: &str) -> String {
    let name = name.replace('_', "-");
    // Flags that mean the same everywhere keep their meaning.
    match name.as_str() {
        TENANT | FROM_FILE | IF_MATCH | KEY | ALL | UNSET | OUTPUT | COLUMNS | SERVER | "help"
        | "version" => format!("set-{name}"),
        _ => name,
    }
}

/// Without the marks of the description's own format.
fn plain(about: &str) -> String {
    about.replace('`', "")
}
