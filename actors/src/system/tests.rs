//! Three nodes in one process: joining, writing and reading through any of them, handing over.

pub(crate) mod harness;
mod moves;
mod removal;

use std::{path::Path, sync::Arc, time::Duration};

use identity::{command::Command, members, stamp::Placement};

use self::harness::{Cluster, again, config, decided, free_port, until, write, write_much};
use super::{Join, StartError, System};
use crate::{cluster, context::Asker, runtime::authority};

/// Within this a removed node has heard of it: three more turns take its vote, forget it and ping,
/// half a second each.
const STOPPED_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_join_write_and_read_through_any_and_hand_over() {
    let cluster = Cluster::of_three().await;
    for at in 1..=3 {
        let index = write(cluster.ctx(at)).await;
        assert!(cluster.ctx(at).applied().unwrap() >= index, "written and not seen at {at}");
        for other in 1..=3 {
            let reading = decided(|| cluster.ctx(other).fresh()).await;
            assert!(reading.view().unwrap().as_of().unwrap() >= index);
        }
    }
    let next = cluster.leads().await.0 % 3 + 1;
    cluster.hand_over(next).await;
    for at in 1..=3 {
        write(cluster.ctx(at)).await;
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_has_only_just_come_to_lead_can_hand_over() {
    let cluster = Cluster::of_three().await;
    for to in [2, 1, 3, 2, 3, 1, 2, 1] {
        cluster.hand_over(to).await;
    }
    write(cluster.ctx(1)).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wish_for_a_leader_is_fulfilled_once() {
    let cluster = Cluster::of_three().await;
    // A lead that moved though nobody wanted it to says nothing of the wish.
    for _ in 0..5 {
        if stays_after_a_wish(&cluster).await {
            return cluster.end().await;
        }
    }
    panic!("the lead went five times");
}

/// Whether the lead stayed with a node that had been wished to hand it over and got it back.
async fn stays_after_a_wish(cluster: &Cluster) -> bool {
    cluster.hand_over(1).await;
    if cluster::transfer_leader(cluster.ctx(1), &Asker::system(), 2).await.is_err() {
        return false;
    }
    // Back before node 1's next turn, as when the other cannot go on leading.
    cluster.hand_over(1).await;
    let (_, led) = cluster.leads().await;
    let wakes = cluster.ctx(1).0.raft.wakes();
    // Were it not over, the next turn would hand over once more before that.
    until("the wish is over", || wakes.wanted_lead().is_none()).await;
    cluster.leads().await == (1, led)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_away_for_longer_than_the_log_gets_a_snapshot() {
    let mut cluster = Cluster::of_three().await;
    cluster.stop(3).await;
    let before = cluster.ctx(1).0.raft.observe().applied;
    for _ in 0..40 {
        write_much(cluster.ctx(1), 200_000).await;
    }
    until("the log begins later", || cluster.ctx(1).0.raft.purged_index() > before).await;
    cluster.start(3).await;
    let index = write(cluster.ctx(3)).await;
    for at in 1..=3 {
        cluster.ctx(at).0.raft.applied(index).await.unwrap();
    }
    // Now and then a node writes by itself in between.
    let mut sums = [1, 2, 3].map(|at| cluster.sums(at));
    until("all stand at one entry", || {
        sums = [1, 2, 3].map(|at| cluster.sums(at));
        sums.iter().all(|sum| sum.0 == sums[0].0)
    })
    .await;
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_admits_one_node_and_a_stranger_none() {
    let mut cluster = Cluster::of_three().await;
    let token = cluster.token().await;
    let fourth = cluster.join(4, free_port(), token.clone()).await.unwrap();
    assert_eq!(fourth.context().0.raft.node(), 4);
    fourth.stop().await;
    let again = cluster.join(5, free_port(), token.clone()).await.err().unwrap().to_string();
    assert!(again.contains("join token is not valid"), "{again}");
    let mut wrong: Vec<char> = token.chars().collect();
    wrong[12] = if wrong[12] == 'A' { 'B' } else { 'A' };
    let wrong = cluster.join(5, free_port(), wrong.into_iter().collect()).await;
    let wrong = wrong.err().unwrap().to_string();
    assert!(wrong.contains("join token is not valid"), "{wrong}");
    // The last letters are of the authority's fingerprint.
    let foreign = format!("{}AAAA", &token[..token.len() - 4]);
    let foreign = cluster.join(5, free_port(), foreign).await.err().unwrap().to_string();
    assert!(foreign.contains("not a node of the token's cluster"), "{foreign}");
    assert!(!cluster.dir.path().join("n5").join("node").exists());
    cluster.systems.truncate(3);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_good_token_is_not_called_invalid_while_nobody_leads() {
    let mut cluster = Cluster::of_three().await;
    let token = cluster.token().await;
    cluster.stop(2).await;
    cluster.stop(3).await;
    let refused = cluster.join(4, free_port(), token.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("try again") && !refused.contains("not valid"), "{refused}");
    cluster.start(2).await;
    cluster.settled(1, 3).await;
    cluster.join(4, free_port(), token).await.unwrap().stop().await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_has_joined_needs_no_token_and_one_that_has_not_founds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let join = || Some(Join { host: "127.0.0.1:1".into(), token: Err("it is gone".into()) });
    let refused = System::start(config(dir.path(), 1, port, join())).await.err().unwrap();
    let said = refused.to_string();
    assert!(matches!(refused, StartError::Refused(_)), "{said}");
    assert!(said.contains("it is gone") && said.contains("127.0.0.1:1"), "{said}");
    assert!(!dir.path().join("n1").exists(), "something was made there");
    System::start(config(dir.path(), 1, port, None)).await.unwrap().stop().await;
    let back = again(|| config(dir.path(), 1, port, join())).await;
    assert!(back.context().is_open());
    back.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_removed_node_stops_and_its_copy_is_never_let_in() {
    let mut cluster = Cluster::of_three().await;
    let removed = Command::Members(members::Command::Remove { node: 3 });
    cluster.ctx(1).write(&Asker::system(), Placement::Cluster, removed).await.unwrap();
    cluster.settled(1, 2).await;
    let third = cluster.systems[2].take().unwrap();
    let reason = tokio::time::timeout(STOPPED_WITHIN, third.fatal()).await.unwrap();
    assert!(reason.contains("was removed"), "{reason}");
    third.stop().await;
    let term = cluster.ctx(1).0.raft.observe().term;
    let back = again(|| config(cluster.dir.path(), 3, cluster.ports[2], None)).await;
    let reason = tokio::time::timeout(STOPPED_WITHIN, back.fatal()).await.unwrap();
    assert!(reason.contains("was removed"), "{reason}");
    assert!(!back.context().is_open());
    assert_eq!(cluster.ctx(1).0.raft.observe().term, term);
    back.stop().await;
    write(cluster.ctx(2)).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_answers_as_a_member_with_another_key_is_told_nothing() {
    let mut cluster = Cluster::of_three().await;
    cluster.stop(3).await;
    // What a thief of the authority could make: node 3's name on a key of his own.
    let (key, point) = authority::new_node_key(cluster.ctx(1).random()).unwrap();
    let made = cluster::certificate(cluster.ctx(1), 3, &point).unwrap();
    let accepting = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![made.certificate.into(), made.authority.into()],
        rustls::pki_types::PrivatePkcs8KeyDer::from(key.to_vec()).into(),
    );
    let mut accepting = accepting.unwrap();
    accepting.alpn_protocols = vec![b"vaultara-peer".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(accepting));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", cluster.ports[2])).await.unwrap();
    let mut whole = 0;
    for _ in 0..100 {
        if whole == 5 {
            break;
        }
        let called = tokio::time::timeout(Duration::from_secs(30), listener.accept());
        let (called, _) = called.await.expect("nobody calls").unwrap();
        // A heartbeat has little time: whoever hangs up in the handshake has said nothing.
        let Ok(mut stream) = acceptor.accept(called).await else { continue };
        whole += 1;
        let mut heard = Vec::new();
        // However it is hung up on, nothing was said.
        drop(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard).await);
        assert!(heard.is_empty(), "{} bytes were sent to it", heard.len());
    }
    assert_eq!(whole, 5, "nobody goes through with a handshake");
    drop(listener);
    cluster.start(3).await;
    write(cluster.ctx(3)).await;
    cluster.end().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copied_data_directory_is_refused_while_its_node_lives() {
    let mut cluster = Cluster::of_three().await;
    cluster.stop(3).await;
    copy(&cluster.dir.path().join("n3"), &cluster.dir.path().join("n4"));
    cluster.start(3).await;
    let clone = System::start(config(cluster.dir.path(), 4, free_port(), None)).await.unwrap();
    // It may be the other one that is just going.
    let reason = tokio::time::timeout(Duration::from_secs(15), clone.fatal()).await.unwrap();
    assert!(reason.contains("is a copy"), "{reason}");
    clone.stop().await;
    write(cluster.ctx(3)).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_strangers_neither_gets_in_nor_keeps_members_out() {
    let mut cluster = Cluster::of_three().await;
    let to = ("127.0.0.1", cluster.ports[0]);
    // Some say nothing and stay, most say what no node says and go.
    let mut idle = Vec::new();
    for number in 0..10_000_u32 {
        let Ok(mut stream) = tokio::net::TcpStream::connect(to).await else { continue };
        if number % 50 == 0 {
            idle.push(stream);
            continue;
        }
        let noise: Vec<u8> =
            (0..64).map(|at| (number.wrapping_mul(2_654_435_761) >> (at % 24)) as u8).collect();
        drop(tokio::io::AsyncWriteExt::write_all(&mut stream, &noise).await);
    }
    let wrong = format!("vlt_jt_{}", "A".repeat(86));
    for _ in 0..20 {
        assert!(cluster.join(9, free_port(), wrong.clone()).await.is_err());
    }
    // A member that starts again has to get in between them.
    cluster.stop(3).await;
    cluster.start(3).await;
    write(cluster.ctx(3)).await;
    cluster.grow(4).await;
    cluster.settled(1, 4).await;
    drop(idle);
    cluster.end().await;
}
