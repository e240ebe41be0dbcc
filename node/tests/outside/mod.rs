//! A node in this process, and a client that writes and reads raw bytes.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use vaultara_node::{
    Interior, Limits, Node,
    config::{self, Mode, Request, Surroundings},
    http::health::Condition,
};

/// Longer than anything here takes; a test that waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running node with what a test wants to change about it.
pub(crate) struct TestNode {
    pub(crate) node: Node,
    pub(crate) condition: watch::Sender<Condition>,
    _folder: TempDir,
}

/// Starts a node on free ports.
pub(crate) async fn start(
    routes: Router,
    limits: Limits,
    settings: &[(&'static str, &str)],
) -> TestNode {
    let folder = TempDir::new().unwrap();
    let mut flags = BTreeMap::from([
        ("SERVER_PORT", "0".to_owned()),
        ("MANAGEMENT_BIND", "127.0.0.1:0".to_owned()),
    ]);
    let mut around = Surroundings::bare(folder.path());
    for (name, text) in settings {
        if *name == "JWT_SECRET" {
            around.variables.insert((*name).to_owned(), (*text).to_owned());
        } else {
            flags.insert(name, (*text).to_owned());
        }
    }
    let production = settings.iter().any(|(name, _)| *name == "JWT_SECRET");
    let mode = if production { Mode::Production } else { Mode::Development };
    let loaded = config::load(&Request { mode, file: None, flags }, &around).unwrap();
    let (condition, watched) = watch::channel(Condition::good());
    let ids = AtomicU64::new(1);
    let interior = Interior {
        routes,
        management_routes: Router::new(),
        condition: watched,
        request_ids: Arc::new(move || format!("test-{:06}", ids.fetch_add(1, Ordering::Relaxed))),
    };
    let bound = Node::bind_with(loaded.config, limits).await.unwrap();
    TestNode { node: bound.start(interior).unwrap(), condition, _folder: folder }
}

/// A node without routes of its own.
pub(crate) async fn bare() -> TestNode {
    start(Router::new(), Limits::default(), &[]).await
}

/// An answer in pieces; header names are in lower case.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The stable code of a problem document.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// One answer whose body has a length; a `HEAD` answer has none.
    pub(crate) async fn answer(&mut self, method: &str) -> Answer {
        timeout(PATIENCE, self.read_answer(method)).await.expect("an answer in time")
    }

    async fn read_answer(&mut self, method: &str) -> Answer {
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.read_more().await > 0, "closed before an answer");
        };
        let head = String::from_utf8(self.buffer.drain(..head_end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: String::new() };
        let length = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
        if method != "HEAD" {
            while self.buffer.len() < length {
                assert!(self.read_more().await > 0, "closed inside a body");
            }
            answer.body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        }
        answer
    }

    async fn read_more(&mut self) -> usize {
        self.stream.read_buf(&mut self.buffer).await.unwrap()
    }

    /// Waits until the server closes; what it sent before is lost.
    pub(crate) async fn closed(&mut self) {
        let reading = async {
            let mut buffer = [0; 1_024];
            while self.stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        };
        timeout(PATIENCE, reading).await.expect("closed in time");
    }

    pub(crate) async fn read_exact(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        timeout(PATIENCE, self.stream.read_exact(&mut bytes)).await.expect("in time").unwrap();
        bytes
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// One request on a connection of its own.
pub(crate) async fn request(address: SocketAddr, method: &str, path: &str, rest: &str) -> Answer {
    let mut client = Client::connect(address).await;
    let rest = if rest.is_empty() { "\r\n" } else { rest };
    client.send(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{rest}")).await;
    client.answer(method).await
}

/// `GET` without further headers.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, "").await
}

/// A request with a body.
pub(crate) async fn send_body(
    address: SocketAddr,
    method: &str,
    path: &str,
    kind: &str,
    body: &str,
) -> Answer {
    let length = body.len();
    let rest = format!("content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}");
    request(address, method, path, &rest).await
}
