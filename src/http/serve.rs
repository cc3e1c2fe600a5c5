//! A listener: accepts connections, bounds their headers, and drains them on shutdown.

use super::opening::Opening;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

const HEADER_WAIT: Duration = Duration::from_secs(15);
/// Most connections of one listener; others wait in the system's queue until one ends.
const CONNECTIONS: usize = 8192;
/// How often a silent HTTP/2 peer is asked whether it lives, and how long it may take to answer.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));
/// How long open connections may take to finish after a stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long to wait after the system refused a connection, for lack of descriptors for example.
const PAUSE: Duration = Duration::from_millis(50);

type Socket = TokioIo<Opening<TcpStream>>;

/// The remote address of a connection, in each request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    header_bytes: usize,
}

impl Listener {
    /// Binds `address`; requests whose headers exceed `header_bytes` are answered with 431.
    ///
    /// # Errors
    /// Returns the system's reason.
    pub async fn bind(address: SocketAddr, header_bytes: usize) -> std::io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, header_bytes: header_bytes.max(8 << 10) })
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
            .max_header_list_size(header_list)
            .max_concurrent_streams(256)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1);
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
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!("cannot accept a connection: {e}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let connection = connection(&server, stream, peer, routes.clone());
            let watched = graceful.watch(connection.into_owned());
            tracker.spawn(async move {
                let _ = watched.await;
                drop(place);
            });
        }
        drop(self.socket);
        let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    }
}

fn connection(
    server: &auto::Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
) -> auto::Connection<
    '_,
    Socket,
    TowerToHyperService<
        impl tower::Service<
            http::Request<hyper::body::Incoming>,
            Response = axum::response::Response,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    >,
    TokioExecutor,
> {
    let _ = stream.set_nodelay(true);
    let service = routes.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(PeerAddress(peer));
        request.map(axum::body::Body::new)
    });
    let stream = Opening::new(stream, HEADER_WAIT);
    server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}
