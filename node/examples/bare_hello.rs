//! The yardstick of `make bench`: bare axum that answers with a given number of bytes.
//!
//! No limits, no telemetry. Usage: `bare_hello ADDRESS BODY-HEAD…`; `GET /BODY-HEAD` answers with a
//! body of BODY bytes and one header of HEAD bytes beside the usual ones, `POST` reads the body
//! first. Take no code from here.

use std::error::Error;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderName, HeaderValue, header},
    routing::get,
};
use tokio::net::TcpListener;

/// The server's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PADDING: HeaderName = HeaderName::from_static("x");

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, sizes @ ..] = arguments.as_slice() else {
        return Err("usage: bare_hello ADDRESS BODY-HEAD…".into());
    };
    let mut routes = Router::new();
    for size in sizes {
        let (body, head) = size.split_once('-').ok_or("a size is BODY-HEAD")?;
        let body = Bytes::from(vec![b'x'; body.parse()?]);
        let padding = HeaderValue::from_bytes(&vec![b'x'; head.parse()?])?;
        let answer = ([(header::CONTENT_TYPE, JSON), (PADDING, padding)], body);
        let posted = answer.clone();
        let got = get(move || async move { answer });
        let routed = got.post(move |_: Bytes| async move { posted });
        routes = routes.route(&format!("/{size}"), routed);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address.as_str()).await?;
        axum::serve(listener, routes).await?;
        Ok(())
    })
}
