//! Against servers that really listen, on loopback, which the tests' operator allows.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;

use super::*;

const AUTHORITY: &[u8] = include_bytes!("tests/authority.pem");
const STRANGER: &[u8] = include_bytes!("tests/stranger.pem");
const SERVER: &[u8] = include_bytes!("tests/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("tests/server.key");

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-type: Application/JSON; charset=utf-8\r\n\
                    content-length: 2\r\n\r\n{}";

fn strict() -> Fetcher {
    let authorities = Some(AUTHORITY.to_vec());
    Fetcher::new(Policy { authorities, ..Policy::default() }).unwrap()
}

fn allowing(limits: Limits) -> Fetcher {
    let also = Arc::new(|address: IpAddr| address.is_loopback());
    Fetcher::with(Policy { also, authorities: Some(AUTHORITY.to_vec()) }, limits).unwrap()
}

fn get(url: impl Into<String>) -> Request {
    Request { url: url.into(), body: None, accept: "application/json" }
}

/// Answers every connection with the same text and tells what it was asked.
struct Server {
    port: u16,
    asked: mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn start(answer: impl Into<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = mpsc::unbounded_channel();
        let answer = answer.into();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), tell.clone()));
            }
        });
        Self { port, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn contacted(&mut self) -> bool {
        self.asked.try_recv().is_ok()
    }
}

/// An empty answer is none at all: the connection stays open.
async fn serve(mut stream: TcpStream, answer: String, tell: mpsc::UnboundedSender<String>) {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !whole(&read) {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(len) => read.extend_from_slice(&buffer[..len]),
        }
    }
    let _ = tell.send(String::from_utf8_lossy(&read).into_owned());
    if answer.is_empty() {
        std::future::pending::<()>().await;
    }
    say(&mut stream, &answer).await;
}

fn whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// The other side may have hung up already.
async fn say(stream: &mut (impl AsyncWrite + Unpin), answer: &str) {
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn a_request_is_made_and_its_answer_read() {
    let mut server = Server::start(FINE).await;
    let fetcher = allowing(LIMITS);
    let answer = fetcher.fetch(get(server.url("/jwks?x=1#fragment"))).await.unwrap();
    let content_type = Some("application/json".to_owned());
    assert_eq!(answer, Answer { status: 200, content_type, body: b"{}".to_vec() });
    let asked = server.asked.recv().await.unwrap();
    assert!(asked.starts_with("GET /jwks?x=1 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("accept: application/json\r\n"), "{asked}");
    let body = Body { content_type: "application/x-www-form-urlencoded", bytes: b"a=b".to_vec() };
    let url = format!("http://localhost:{}/logout", server.port);
    let request = Request { url, body: Some(body), accept: "*/*" };
    assert_eq!(fetcher.fetch(request).await.unwrap().status, 200);
    let asked = server.asked.recv().await.unwrap();
    assert!(asked.starts_with("POST /logout HTTP/1.1\r\n") && asked.ends_with("\r\n\r\na=b"));
    assert_eq!(fetcher.observe(), Observed { running: 0, destinations: 0 });
}

#[tokio::test]
async fn without_the_operator_s_leave_no_private_address_is_contacted() {
    let mut server = Server::start(FINE).await;
    let fetcher = strict();
    let port = server.port;
    for (url, refused) in [
        (format!("https://127.0.0.1:{port}/"), Refused::Forbidden),
        (format!("https://localhost:{port}/"), Refused::Forbidden),
        (format!("https://0x7f.1:{port}/"), Refused::Forbidden),
        (format!("https://2130706433:{port}/"), Refused::Forbidden),
        (format!("https://0177.0.0.1:{port}/"), Refused::Forbidden),
        (format!("https://[::1]:{port}/"), Refused::Forbidden),
        (format!("https://[::ffff:127.0.0.1]:{port}/"), Refused::Forbidden),
        (format!("https://[::ffff:7f00:1]:{port}/"), Refused::Forbidden),
        (format!("https://[64:ff9b::7f00:1]:{port}/"), Refused::Forbidden),
        (format!("https://[2002:7f00:1::]:{port}/"), Refused::Forbidden),
        (format!("https://0.0.0.0:{port}/"), Refused::Forbidden),
        ("https://169.254.169.254/latest/meta-data/".into(), Refused::Forbidden),
        ("https://[fd00:ec2::254]/".into(), Refused::Forbidden),
        (format!("http://127.0.0.1:{port}/"), Refused::Forbidden),
        (format!("http://localhost:{port}/"), Refused::Forbidden),
        ("http://8.8.8.8/".into(), Refused::Address),
        ("https://nobody.invalid/".into(), Refused::Unresolved),
        ("https://user@8.8.8.8/".into(), Refused::Address),
        ("https://:secret@8.8.8.8/".into(), Refused::Address),
        ("ftp://8.8.8.8/".into(), Refused::Address),
        ("file:///etc/passwd".into(), Refused::Address),
        ("gopher://8.8.8.8:70/".into(), Refused::Address),
        ("data:text/plain,x".into(), Refused::Address),
        ("8.8.8.8".into(), Refused::Address),
        ("/relative".into(), Refused::Address),
        ("".into(), Refused::Address),
        (format!("https://8.8.8.8/{}", "x".repeat(URL_MAX)), Refused::Address),
    ] {
        assert_eq!(fetcher.fetch(get(url.as_str())).await, Err(refused), "{url}");
    }
    assert!(!server.contacted());
}

#[test]
fn the_operator_s_leave_does_not_reach_to_other_spellings() {
    let policy = Policy { also: Arc::new(|_| true), authorities: None };
    assert!(policy.allows(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    assert!(!policy.allows(IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped())));
    assert!(policy.allows(IpAddr::V6(Ipv6Addr::LOCALHOST)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut inside = Server::start(FINE).await;
    let to =
        format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", inside.url("/"));
    let server = Server::start(to).await;
    assert_eq!(allowing(LIMITS).fetch(get(server.url("/"))).await, Err(Refused::Redirect));
    assert!(!inside.contacted());
}

#[tokio::test]
async fn too_large_an_answer_is_refused_however_it_comes() {
    let limits = Limits { body: 1000, ..LIMITS };
    let body = "x".repeat(1001);
    for (head, body, expected) in [
        ("content-length: 1001\r\n", &body[..], Err(Refused::TooLarge)),
        ("", &body[..], Err(Refused::TooLarge)),
        ("", &body[..1000], Ok(1000)),
    ] {
        let server = Server::start(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}")).await;
        let answer = allowing(limits).fetch(get(server.url("/"))).await;
        assert_eq!(answer.map(|answer| answer.body.len()), expected, "{head}");
    }
}

#[tokio::test]
async fn a_silent_server_costs_the_time_limit_and_no_more() {
    let total = Duration::from_millis(150);
    let fetcher = allowing(Limits { total, ..LIMITS });
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"] {
        let server = Server::start(answer).await;
        let refused = fetcher.fetch(get(server.url("/"))).await.unwrap_err();
        let cut_short = !answer.is_empty() && refused == Refused::Failed;
        assert!(refused == Refused::Timeout || cut_short, "{refused:?}");
    }
    assert_eq!(fetcher.observe().running, 0);
}

#[tokio::test]
async fn a_destination_that_hangs_holds_only_its_own_places() {
    let fetcher = allowing(Limits { destination: 2, all: 3, ..LIMITS });
    let (mut hanging, fine) = (Server::start("").await, Server::start(FINE).await);
    let stuck: Vec<_> = (0..2)
        .map(|_| {
            let (fetcher, request) = (fetcher.clone(), get(hanging.url("/")));
            tokio::spawn(async move { fetcher.fetch(request).await })
        })
        .collect();
    for _ in &stuck {
        hanging.asked.recv().await.unwrap();
    }
    assert_eq!(fetcher.fetch(get(hanging.url("/other"))).await, Err(Refused::Busy));
    assert_eq!(fetcher.fetch(get(fine.url("/"))).await.unwrap().status, 200);
    for task in stuck {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert_eq!(fetcher.observe().running, 0, "a request that nobody waits for is over");
}

#[tokio::test]
async fn what_is_no_http_is_a_failure() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let closed = nobody.local_addr().unwrap();
    drop(nobody);
    let fetcher = allowing(LIMITS);
    assert_eq!(fetcher.fetch(get(format!("http://{closed}/"))).await, Err(Refused::Failed));
    let server = Server::start("SSH-2.0-OpenSSH_9.2\r\n").await;
    assert_eq!(fetcher.fetch(get(server.url("/"))).await, Err(Refused::Failed));
}

/// A server with a certificate of `AUTHORITY` for `localhost`.
async fn secure_server() -> u16 {
    let certificate = CertificateDer::from_pem_slice(SERVER).unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us hangs up during the handshake.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                say(&mut stream, FINE).await;
            }
        }
    });
    port
}

#[tokio::test]
async fn a_certificate_counts_only_from_a_trusted_authority_and_for_its_name() {
    let port = secure_server().await;
    let url = format!("https://localhost:{port}/");
    assert_eq!(allowing(LIMITS).fetch(get(url.as_str())).await.unwrap().status, 200);
    let unnamed = format!("https://127.0.0.1:{port}/");
    assert_eq!(allowing(LIMITS).fetch(get(unnamed)).await, Err(Refused::Failed));
    let also = Arc::new(|address: IpAddr| address.is_loopback());
    let distrusting = Policy { also, authorities: Some(STRANGER.to_vec()) };
    let distrusting = Fetcher::new(distrusting).unwrap();
    assert_eq!(distrusting.fetch(get(url)).await, Err(Refused::Failed));
}

#[test]
fn authorities_that_are_none_are_refused() {
    for pem in [&b""[..], b"not a certificate", SERVER_KEY] {
        let authorities = Some(pem.to_vec());
        assert!(Fetcher::new(Policy { authorities, ..Policy::default() }).is_err());
    }
}
