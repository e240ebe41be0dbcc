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
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use identity::codec;
use tokio::{
    io::{AsyncWriteExt as _, BufReader, BufWriter, ReadHalf, WriteHalf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    frame::{self, Frame},
    join,
    message::{Class, Greeting, Hello, PROTOCOL, Request, Unwelcome},
    processes::{Presence, Processes},
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
/// Most time to decide about a stranger whose token is good, an election included.
const ADMISSION_WAIT: Duration = Duration::from_secs(20);
/// Nothing comes for so long only when nobody is there any more: members ping twice a second over
/// the one connection, and ask over the others or make them again.
const CONTROL_SILENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(120);
/// Most questions of one connection at work.
const QUESTIONS_MAX: usize = 64;

pub(super) type Stream = TlsStream<TcpStream>;

/// Connections that have not said yet who they are, by the order in which they came. One too many
/// costs the oldest its place, not the newest: a member says who it is within milliseconds, so
/// whoever only sits there cannot keep members out.
#[derive(Default)]
struct Strangers(Mutex<BTreeMap<u64, Option<AbortHandle>>>);

impl Strangers {
    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, Option<AbortHandle>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(self: &Arc<Self>, number: u64) -> Stranger {
        self.known().insert(number, None);
        Stranger { all: Arc::clone(self), number }
    }

    /// Who serves it; whoever was quick is no stranger any more.
    fn served_by(&self, number: u64, handle: AbortHandle) {
        let mut known = self.known();
        if let Some(slot) = known.get_mut(&number) {
            *slot = Some(handle);
        }
        if known.len() > STRANGERS_MAX
            && let Some((_, Some(oldest))) = known.pop_first()
        {
            oldest.abort();
            metrics::counter!("vaultara_peer_connections_refused_total").increment(1);
        }
    }
}

/// One of them; no stranger any more when this goes.
struct Stranger {
    all: Arc<Strangers>,
    number: u64,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.all.known().remove(&self.number);
    }
}

/// Serves until it is aborted.
pub(crate) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let strangers = Arc::new(Strangers::default());
    let mut number = 0_u64;
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
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics::counter!("vaultara_peer_connections_refused_total").increment(1);
            continue;
        };
        let (service, processes) = (Arc::clone(&service), Arc::clone(&processes));
        number = number.wrapping_add(1);
        let stranger = strangers.expect(number);
        let handle = connections.spawn(async move {
            let _place = place;
            if let Err(error) = connection(&service, &processes, tcp, from, stranger).await {
                tracing::debug!(%error, %from, "a connection of another node ended");
                if error.kind() == io::ErrorKind::InvalidData {
                    metrics::counter!("vaultara_peer_malformed_total").increment(1);
                    service.above.malformed(from.ip());
                }
            }
        });
        strangers.served_by(number, handle);
    }
}

async fn connection(
    service: &Arc<Service>,
    processes: &Arc<Processes>,
    tcp: TcpStream,
    from: SocketAddr,
    stranger: Stranger,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let config = service.local.server().ok_or_else(|| io::Error::other("no certificate"))?;
    let greeted = timeout(GREETING_WAIT, async {
        let mut stream = TlsAcceptor::from(config).accept(tcp).await?;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() == Some(tls::ALPN_JOIN) {
            let secret = join::hear(service, &mut stream, from.ip()).await?;
            return io::Result::Ok(Arrived::ToJoin(secret, stream));
        }
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.ok_or_else(|| frame::malformed("no certificate"))?;
        let speaker = tls::speaker(certificate, service.local.cluster)?;
        let (greeted, stream) = greet(service, processes, stream, speaker).await?;
        Ok(Arrived::Member(greeted, stream))
    });
    let arrived = greeted.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    drop(stranger);
    let (greeted, stream) = match arrived {
        Arrived::Member(greeted, stream) => (greeted, stream),
        Arrived::ToJoin(secret, stream) => {
            let admitting = join::admit(service, secret, stream, from.ip());
            let admitted = timeout(ADMISSION_WAIT, admitting).await;
            return admitted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        }
    };
    let hello = &greeted.hello;
    let (reader, writer) = tokio::io::split(stream);
    let (reader, writer) = (BufReader::new(reader), BufWriter::new(writer));
    match hello.class {
        Class::Entries => in_turn(service, processes, &greeted, reader, writer).await,
        Class::Control | Class::Drafts => {
            at_once(service, processes, &greeted, reader, writer).await
        }
        Class::Snapshot => transfer::receive(service, &greeted, reader, writer).await,
    }
}

/// Whoever said who it is.
enum Arrived {
    Member(Greeted, Stream),
    /// With the secret of a token that is worth listening to.
    ToJoin([u8; 32], Stream),
}

/// Who speaks on a connection, and what for.
pub(super) struct Greeted {
    pub(super) hello: Hello,
    pub(super) speaker: Speaker,
    _presence: Presence,
}

async fn greet(
    service: &Service,
    processes: &Arc<Processes>,
    mut stream: Stream,
    speaker: Speaker,
) -> io::Result<(Greeted, Stream)> {
    let frame = frame::read(&mut stream, frame::GREETING_MAX).await?;
    let hello: Hello = codec::decode(&frame.body).map_err(frame::malformed)?;
    let local = &service.local;
    let here = (local.cluster, local.node, local.shard);
    let accepted = agreed(&hello, speaker.node, here).and_then(|protocol| {
        service.admits(&speaker)?;
        processes.begin(hello.from, hello.process, local.time.boot_ms())?;
        let all = Arc::clone(processes);
        Ok((protocol, Presence { all, node: hello.from, id: hello.process }))
    });
    let greeting = match &accepted {
        Ok((protocol, _)) => Greeting::Welcome { protocol: *protocol, process: local.process },
        Err(why) => Greeting::Refused(*why),
    };
    let body = codec::encode(&greeting).into();
    frame::write(&mut stream, &Frame { exchange: frame.exchange, body }).await?;
    stream.flush().await?;
    match accepted {
        Ok((_, presence)) => Ok((Greeted { hello, speaker, _presence: presence }, stream)),
        Err(why) => {
            tracing::warn!(node = hello.from, reason = %why, "another node was refused");
            Err(io::Error::other(why.to_string()))
        }
    }
}

/// The newest version of the protocol that both know, if the hello is of the node whose certificate
/// was shown and is meant for this one: cluster, node, shard.
fn agreed(hello: &Hello, speaker: u64, here: ([u8; 16], u64, u32)) -> Result<u16, Unwelcome> {
    if hello.from != speaker || (hello.cluster, hello.to, hello.shard) != here {
        return Err(Unwelcome::Address);
    }
    match hello.protocol.min(PROTOCOL) {
        0 => Err(Unwelcome::Protocol),
        both => Ok(both),
    }
}

pub(super) type Reader = BufReader<ReadHalf<Stream>>;
pub(super) type Writer = BufWriter<WriteHalf<Stream>>;

pub(super) fn question(frame: &Frame) -> io::Result<Request> {
    codec::decode(&frame.body).map_err(frame::malformed)
}

/// Each frame is one of a member that is still one: a removed node must not go on over a connection
/// of before.
fn alive(service: &Service, processes: &Arc<Processes>, greeted: &Greeted) -> io::Result<()> {
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
    processes: &Arc<Processes>,
    greeted: &Greeted,
    mut reader: Reader,
    mut writer: Writer,
) -> io::Result<()> {
    loop {
        let frame = next(&mut reader, greeted.hello.class).await?;
        alive(service, processes, greeted)?;
        let body = answer(service, greeted.hello.from, &frame).await?;
        frame::write(&mut writer, &Frame { exchange: frame.exchange, body }).await?;
        writer.flush().await?;
    }
}

/// The next frame of a member.
async fn next(reader: &mut Reader, class: Class) -> io::Result<Frame> {
    let silence = if class == Class::Control { CONTROL_SILENCE } else { SILENCE };
    let read = timeout(silence, frame::read(reader, frame::BODY_MAX)).await;
    read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn answer(service: &Service, from: u64, frame: &Frame) -> io::Result<Bytes> {
    Ok(codec::encode(&service.answer(from, question(frame)?).await).into())
}

/// Many questions at a time, answered as they are done.
async fn at_once(
    service: &Arc<Service>,
    processes: &Arc<Processes>,
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
            let frame = next(&mut reader, greeted.hello.class).await?;
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
    fn a_hello_is_heeded_only_of_this_cluster_for_this_node_and_in_a_version_that_both_know() {
        let here = ([0xC1; 16], 1, 0);
        let good = Hello {
            protocol: PROTOCOL,
            cluster: here.0,
            shard: here.2,
            from: 3,
            process: 70,
            to: here.1,
            class: Class::Control,
        };
        let newer = Hello { protocol: PROTOCOL + 6, ..good };
        let cases = [
            (good.clone(), Ok(PROTOCOL)),
            // It is to speak as this node does, or to leave.
            (newer, Ok(PROTOCOL)),
            (Hello { protocol: 0, ..good }, Err(Unwelcome::Protocol)),
            (Hello { cluster: [0xC2; 16], ..good }, Err(Unwelcome::Address)),
            (Hello { to: 2, ..good }, Err(Unwelcome::Address)),
            (Hello { shard: 1, ..good }, Err(Unwelcome::Address)),
            // Another node than its certificate names.
            (Hello { from: 4, ..good }, Err(Unwelcome::Address)),
        ];
        for (hello, expected) in cases {
            assert_eq!(agreed(&hello, 3, here), expected, "{hello:?}");
        }
    }
}
