//! Which rules are in force? Gathers configuration, policies and what backends list into the next set of
//! rules; a set with any problem changes nothing.

use super::connect::{Channels, connect, http_client};
use super::keys::Keys;
use super::listeners::Certificates;
use super::problems::{from_policy, problem};
use super::report::{BackendReport, Trial};
use super::watch::Watch;
use super::{StartError, backends};
use crate::audit::{Draft, Kind};
use crate::config::{Config, Problem};
use crate::gateway::{Gateway, Parts, Rules};
use crate::inspect::{Direction, Filtered, Inspector, Subject};
use crate::policy::{Changes, Policies, Store, StoreError};
use crate::route::{Catalog, Source};
use crate::telemetry::Metrics;
use crate::tls::ClientTls;
use crate::upstream::{Event, Health, Listing, News, Upstream};
use serde::Serialize;
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

/// What rules are made from.
#[derive(Debug, Clone)]
struct Makings {
    config: Config,
    inspector: Arc<Inspector>,
    upstreams: HashMap<String, Arc<Upstream>>,
    known: HashMap<String, Known>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    listing: Option<Arc<Listing>>,
    down: Option<String>,
}

/// Digests of what is in force, as records of changes name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InForce {
    config: String,
    entities: String,
    policy_set: String,
    ruleset: String,
    schema: String,
}

#[derive(Debug)]
struct State {
    makings: Makings,
    generation: u64,
    in_force: Option<InForce>,
    rejected: Option<String>,
    notes: Vec<String>,
}

/// Rules that are ready, and what they were made from.
struct Next {
    makings: Makings,
    rules: Rules,
    in_force: InForce,
    notes: Vec<String>,
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
        inspector: Arc<Inspector>,
        keys: Keys,
        (tracker, metrics): (&TaskTracker, &Metrics),
    ) -> Result<(Arc<Self>, Rules), StartError> {
        let (events, mut news) = mpsc::unbounded_channel();
        let events = (events, broadcast::channel(NOTICES).0);
        let mut makings =
            Makings { config: config.clone(), inspector, upstreams: HashMap::new(), known: HashMap::new() };
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
        gateway.adopt(next.rules);
        self.metrics.reloaded();
        let mut state = self.lock();
        let old = std::mem::replace(&mut state.makings, next.makings);
        old.abandon(&state.makings);
        state.in_force = Some(next.in_force);
        state.notes = next.notes;
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
                makings.inspector = Inspector::new(&config.inspect, self.keys.commitment())
                    .map(Arc::new)
                    .map_err(|e| vec![problem(file, e.to_string(), "see the section `inspect`")])?;
            }
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
        Trial { backends: backends.collect(), notes: state.notes.clone() }
    }
}

impl Makings {
    fn note(&mut self, event: Event) {
        match event {
            Event::Listed(server, listing) => {
                self.known.insert(server, Known { listing: Some(listing), down: None });
            }
            Event::Down(server, why) => {
                self.known.entry(server).or_default().down = Some(why.to_string());
            }
        }
    }

    /// Stops the backends that are not among the others'.
    fn abandon(&self, others: &Self) {
        for (id, upstream) in &self.upstreams {
            if !others.upstreams.get(id).is_some_and(|other| Arc::ptr_eq(other, upstream)) {
                upstream.stop();
            }
        }
    }
}

/// Whether policies may name tools that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// A name that nobody lists is a mistake.
    MustExist,
    /// The policy waits until somebody lists it.
    MayWait,
}

/// Makes rules; takes tens of milliseconds, so never on an async thread.
fn assemble(makings: Makings, generation: u64, names: Names) -> Result<Next, Vec<Problem>> {
    let config = &makings.config;
    let enabled: Vec<_> = config.mcp_servers.iter().filter(|(_, server)| !server.disabled).collect();
    let sources = enabled.iter().map(|(id, _)| {
        let known = makings.known.get(id.as_str()).cloned().unwrap_or_default();
        Source { server: id.as_str().to_owned(), listing: known.listing, down: known.down }
    });
    let inspector = makings.inspector.clone();
    let catalog = Catalog::build(sources.collect(), &|definition| {
        let subject = Subject {
            call: uuid::Uuid::nil(),
            direction: Direction::Response,
            exempt: &["/name", "/uri", "/uriTemplate"],
        };
        inspector.filter(definition, &subject).map(Filtered::into_value).map_err(|e| e.to_string())
    });
    let mut models: Vec<_> =
        enabled.iter().map(|(id, server)| backends::model(id.as_str(), server, &catalog)).collect();
    if names == Names::MayWait {
        for model in &mut models {
            model.discovered = false;
        }
    }
    let policies =
        Policies::load(&config.policies, &models, Some(&backends::abilities(config, &makings.inspector)))
            .map_err(|problems| problems.into_iter().map(from_policy).collect::<Vec<_>>())?;
    let mut notes: Vec<String> = policies.warnings().iter().map(ToString::to_string).collect();
    notes.extend(catalog.problems.iter().cloned());
    notes.extend(makings.inspector.warnings());
    if policies.observing() {
        notes.push("POLICY IS NOT ENFORCED: `policies.mode` is `observe`, denials are only recorded".into());
    }
    notes.extend(
        enabled.iter().flat_map(|(id, server)| backends::idle_settings(id.as_str(), server, &catalog)),
    );
    for note in &notes {
        tracing::warn!("{note}");
    }
    let digests = policies.digests();
    let in_force = InForce {
        config: config.digest().to_owned(),
        entities: digests.entities.clone(),
        policy_set: digests.policy_set.clone(),
        ruleset: inspector.ruleset_digest().to_owned(),
        schema: digests.schema.clone(),
    };
    let rules = Rules::new(
        generation,
        Parts {
            policies,
            inspector,
            catalog,
            upstreams: makings.upstreams.clone(),
            page_size: config.limits.page_size,
            call_timeout: config.limits.call_timeout(),
            question_timeout: config.limits.question_timeout(),
        },
    );
    Ok(Next { makings, rules, in_force, notes })
}
