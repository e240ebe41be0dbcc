//! The answer to a connection for which there is no place: 503, without reading a request.
//!
//! Fixed bytes, because a server at its limit has nothing to spare. It has no request id: there
//! was no request.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const BODY: &str = "{\"type\":\"/errors/unavailable\",\
    \"title\":\"The service is not available right now.\",\"status\":503,\"code\":\"unavailable\",\
    \"detail\":\"too many connections\"}";

/// Says no, and closes without letting a reset overtake the answer.
pub(crate) async fn refuse(mut stream: TcpStream) {
    const TIME_MAX: Duration = Duration::from_secs(1);
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
         content-type: application/problem+json\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n\
         content-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let talk = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // What the peer still sends must be read, or the kernel answers it with a reset.
        let mut buffer = [0; 1_024];
        while stream.read(&mut buffer).await? > 0 {}
        std::io::Result::Ok(())
    };
    // A peer that is too slow or gone has lost its answer; nothing else depends on it.
    let _ = timeout(TIME_MAX, talk).await;
}
