//! Ten thousand who must not join: none does, each is counted in the trail, and whoever may join
//! still can.

use std::{
    collections::BTreeMap,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use actors::cluster::{JoinRefusal, JoinRequest, JoinToken};
use raft::JoinError;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;
use vaultara_cluster_tests::{cluster::Cluster, process::Launch, random};

use crate::{ALONE, PROGRAM};

const ATTEMPTS: usize = 10_000;
const AT_A_TIME: usize = 16;
/// Whoever is refused is told so, or let go of, within this.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);
/// A source that tried too often may come again after a while.
const JOINED_WITHIN: Duration = Duration::from_secs(30);
/// A frame that says it is larger than any may be, and one whose body is nothing.
const OVERSIZED: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3];
const NONSENSE: &[u8] = &[0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9];

/// Files of a node's identity.
fn der(launch: &Launch, file: &str) -> Vec<u8> {
    fs::read(launch.data_dir.join("cluster").join(file)).unwrap()
}

/// A way to call a node's cluster port.
struct Caller {
    address: String,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Caller {
    /// As `who`, or as nobody, for a protocol.
    fn new(target: &Launch, who: Option<&Launch>, protocol: &[u8]) -> Self {
        let own = der(target, "node.der");
        // Its certificate's only name is written in it in plain letters.
        let text = String::from_utf8_lossy(&own);
        let (_, rest) = text.split_once("node-1.").unwrap();
        let (cluster, _) = rest.split_once(".vaultara.internal").unwrap();
        let name = format!("node-1.{cluster}.vaultara.internal").try_into().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(der(target, "authority.der"))).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match who {
            Some(who) => {
                let chain = ["node.der", "authority.der"].map(|file| der(who, file).into());
                let key = PrivatePkcs8KeyDer::from(der(who, "node.key"));
                builder.with_client_auth_cert(chain.into(), PrivateKeyDer::Pkcs8(key)).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        let address = target.variable("CLUSTER_ADVERTISE").unwrap().to_owned();
        Self { address, name, config: Arc::new(config) }
    }

    /// Says something and hears everything; what was heard, or that nothing came.
    async fn says(&self, words: &[&[u8]]) -> Vec<u8> {
        let said = async {
            let tcp = TcpStream::connect(&self.address).await?;
            let connector = TlsConnector::from(Arc::clone(&self.config));
            let mut stream = connector.connect(self.name.clone(), tcp).await?;
            for word in words {
                stream.write_all(word).await?;
                stream.flush().await?;
            }
            let mut heard = Vec::new();
            // However it ends: by an alert, by a closed connection, by an answer and then that.
            drop(stream.read_to_end(&mut heard).await);
            std::io::Result::Ok(heard)
        };
        timeout(REFUSED_WITHIN, said).await.expect("it is let go of").unwrap_or_default()
    }
}

/// A node that nobody knows.
fn stranger() -> JoinRequest {
    JoinRequest {
        public_key: vec![4; 65],
        name: "stranger".into(),
        address: "127.0.0.1:1".into(),
        zone: String::new(),
        version: "1".into(),
        feature_level: 2,
        root_check: vec![7; 32],
    }
}

async fn tries(address: &str, token: &JoinToken) -> JoinRefusal {
    let asked = raft::join(address, (*token.secret, token.fingerprint), &stranger()).await;
    match asked {
        Err(JoinError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

async fn new_token(cluster: &Cluster, lifetime_s: u64) -> JoinToken {
    let api = cluster.api(0).await.unwrap();
    let body = json!({ "role": "voter", "lifetime_s": lifetime_s });
    let made = api.post("/api/v1/cluster/join-tokens", &body).await.unwrap();
    JoinToken::parse(made.get("token").and_then(Value::as_str).unwrap()).unwrap()
}

/// Tokens that are no good (any more), and good ones with something wrong behind them.
async fn tokens_are_refused(cluster: &Cluster, foreign: &Cluster, address: &str) {
    let good = new_token(cluster, 600).await;
    let short = new_token(cluster, 1).await;
    let used = cluster.launches[1].variable("JOIN_TOKEN").unwrap();
    let of_another = new_token(foreign, 600).await;
    let fingerprint = good.fingerprint;
    assert_eq!(tries(address, &good).await, JoinRefusal::RootSecret);
    assert_eq!(tries(address, &JoinToken::parse(used).unwrap()).await, JoinRefusal::Token);
    // It would not even say its secret to the wrong cluster.
    let secret = (*of_another.secret, of_another.fingerprint);
    let asked = raft::join(address, secret, &stranger()).await;
    assert!(matches!(asked, Err(JoinError::Connection(_))), "{asked:?}");
    let guessed = JoinToken { fingerprint, ..of_another };
    assert_eq!(tries(address, &guessed).await, JoinRefusal::Token);
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(tries(address, &short).await, JoinRefusal::Token);
    let caller = Caller::new(&cluster.launches[0], None, b"vaultara-join");
    for words in [OVERSIZED, NONSENSE] {
        assert_eq!(caller.says(&[good.secret.as_slice(), words]).await, [1], "the token is good");
    }
}

/// What each attempt was answered; none may be let in.
async fn flood(cluster: &Cluster, foreign: &Cluster, address: &str) -> BTreeMap<String, usize> {
    let target = &cluster.launches[0];
    let token = new_token(cluster, 600).await;
    let callers = Arc::new([
        Caller::new(target, Some(&foreign.launches[0]), b"vaultara-peer"),
        Caller::new(target, Some(target), b"vaultara-peer"),
        Caller::new(target, None, b"vaultara-join"),
    ]);
    let mut tasks = JoinSet::new();
    for task in 0..AT_A_TIME {
        let (callers, address) = (Arc::clone(&callers), address.to_owned());
        let token = token.clone();
        tasks.spawn(async move {
            let mut answers = BTreeMap::new();
            for number in (task..ATTEMPTS).step_by(AT_A_TIME) {
                let (what, heard) = match number % 5 {
                    0 => {
                        let (high, low) = (random().to_be_bytes(), random().to_be_bytes());
                        let secret = [high, low, high, low].concat().try_into().unwrap();
                        let wrong = JoinToken::new(secret, token.fingerprint);
                        ("wrong token", format!("{:?}", tries(&address, &wrong).await))
                    }
                    1 => ("foreign node", format!("{:?}", callers[0].says(&[NONSENSE]).await)),
                    2 => ("oversized frame", format!("{:?}", callers[1].says(&[OVERSIZED]).await)),
                    3 => ("nonsense", format!("{:?}", callers[1].says(&[NONSENSE]).await)),
                    _ => ("no secret", format!("{:?}", callers[2].says(&[&[0; 32]]).await)),
                };
                *answers.entry(format!("{what}: {heard}")).or_insert(0) += 1;
            }
            answers
        });
    }
    let mut all = BTreeMap::new();
    for (what, count) in tasks.join_all().await.into_iter().flatten() {
        *all.entry(what).or_insert(0) += count;
    }
    all
}

/// How many refusals the trail tells of, by their reason.
async fn told(cluster: &Cluster) -> BTreeMap<String, usize> {
    let api = cluster.api(0).await.unwrap();
    let path = "/api/v1/audit-logs?action=audit.denials&limit=500";
    let trail = api.read(path).await.unwrap();
    let mut counts = BTreeMap::new();
    for item in trail.get("items").and_then(Value::as_array).unwrap() {
        let detail = item.get("detail").and_then(Value::as_str).unwrap();
        let of = |name: &str| {
            let word = detail.split(' ').find_map(|word| word.strip_prefix(name));
            word.unwrap_or_default().to_owned()
        };
        if of("action=").starts_with("members.") {
            *counts.entry(of("reason=")).or_insert(0) += of("count=").parse::<usize>().unwrap();
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_who_must_not_join_are_refused_and_told_of() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form(PROGRAM, &folder.path().join("own"), 2).await.unwrap();
    let foreign = Cluster::form(PROGRAM, &folder.path().join("foreign"), 1).await.unwrap();
    let address = cluster.launches[0].variable("CLUSTER_ADVERTISE").unwrap().to_owned();
    tokens_are_refused(&cluster, &foreign, &address).await;
    let began = Instant::now();
    let answers = flood(&cluster, &foreign, &address).await;
    println!("{ATTEMPTS} attempts in {} ms: {answers:?}", began.elapsed().as_millis());
    // Nobody is let in or heard, and whoever tries on is told to wait whatever it says.
    for what in answers.keys() {
        let (_, heard) = what.split_once(": ").unwrap();
        assert!(["Token", "Busy", "[]", "[0]", "[2]"].contains(&heard), "{answers:?}");
    }
    assert!(answers.contains_key("wrong token: Busy"), "{answers:?}");
    let began = Instant::now();
    while let Err(why) = cluster.add(0).await {
        assert!(began.elapsed() < JOINED_WITHIN, "whoever may join cannot: {why}");
    }
    cluster.whole(3).await.unwrap();
    // What was counted in this minute is written down when the node stops.
    cluster.stop(0).unwrap();
    cluster.start(0).await.unwrap();
    let told = told(&cluster).await;
    println!("the trail tells of {told:?}");
    let some = |reason: &str| told.get(reason).copied().unwrap_or_default();
    // Whoever came while nobody led could be told neither, and is not counted.
    let most = |of: usize| of * 95 / 100;
    assert!(some("join_token") + some("rate") >= most(ATTEMPTS * 2 / 5), "{told:?}");
    assert!(some("malformed") >= most(ATTEMPTS * 3 / 5), "{told:?}");
    assert!(some("root_secret") >= 1, "{told:?}");
}
