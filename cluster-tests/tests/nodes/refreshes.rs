//! `kill -9` between a rotation and its answer: the client that asks again with the token it still
//! has gets the one successor that was made.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use vaultara_cluster_tests::{api::Api, process::Launch, sign_in::Web};

use crate::{ALONE, PROGRAM};

const KILLS: usize = 3;

fn text(answer: &Value, name: &str) -> String {
    answer.get(name).and_then(Value::as_str).expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_after_a_kill_gets_the_successor_that_was_made() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(PROGRAM, folder.path()).unwrap();
    let mut node = launch.start().await.unwrap();
    // A restart on a busy machine may take longer than the usual grace.
    let patch = json!({ "refresh": { "grace_s": 60 } });
    Api::open(&launch).await.unwrap().patch_client("web-demo", &patch).await.unwrap();
    let web = Web::at(&launch).unwrap();
    let mut token = text(&web.sign_in("openid").await.unwrap(), "refresh_token");
    for _ in 0..KILLS {
        let mut unread = TcpStream::connect(("127.0.0.1", launch.port)).unwrap();
        unread.write_all(&web.refresh_request(&token)).unwrap();
        let began = Instant::now();
        while web.counts(&token).await.unwrap() {
            assert!(began.elapsed() < Duration::from_secs(30), "it was never rotated");
        }
        node.kill().unwrap();
        drop(unread);
        node = launch.start().await.unwrap();
        let web = Web::at(&launch).unwrap();

        let (status, retried) = web.refresh(&token).await.unwrap();
        assert_eq!(status, 200, "{retried}");
        let successor = text(&retried, "refresh_token");
        let (status, again) = web.refresh(&token).await.unwrap();
        assert_eq!((status, text(&again, "refresh_token")), (200, successor.clone()));
        let (status, next) = web.refresh(&successor).await.unwrap();
        assert_eq!(status, 200, "{next}");
        token = text(&next, "refresh_token");
    }
    node.stop().unwrap();
}
