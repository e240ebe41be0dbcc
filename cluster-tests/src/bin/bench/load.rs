//! A load of HTTP requests with a fixed number of keep-alive connections, latencies kept.
//!
//! The requests are bytes made beforehand and the answers are read only as far as framing needs:
//! the generator shares the cores with what it measures, so it must be cheap.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use vaultara_cluster_tests::{Failure, during};

use crate::figures::{Sample, cpu_seconds};

/// Largest answer that is understood, bytes.
const ANSWER_MAX: usize = 1 << 20;

/// Gives the bytes of the request of a given number.
pub(crate) type Make = Arc<dyn Fn(u64) -> Arc<Vec<u8>> + Send + Sync>;

/// A `GET` request.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// A `GET` request with a bearer token.
pub(crate) fn get_as(path: &str, token: &str) -> Vec<u8> {
    bare("GET", path, token)
}

/// A `DELETE` request with a bearer token.
pub(crate) fn delete_as(path: &str, token: &str) -> Vec<u8> {
    bare("DELETE", path, token)
}

/// A `POST` of JSON with a bearer token.
pub(crate) fn post_as(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn bare(method: &str, path: &str, token: &str) -> Vec<u8> {
    let authorization = format!("Authorization: Bearer {token}");
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n\r\n").into_bytes()
}

/// A `POST` of a form, with an `Authorization` header if there is one.
pub(crate) fn post(path: &str, authorization: &str, form: &str) -> Vec<u8> {
    let authorization = match authorization {
        "" => String::new(),
        value => format!("Authorization: {value}\r\n"),
    };
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// The same request every time.
pub(crate) fn same(request: Vec<u8>) -> Make {
    let request = Arc::new(request);
    Arc::new(move |_| Arc::clone(&request))
}

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await.map_err(during("connect"))?;
        stream.set_nodelay(true).map_err(during("connect"))?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request and reads its answer: status and body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        self.measured(request).await.map(|(status, _, body)| (status, body))
    }

    /// As [`Connection::ask`], with the bytes of the head.
    pub(crate) async fn measured(
        &mut self,
        request: &[u8],
    ) -> Result<(u16, usize, Vec<u8>), Failure> {
        self.stream.write_all(request).await.map_err(during("send a request"))?;
        self.buffer.clear();
        loop {
            if let Some((status, head, length)) = framing(&self.buffer)? {
                let whole = head.saturating_add(length);
                if self.buffer.len() >= whole {
                    let body = self.buffer.get(head..whole).unwrap_or_default().to_vec();
                    return Ok((status, head, body));
                }
            }
            let read = self.stream.read_buf(&mut self.buffer).await;
            if read.map_err(during("read an answer"))? == 0 {
                return Err("the connection was closed".to_owned());
            }
        }
    }
}

/// Status, length of the head and length of the body, once the head is there.
fn framing(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>, Failure> {
    if bytes.len() > ANSWER_MAX {
        return Err("an answer is too large".to_owned());
    }
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default());
    let head = head.map_err(during("read a head"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)).and_then(|text| text.parse().ok());
    let status = status.ok_or("an answer has no status")?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    // 204 and 304 have none.
    Ok(Some((status, end.saturating_add(4), length.unwrap_or(0))))
}

/// Sends requests for a while and measures the CPU of the process that answers.
pub(crate) async fn run(
    (pid, address): (u32, SocketAddr),
    concurrency: usize,
    seconds: f64,
    make: Make,
) -> Result<Sample, Failure> {
    let number = Arc::new(AtomicU64::new(0));
    let mut connections = Vec::new();
    for _ in 0..concurrency {
        let mut connection = Connection::open(address).await?;
        // Warm: what is measured is a connection that has been used.
        connection.ask(&make(number.fetch_add(1, Ordering::Relaxed))).await?;
        connections.push(connection);
    }
    let cpu = cpu_seconds(pid);
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            let (make, number) = (Arc::clone(&make), Arc::clone(&number));
            tokio::spawn(async move {
                let (mut latencies, mut failed) = (Vec::new(), 0_u64);
                while Instant::now() < until {
                    let request = make(number.fetch_add(1, Ordering::Relaxed));
                    let sent = Instant::now();
                    let (status, _) = connection.ask(&request).await?;
                    failed += u64::from(!(200..300).contains(&status));
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Ok::<_, Failure>((latencies, failed))
            })
        })
        .collect();
    let mut sample = Sample::default();
    for task in tasks {
        let (latencies, failed) = task.await.map_err(during("wait for a connection"))??;
        sample.latencies_us.extend(latencies);
        sample.failed += failed;
    }
    sample.elapsed = began.elapsed();
    sample.count = sample.latencies_us.len() as u64;
    sample.cpu_s = cpu_seconds(pid) - cpu;
    Ok(sample)
}
