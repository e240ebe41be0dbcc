//! Listens for other nodes and for strangers who want to join.
//!
//! A connection has a few seconds to prove who it is; until then it costs one of a bounded number
//! of places and no more than a greeting's bytes, and nothing it says is decoded. Invariant:
//! whoever was not admitted reaches no decoder but that of its own greeting, and that only behind a
//! certificate of this cluster.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use identity::codec;
use tokio::{
    io::{AsyncWriteExt as _, BufReader, BufWriter, ReadHalf, WriteHalf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    frame::{self, Frame},
    join,
    message::{Class, Greeting, Hello, PROTOCOL, Request, Unwelcome},
    service::Service,
    tls::{self, Speaker},
    transfer,
};

/// Most connections at a time; five nodes with their classes need fewer than thirty.
const CONNECTIONS_MAX: usize = 256;
/// Most connections that have not said yet who they are.
const STRANGERS_MAX: usize = 32;
/// Most time to say it.
const GREETING_WAIT: Duration = Duration::from_secs(5);
/// Most questions of one connection at work.
const QUESTIONS_MAX: usize = 64;
/// While a process was heard of this lately, another one with its identity is refused;
/// milliseconds.
const ALIVE_MS: u64 = 2_000;

pub(super) type Stream = TlsStream<TcpStream>;

/// A process that speaks for a node.
#[derive(Debug, Clone, Copy)]
struct Process {
    id: u64,
    heard_ms: u64,
    connections: usize,
}

/// The processes that speak for nodes.
#[derive(Default)]
pub(crate) struct Processes(Mutex<BTreeMap<u64, Process>>);

impl Processes {
    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Process>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another connection of a process, unless another one with its identity is alive.
    fn begin(&self, node: u64, id: u64, now_ms: u64) -> Result<(), Unwelcome> {
        let mut known = self.known();
        match known.get_mut(&node) {
            Some(one) if one.id == id => {
                one.connections = one.connections.saturating_add(1);
                one.heard_ms = now_ms;
                Ok(())
            }
            Some(one) if one.connections > 0 && now_ms.saturating_sub(one.heard_ms) < ALIVE_MS => {
                Err(Unwelcome::Twice)
            }
            _ => {
                known.insert(node, Process { id, heard_ms: now_ms, connections: 1 });
                Ok(())
            }
        }
    }

    /// A frame came; false when another process took this one's place while it was silent.
    fn heard(&self, node: u64, id: u64, now_ms: u64) -> bool {
        match self.known().get_mut(&node) {
            Some(one) if one.id == id => {
                one.heard_ms = now_ms;
                true
            }
            _ => false,
        }
    }

    fn end(&self, node: u64, id: u64) {
        if let Some(one) = self.known().get_mut(&node)
            && one.id == id
        {
            one.connections = one.connections.saturating_sub(1);
        }
    }
}

/// Serves until it is aborted.
pub(crate) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
    let processes = Arc::new(Processes::default());
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (tcp, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely; the next one may fare better.
                tracing::warn!(%error, "a connection of another node was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (Ok(place), Ok(stranger)) =
            (Arc::clone(&places).try_acquire_owned(), Arc::clone(&strangers).try_acquire_owned())
        else {
            metrics::counter!("vaultara_peer_connections_refused_total").increment(1);
            continue;
        };
        let (service, processes) = (Arc::clone(&service), Arc::clone(&processes));
        connections.spawn(async move {
            let _place = place;
            if let Err(error) = connection(&service, &processes, tcp, from, stranger).await {
                tracing::debug!(%error, %from, "a connection of another node ended");
            }
        });
    }
}

async fn connection(
    service: &Arc<Service>,
    processes: &Processes,
    tcp: TcpStream,
    from: SocketAddr,
    stranger: OwnedSemaphorePermit,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let config = service.local.server().ok_or_else(|| io::Error::other("no certificate"))?;
    let greeted = timeout(GREETING_WAIT, async {
        let stream = TlsAcceptor::from(config).accept(tcp).await?;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() == Some(tls::ALPN_JOIN) {
            return join::answer(service, stream, from.ip()).await.map(|()| None);
        }
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.ok_or_else(|| io::Error::other("no certificate"))?;
        let speaker = tls::speaker(certificate, service.local.cluster)?;
        greet(service, processes, stream, speaker).await
    });
    let greeted = greeted.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    drop(stranger);
    let Some((greeted, stream)) = greeted else { return Ok(()) };
    let hello = &greeted.hello;
    let (reader, writer) = tokio::io::split(stream);
    let (reader, writer) = (BufReader::new(reader), BufWriter::new(writer));
    let ended = match hello.class {
        Class::Entries => in_turn(service, processes, &greeted, reader, writer).await,
        Class::Control | Class::Drafts => {
            at_once(service, processes, &greeted, reader, writer).await
        }
        Class::Snapshot => transfer::receive(service, hello, reader, writer).await,
    };
    processes.end(hello.from, hello.process);
    ended
}

/// Who speaks on a connection, and what for.
struct Greeted {
    hello: Hello,
    speaker: Speaker,
}

async fn greet(
    service: &Service,
    processes: &Processes,
    mut stream: Stream,
    speaker: Speaker,
) -> io::Result<Option<(Greeted, Stream)>> {
    let frame = frame::read(&mut stream, frame::GREETING_MAX).await?;
    let hello: Hello = codec::decode(&frame.body).map_err(io::Error::other)?;
    let local = &service.local;
    let meant = (hello.cluster, hello.to, hello.shard) == (local.cluster, local.node, local.shard);
    let accepted = if hello.from != speaker.node || !meant {
        Err(Unwelcome::Address)
    } else if hello.protocol == 0 {
        Err(Unwelcome::Protocol)
    } else {
        let now_ms = local.time.boot_ms();
        service.admits(&speaker).and_then(|()| processes.begin(hello.from, hello.process, now_ms))
    };
    let greeting = match accepted {
        Ok(()) => {
            Greeting::Welcome { protocol: hello.protocol.min(PROTOCOL), process: local.process }
        }
        Err(why) => Greeting::Refused(why),
    };
    let body = codec::encode(&greeting).into();
    frame::write(&mut stream, &Frame { exchange: frame.exchange, body }).await?;
    stream.flush().await?;
    match accepted {
        Ok(()) => Ok(Some((Greeted { hello, speaker }, stream))),
        Err(why) => {
            tracing::warn!(node = hello.from, reason = %why, "another node was refused");
            Err(io::Error::other(why.to_string()))
        }
    }
}

pub(super) type Reader = BufReader<ReadHalf<Stream>>;
pub(super) type Writer = BufWriter<WriteHalf<Stream>>;

pub(super) fn question(frame: &Frame) -> io::Result<Request> {
    codec::decode(&frame.body).map_err(io::Error::other)
}

/// Each frame is one of a member that is still one: a removed node must not go on over a connection
/// of before.
fn alive(service: &Service, processes: &Processes, greeted: &Greeted) -> io::Result<()> {
    let hello = &greeted.hello;
    service.admits(&greeted.speaker).map_err(io::Error::other)?;
    service.local.heard(hello.from);
    let now_ms = service.local.time.boot_ms();
    if processes.heard(hello.from, hello.process, now_ms) {
        Ok(())
    } else {
        Err(io::Error::other(Unwelcome::Twice))
    }
}

/// One question at a time: the next frame is read when the last one is answered.
async fn in_turn(
    service: &Service,
    processes: &Processes,
    greeted: &Greeted,
    mut reader: Reader,
    mut writer: Writer,
) -> io::Result<()> {
    loop {
        let frame = frame::read(&mut reader, frame::BODY_MAX).await?;
        alive(service, processes, greeted)?;
        let body = answer(service, greeted.hello.from, &frame).await?;
        frame::write(&mut writer, &Frame { exchange: frame.exchange, body }).await?;
        writer.flush().await?;
    }
}

async fn answer(service: &Service, from: u64, frame: &Frame) -> io::Result<Bytes> {
    Ok(codec::encode(&service.answer(from, question(frame)?).await).into())
}

/// Many questions at a time, answered as they are done.
async fn at_once(
    service: &Arc<Service>,
    processes: &Processes,
    greeted: &Greeted,
    mut reader: Reader,
    mut writer: Writer,
) -> io::Result<()> {
    let (answers, mut answered) = mpsc::channel::<Frame>(QUESTIONS_MAX);
    let places = Arc::new(Semaphore::new(QUESTIONS_MAX));
    let mut work = JoinSet::new();
    let writing = async move {
        while let Some(next) = answered.recv().await {
            let mut next = Some(next);
            while let Some(one) = next {
                frame::write(&mut writer, &one).await?;
                next = answered.try_recv().ok();
            }
            writer.flush().await?;
        }
        io::Result::Ok(())
    };
    let reading = async {
        loop {
            let frame = frame::read(&mut reader, frame::BODY_MAX).await?;
            alive(service, processes, greeted)?;
            while work.try_join_next().is_some() {}
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            let (service, answers, from) =
                (Arc::clone(service), answers.clone(), greeted.hello.from);
            work.spawn(async move {
                let _place = place;
                let Ok(body) = answer(&service, from, &frame).await else { return };
                drop(answers.send(Frame { exchange: frame.exchange, body }).await);
            });
        }
    };
    tokio::select! {
        ended = writing => ended,
        ended = reading => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_speaks_for_a_node_until_it_is_silent_or_gone() {
        let processes = Processes::default();
        assert_eq!(processes.begin(3, 70, 10_000), Ok(()));
        assert_eq!(processes.begin(3, 70, 10_000), Ok(()));
        assert_eq!(processes.begin(3, 71, 11_999), Err(Unwelcome::Twice));
        assert!(processes.heard(3, 70, 11_999));
        processes.end(3, 70);
        assert_eq!(processes.begin(3, 71, 13_998), Err(Unwelcome::Twice));
        assert_eq!(processes.begin(3, 71, 13_999), Ok(()));
        assert!(!processes.heard(3, 70, 13_999));
        processes.end(3, 71);
        assert_eq!(processes.begin(3, 70, 14_000), Ok(()));
    }
}
