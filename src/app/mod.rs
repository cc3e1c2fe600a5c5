//! How is it all put together? Opens stores, starts tasks, and owns the order of start and stop.

mod assembly;
mod backends;
mod connect;
mod definitions;
mod evidence;
mod keys;
mod listeners;
mod notices;
mod problems;
mod registry;
mod report;
mod status;
mod votes;
mod watch;

pub use definitions::HeldTool;
pub use evidence::{Unanswered, asked_for_value, find_value, record_asked};
pub use listeners::Addresses;
pub use report::{BackendReport, Trial};
pub use status::{Ready, Status};

use crate::api;
use crate::approval::Approvals;
use crate::audit::anchor::{self, Anchors};
use crate::audit::{Log, OpenError};
use crate::clock::Clock;
use crate::config::{Config, Problem};
use crate::gateway::{Asking, Duties, Fold, Gateway, Seals, Vaulted};
use crate::http::{Connection, Credential, Edge, Limits, Origins, Parts, Way, routes};
use crate::identity::{NewToken, Refused, Tokens};
use crate::inspect::Inspector;
use crate::inspect::sanitize::Sanitizer;
use crate::recognizer::Recognizer;
use crate::route::{CursorKey, Front, PinStore};
use crate::search::Indexer;
use crate::telemetry::Metrics;
use crate::tls::ClientTls;
use crate::vault::{self, Bounds, Vault};
use assembly::Filters;
use listeners::Listeners;
use registry::Registry;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often parked calls that nobody came back for are looked for.
const LAPSE: Duration = Duration::from_secs(1);
/// How often idle sessions are looked for.
const SWEEP: Duration = Duration::from_secs(30);
/// How long tasks may take to end after a stop.
const DRAIN: Duration = Duration::from_secs(15);

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration or the policies have problems.
    #[error("the configuration has {} problem(s)", .0.len())]
    Problems(Vec<Problem>),
    /// The audit log cannot be opened; nothing may run without it.
    #[error("the audit log cannot be opened")]
    Log(#[from] OpenError),
    /// An anchor remembers more of the log, or another one; or a setting of anchors cannot be used.
    #[error("the audit log does not agree with its anchors")]
    Anchors(#[from] anchor::Error),
    /// The token store cannot be opened.
    #[error("the token store cannot be opened")]
    Tokens(#[from] crate::identity::Error),
    /// The filters fail their own test.
    #[error("the filters cannot be used")]
    Inspect(#[from] crate::inspect::Error),
    /// The recogniser fails its test.
    #[error("the recogniser cannot be used")]
    Recognizer(#[from] crate::recognizer::Error),
    /// The sanitizer fails its own test.
    #[error("the sanitizer cannot be used")]
    Sanitize(#[from] crate::inspect::sanitize::Error),
    /// The values that tokens stand for cannot be kept.
    #[error("the vault of `inspect.vault` cannot be opened")]
    Vault(#[from] vault::Error),
    /// The pins of definitions cannot be used.
    #[error("the pins of definitions cannot be used")]
    Pins(#[from] crate::route::PinError),
    /// A listener cannot be bound.
    #[error("cannot listen on {address}; choose another address in the configuration")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A certificate cannot be used.
    #[error("the certificate of a listener cannot be used")]
    Tls(#[from] crate::tls::Error),
    /// A file of the data folder cannot be used.
    #[error("cannot use `{}`; check that the folder exists and is writable", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The log cannot be searched.
    #[error("the audit log cannot be searched")]
    Search(#[from] crate::search::Error),
    /// Approvals cannot be kept.
    #[error("the approvals cannot be opened")]
    Approvals(#[from] crate::approval::Error),
    /// What is put in force cannot be kept, so no decision could be made again.
    #[error("the policies in force cannot be kept in the data folder")]
    Unkept(#[from] crate::policy::StoreError),
    /// What is put in force cannot be recorded.
    #[error("the audit log cannot record the start")]
    Unrecorded(#[source] crate::audit::Unrecorded),
    /// The HTTP client cannot be built.
    #[error("the system's trusted certificates cannot be used")]
    HttpClient,
    /// The metrics cannot be registered.
    #[error("metrics cannot be registered")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The system has no random numbers.
    #[error("the system's random source failed")]
    Random,
}

/// Whether anybody else can connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doors {
    Open,
    Shut,
}

/// A running gateway.
#[derive(Debug)]
pub struct App {
    /// Where it can be reached.
    pub addresses: Addresses,
    edge: Arc<Edge>,
    registry: Arc<Registry>,
    gateway: Arc<Gateway>,
    log: Log,
    indexer: Option<Indexer>,
    tracker: TaskTracker,
    listeners: TaskTracker,
    stop: CancellationToken,
    closing: CancellationToken,
}

impl App {
    /// Starts everything, in this order: stores, filters, backends, policies, listeners, tasks.
    ///
    /// # Errors
    /// Returns the first thing without which the gateway must not run.
    pub async fn start(config: Config, file: Option<PathBuf>, metrics: Metrics) -> Result<Self, StartError> {
        Self::begin(config, file, metrics, Doors::Open).await
    }

    /// Starts everything but the listeners, for one agent that speaks with this process.
    ///
    /// # Errors
    /// Returns the first thing without which the gateway must not run.
    pub async fn start_local(config: Config, file: PathBuf, metrics: Metrics) -> Result<Self, StartError> {
        Self::begin(config, Some(file), metrics, Doors::Shut).await
    }

    async fn begin(
        config: Config,
        file: Option<PathBuf>,
        metrics: Metrics,
        doors: Doors,
    ) -> Result<Self, StartError> {
        let clock = Clock::system();
        let (tracker, listeners) = (TaskTracker::new(), TaskTracker::new());
        let (stop, closing) = (CancellationToken::new(), CancellationToken::new());
        let keys = keys::Keys::open(&config.data_dir)?;
        let tokens = Arc::new(Tokens::open(&config.data_dir, clock.clone())?);
        let inspector = Arc::new(Inspector::new(&config.inspect, keys.commitment())?);
        let filters = Filters {
            sanitizer: sanitizer(&config, keys.commitment())?,
            pins: Arc::new(PinStore::open(&config.data_dir)?),
            vaulted: vaulted(&config, &clock)?,
            recognizer: recognizer(&config, &inspector, &metrics).await?,
            inspector,
        };
        let log = Log::open(&config.data_dir, keys.origin(), &config.audit, clock.clone())?;
        let anchors = anchors(&config, keys.origin()).await?;
        let bound = match doors {
            Doors::Open => Some(Listeners::bind(&config).await?),
            Doors::Shut => None,
        };
        let certificates = bound.as_ref().map(|bound| bound.certificates.clone()).unwrap_or_default();
        let addresses = bound.as_ref().map_or_else(|| Addresses::named(&config), |bound| bound.addresses);
        let cursors = CursorKey::random().ok_or(StartError::Random)?;
        let seals = Seals::new(keys.handles());

        let approvals = Arc::new(Approvals::open(&config.data_dir, keys.commitment(), clock.clone())?);
        let (registry, rules) = Registry::start(&config, file, filters, keys, (&tracker, &metrics)).await?;
        registry.keep(&rules)?;
        log.append(registry.opening_record()).await.map_err(StartError::Unrecorded)?;
        registry.settle(&log).await?;
        let (notices, waiting) = tokio::sync::mpsc::channel(notices::WAITING);
        let courier =
            notices::Courier::new(&config.policies.notify, registry.http(), log.clone(), clock.clone())?;
        courier.run(waiting, &tracker, closing.clone());
        tracker.spawn(votes::run(approvals.clone(), log.clone(), stop.clone()));
        tracker.spawn(anchors.run(log.clone(), clock.clone(), closing.clone()));
        // A page that nobody serves is no place to send anybody.
        let asking = bound.as_ref().and_then(|_| asking(&config));
        let duties = Duties::new(approvals.clone(), notices, asking);
        let (handles, news) = ((cursors, seals), (metrics.clone(), registry.notices()));
        let gateway = Arc::new(Gateway::new(rules, (log.clone(), clock), handles, news, duties));
        registry.run(gateway.clone(), certificates, stop.clone());

        let edge = Arc::new(edge(&config, addresses.agents, gateway.clone(), tokens.clone(), &tracker));
        let status = Arc::new(Status::new(gateway.clone(), edge.clone(), registry.clone(), metrics.clone()));
        tokens.run(&tracker, stop.clone());
        metrics.run(&tracker, stop.clone());
        tracker.spawn(cancel_lapsed(gateway.clone(), stop.clone()));
        tracker.spawn(edge.fold().run(gateway.clone(), closing.clone()));
        tracker.spawn(sweep(edge.clone(), stop.clone()));
        if let Some(bound) = bound {
            listeners.spawn(bound.agents.serve(routes(edge.clone()), listeners.clone(), stop.clone()));
            let parts = (gateway.clone(), tokens, approvals, status);
            let api = Arc::new(api_of(&config, parts, edge.fold())?);
            listeners.spawn(bound.admin.serve(api::operators(api.clone()), listeners.clone(), stop.clone()));
            listeners.spawn(bound.auditors.serve(api::auditors(api), listeners.clone(), stop.clone()));
        }
        let indexer = indexer(&config)?;
        Ok(Self { addresses, edge, registry, gateway, log, indexer, tracker, listeners, stop, closing })
    }

    /// Opens a connection of an agent that speaks with this process and shows a token; with `server`, to that
    /// backend alone.
    ///
    /// # Errors
    /// Returns why nobody is let in.
    pub fn connect_with_token(&self, server: Option<&str>, token: &str) -> Result<Connection, Refused> {
        self.connect(server, &Credential::Token(token))
    }

    /// The same for a caller who is named, not proven.
    ///
    /// # Errors
    /// Returns why nobody is let in.
    pub fn connect_as(&self, server: Option<&str>, named: &NewToken) -> Result<Connection, Refused> {
        self.connect(server, &Credential::Local(named))
    }

    fn connect(&self, server: Option<&str>, who: &Credential<'_>) -> Result<Connection, Refused> {
        let front = server.map_or(Front::All, |id| Front::Server(id.to_owned()));
        self.edge.connect(Way { front, transport: "stdio", source: None }, who)
    }

    /// Asks for a reload, as SIGHUP does.
    pub fn reload(&self) {
        self.registry.reload();
    }

    /// Stops, in this order: listeners, calls, backends, tasks, and last the log.
    pub async fn stop(self) {
        self.stop.cancel();
        self.gateway.close();
        self.listeners.close();
        let _ = tokio::time::timeout(DRAIN, self.listeners.wait()).await;
        self.registry.stop();
        self.closing.cancel();
        self.tracker.close();
        let _ = tokio::time::timeout(DRAIN, self.tracker.wait()).await;
        let (log, indexer) = (self.log, self.indexer);
        let closed = tokio::task::spawn_blocking(move || {
            let closed = log.close();
            if let Some(indexer) = indexer {
                indexer.stop();
            }
            closed
        });
        let closed = closed.await;
        match closed {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::error!("the log was not closed cleanly: {e}"),
            Err(_) => tracing::error!("the log's writer panicked"),
        }
    }
}

/// The thread that keeps the index behind the log, if there is to be one.
fn indexer(config: &Config) -> Result<Option<Indexer>, StartError> {
    let folder = &config.data_dir;
    let started = config.search.index.then(|| Indexer::start(folder, config.search)).transpose();
    started.map_err(|source| StartError::Data { path: folder.clone(), source })
}

/// The anchors, once they agree with the log. One that cannot be asked does not keep the gateway from starting.
async fn anchors(config: &Config, origin: &str) -> Result<Anchors, StartError> {
    let anchors = Anchors::new(&config.audit.anchors, &config.data_dir, origin)?;
    for unheard in anchors.confirm().await? {
        tracing::error!("an anchor cannot say what it remembers: {unheard}");
    }
    Ok(anchors)
}

/// Which hosts and origins are ours, on every listener; `more` has its own on top.
fn origins(config: &Config, more: Option<&url::Url>) -> Origins {
    let public = || config.public_url.iter().chain(more);
    let hosts = config.allowed_hosts.iter().cloned();
    let hosts = hosts.chain(public().filter_map(|url| url.host_str()).map(str::to_owned));
    let origins = config.allowed_origins.iter().cloned();
    Origins::new(hosts, origins.chain(public().map(|url| url.origin().ascii_serialization())))
}

/// How agents are asked to take calls to those who may approve them.
fn asking(config: &Config) -> Option<Asking> {
    let url = config.approval.url.as_ref()?.as_str().trim_end_matches('/').to_owned();
    Some(Asking { url, wait: config.approval.wait })
}

fn api_of(
    config: &Config,
    (gateway, tokens, approvals, status): (Arc<Gateway>, Arc<Tokens>, Arc<Approvals>, Arc<Status>),
    fold: Arc<Fold>,
) -> Result<api::Api, StartError> {
    let bounds = &config.audit_api;
    Ok(api::Api::new(api::Parts {
        gateway,
        tokens,
        origins: origins(config, config.approval.url.as_ref()),
        fold,
        folder: config.data_dir.clone(),
        approvals,
        page: config.approval.url.is_some(),
        status,
        limits: api::Limits {
            operator_tenant: bounds.operator_tenant.clone(),
            requests_per_minute: bounds.requests_per_minute,
            page: bounds.page_size,
            export: bounds.export_size,
        },
    })?)
}

fn edge(
    config: &Config,
    bound: SocketAddr,
    gateway: Arc<Gateway>,
    tokens: Arc<Tokens>,
    tracker: &TaskTracker,
) -> Edge {
    let limits = &config.limits;
    tracing::debug!(%bound, "agents' edge");
    Edge::new(Parts {
        gateway,
        tokens,
        origins: origins(config, None),
        limits: Limits {
            request_bytes: limits.request_bytes,
            depth: limits.depth,
            calls: limits.concurrent_calls,
            calls_per_principal: limits.calls_per_principal,
            sessions: limits.sessions,
            unread: limits.unread(),
            session_idle_us: i64::try_from(limits.session_idle().as_micros()).unwrap_or(i64::MAX),
        },
        tracker: tracker.clone(),
        resource_metadata: None,
    })
}

async fn cancel_lapsed(gateway: Arc<Gateway>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LAPSE)).await.is_some() {
        gateway.sweep();
    }
}

/// The sanitizer, after its self-test under the common settings.
fn sanitizer(config: &Config, key: &[u8]) -> Result<Arc<Sanitizer>, StartError> {
    Ok(Arc::new(Sanitizer::new(&definitions::rules_of(config, None, None), key)?))
}

/// The recogniser, if there is to be one, after its self-test.
async fn recognizer(
    config: &Config,
    inspector: &Inspector,
    metrics: &Metrics,
) -> Result<Option<Recognizer>, StartError> {
    let http = connect::http_client(&ClientTls::default())?;
    Ok(connect::recognizer(&config.inspect, inspector, (http, metrics)).await?)
}

/// The vault, if there is to be one.
fn vaulted(config: &Config, clock: &Clock) -> Result<Option<Vaulted>, vault::Error> {
    let Some(settings) = &config.inspect.vault else { return Ok(None) };
    let bounds =
        Bounds { ttl: Duration::from_secs(u64::from(settings.ttl_s)), entries: settings.max_entries };
    let vault = Vault::open(&config.data_dir, bounds, clock.clone())?;
    Ok(Some(Vaulted { vault: Arc::new(vault), unknown: settings.unknown }))
}

/// Filters that change nothing on disk.
fn trial_filters(config: &Config) -> Result<Filters, StartError> {
    Ok(Filters {
        inspector: Arc::new(Inspector::new(&config.inspect, &[0; 32])?),
        sanitizer: sanitizer(config, &[0; 32])?,
        pins: Arc::new(PinStore::trial(&config.data_dir)?),
        vaulted: None,
        recognizer: None,
    })
}

async fn sweep(edge: Arc<Edge>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        edge.sweep();
    }
}

/// What the policies of a configuration are judged against, with its backends as they answer now.
///
/// # Errors
/// Returns every problem of the configuration and the policies.
pub async fn survey(config: &Config) -> Result<crate::policy::Archive, StartError> {
    let tracker = TaskTracker::new();
    let keys = keys::Keys::throwaway();
    let metrics = Metrics::new()?;
    let (registry, rules) =
        Registry::start(config, None, trial_filters(config)?, keys, (&tracker, &metrics)).await?;
    registry.stop();
    tracker.close();
    let _ = tokio::time::timeout(DRAIN, tracker.wait()).await;
    Ok(rules.policies.archive().clone())
}

/// Loads all that [`App::start`] loads and binds nothing; for `sealgate check`.
///
/// # Errors
/// Returns every problem that would keep the gateway from starting, or a backend from being used.
pub async fn trial(config: &Config) -> Result<Trial, StartError> {
    let tracker = TaskTracker::new();
    let keys = keys::Keys::throwaway();
    let metrics = Metrics::new()?;
    let mut filters = trial_filters(config)?;
    filters.recognizer = recognizer(config, &filters.inspector, &metrics).await?;
    let (registry, _) = Registry::start(config, None, filters, keys, (&tracker, &metrics)).await?;
    let trial = registry.trial();
    registry.stop();
    tracker.close();
    let _ = tokio::time::timeout(DRAIN, tracker.wait()).await;
    Ok(trial)
}
