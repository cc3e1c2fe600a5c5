//! Adds the credential that the suite cannot send, and passes everything else on as it is.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use axum::response::Response;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running proxy; it ends with this value.
pub struct Proxy {
    url: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Onward {
    endpoint: String,
    bearer: HeaderValue,
    http: reqwest::Client,
}

/// Starts a proxy to `endpoint` in a thread with a runtime of its own.
pub fn start(endpoint: &str, token: &str) -> Proxy {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    let onward = Arc::new(Onward { endpoint: endpoint.to_owned(), bearer, http });
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let (ready, url) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let router = Router::new().fallback(forward).with_state(onward);
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served.unwrap(),
                () = stopped.cancelled() => {}
            }
        });
    });
    Proxy { url: url.recv().unwrap(), stop, thread: Some(thread) }
}

async fn forward(State(onward): State<Arc<Onward>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    head.headers.insert(AUTHORIZATION, onward.bearer.clone());
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
    // `Host` stays as the suite wrote it: whether it is ours is the gateway's to judge.
    let sent =
        onward.http.request(head.method, &onward.endpoint).headers(head.headers).body(body).send().await;
    let answer = sent.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if *name != TRANSFER_ENCODING && *name != CONTENT_LENGTH {
            response = response.header(name, value);
        }
    }
    response.body(Body::from_stream(answer.bytes_stream())).unwrap()
}
