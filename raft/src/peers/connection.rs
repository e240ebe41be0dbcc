//! One connection to another node, for one class of questions: made when it is needed, made again
//! when it broke, many questions on it at a time.
//!
//! A peer that accepts and never answers costs the questions that wait for it and nobody else:
//! whoever waits has a deadline, and a connection on which nothing is heard for [`SILENCE_MS`]
//! while somebody waits is closed. Invariant: [`CallError::Unreachable`] means that nothing was
//! sent.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use identity::codec;
use tokio::{
    io::{AsyncWriteExt as _, BufReader, BufWriter, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    frame::{self, Frame},
    local::Local,
    message::{Class, Greeting, Request, Response},
    tls,
};

/// Most time to reach a node and to be greeted.
const CONNECT_WAIT: Duration = Duration::from_millis(800);
/// After a failure nobody tries again for this long, milliseconds.
const REST_MS: u64 = 50;
/// A connection on which nothing is heard for this long while somebody waits is closed.
const SILENCE_MS: u64 = 800;
/// How often that is looked at; each time a ping is sent while somebody waits.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Questions that may wait to be written.
const WRITE_QUEUE: usize = 256;
/// The exchange of pings, which nobody waits for.
const NOBODY: u64 = 0;

/// Why a question has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallError {
    /// Nothing was sent.
    #[error("node {0} cannot be reached: {1}")]
    Unreachable(u64, String),
    /// It may have been received.
    #[error("node {0} did not answer: {1}")]
    Lost(u64, String),
}

type Pending = Mutex<BTreeMap<u64, oneshot::Sender<Bytes>>>;

/// A connection that stands.
struct Live {
    to_writer: mpsc::Sender<Frame>,
    pending: Pending,
    next: AtomicU64,
    heard_ms: AtomicU64,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Live {
    fn pending(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Bytes>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.iter().for_each(JoinHandle::abort);
        // Whoever waits learns that nothing will come.
        self.pending().clear();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

#[derive(Default)]
struct State {
    live: Option<Arc<Live>>,
    failed: Option<(u64, String)>,
}

/// See the module.
pub(crate) struct Connection {
    local: Arc<Local>,
    to: u64,
    address: String,
    class: Class,
    state: tokio::sync::Mutex<State>,
}

/// Forgets a question whose asker went away.
struct Asking<'a>(&'a Live, u64);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.pending().remove(&self.1);
    }
}

pub(crate) type Stream = TlsStream<TcpStream>;

/// Reaches a node, checks that it is the one, and is greeted.
pub(crate) async fn connect(
    local: &Local,
    (to, address): (u64, &str),
    class: Class,
) -> io::Result<Stream> {
    let client = local
        .client()
        .ok_or_else(|| io::Error::other("this node has no certificate of the cluster yet"))?;
    let name = tls::server_name(tls::node_name(local.cluster, to))?;
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let mut stream = TlsConnector::from(client).connect(name, tcp).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.ok_or_else(|| io::Error::other("it shows no certificate"))?;
    local.expects(&tls::speaker(certificate, local.cluster)?)?;
    let body = codec::encode(&local.hello(to, class)).into();
    frame::write(&mut stream, &Frame { exchange: NOBODY, body }).await?;
    stream.flush().await?;
    let answer = frame::read(&mut stream, frame::GREETING_MAX).await?;
    match codec::decode::<Greeting>(&answer.body).map_err(io::Error::other)? {
        Greeting::Welcome { .. } => {
            local.welcomed(to);
            Ok(stream)
        }
        Greeting::Refused(why) => {
            local.refused(to, why);
            Err(io::Error::other(why.to_string()))
        }
    }
}

impl Connection {
    pub(crate) fn new(local: Arc<Local>, to: u64, address: String, class: Class) -> Self {
        Self { local, to, address, class, state: tokio::sync::Mutex::default() }
    }

    /// Asks and waits for the answer, at most this long.
    pub(crate) async fn call(
        &self,
        request: &Request,
        within: Duration,
    ) -> Result<Response, CallError> {
        let body = codec::encode(request).into();
        let answer = match timeout(within, self.exchange(body)).await {
            Ok(answer) => answer?,
            Err(_) => {
                self.give_up().await;
                return Err(self.lost("in time"));
            }
        };
        codec::decode(&answer).map_err(|error| self.lost(&error.to_string()))
    }

    /// Entries are asked for one at a time: what did not answer may be a connection that nobody is
    /// at the other end of, and that the system would keep for minutes.
    async fn give_up(&self) {
        if self.class == Class::Entries
            && let Some(live) = self.state.lock().await.live.take()
        {
            live.close();
        }
    }

    fn lost(&self, why: &str) -> CallError {
        CallError::Lost(self.to, why.to_owned())
    }

    async fn exchange(&self, body: Bytes) -> Result<Bytes, CallError> {
        let live = self.live().await?;
        let exchange = live.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        live.pending().insert(exchange, sender);
        let _asking = Asking(&live, exchange);
        if live.to_writer.send(Frame { exchange, body }).await.is_err() {
            return Err(self.lost("the connection broke"));
        }
        receiver.await.map_err(|_| self.lost("the connection broke"))
    }

    async fn live(&self) -> Result<Arc<Live>, CallError> {
        let unreachable = |why: String| CallError::Unreachable(self.to, why);
        let mut state = self.state.lock().await;
        if let Some(live) = &state.live
            && !live.to_writer.is_closed()
        {
            return Ok(Arc::clone(live));
        }
        state.live = None;
        let now_ms = self.local.time.boot_ms();
        if let Some((at_ms, why)) = &state.failed
            && now_ms.saturating_sub(*at_ms) < REST_MS
        {
            return Err(unreachable(why.clone()));
        }
        let connecting = connect(&self.local, (self.to, &self.address), self.class);
        let connected = timeout(CONNECT_WAIT, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match connected {
            Ok(stream) => {
                let live = self.begin(stream);
                *state = State { live: Some(Arc::clone(&live)), failed: None };
                Ok(live)
            }
            Err(error) => {
                let why = error.to_string();
                state.failed = Some((self.local.time.boot_ms(), why.clone()));
                Err(unreachable(why))
            }
        }
    }

    fn begin(&self, stream: Stream) -> Arc<Live> {
        let (reader, writer) = tokio::io::split(stream);
        let (to_writer, frames) = mpsc::channel(WRITE_QUEUE);
        let live = Arc::new(Live {
            to_writer,
            pending: Pending::default(),
            next: AtomicU64::new(NOBODY + 1),
            heard_ms: AtomicU64::new(self.local.time.boot_ms()),
            tasks: Mutex::default(),
        });
        let reading = tokio::spawn(read_answers(
            Arc::downgrade(&live),
            Arc::clone(&self.local),
            (self.to, self.class),
            reader,
        ));
        let writing = tokio::spawn(write_questions(frames, writer));
        *live.tasks.lock().unwrap_or_else(PoisonError::into_inner) = vec![reading, writing];
        live
    }
}

async fn write_questions(mut frames: mpsc::Receiver<Frame>, writer: WriteHalf<Stream>) {
    let mut writer = BufWriter::new(writer);
    while let Some(next) = frames.recv().await {
        let mut next = Some(next);
        while let Some(one) = next {
            if frame::write(&mut writer, &one).await.is_err() {
                return;
            }
            next = frames.try_recv().ok();
        }
        if writer.flush().await.is_err() {
            return;
        }
    }
}

/// Ends when the connection does, when the peer is silent, or when nobody holds the connection.
async fn read_answers(
    live: std::sync::Weak<Live>,
    local: Arc<Local>,
    (from, class): (u64, Class),
    reader: ReadHalf<Stream>,
) {
    let mut reader = BufReader::new(reader);
    let mut look = tokio::time::interval(LOOK_EVERY);
    let ping: Bytes = codec::encode(&Request::Ping).into();
    'frames: loop {
        let reading = frame::read(&mut reader, frame::BODY_MAX);
        tokio::pin!(reading);
        let read = loop {
            tokio::select! {
                read = &mut reading => break read,
                _ = look.tick() => {
                    let Some(live) = live.upgrade() else { return };
                    if !alive(&live, &local, class, &ping) {
                        break 'frames;
                    }
                }
            }
        };
        let (Ok(frame), Some(live)) = (read, live.upgrade()) else { break };
        live.heard_ms.store(local.time.boot_ms(), Ordering::Relaxed);
        local.heard(from);
        let waiting = live.pending().remove(&frame.exchange);
        if let Some(waiting) = waiting {
            drop(waiting.send(frame.body));
        }
    }
    if let Some(live) = live.upgrade() {
        live.close();
    }
}

/// Whether the peer may still be expected to answer. Questions of the other classes have deadlines
/// of their own: a follower may be writing.
fn alive(live: &Live, local: &Local, class: Class, ping: &Bytes) -> bool {
    let now_ms = local.time.boot_ms();
    if live.pending().is_empty() || !matches!(class, Class::Control | Class::Drafts) {
        live.heard_ms.store(now_ms, Ordering::Relaxed);
        return true;
    }
    drop(live.to_writer.try_send(Frame { exchange: NOBODY, body: ping.clone() }));
    now_ms.saturating_sub(live.heard_ms.load(Ordering::Relaxed)) < SILENCE_MS
}
