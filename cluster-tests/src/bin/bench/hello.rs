//! Bare axum with the same sizes of request and answer: what HTTP itself costs.

use std::{collections::BTreeMap, net::SocketAddr, process::Stdio, time::Duration};

use vaultara_cluster_tests::{Failure, during, process::free_port};

use crate::{
    load::{self, Connection, Make},
    server::{self, Child},
};

/// CPU of bare requests, microseconds, by request bytes, answer and concurrency.
pub(crate) type Hellos = BTreeMap<(usize, Size, usize), f64>;

/// Bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size {
    pub(crate) body: usize,
    pub(crate) head: usize,
}

impl Size {
    /// Bytes of the head that bare axum sends by itself: status, type, length, date, and the name
    /// of the padding.
    const BARE: usize = 114;

    fn route(self) -> String {
        format!("{}-{}", self.body, self.head.saturating_sub(Self::BARE))
    }
}

/// Bare axum in a process of its own.
pub(crate) struct Hello {
    child: Child,
    address: SocketAddr,
}

impl Hello {
    /// Starts one that answers with these numbers of bytes.
    pub(crate) async fn start(sizes: &[Size]) -> Result<Self, Failure> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = std::process::Command::new(server::program("examples/bare_hello")?);
        command.arg(address.to_string()).args(sizes.iter().map(|size| size.route()));
        command.stdin(Stdio::null());
        let child = Child::spawn(command)?;
        for _ in 0..500 {
            if Connection::open(address).await.is_ok() {
                return Ok(Self { child, address });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("bare axum does not listen".to_owned())
    }

    /// CPU of one answer of this size to a request of that one, microseconds; measured once.
    pub(crate) async fn cpu_us(
        &self,
        known: &mut Hellos,
        like: &[u8],
        answer: Size,
        concurrency: usize,
        seconds: f64,
    ) -> Result<f64, Failure> {
        let key = (like.len(), answer, concurrency);
        if let Some(known) = known.get(&key) {
            return Ok(*known);
        }
        let target = (self.child.pid(), self.address);
        let sample = load::run(target, concurrency, seconds, bare(like, answer)).await?;
        if sample.failed > 0 {
            return Err("bare axum refused requests".to_owned());
        }
        known.insert(key, sample.cpu_us());
        Ok(sample.cpu_us())
    }
}

/// The same request with another path.
fn bare(like: &[u8], answer: Size) -> Make {
    let text = String::from_utf8_lossy(like).into_owned();
    let (first, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
    let method = first.split(' ').next().unwrap_or("GET");
    load::same(format!("{method} /{} HTTP/1.1\r\n{rest}", answer.route()).into_bytes())
}

/// Starts bare axum for answers of these sizes.
pub(crate) async fn beside(sizes: &[Size]) -> Result<Hello, Failure> {
    Hello::start(sizes).await.map_err(during("start bare axum"))
}
