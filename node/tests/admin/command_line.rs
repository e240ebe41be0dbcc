//! `vaultara user list` and the like: the built program against a running node.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use actors::demo;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    api::{Api, unique},
    support::{self, Content, TestNode, Visitor, visitor::encoded},
};

/// A person at a shell: a home of their own and what is set in it.
struct Shell {
    /// Runs as long as somebody holds it.
    _node: Option<Arc<TestNode>>,
    home: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    fn bare(api: &Api) -> Self {
        let home = TempDir::new().unwrap();
        let folder = home.path().to_str().unwrap().to_owned();
        let variables = vec![("HOME", folder), ("VAULTARA_URL", api.node.url.clone())];
        Self { _node: Some(api.node.clone()), home, variables }
    }

    /// A script of the operator.
    fn of_operator(api: &Api) -> Self {
        Self::bare(api)
            .with("VAULTARA_CLIENT_ID", "admin-demo")
            .with("VAULTARA_CLIENT_SECRET", demo::ADMIN_SECRET)
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(given, _)| *given != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vaultara"));
        command.args(words).current_dir(self.home.path()).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).stdin(Stdio::null()).output().unwrap()
    }

    /// What a command prints that must be done.
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let words = [words, &["-o", "json"]].concat();
        serde_json::from_str(&self.done(&words)).unwrap()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_user_is_made_read_changed_listed_and_deleted() {
    let shell = Shell::of_operator(&Api::anonymous()).with("VAULTARA_TENANT", demo::TENANT);
    let name = unique("typed");
    let password = shell.file("password", "a long enough password\n");
    let made = shell.json(&[
        "user",
        "create",
        "--username",
        &name,
        "--password-file",
        &password,
        "--enabled",
        "false",
        "--profile",
        "{\"given_name\":\"Typed\"}",
    ]);
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&made["enabled"], &made["profile"]["given_name"]),
        (&false.into(), &"Typed".into())
    );
    let changed = shell.json(&["user", "update", &id, "--email", "typed@example.com"]);
    assert_eq!(
        (&changed["email"], &changed["username"]),
        (&"typed@example.com".into(), &name.as_str().into())
    );
    let cleared = shell.json(&["user", "update", &name, "--unset", "email"]);
    assert_eq!(cleared["email"], Value::Null);
    let table = shell.done(&["user", "list", "--filter", &format!("username eq \"{name}\"")]);
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.starts_with("ID") && table.contains(&name), "{table}");
    assert_eq!(shell.done(&["user", "delete", &id]), "");
    let output = shell.run(&["user", "get", &id]);
    assert_eq!(output.status.code(), Some(6), "{output:?}");
}

#[tokio::test]
async fn the_cluster_is_shown_as_a_table_and_tokens_are_made() {
    let api = Api::anonymous();
    crate::cluster::founded(&api.node).await;
    let shell = Shell::of_operator(&api);
    let shown = shell.run(&["cluster", "status"]);
    let (table, besides) = (String::from_utf8_lossy(&shown.stdout), stderr(&shown));
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    let columns = "NODE NAME ZONE ROLE STATE TERM APPLIED LAG HEALTH VERSION";
    assert_eq!(head.join(" "), columns, "{shown:?}");
    let first: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(first[..5], ["1", "one", "a", "voter", "leader"], "{shown:?}");
    assert!(besides.contains("leader: 1"), "{shown:?}");
    let made = shell.json(&["cluster", "token", "create", "--role", "learner"]);
    assert!(made["token"].as_str().unwrap().starts_with("vlt_jt_"), "{made}");
    let id = made["id"].as_str().unwrap();
    assert!(shell.done(&["cluster", "token", "list"]).contains(id));
    assert_eq!(shell.done(&["cluster", "token", "revoke", id]), "");
    let refused = shell.run(&["cluster", "demote", "1"]);
    assert!(stderr(&refused).contains("voter"), "{refused:?}");
}

#[tokio::test]
async fn nodes_are_moved_about_by_command_and_odd_ones_refused() {
    let api = Api::on(support::start(Content::Demo)).await;
    crate::cluster::founded(&api.node).await;
    let shell = Shell::of_operator(&api);
    for (words, code, said) in [
        (&["cluster", "promote", "99"][..], 6, "(404)"),
        (&["cluster", "remove", "99"], 6, "(404)"),
        (&["cluster", "transfer-leader", "99"], 6, "(404)"),
        (&["cluster", "drain", "99"], 6, "(404)"),
        (&["cluster", "undrain", "no-node"], 6, "(404)"),
        (&["cluster", "transfer-leader", "2"], 7, "only a voter can lead"),
        (&["cluster", "remove", "1"], 7, "do not answer"),
        (&["cluster", "promote"], 2, "NODE"),
    ] {
        let output = shell.run(words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
        assert!(stderr(&output).contains(said), "{words:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{words:?}: {output:?}");
    }
    let promoted = shell.done(&["cluster", "promote", "2"]);
    let line = |name: &str| {
        let line = promoted.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap()
    };
    assert_eq!((line("node "), line("role ")), ("2", "voter"), "{promoted}");
    let drained = shell.json(&["cluster", "drain", "2"]);
    assert!(drained["drained_at"].is_string(), "{drained}");
    let refused = shell.run(&["cluster", "transfer-leader", "2"]);
    assert_eq!(refused.status.code(), Some(7), "{refused:?}");
    assert!(stderr(&refused).contains("drained"), "{refused:?}");
    assert_eq!(shell.json(&["cluster", "undrain", "2"])["drained_at"], Value::Null);
    // It leads already, so there is nothing to wait for.
    assert_eq!(shell.json(&["cluster", "transfer-leader", "1"])["node"], 1);
    let removed = shell.json(&["cluster", "remove", "3"]);
    assert!(removed["removed_at"].is_string(), "{removed}");
    assert_eq!(shell.run(&["cluster", "remove", "3"]).status.code(), Some(6));
}

#[tokio::test]
async fn a_backup_is_made_and_listed_by_command() {
    let api = Api::on(support::start(Content::Demo)).await;
    let shell = Shell::of_operator(&api);
    assert_eq!(shell.done(&["backup", "list"]), "");
    let refused = shell.run(&["backup", "create", "--recipients", "nobody"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(stderr(&refused).contains("/recipients"), "{refused:?}");
    let nobody = Shell::bare(&api).run(&["backup", "create"]);
    assert_eq!((nobody.status.code(), nobody.stdout.len()), (Some(5), 0), "{nobody:?}");
    assert_eq!(shell.json(&["backup", "list"]), Value::Array(Vec::new()), "nothing was made");

    let made = shell.json(&["backup", "create"]);
    assert_eq!((&made["state"], &made["problem"]), (&"made".into(), &Value::Null), "{made}");
    assert!(made["log_index"].as_u64().is_some_and(|index| index > 0), "{made}");
    let listed = shell.json(&["backup", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    for field in ["name", "state", "log_index"] {
        assert_eq!(listed[0][field], made[field], "{field}");
    }
    let table = shell.done(&["backup", "list"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("NAME"), "{table}");
    assert!(lines[1].starts_with(made["name"].as_str().unwrap()), "{table}");
}

#[tokio::test]
async fn a_list_is_followed_to_its_end() {
    let shell = Shell::of_operator(&Api::anonymous()).with("VAULTARA_TENANT", demo::TENANT);
    for _ in 0..3 {
        shell.done(&["user", "create", "--username", &unique("listed")]);
    }
    let first = shell.run(&["user", "list", "--limit", "1", "-o", "jsonl"]);
    assert_eq!(String::from_utf8_lossy(&first.stdout).lines().count(), 1, "{first:?}");
    assert!(stderr(&first).contains("More: --all"), "{first:?}");
    let all = shell.done(&["user", "list", "--limit", "1", "--all", "-o", "jsonl"]);
    assert!(all.lines().count() >= 4, "{all}");
    for line in all.lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["id"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn exit_codes_tell_what_the_server_said() {
    let api = Api::anonymous();
    let shell = Shell::of_operator(&api).with("VAULTARA_TENANT", demo::TENANT);
    let nobody = Shell::bare(&api);
    let wrong = Shell::of_operator(&api).with("VAULTARA_CLIENT_SECRET", "wrong");
    let away = Shell::of_operator(&api).with("VAULTARA_URL", "http://127.0.0.1:1");
    let random = "018f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    for (shell, words, code, said) in [
        (&nobody, &["user", "list"][..], 5, "vaultara login"),
        (&wrong, &["user", "list"], 5, "invalid_client"),
        (&shell, &["user", "get", random], 6, "(404)"),
        (&shell, &["user", "get", "no-such-person"], 6, "no user with the username"),
        (&shell, &["user", "list", "--tenant", "no-such-tenant"], 6, "(404)"),
        (&shell, &["user", "create", "--username", "alice"], 7, "(409)"),
        (&shell, &["user", "create", "--username", ""], 1, "/username"),
        (&shell, &["user", "create", "--from-file", "/no/such/file"], 2, "/no/such/file"),
        (&shell, &["user", "create", "--password", "typed"], 2, "--password"),
        (&shell, &["user", "list", "--limit", "many"], 1, "limit"),
        (&shell, &["user", "no-such-verb"], 2, "no-such-verb"),
        (&shell, &["user"], 2, "create"),
        (&away, &["user", "list"], 4, "cannot be reached"),
    ] {
        let output = shell.run(words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
        assert!(stderr(&output).contains(said), "{words:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{words:?}: {output:?}");
    }
    let alice = shell.json(&["user", "list", "--filter", "username eq \"alice\""]);
    let id = alice[0]["id"].as_str().unwrap();
    let output = shell.run(&["user", "update", id, "--if-match", "999999", "--enabled", "true"]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
}

#[tokio::test]
async fn a_body_may_come_from_a_file_or_from_standard_input() {
    let shell = Shell::of_operator(&Api::anonymous()).with("VAULTARA_TENANT", demo::TENANT);
    let name = unique("piped");
    let mut child = shell
        .command(&["user", "create", "-f", "-", "--enabled", "false", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let body = format!("{{\"username\":\"{name}\",\"enabled\":true}}");
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&made["username"], &made["enabled"]), (&name.as_str().into(), &false.into()));
}

#[tokio::test]
async fn a_person_signs_in_with_their_browser_and_out_again() {
    let api = Api::anonymous();
    let shell = Shell::bare(&api);
    let mut login = shell
        .command(&["login", "--tenant", demo::TENANT, "--no-browser"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(login.stderr.take().unwrap());
    let mut line = String::new();
    while !line.trim().starts_with("http") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "no address was printed");
    }
    let mut browser = Visitor::new();
    let page = browser.get(line.trim()).await;
    let form = [
        ("csrf", page.hidden("csrf")),
        ("username", "bob"),
        ("password", demo::ADMINISTRATOR_PASSWORD),
    ];
    let headers = [("sec-fetch-site", "same-origin"), ("origin", "null")];
    let answer = browser.send_form(&api.node.demo_at("/login"), &headers, &form).await;
    let back = answer.header("location").to_owned();
    // Somebody else's answer at the same port is turned away and ends nothing.
    let (base, _) = back.split_once('?').unwrap();
    let forged = encoded(&[("code", "c"), ("state", "forged"), ("iss", &api.node.demo_at(""))]);
    assert_eq!(browser.get(&format!("{base}?{forged}")).await.status, 404);
    let page = browser.get(&back).await;
    assert!(page.status == 200 && page.body.contains("You are signed in"), "{page:?}");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(login.wait().unwrap().success(), "{rest}");

    // `self` is the tenant of whoever signed in; another one does not exist for them.
    let users = shell.json(&["user", "list", "--filter", "username eq \"alice\""]);
    assert_eq!(users[0]["username"], "alice");
    assert_eq!(shell.run(&["user", "list", "--tenant", "default"]).status.code(), Some(6));

    // A token that has ended is renewed, and the next one is kept.
    let logins = shell.home.path().join(".config/vaultara/logins.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&logins).unwrap()).unwrap();
    let login = &mut stored["logins"][&api.node.url];
    let (old, refresh) = (login["access_token"].clone(), login["refresh_token"].clone());
    login["access_token"] = "ended".into();
    login["expires_at_s"] = 0.into();
    std::fs::write(&logins, stored.to_string()).unwrap();
    shell.done(&["user", "list"]);
    let stored: Value = serde_json::from_slice(&std::fs::read(&logins).unwrap()).unwrap();
    let login = &stored["logins"][&api.node.url];
    assert!(login["access_token"] != old && login["refresh_token"] != refresh, "{stored}");
    shell.done(&["logout"]);
    assert_eq!(shell.run(&["user", "list"]).status.code(), Some(5));
    assert_eq!(shell.run(&["logout"]).status.code(), Some(5));
}

#[test]
fn help_completions_and_the_manual_know_the_resources() {
    let home = TempDir::new().unwrap();
    let shell = Shell { _node: None, home, variables: Vec::new() };
    assert!(shell.done(&["--help"]).contains("user"));
    assert!(shell.done(&["user", "create", "--help"]).contains("--password-file"));
    assert!(
        shell.done(&["completions", "bash"]).contains("vaultara__subcmd__user__subcmd__create")
    );
    assert!(shell.done(&["man"]).contains("password\\-rules"));
    assert!(shell.done(&["man", "user", "create"]).contains("password\\-file"));
    assert_eq!(shell.run(&["man", "no-such-command"]).status.code(), Some(2));
    let audit = shell.done(&["audit", "--help"]);
    assert!(audit.contains("verify"), "{audit}");
}

#[tokio::test]
async fn a_file_of_users_is_imported_and_goes_on_where_it_ended() {
    let shell = Shell::of_operator(&Api::anonymous()).with("VAULTARA_TENANT", demo::TENANT);
    let name = unique("imported");
    let mut text: String =
        (0..1_200).map(|number| format!("{{\"username\":\"{name}-{number}\"}}\n")).collect();
    text.push_str("{\"username\":\"alice\"}\n\n{\"username\":\"\"}\nnot json\n");
    let file = shell.file("users.ndjson", &text);
    let words = ["user", "import", &file, "--idempotency-key", &name];
    let output = shell.run(&words);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).contains("1200 made, 1 there already, 2 refused"), "{output:?}");
    let refused = String::from_utf8(output.stdout).unwrap();
    assert!(refused.contains("line 1202: ") && refused.contains("/username"), "{refused}");
    assert!(refused.contains("line 1203: "), "{refused}");
    // Again under the same key: nothing is made twice, and the answers are those of then.
    let again = shell.run(&words);
    assert!(stderr(&again).contains("1200 made, 1 there already, 2 refused"), "{again:?}");
    let filter = format!("username sw \"{name}\"");
    let all = shell
        .done(&["user", "list", "--all", "--limit", "500", "--filter", &filter, "-o", "jsonl"]);
    assert_eq!(all.lines().count(), 1_200);
}
