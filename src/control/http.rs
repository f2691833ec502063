//! The page that Prometheus reads: `/metrics`, and `/-/healthy`, `/-/ready` for whoever watches the watcher.
//!
//! HTTP/1.1 on a TCP port, by default on loopback only. Nothing here is secret, and nothing is changed by asking;
//! whoever opens it to a network puts a reverse proxy in front. Connections, headers and idle time are bounded.

use super::error::{Error, Kind};
use crate::metrics;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Where the page is, unless configured otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9855);

/// Connections at a time.
const CONNECTIONS: usize = 32;

/// How long the head of a request may take to arrive, and a kept connection may idle.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection may last at all, so that a slow reader does not keep its seat.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(300);

/// Tells whether all is well: `Err` with what is not, in one line.
pub type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is served.
pub struct Pages {
    /// All metrics.
    pub registry: metrics::Registry,
    /// `/-/healthy`: the process works.
    pub healthy: Check,
    /// `/-/ready`: the first discovery is over, guests are watched.
    pub ready: Check,
}

/// The listening port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// Opens the port. A port that is taken is worth a warning, not an end (design 2.2): the caller decides.
    ///
    /// # Errors
    /// [`Kind::Taken`] if somebody listens there, otherwise what the system said.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self { listener }),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(Error::new(
                Kind::Taken,
                format!("the metrics port is taken: {address}: another program listens there"),
            )),
            Err(error) => Err(Error::io("cannot open the metrics port", address, error)),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system said.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready.
    pub async fn run(self, pages: Pages, stop: impl Future<Output = ()>) {
        let pages = Arc::new(pages);
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        let mut open = tokio::task::JoinSet::new();
        tokio::pin!(stop);
        loop {
            let stream = tokio::select! {
                () = &mut stop => return,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a metrics connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                Some(_) = open.join_next() => continue,
            };
            // Beyond the cap the connection is closed at once: a scraper tries again, a crowd costs nothing.
            let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
            let pages = Arc::clone(&pages);
            open.spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let response = respond(&pages, &request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let serving = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_PATIENCE)
                    .max_buf_size(16 << 10)
                    .serve_connection(TokioIo::new(stream), service);
                // How a connection ended is its own affair.
                let _ = tokio::time::timeout(CONNECTION_PATIENCE, serving).await;
                drop(seat);
            });
        }
    }
}

fn respond(pages: &Pages, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let answer = |status: StatusCode, kind: &'static str, body: String| {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
        response
    };
    let check = |check: &Check, well: &str| match check() {
        Ok(()) => answer(StatusCode::OK, TEXT, format!("{well}\n")),
        Err(why) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
    };
    let path = request.uri().path();
    let known = matches!(path, "/" | "/metrics" | "/-/healthy" | "/-/ready");
    if known && request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".into());
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match path {
        "/metrics" => answer(StatusCode::OK, metrics::CONTENT_TYPE, pages.registry.text()),
        "/-/healthy" => check(&pages.healthy, "hids is healthy"),
        "/-/ready" => check(&pages.ready, "hids is ready"),
        "/" => answer(
            StatusCode::OK,
            "text/html; charset=utf-8",
            "<!doctype html><title>hids</title><p>hids <a href=\"/metrics\">metrics</a>\n".into(),
        ),
        _ => answer(StatusCode::NOT_FOUND, TEXT, "no such page\n".into()),
    }
}
