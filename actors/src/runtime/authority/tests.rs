//! What certificates do is what TLS says of them: real handshakes, both sides verified.

use rustls::{
    ClientConfig, ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::runtime::clock::Clock;

const CLUSTER: [u8; 16] = [0xc1; 16];
const DAY_MS: u64 = DAY_S * 1000;

/// Handshakes look at the wall, so the certificates do too.
fn random() -> (Random, u64) {
    let clock = Clock::system();
    let wall_ms = clock.wall_ms();
    (Random::new(clock), wall_ms)
}

/// A node with its certificate, and the authority that it trusts.
struct Node {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    trusts: Arc<RootCertStore>,
}

fn node(authority: &Made, number: u64, trusts: &Made) -> Node {
    let (random, wall_ms) = random();
    let (key, point) = new_node_key(&random).unwrap();
    let subject = Subject { cluster: CLUSTER, node: number, point: &point };
    let certificate = issue(authority, subject, &random, wall_ms).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(trusts.certificate.clone())).unwrap();
    Node {
        chain: vec![CertificateDer::from(certificate)],
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec())),
        trusts: Arc::new(roots),
    }
}

fn authority() -> Made {
    let (random, wall_ms) = random();
    new_authority(CLUSTER, &random, wall_ms).unwrap()
}

/// Whether the two come to speak, the client asking for a node by its number.
async fn speak(server: Node, client: Node, asked: u64) -> bool {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(server.trusts, provider.clone());
    let accepting = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(server.chain, server.key)
        .unwrap();
    let calling = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(client.trusts)
        .with_client_auth_cert(client.chain, client.key)
        .unwrap();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let answering = tokio::spawn(async move {
        let mut stream = TlsAcceptor::from(Arc::new(accepting)).accept(far).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await
    });
    let name = ServerName::try_from(raft::node_name(CLUSTER, asked)).unwrap();
    let mut heard = Vec::new();
    if let Ok(mut stream) = TlsConnector::from(Arc::new(calling)).connect(name, near).await {
        // An end without farewell is an error here; what was heard decides.
        let _ = stream.read_to_end(&mut heard).await;
    }
    answering.await.unwrap().is_ok() && heard == b"hello"
}

#[tokio::test]
async fn nodes_of_one_authority_come_to_speak_and_others_do_not() {
    let (ours, other) = (authority(), authority());
    assert!(speak(node(&ours, 1, &ours), node(&ours, 2, &ours), 1).await);
    let foreign_client = (node(&ours, 1, &ours), node(&other, 2, &ours));
    assert!(!speak(foreign_client.0, foreign_client.1, 1).await, "a client of another authority");
    let foreign_server = (node(&other, 1, &ours), node(&ours, 2, &ours));
    assert!(!speak(foreign_server.0, foreign_server.1, 1).await, "a server of another authority");
    let another = (node(&ours, 3, &ours), node(&ours, 2, &ours));
    assert!(!speak(another.0, another.1, 1).await, "another node than the one that was asked for");
}

#[test]
fn a_certificate_is_good_for_its_node_and_its_ninety_days() {
    let (random, wall_ms) = random();
    let ours = authority();
    let (key, own) = new_node_key(&random).unwrap();
    let subject = Subject { cluster: CLUSTER, node: 7, point: &own };
    let certificate = issue(&ours, subject, &random, wall_ms).unwrap();
    let good =
        |node: u64, at_ms: u64| is_good_at(&ours.certificate, &certificate, (CLUSTER, node), at_ms);
    for (at_ms, fine) in [
        (wall_ms - 6 * 60 * 1000, false),
        (wall_ms - 4 * 60 * 1000, true),
        (wall_ms, true),
        (wall_ms + 90 * DAY_MS - 1000, true),
        (wall_ms + 90 * DAY_MS + 1000, false),
    ] {
        assert_eq!(good(7, at_ms), fine, "{}", at_ms.cast_signed() - wall_ms.cast_signed());
    }
    assert!(!good(8, wall_ms), "another node's name");
    assert!(!is_good_at(&ours.certificate, &certificate, ([2; 16], 7), wall_ms));
    let other = authority();
    assert!(!is_good_at(&other.certificate, &certificate, (CLUSTER, 7), wall_ms));
    assert!(!is_good_at(b"", &certificate, (CLUSTER, 7), wall_ms));
    assert_eq!(point(&key, &random), Ok(own));
}

#[test]
fn only_points_of_the_curve_are_certified_and_only_by_the_authority_s_key() {
    let (random, wall_ms) = random();
    let ours = authority();
    let (_, good) = new_node_key(&random).unwrap();
    let mut off = good;
    off[40] ^= 1;
    let mut compressed = good[..33].to_vec();
    compressed[0] = 2;
    for unfit in [&off[..], &good[..64], &compressed, &[0; 65], b""] {
        let subject = Subject { cluster: CLUSTER, node: 2, point: unfit };
        assert_eq!(issue(&ours, subject, &random, wall_ms), Err(Refused::PublicKey));
    }
    let subject = Subject { cluster: CLUSTER, node: 2, point: &good };
    let mixed = Made { certificate: ours.certificate.clone(), key: authority().key };
    assert_eq!(issue(&mixed, subject, &random, wall_ms), Err(Refused::Authority));
    let broken = Made { certificate: ours.certificate, key: Zeroizing::new(b"none".to_vec()) };
    assert_eq!(issue(&broken, subject, &random, wall_ms), Err(Refused::PrivateKey));
}

#[test]
fn serial_numbers_do_not_repeat() {
    let (random, wall_ms) = random();
    let ours = authority();
    let (_, point) = new_node_key(&random).unwrap();
    let subject = Subject { cluster: CLUSTER, node: 2, point: &point };
    let first = issue(&ours, subject, &random, wall_ms).unwrap();
    assert_ne!(issue(&ours, subject, &random, wall_ms).unwrap(), first);
}
