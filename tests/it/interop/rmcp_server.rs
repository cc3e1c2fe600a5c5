//! A server made with rmcp, over Streamable HTTP, that speaks one era only.

use std::borrow::Cow;
use std::sync::mpsc;
use std::thread::JoinHandle;

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    ProgressNotificationParam, ProtocolVersion, RequestMetaObject, ServerCapabilities, ServerConfig,
};
use rmcp::schemars::JsonSchema;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

/// The era that a server knows.
#[derive(Clone, Copy)]
pub enum Speaks {
    Legacy,
    Modern,
}

/// A running server; it ends with this value.
pub struct RmcpServer {
    url: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl RmcpServer {
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for RmcpServer {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Starts a server on a free port, in a thread with a runtime of its own.
pub fn start(speaks: Speaks) -> RmcpServer {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let (ready, url) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let config = StreamableHttpServerConfig::default().with_cancellation_token(stopped.clone());
            let sessions = std::sync::Arc::new(LocalSessionManager::default());
            let service = StreamableHttpService::new(move || Ok(Rig { speaks }), sessions, config);
            let router = axum::Router::new().route_service("/mcp", service);
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served.unwrap(),
                () = stopped.cancelled() => {}
            }
        });
    });
    RmcpServer { url: url.recv().unwrap(), stop, thread: Some(thread) }
}

#[derive(Clone)]
struct Rig {
    speaks: Speaks,
}

#[derive(Deserialize, JsonSchema)]
struct Sum {
    a: i64,
    b: i64,
}

#[derive(Deserialize, JsonSchema)]
struct Count {
    steps: u32,
}

#[tool_router]
impl Rig {
    /// Adds two numbers.
    #[tool(annotations(read_only_hint = true))]
    async fn add(&self, Parameters(Sum { a, b }): Parameters<Sum>) -> String {
        (a + b).to_string()
    }

    /// Counts, and tells its progress.
    #[tool(annotations(read_only_hint = true))]
    async fn count(
        &self,
        Parameters(Count { steps }): Parameters<Count>,
        meta: RequestMetaObject,
        client: Peer<RoleServer>,
    ) -> Result<String, ErrorData> {
        if let Some(token) = meta.get_progress_token() {
            for step in 1..=steps {
                let progress = ProgressNotificationParam::new(token.clone(), f64::from(step));
                let told = client.notify_progress(progress.with_total(f64::from(steps))).await;
                told.map_err(|cause| ErrorData::internal_error(cause.to_string(), None))?;
            }
        }
        Ok(format!("counted to {steps}"))
    }
}

#[tool_handler]
impl ServerHandler for Rig {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        match self.speaks {
            Speaks::Legacy => Cow::Borrowed(&[
                ProtocolVersion::V_2025_03_26,
                ProtocolVersion::V_2025_06_18,
                ProtocolVersion::V_2025_11_25,
            ]),
            Speaks::Modern => Cow::Borrowed(&[ProtocolVersion::V_2026_07_28]),
        }
    }
}
