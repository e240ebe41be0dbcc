//! Clients that are told of the end of sessions by a request of ours.

use std::time::Duration;

use actors::runtime::verifier::ExpectedType;
use identity::{command::Command, logout, sessions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};

use crate::{
    logout::{log_out, register, signed_in, tenant, write},
    support::{self, Content, TestNode, login::claims},
};

/// Longer than anything here takes, so that only a failure waits for it.
const LONG: Duration = Duration::from_secs(30);

/// A client's own server, which answers every request with a status; what it was sent.
async fn listen(status: u16) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/back", listener.local_addr().unwrap());
    let (heard, hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            let mut buffer = vec![0; 16 * 1024];
            while !whole(&text) {
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(read > 0, "cut off: {text}");
                text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            let answer = format!("HTTP/1.1 {status} .\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            if heard.send(text).is_err() {
                return;
            }
        }
    });
    (url, hears)
}

fn whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

async fn hear(hears: &mut mpsc::UnboundedReceiver<String>) -> String {
    timeout(LONG, hears.recv()).await.expect("the client is told").unwrap()
}

/// Checks a request of the back channel and gives its claims.
async fn logout_token(node: &TestNode, request: &str) -> Value {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /back HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    let token = body.strip_prefix("logout_token=").unwrap();
    let snapshot = node.context.tenant(tenant(node)).await.unwrap();
    let kind = ExpectedType::Exactly("logout+jwt");
    snapshot.verifiers.authenticate(token, kind).expect("a token of one of our keys");
    claims(token)
}

#[tokio::test]
async fn clients_are_told_of_every_end_by_a_signed_token() {
    let node = support::start(Content::Demo);
    let (url, mut hears) = listen(200).await;
    register(&node, |rules| rules.backchannel_logout_uri = Some(url)).await;

    let (mut visitor, tokens) = signed_in(&node).await;
    let id_token = tokens.text("id_token");
    let of = claims(&id_token);
    log_out(&mut visitor, &node, &[("id_token_hint", &id_token)]).await;
    let token = logout_token(&node, &hear(&mut hears).await).await;
    for claim in ["iss", "aud", "sub", "sid"] {
        assert_eq!(token[claim], of[claim], "{claim}");
    }
    let event = "http://schemas.openid.net/event/backchannel-logout";
    assert_eq!(token["events"], json!({ event: {} }));
    assert!(token.get("nonce").is_none() && token["jti"].is_string(), "{token}");
    let (iat, exp) = (token["iat"].as_u64().unwrap(), token["exp"].as_u64().unwrap());
    assert_eq!(exp - iat, 120);

    // All sessions at once, as an administrator or a new password ends them.
    let mut expected = Vec::new();
    for _ in 0..3 {
        let (_, tokens) = signed_in(&node).await;
        expected.push(claims(&tokens.text("id_token"))["sid"].as_str().unwrap().to_owned());
    }
    let user = of["sub"].as_str().unwrap().parse().unwrap();
    write(&node, Command::Sessions(sessions::Command::EndAll { user })).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let token = logout_token(&node, &hear(&mut hears).await).await;
        told.push(token["sid"].as_str().unwrap().to_owned());
    }
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_client_that_fails_is_told_again_after_a_while() {
    let node = support::start_at(Content::Demo, 1_790_000_000_000);
    let (url, mut hears) = listen(500).await;
    register(&node, |rules| rules.backchannel_logout_uri = Some(url)).await;
    let (mut visitor, tokens) = signed_in(&node).await;
    let hint = tokens.text("id_token");
    log_out(&mut visitor, &node, &[("id_token_hint", &hint)]).await;
    let first = logout_token(&node, &hear(&mut hears).await).await;
    // Wait until the failure is written down, then let the time pass that it has to.
    let pending = |attempts| {
        let reading = node.context.local();
        let due =
            logout::due(&reading.view().unwrap(), tenant(&node), u64::MAX, (None, 9)).unwrap();
        due.notices.iter().flat_map(|it| it.pending.values()).any(|it| it.attempts == attempts)
    };
    timeout(LONG, async {
        while !pending(1) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the failure is written down");
    node.pass_ms(6_000);
    let second = logout_token(&node, &hear(&mut hears).await).await;
    assert_eq!((&first["sid"], &first["sub"]), (&second["sid"], &second["sub"]));
    assert_ne!(first["jti"], second["jti"]);
}
