//! Connections: slow ones, idle ones, too many, HTTP/2, and the orderly end.

// The exceptions for tests do not reach their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod outside;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get as on_get};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout},
};
use vaultara_node::{Limits, serve::ConnectionLimits};

use crate::outside::{Client, PATIENCE, bare, get, request, start};

const SHORT: Duration = Duration::from_millis(150);

fn limits(connections: ConnectionLimits) -> Limits {
    Limits { connections, ..Limits::default() }
}

/// A route that says when it was entered and answers when told.
fn held(entered: &Arc<Notify>, release: &Arc<Semaphore>) -> Router {
    let (entered, release) = (entered.clone(), release.clone());
    Router::new().route(
        "/held",
        on_get(move || async move {
            entered.notify_one();
            let permit = release.acquire().await.unwrap();
            permit.forget();
            "released"
        }),
    )
}

#[tokio::test]
async fn a_slow_head_is_closed() {
    let connections = ConnectionLimits { head_max: SHORT, ..ConnectionLimits::default() };
    let test = start(Router::new(), limits(connections), &[]).await;
    for beginning in ["", "P", "GET /health HTTP/1.1\r\nhost: loc"] {
        let begun = Instant::now();
        let mut client = Client::connect(test.node.address()).await;
        client.send(beginning).await;
        client.closed().await;
        assert!(begun.elapsed() >= SHORT, "{beginning:?} after {:?}", begun.elapsed());
    }
    assert_eq!(get(test.node.address(), "/health").await.status, 200);
}

#[tokio::test]
async fn a_second_head_is_timed_from_its_first_byte_and_idling_is_allowed_for_longer() {
    let connections = ConnectionLimits {
        head_max: SHORT,
        idle_max: Duration::from_secs(600),
        ..ConnectionLimits::default()
    };
    let test = start(Router::new(), limits(connections), &[]).await;
    let mut client = Client::connect(test.node.address()).await;
    let whole = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    client.send(whole).await;
    assert_eq!(client.answer("GET").await.status, 200);
    // Not for order: the point is that time passes and nothing happens.
    tokio::time::sleep(SHORT * 3).await;
    client.send(whole).await;
    assert_eq!(client.answer("GET").await.status, 200, "an idle connection was kept");
    client.send("GET /health HT").await;
    client.closed().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let connections = ConnectionLimits { idle_max: SHORT, ..ConnectionLimits::default() };
    let test = start(Router::new(), limits(connections), &[]).await;
    let mut client = Client::connect(test.node.address()).await;
    client.send("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(client.answer("GET").await.status, 200);
    client.closed().await;
}

#[tokio::test]
async fn a_busy_connection_is_not_idle() {
    let connections =
        ConnectionLimits { idle_max: SHORT, head_max: SHORT, ..ConnectionLimits::default() };
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let test = start(held(&entered, &release), limits(connections), &[]).await;
    let mut client = Client::connect(test.node.address()).await;
    client.send("GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    entered.notified().await;
    tokio::time::sleep(SHORT * 4).await;
    release.add_permits(1);
    assert_eq!(client.answer("GET").await.body, "released");
}

#[tokio::test]
async fn one_connection_too_many_is_refused_politely() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let settings = [("HTTP_MAX_CONNECTIONS", "1")];
    let test = start(held(&entered, &release), Limits::default(), &settings).await;
    let mut first = Client::connect(test.node.address()).await;
    first.send("GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    entered.notified().await;
    let refused = get(test.node.address(), "/health").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    release.add_permits(1);
    assert_eq!(first.answer("GET").await.body, "released");
    drop(first);
    // The place is free once the server has seen the end of the first connection.
    let free = async {
        while get(test.node.address(), "/health").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, free).await.expect("the place becomes free");
}

#[tokio::test]
async fn draining_answers_what_is_in_flight_and_accepts_nothing_more() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let test = start(held(&entered, &release), Limits::default(), &[]).await;
    let address = test.node.address();
    let mut idle = Client::connect(address).await;
    idle.send("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(idle.answer("GET").await.status, 200);
    let mut busy = Client::connect(address).await;
    busy.send("GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    entered.notified().await;

    let draining = tokio::spawn(test.node.drain());
    idle.closed().await;
    let refused = tokio::net::TcpStream::connect(address).await;
    assert!(refused.is_err(), "nothing listens any more");
    assert!(!draining.is_finished(), "it waits for what is in flight");
    release.add_permits(1);
    let answer = busy.answer("GET").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "released"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(draining.await.unwrap().cut, 0);
}

#[tokio::test]
async fn an_announced_end_turns_readiness_off_while_requests_are_still_served() {
    let test = bare().await;
    let address = test.node.address();
    let management = test.node.management_address().unwrap();
    test.node.announce_end().await;
    assert_eq!(get(address, "/health/ready").await.status, 503);
    assert_eq!(get(address, "/health/live").await.status, 200);
    assert!(get(management, "/health/ready").await.body.contains("the node is stopping"));
    assert_eq!(test.node.close().await.cut, 0);
}

#[tokio::test]
async fn what_is_not_answered_in_time_is_cut_and_counted() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let test =
        start(held(&entered, &release), Limits::default(), &[("SHUTDOWN_TIMEOUT", "1")]).await;
    let mut client = Client::connect(test.node.address()).await;
    client.send("GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    entered.notified().await;
    assert_eq!(test.node.drain().await.cut, 1);
    client.closed().await;
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_believed() {
    // RFC 9112 §6.3: the chunks decide; the length must not become a second request's beginning.
    let test = bare().await;
    let rest = "content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
                0\r\n\r\nGET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let first = request(test.node.address(), "POST", "/absent", rest).await;
    assert_eq!(first.status, 404);
    for wrong in ["content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", "content-length: x\r\n\r\n"]
    {
        let answer = request(test.node.address(), "POST", "/absent", wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

/// Enough of HTTP/2 (RFC 9113) to ask for `/` and read frames.
mod h2 {
    use super::Client;

    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const GOAWAY: u8 = 7;

    pub(crate) struct Frame {
        pub(crate) kind: u8,
        pub(crate) stream: u32,
        pub(crate) payload: Vec<u8>,
    }

    pub(crate) async fn open(client: &mut Client) {
        client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        client.send([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await;
    }

    pub(crate) async fn ask(client: &mut Client, stream: u8) {
        // GET, http, `/` from the static table, then `:authority: h` as a literal (RFC 7541).
        let block = [0x82, 0x86, 0x84, 0x41, 0x01, b'h'];
        let flags = 0x5; // END_STREAM and END_HEADERS.
        client.send([0, 0, 6, HEADERS, flags, 0, 0, 0, stream]).await;
        client.send(block).await;
    }

    pub(crate) async fn frame(client: &mut Client) -> Frame {
        let head = client.read_exact(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = client.read_exact(length.try_into().unwrap()).await;
        Frame { kind: head[3], stream, payload }
    }

    pub(crate) async fn next(client: &mut Client, kind: u8) -> Frame {
        loop {
            let frame = frame(client).await;
            if frame.kind == kind {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn http_2_is_served_with_a_limit_of_streams_and_told_to_go_away() {
    let test = bare().await;
    let mut client = Client::connect(test.node.address()).await;
    h2::open(&mut client).await;
    let settings = h2::next(&mut client, h2::SETTINGS).await.payload;
    let streams_max = [0, 3, 0, 0, 0, 100];
    assert!(settings.chunks(6).any(|setting| setting == streams_max), "{settings:?}");
    h2::ask(&mut client, 1).await;
    let answer = h2::next(&mut client, h2::HEADERS).await;
    // 0x8d is `:status: 404` in the static table.
    assert_eq!((answer.stream, answer.payload[0]), (1, 0x8d));

    let draining = tokio::spawn(test.node.drain());
    h2::next(&mut client, h2::GOAWAY).await;
    drop(client);
    assert_eq!(draining.await.unwrap().cut, 0);
}
