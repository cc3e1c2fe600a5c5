//! A listener: accepts connections, with TLS or without, bounds their headers, and drains them on shutdown.

use super::opening::Opening;
use crate::tls::Switch;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

const HEADER_WAIT: Duration = Duration::from_secs(15);
/// Most connections of one listener; others wait in the system's queue until one ends.
const CONNECTIONS: usize = 8192;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long open connections may take to finish after a stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long to wait after the system refused a connection, for lack of descriptors for example.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a silent HTTP/2 connection is asked whether it lives, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// The remote address of a connection, in each request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    header_bytes: usize,
    tls: Option<Switch>,
}

/// What each connection needs.
struct Door {
    server: auto::Builder<TokioExecutor>,
    routes: Router,
    tls: Option<Switch>,
}

impl Listener {
    /// Binds `address`; requests whose headers exceed `header_bytes` are answered with 431. With `tls`, plain
    /// HTTP is not spoken.
    ///
    /// # Errors
    /// Returns the system's reason.
    pub async fn bind(
        address: SocketAddr,
        header_bytes: usize,
        tls: Option<Switch>,
    ) -> std::io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, header_bytes: header_bytes.max(8 << 10), tls })
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// Returns the system's reason.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until told to stop, then drains.
    pub async fn serve(self, routes: Router, tracker: TaskTracker, stop: CancellationToken) {
        let graceful = GracefulShutdown::new();
        let door = Arc::new(Door { server: self.server(), routes, tls: self.tls });
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let place = tokio::select! {
                place = places.clone().acquire_owned() => place,
                () = stop.cancelled() => break,
            };
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let admitted = door.clone().admit(stream, peer, graceful.watcher());
                    tracker.spawn(async move {
                        admitted.await;
                        drop(place);
                    });
                }
                Err(e) => {
                    tracing::warn!("cannot accept a connection: {e}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(self.socket);
        let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    }

    fn server(&self) -> auto::Builder<TokioExecutor> {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_WAIT)
            .max_buf_size(self.header_bytes);
        let header_list = u32::try_from(self.header_bytes).unwrap_or(u32::MAX);
        server
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .max_header_list_size(header_list)
            .max_concurrent_streams(256);
        server
    }
}

impl Door {
    async fn admit(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.serve(stream, peer, watcher).await };
        let handshake = TlsAcceptor::from(tls.current()).accept(stream);
        match tokio::time::timeout(HANDSHAKE, handshake).await {
            Ok(Ok(stream)) => self.serve(stream, peer, watcher).await,
            Ok(Err(e)) => tracing::debug!("a TLS handshake failed: {e}"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    /// HTTP/1.1 or HTTP/2: as TLS agreed, or as the first bytes say (RFC 9113 §3.3, prior knowledge).
    async fn serve<S>(&self, stream: S, peer: SocketAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service =
            self.routes.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(PeerAddress(peer));
                request.map(axum::body::Body::new)
            });
        let service = TowerToHyperService::new(service);
        let connection = self
            .server
            .serve_connection_with_upgrades(TokioIo::new(Opening::new(stream, HEADER_WAIT)), service);
        let _ = watcher.watch(connection).await;
    }
}
