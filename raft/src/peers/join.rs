//! How a stranger becomes a member, on the wire.
//!
//! It calls any member, knows the cluster by the fingerprint in its token, and says the token's
//! secret as bare bytes; only when that is worth listening to is anything of it decoded. The answer
//! is a certificate or a reason. Invariant: the secret is spent by a command, so it admits one node
//! however often it is sent.

use std::{io, net::IpAddr, time::Duration};

use futures::future::BoxFuture;
use identity::codec::{self, Persisted};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    frame::{self, Frame},
    server::Stream,
    service::Service,
    tls,
};

/// How long a stranger waits for each answer.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// The answer to a secret that is worth listening to.
const GO_ON: u8 = 1;
/// The answer to any other.
const NO: u8 = 0;
/// The answer to whoever tries too often, or while nobody can decide, whatever the secret.
const LATER: u8 = 2;

/// What a node says of itself that wants to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// Its public key: an uncompressed point of P-256, 65 bytes.
    pub public_key: Vec<u8>,
    /// Its name.
    pub name: String,
    /// Where other nodes reach it, host and port.
    pub address: String,
    /// Its zone label.
    pub zone: String,
    /// Its program's version.
    pub version: String,
    /// The highest feature level it understands.
    pub feature_level: u16,
    /// Proof of its root secret.
    pub root_check: Vec<u8>,
}

impl Persisted for JoinRequest {
    const KIND: [u8; 2] = *b"_J";
}

/// What a new member gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The cluster's id.
    pub cluster: [u8; 16],
    /// Its own id.
    pub node: u64,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The authority's certificate, DER.
    pub authority: Vec<u8>,
}

/// Why a node is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum JoinRefusal {
    /// Wrong, expired, used or revoked: a stranger is not told which.
    #[error("the join token is not valid (any more); make a new one on a member of the cluster")]
    Token,
    /// Another root secret.
    #[error("MASTER_KEY (or JWT_SECRET) is not the one of the cluster")]
    RootSecret,
    /// The versions do not go together.
    #[error("{0}")]
    Incompatible(String),
    /// Too many tries; again later.
    #[error("too many tries to join came from here, or the cluster is busy; try again")]
    Busy,
    /// Nobody can decide now.
    #[error("the cluster cannot admit anybody now; try again")]
    Unavailable,
}

/// The last word to whoever wants to join.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer(pub(super) Result<Welcome, JoinRefusal>);

impl Persisted for Answer {
    const KIND: [u8; 2] = *b"_W";
}

/// Why joining failed.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The member could not be reached or is not of the token's cluster.
    #[error("{0}")]
    Connection(String),
    /// The cluster said no.
    #[error(transparent)]
    Refused(#[from] JoinRefusal),
}

impl From<io::Error> for JoinError {
    fn from(error: io::Error) -> Self {
        Self::Connection(error.to_string())
    }
}

/// Asks a member at an address (host and port) to be admitted.
///
/// # Errors
/// A [`JoinError`]; after [`JoinError::Connection`] the token may be spent.
pub fn join<'a>(
    address: &'a str,
    (secret, fingerprint): ([u8; 32], [u8; 32]),
    request: &'a JoinRequest,
) -> BoxFuture<'a, Result<Welcome, JoinError>> {
    Box::pin(async move {
        timeout(ANSWER_WAIT, ask(address, (secret, fingerprint), request)).await.unwrap_or_else(
            |_| Err(JoinError::Connection(format!("{address} did not answer in time"))),
        )
    })
}

async fn ask(
    address: &str,
    (secret, fingerprint): ([u8; 32], [u8; 32]),
    request: &JoinRequest,
) -> Result<Welcome, JoinError> {
    let at = |error: io::Error| JoinError::Connection(format!("{address}: {error}"));
    let tcp = TcpStream::connect(address).await.map_err(at)?;
    tcp.set_nodelay(true)?;
    // The name is not looked at: any member will do.
    let name = tls::server_name("member.vaultara.internal".into())?;
    let connector = TlsConnector::from(tls::stranger(fingerprint)?);
    let mut stream = connector.connect(name, tcp).await.map_err(|error| {
        JoinError::Connection(format!(
            "{address} is not a node of the token's cluster, or not a cluster port: {error}"
        ))
    })?;
    stream.write_all(&secret).await?;
    stream.flush().await?;
    match stream.read_u8().await.map_err(at)? {
        GO_ON => {}
        LATER => return Err(JoinRefusal::Busy.into()),
        _ => return Err(JoinRefusal::Token.into()),
    }
    let body = codec::encode(request).into();
    frame::write(&mut stream, &Frame { exchange: 0, body }).await?;
    stream.flush().await?;
    let answer = frame::read(&mut stream, frame::GREETING_MAX).await.map_err(at)?;
    let Answer(answer) = codec::decode(&answer.body).map_err(io::Error::other)?;
    Ok(answer?)
}

/// The other end of [`join`], up to where the token is found worth listening to.
pub(super) async fn hear(
    service: &Service,
    stream: &mut Stream,
    from: IpAddr,
) -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    stream.read_exact(&mut secret).await?;
    if let Err(why) = service.above.listen_to(secret, from).await {
        metrics::counter!("vaultara_join_refused_total").increment(1);
        // Nothing was said of the secret where nobody could decide: it may be a good one.
        let later = matches!(why, JoinRefusal::Busy | JoinRefusal::Unavailable);
        stream.write_u8(if later { LATER } else { NO }).await?;
        stream.shutdown().await?;
        return Err(io::Error::other(why));
    }
    stream.write_u8(GO_ON).await?;
    stream.flush().await?;
    Ok(secret)
}

/// The rest of it.
pub(super) async fn admit(
    service: &Service,
    secret: [u8; 32],
    mut stream: Stream,
    from: IpAddr,
) -> io::Result<()> {
    let frame = frame::read(&mut stream, frame::GREETING_MAX).await?;
    let request: JoinRequest = codec::decode(&frame.body).map_err(frame::malformed)?;
    let answer = service.above.admit(secret, request, from).await;
    let body = codec::encode(&Answer(answer)).into();
    frame::write(&mut stream, &Frame { exchange: 0, body }).await?;
    stream.flush().await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bare_answers_to_a_secret_are_frozen() {
        assert_eq!([NO, GO_ON, LATER], [0, 1, 2]);
    }
}
