//! `kill -9` while a client of ended sessions cannot be reached: the node that comes back tells it
//! of every one.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpListener,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use vaultara_cluster_tests::{
    api::Api,
    process::{Launch, free_port},
    sign_in::Web,
};

use crate::{ALONE, PROGRAM};

const SESSIONS: usize = 10;

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a token");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).expect("a text").to_owned()
}

/// Takes one request of the back channel and gives the session it tells of.
fn hear(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut heard, mut some) = (String::new(), [0; 4096]);
    // The token is all there is in the body, and it is not empty.
    while heard.split_once("\r\n\r\n").is_none_or(|(_, body)| body.split('.').count() < 3) {
        let read = stream.read(&mut some).unwrap();
        heard.push_str(std::str::from_utf8(&some[..read]).unwrap());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    let (_, token) = heard.split_once("logout_token=").expect("a logout token");
    text(&claims(token), "sid")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_away_hears_of_every_end_after_a_kill() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let launch =
        Launch::new(PROGRAM, folder.path()).unwrap().with("EGRESS_NETWORKS", "127.0.0.0/8");
    let node = launch.start().await.unwrap();
    let api = Api::open(&launch).await.unwrap();
    // Nobody listens there yet.
    let port = free_port().unwrap();
    let rules = json!({ "backchannel_logout_uri": format!("http://127.0.0.1:{port}/back") });
    api.replace_part_of_client("web-demo", "logout-rules", &rules).await.unwrap();
    let web = Web::at(&launch).unwrap();
    let (mut expected, mut subject) = (BTreeSet::new(), String::new());
    for _ in 0..SESSIONS {
        let signed_in = claims(&text(&web.sign_in("openid").await.unwrap(), "id_token"));
        expected.insert(text(&signed_in, "sid"));
        subject = text(&signed_in, "sub");
    }
    assert_eq!(expected.len(), SESSIONS);
    // One number ends them all; settling and telling is under way when the node dies.
    api.end_sessions(&subject).await.unwrap();
    node.kill().unwrap();

    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let hearing = tokio::task::spawn_blocking(move || {
        let mut heard = BTreeSet::new();
        while heard.len() < SESSIONS {
            heard.insert(hear(&listener));
        }
        heard
    });
    let node = launch.start().await.unwrap();
    assert_eq!(hearing.await.unwrap(), expected);
    node.stop().unwrap();
}
