//! The built binary: what people and service managers see of it.

// The exceptions for tests do not reach their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn vaultara(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vaultara"));
    command.args(words).current_dir(folder).env_clear();
    command
}

fn run(folder: &Path, words: &[&str]) -> Output {
    vaultara(folder, words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn exit_codes_say_what_went_wrong() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    for (words, code) in [
        (&["version"][..], 0),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["no-such-command"], 2),
        (&["server", "--no-such-flag"], 2),
        (&["server", "--master-key", "x"], 2),
        (&["config"], 2),
        (&["config", "check", "--dev"], 0),
        (&["config", "check"], 3),
        (&["config", "print"], 3),
        (&["config", "print", "--dev"], 0),
        (&["server"], 3),
        (&[], 3),
        (&["--server-port", "99999", "--dev"], 3),
        (&["server", "--dev", "--server-host", "0.0.0.0"], 3),
        (&["completions", "bash"], 0),
        (&["completions", "tcl"], 2),
        (&["man"], 0),
    ] {
        let output = run(path, words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_wrong_configuration_is_told_in_whole_lines_without_secrets() {
    let folder = TempDir::new().unwrap();
    let output = vaultara(folder.path(), &["server", "--external-url", "http://id.example.com"])
        .env("JWT_SECRET", "short-marker")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let errors = text(&output.stderr);
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 2, "{errors}");
    let start = "vaultara: bad configuration: EXTERNAL_URL (flag --external-url): ";
    assert!(lines[0].starts_with(start), "{errors}");
    assert!(!errors.contains("short-marker"), "{errors}");
    assert!(output.stdout.is_empty());
}

#[test]
fn printed_configuration_masks_secrets() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(".env"), format!("JWT_SECRET={SECRET}\n")).unwrap();
    for words in [
        &["config", "print", "--show-origin"][..],
        &["config", "print", "-o", "json"],
        &["config", "print", "--server-port", "81"],
    ] {
        let output = run(folder.path(), words);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let shown = text(&output.stdout);
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(shown.contains("********"), "{shown}");
    }
    let shown = text(&run(folder.path(), &["config", "print", "--show-origin"]).stdout);
    assert!(shown.contains("# .env:1 JWT_SECRET"), "{shown}");
}

#[test]
fn the_version_can_be_read_by_programs() {
    let folder = TempDir::new().unwrap();
    let output = run(folder.path(), &["version", "--json"]);
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(version["name"], "vaultara");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        text(&run(folder.path(), &["version"]).stdout),
        concat!("vaultara ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn help_lists_the_exit_codes_and_every_flag_but_secrets() {
    let folder = TempDir::new().unwrap();
    let help = text(&run(folder.path(), &["server", "--help"]).stdout);
    for flag in ["--dev", "--config", "--data-dir", "--server-port", "--log-format"] {
        assert!(help.contains(flag), "{flag}: {help}");
    }
    assert!(!help.contains("--jwt-secret"), "{help}");
    let help = text(&run(folder.path(), &["--help"]).stdout);
    assert!(help.contains("3  bad configuration"), "{help}");
}

/// A server in a process of its own, stopped when dropped.
struct Server {
    child: Child,
    logs: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl Server {
    fn start(folder: &Path, words: &[&str]) -> Self {
        let mut command = vaultara(folder, &["server", "--dev", "--server-port", "0"]);
        command.args(["--management-bind", "127.0.0.1:0"]).args(words);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let logs = BufReader::new(child.stderr.take().unwrap());
        Self { child, logs, seen: String::new() }
    }

    /// The next log line with that message.
    fn line(&mut self, message: &str) -> serde_json::Value {
        loop {
            let mut line = String::new();
            assert!(self.logs.read_line(&mut line).unwrap() > 0, "ended: {}", self.seen);
            self.seen.push_str(&line);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            if event["msg"] == message {
                return event;
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn code(&mut self) -> Option<i32> {
        self.logs.read_to_string(&mut self.seen).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_answers_and_drains_when_told_to_stop() {
    for signal in ["-TERM", "-INT"] {
        let folder = TempDir::new().unwrap();
        let mut server = Server::start(folder.path(), &[]);
        let event = server.line("listening");
        assert_eq!(event["level"], "INFO");
        let address = event["address"].as_str().unwrap().to_owned();
        let answer = get(&address, "/health?token=marker-in-query");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\"status\":\"UP\""), "{answer}");
        server.signal(signal);
        assert_eq!(server.code(), Some(0), "{}", server.seen);
        assert!(server.seen.contains("\"msg\":\"draining\""), "{}", server.seen);
        assert!(!server.seen.contains("marker"), "{}", server.seen);
    }
}

#[test]
fn every_log_line_is_json_even_at_the_finest_level() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path(), &["--log-level", "trace"]);
    let address = server.line("listening")["address"].as_str().unwrap().to_owned();
    get(&address, "/marker-in-path?code=marker-in-query");
    let event = server.line("answered");
    assert_eq!(event["target"], "vaultara::access");
    assert_eq!((&event["route"], &event["status"]), (&"unmatched".into(), &404.into()));
    assert!(event["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{event}");
    assert!(event["duration_us"].is_u64(), "{event}");
    server.signal("-TERM");
    assert_eq!(server.code(), Some(0), "{}", server.seen);
    for line in server.seen.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    assert!(!server.seen.contains("marker"), "no raw path and no query: {}", server.seen);
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path(), &["--shutdown-drain-delay", "10m"]);
    server.line("listening");
    server.signal("-TERM");
    server.line("draining");
    server.signal("-TERM");
    assert_eq!(server.code(), Some(1), "{}", server.seen);
}

#[test]
fn the_service_manager_is_told_and_a_crash_leaves_no_memory_behind() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let receive = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        text(&buffer[..length])
    };
    let mut command = vaultara(folder.path(), &["server", "--dev", "--server-port", "0"]);
    command.args(["--management-bind", "127.0.0.1:0"]).env("NOTIFY_SOCKET", &path);
    let mut server = Server::spawn(command);
    server.line("listening");
    assert_eq!(receive(), "READY=1\n");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = core.split_whitespace().skip(4).collect();
    assert_eq!(words[..2], ["0", "0"], "{core}");
    server.signal("-TERM");
    assert_eq!(receive(), "STOPPING=1\n");
    assert_eq!(server.code(), Some(0), "{}", server.seen);
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words = ["server", "--dev", "--server-port", &port, "--management-bind", "off"];
    let output = run(folder.path(), &words);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains(&format!("vaultara: cannot start: cannot listen on 127.0.0.1:{port}: "))
    );
    assert_eq!(errors.lines().count(), 1, "{errors}");
}
