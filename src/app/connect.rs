//! From configured backends to running ones.

use super::{StartError, backends};
use crate::config::{self, Config};
use crate::inspect::{self, Inspector};
use crate::recognizer::{self, Recognizer};
use crate::telemetry::Metrics;
use crate::tls::ClientTls;
use crate::upstream::{Endpoint, Event, News, Upstream};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio_util::task::TaskTracker;

/// Where backends tell what they have to tell: of themselves, and of resources and tasks.
pub(super) type Channels = (mpsc::UnboundedSender<Event>, broadcast::Sender<News>);

/// One client for all backends: pooled connections, no redirects (a redirect could leave the allow-listed
/// host), no proxies from the environment.
pub(super) fn http_client(tls: &ClientTls) -> Result<reqwest::Client, StartError> {
    let tls = tls.config(&[b"h2", b"http/1.1"]).map_err(|_| StartError::HttpClient)?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // A peer that vanished without a word is found by the system.
        .tcp_keepalive(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(256)
        .connect_timeout(Duration::from_secs(10))
        .build()
        .map_err(|_| StartError::HttpClient)
}

/// The recogniser, after it has found what was planted.
pub(super) async fn recognizer(
    config: &inspect::Config,
    inspector: &Inspector,
    (http, metrics): (reqwest::Client, &Metrics),
) -> Result<Option<Recognizer>, recognizer::Error> {
    let Some(settings) = &config.recognizer else { return Ok(None) };
    Recognizer::start(settings, inspector, http, metrics.clone()).await.map(Some)
}

/// Backends of the configuration: those that have not changed are kept as they are.
pub(super) fn connect(
    config: &Config,
    running: &HashMap<String, Arc<Upstream>>,
    http: &reqwest::Client,
    tracker: &TaskTracker,
    events: &Channels,
) -> Result<HashMap<String, Arc<Upstream>>, StartError> {
    let enabled = config.mcp_servers.iter().filter(|(_, server)| !server.disabled);
    let start = |(id, server): (&config::ServerId, &config::Server)| {
        let target = backends::target(id.as_str(), server, config.limits.response_bytes);
        if let Some(same) = running.get(id.as_str()).filter(|old| *old.target() == target) {
            return Ok((id.as_str().to_owned(), same.clone()));
        }
        let http = match &target.endpoint {
            Endpoint::Remote { tls: Some(tls), .. } => http_client(tls)?,
            Endpoint::Remote { .. } | Endpoint::Stdio { .. } => http.clone(),
        };
        Ok((id.as_str().to_owned(), Upstream::start(target, http, tracker, events.clone())))
    };
    enabled.map(start).collect()
}
