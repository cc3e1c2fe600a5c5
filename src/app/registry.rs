//! Which rules are in force? Gathers configuration, policies and what backends list into the next set of
//! rules; a set with any problem changes nothing.

use super::StartError;
use super::assembly::{Filters, InForce, Makings, Names, Next, assemble};
use super::connect::{Channels, connect, http_client, recognizer};
use super::definitions::{self, Compiled, HeldTool, Settlement};
use super::keys::Keys;
use super::listeners::Certificates;
use super::problems::problem;
use super::report::{BackendReport, Trial};
use super::watch::Watch;
use crate::audit::{Draft, Kind, Log};
use crate::clock::Clock;
use crate::config::{Config, Problem};
use crate::gateway::{Gateway, Rules};
use crate::inspect::Inspector;
use crate::inspect::sanitize::Sanitizer;
use crate::policy::{Changes, Store, StoreError};
use crate::telemetry::Metrics;
use crate::tls::ClientTls;
use crate::upstream::{Event, Health, News};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a start waits for backends; those that take longer join when they are ready.
const PATIENCE: Duration = Duration::from_secs(20);
/// News of resources that may wait for a slow follower; one that falls further behind is told that it has.
const NOTICES: usize = 4096;
/// News within this time are answered by one new set of rules.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// How often it is looked whether somebody decided about a definition.
const DECISIONS: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct State {
    makings: Makings,
    generation: u64,
    in_force: Option<InForce>,
    rejected: Option<String>,
    notes: Vec<String>,
    held: Vec<HeldTool>,
    /// Changes of pins that the start still has to record.
    unsettled: Option<Settlement>,
}

/// The one place that makes rules.
#[derive(Debug)]
pub struct Registry {
    state: Mutex<State>,
    started: Config,
    file: Option<PathBuf>,
    keys: Keys,
    http: reqwest::Client,
    events: Channels,
    news: Mutex<Option<mpsc::UnboundedReceiver<Event>>>,
    wanted: Notify,
    tracker: TaskTracker,
    metrics: Metrics,
}

impl Registry {
    /// Starts the backends and makes the first rules.
    pub(super) async fn start(
        config: &Config,
        file: Option<PathBuf>,
        filters: Filters,
        keys: Keys,
        (tracker, metrics): (&TaskTracker, &Metrics),
    ) -> Result<(Arc<Self>, Rules), StartError> {
        let (events, mut news) = mpsc::unbounded_channel();
        let events = (events, broadcast::channel(NOTICES).0);
        let mut makings = Makings {
            config: config.clone(),
            filters,
            compiled: Compiled::new(),
            upstreams: HashMap::new(),
            known: HashMap::new(),
        };
        let http = http_client(&ClientTls::default())?;
        makings.upstreams = connect(config, &HashMap::new(), &http, tracker, &events)?;
        let waiting = makings.upstreams.values().map(|upstream| upstream.tried());
        let _ = tokio::time::timeout(PATIENCE, futures_util::future::join_all(waiting)).await;
        while let Ok(event) = news.try_recv() {
            makings.note(event);
        }
        let first = tokio::task::spawn_blocking({
            let makings = makings.clone();
            move || assemble(makings, 1, Names::MustExist)
        });
        let first = match first.await {
            Ok(made) => made,
            Err(_) => Err(vec![]),
        };
        let first = first.map_err(|problems| {
            makings.upstreams.values().for_each(|upstream| upstream.stop());
            StartError::Problems(problems)
        })?;
        let registry = Self {
            state: Mutex::new(State {
                makings: first.makings,
                generation: 1,
                in_force: Some(first.in_force),
                rejected: None,
                notes: first.notes,
                held: first.held,
                unsettled: Some(first.settlement),
            }),
            started: config.clone(),
            file,
            keys,
            http,
            events,
            news: Mutex::new(Some(news)),
            wanted: Notify::new(),
            tracker: tracker.clone(),
            metrics: metrics.clone(),
        };
        Ok((Arc::new(registry), first.rules))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what the first rules were made from, and notes that they are in force.
    pub(super) fn keep(&self, rules: &Rules) -> Result<(), StoreError> {
        let store = Store::of(&self.lock().makings.config.data_dir);
        store.keep(&rules.policies)?;
        store.point(rules.policies.digests())
    }

    /// The client that all HTTP goes through.
    pub(super) fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// Where news of resources and tasks come from.
    pub(super) fn notices(&self) -> broadcast::Sender<News> {
        self.events.1.clone()
    }

    /// The record of what a start put in force.
    pub(super) fn opening_record(&self) -> Draft {
        let none: Option<InForce> = None;
        Draft::new(Kind::PolicyChange).member("after", &self.lock().in_force).member("before", &none)
    }

    /// Records what the start has found out about definitions, and keeps it.
    pub(super) async fn settle(&self, log: &Log) -> Result<(), StartError> {
        let (pins, settlement) = {
            let mut state = self.lock();
            (state.makings.filters.pins.clone(), state.unsettled.take().unwrap_or_default())
        };
        settlement.record(log).await.map_err(StartError::Unrecorded)?;
        tokio::task::spawn_blocking(move || settlement.keep(&pins))
            .await
            .unwrap_or(Ok(()))
            .map_err(StartError::Pins)
    }

    /// Follows backends, files and signals until told to stop.
    pub(super) fn run(
        self: &Arc<Self>,
        gateway: Arc<Gateway>,
        certificates: Certificates,
        stop: CancellationToken,
    ) {
        let news = self.news.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut news) = news else { return };
        let registry = self.clone();
        let mut watch = registry.watch(&stop);
        let mut look = tokio::time::interval(DECISIONS);
        let mut decided = registry.decisions();
        self.tracker.spawn(async move {
            loop {
                let why = tokio::select! {
                    () = stop.cancelled() => return,
                    event = news.recv() => {
                        let Some(event) = event else { return };
                        tokio::time::sleep(DEBOUNCE).await;
                        let mut state = registry.lock();
                        state.makings.note(event);
                        while let Ok(event) = news.try_recv() {
                            state.makings.note(event);
                        }
                        Kind::CatalogDrift
                    }
                    Some(()) = watch.changed.recv() => {
                        // A folder that was replaced needs a new watch; it begins before the files are read.
                        watch = registry.watch(&stop);
                        Kind::ConfigChange
                    }
                    () = registry.wanted.notified() => Kind::ConfigChange,
                    _ = look.tick() => {
                        let now = registry.decisions();
                        if now == decided {
                            continue;
                        }
                        decided = now;
                        Kind::CatalogDrift
                    }
                };
                registry.renew(&gateway, why).await;
                if why == Kind::ConfigChange && registry.rejected().is_none() {
                    certificates.renew(&registry.lock().makings.config);
                }
                if registry.lock().makings.config.watched() != watch.paths {
                    watch = registry.watch(&stop);
                    // What changed there before it was watched.
                    registry.reload();
                }
            }
        });
    }

    fn watch(&self, stop: &CancellationToken) -> Watch {
        Watch::begin(self.lock().makings.config.watched(), &self.tracker, stop)
    }

    /// A number that changes when somebody has decided about a definition.
    fn decisions(&self) -> Option<i64> {
        let pins = self.lock().makings.filters.pins.clone();
        pins.version().ok()
    }

    /// Asks for a reload.
    pub(super) fn reload(&self) {
        self.wanted.notify_one();
    }

    /// Ends all backends.
    pub(super) fn stop(&self) {
        for upstream in self.lock().makings.upstreams.values() {
            upstream.stop();
        }
    }

    /// Makes the next rules, records the change, and puts them in force; on any problem the old ones stay.
    async fn renew(self: &Arc<Self>, gateway: &Arc<Gateway>, why: Kind) {
        let registry = self.clone();
        let made = tokio::task::spawn_blocking(move || registry.next(why)).await;
        let next = match made {
            Ok(Ok(next)) => next,
            Ok(Err(problems)) => return self.reject(&problems),
            Err(_) => return,
        };
        let before = self.lock().in_force.clone();
        if before.as_ref() != Some(&next.in_force) {
            if let Err(error) = self.keep(&next.rules) {
                next.makings.abandon(&self.lock().makings);
                let place = self.lock().makings.config.data_dir.clone();
                return self.reject(&[problem(&place, error.to_string(), "make room, and save again")]);
            }
            let same_config = before.as_ref().is_some_and(|b| b.config == next.in_force.config);
            let kind = if why == Kind::ConfigChange && same_config { Kind::PolicyChange } else { why };
            let changes = Changes::between(&gateway.rules().policies, &next.rules.policies);
            let record = Draft::new(kind).member("after", &next.in_force).member("before", &before);
            let record = if changes.is_empty() { record } else { record.member("diff", &changes.bounded()) };
            if let Err(e) = gateway.log().append(record).await {
                next.makings.abandon(&self.lock().makings);
                tracing::error!("the change cannot be recorded, the rules in force stay: {e}");
                self.lock().rejected = Some(format!("the audit log cannot record the change: {e}"));
                return;
            }
        }
        let pins = next.makings.filters.pins.clone();
        let settled = match next.settlement.record(gateway.log()).await {
            Ok(()) => {
                let settlement = next.settlement;
                let kept = tokio::task::spawn_blocking(move || settlement.keep(&pins)).await;
                kept.unwrap_or(Ok(())).map_err(|e| e.to_string())
            }
            Err(e) => Err(e.to_string()),
        };
        if let Err(e) = settled {
            next.makings.abandon(&self.lock().makings);
            tracing::error!("changes of definitions cannot be recorded, the rules in force stay: {e}");
            self.lock().rejected = Some(format!("changes of definitions cannot be recorded: {e}"));
            return;
        }
        gateway.adopt(next.rules);
        self.metrics.reloaded();
        let mut state = self.lock();
        let old = std::mem::replace(&mut state.makings, next.makings);
        old.abandon(&state.makings);
        state.in_force = Some(next.in_force);
        state.notes = next.notes;
        state.held = next.held;
        state.rejected = None;
    }

    fn reject(&self, problems: &[Problem]) {
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let text = text.join("\n");
        tracing::error!("the change was rejected, the rules in force stay:\n{text}");
        self.metrics.reload_failed();
        self.lock().rejected = Some(text);
    }

    fn next(&self, why: Kind) -> Result<Next, Vec<Problem>> {
        let (mut makings, generation) = {
            let mut state = self.lock();
            state.generation += 1;
            (state.makings.clone(), state.generation)
        };
        let old = makings.clone();
        if why == Kind::ConfigChange
            && let Some(file) = &self.file
        {
            let config = Config::load(file)?;
            if config.inspect != makings.config.inspect {
                makings.filters.inspector = Inspector::new(&config.inspect, self.keys.commitment())
                    .map(Arc::new)
                    .map_err(|e| vec![problem(file, e.to_string(), "see the section `inspect`")])?;
                // Off the async threads, so it may be waited for.
                let tried =
                    recognizer(&config.inspect, &makings.filters.inspector, (self.http(), &self.metrics));
                makings.filters.recognizer = tokio::runtime::Handle::current()
                    .block_on(tried)
                    .map_err(|e| vec![problem(file, e.to_string(), "see `inspect.recognizer`")])?;
            }
            if config.inspect.vault != makings.config.inspect.vault {
                makings.filters.vaulted = super::vaulted(&config, &Clock::system())
                    .map_err(|e| vec![problem(file, e.to_string(), "see `inspect.vault`")])?;
            }
            if config.sanitize != makings.config.sanitize {
                let rules = definitions::rules_of(&config, None, None);
                makings.filters.sanitizer = Sanitizer::new(&rules, self.keys.commitment())
                    .map(Arc::new)
                    .map_err(|e| vec![problem(file, e.to_string(), "see the section `sanitize`")])?;
            }
            makings.compiled.clear();
            let connected = connect(&config, &makings.upstreams, &self.http, &self.tracker, &self.events);
            makings.upstreams = connected.map_err(|e| vec![problem(file, e.to_string(), "see `tls`")])?;
            let upstreams = &makings.upstreams;
            let kept = |id: &String| match (upstreams.get(id), old.upstreams.get(id)) {
                (Some(new), Some(old)) => Arc::ptr_eq(new, old),
                _ => false,
            };
            makings.known.retain(|id, _| kept(id));
            makings.config = config;
        }
        let started = makings.clone();
        let made = match why {
            // A backend that drops a tool must not freeze all rules: policies that name it then wait.
            Kind::CatalogDrift => assemble(makings.clone(), generation, Names::MustExist)
                .or_else(|_| assemble(makings, generation, Names::MayWait)),
            _ => assemble(makings, generation, Names::MustExist),
        };
        let mut made = made.inspect_err(|_| started.abandon(&old))?;
        let waiting = self.started.waiting_for_restart(&made.makings.config);
        if !waiting.is_empty() {
            let note =
                format!("changed in the file, in force from the next start on: {}", waiting.join(", "));
            if why == Kind::ConfigChange {
                tracing::warn!("{note}");
            }
            made.notes.push(note);
        }
        Ok(made)
    }

    /// What is rejected, if the last change was.
    pub(super) fn rejected(&self) -> Option<String> {
        self.lock().rejected.clone()
    }

    /// The state of all backends, and what a person should look at.
    pub(super) fn trial(&self) -> Trial {
        let state = self.lock();
        let makings = &state.makings;
        let backends = makings.config.mcp_servers.iter().filter(|(_, server)| !server.disabled);
        let backends = backends.map(|(id, _)| {
            let listing = makings.known.get(id.as_str()).and_then(|known| known.listing.as_deref());
            let health = makings.upstreams.get(id.as_str()).map(|upstream| upstream.health());
            BackendReport::new(id.as_str(), health.unwrap_or(Health::Starting), listing)
        });
        Trial { backends: backends.collect(), held: state.held.clone(), notes: state.notes.clone() }
    }
}
