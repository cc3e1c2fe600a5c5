//! Metrics for Prometheus. Own recorder, no process-wide one; handles are kept, so that a call formats no
//! text. Labels are bounded: names from closed sets, and tools up to a limit. Never a user, a session, a URI.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::semconv;

/// Buckets of the MCP conventions, in seconds.
const DURATION_BUCKETS: [f64; 14] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// What the gateway itself adds is far below them: 0.1 ms to 100 ms.
const OVERHEAD_BUCKETS: [f64; 10] = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
/// Tools (and backends) beyond this many share the label `_OTHER`.
const NAMES: usize = 1000;
/// Histograms hold samples until upkeep sorts them into buckets.
const UPKEEP: Duration = Duration::from_secs(5);

const SERVER_DURATION: &str = "mcp_server_operation_duration_seconds";
const CLIENT_DURATION: &str = "mcp_client_operation_duration_seconds";
const RECOGNIZER: &str = "sealgate_recognizer_seconds";
const OVERHEAD: &str = "sealgate_overhead_seconds";
const META: Metadata<'static> = Metadata::new("sealgate", Level::INFO, None);

/// Histograms by name (tool or backend), then by method and error.
type Operations = HashMap<Arc<str>, HashMap<(&'static str, &'static str), Histogram>>;
/// Counters by a label's value.
type Counters = RwLock<HashMap<&'static str, Counter>>;

/// What the log says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditFigures {
    /// Records written since start.
    pub records: u64,
    /// Commits (each one fsync) since start.
    pub commits: u64,
    /// Records refused since start.
    pub refused: u64,
    /// Whether it can be written; false when it is latched.
    pub writable: bool,
}

/// All metrics of one gateway. Cloning is cheap.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    calls: RwLock<Operations>,
    backends: RwLock<Operations>,
    overhead: Histogram,
    denials: Counters,
    findings: Counters,
    auth_failures: Counters,
    audit_records: Counter,
    audit_commits: Counter,
    audit_refused: Counter,
    audit_writable: Gauge,
    policy_observe: Gauge,
    inspect_open: Gauge,
    recognizer: Counters,
    recognizer_time: Histogram,
    recognizer_rests: Gauge,
    backend_up: RwLock<HashMap<Arc<str>, Gauge>>,
    reloads_ok: Counter,
    reloads_failed: Counter,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Registers everything that has a fixed name.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(SERVER_DURATION.into()), &DURATION_BUCKETS)?
            .set_buckets_for_metric(Matcher::Full(CLIENT_DURATION.into()), &DURATION_BUCKETS)?
            .set_buckets_for_metric(Matcher::Full(RECOGNIZER.into()), &DURATION_BUCKETS)?
            .set_buckets_for_metric(Matcher::Full(OVERHEAD.into()), &OVERHEAD_BUCKETS)?
            .build_recorder();
        describe(&recorder);
        let counter = |name: &'static str| recorder.register_counter(&Key::from_static_name(name), &META);
        let gauge = |key: &Key| recorder.register_gauge(key, &META);
        let reloads = |outcome| {
            let key =
                Key::from_parts("sealgate_reloads_total", vec![Label::from_static_parts("outcome", outcome)]);
            recorder.register_counter(&key, &META)
        };
        let version = vec![Label::from_static_parts("version", env!("CARGO_PKG_VERSION"))];
        gauge(&Key::from_parts("sealgate_build_info", version)).set(1.0);
        let inner = Inner {
            calls: RwLock::default(),
            backends: RwLock::default(),
            overhead: recorder.register_histogram(&Key::from_static_name(OVERHEAD), &META),
            denials: RwLock::default(),
            findings: RwLock::default(),
            auth_failures: RwLock::default(),
            audit_records: counter("sealgate_audit_records_total"),
            audit_commits: counter("sealgate_audit_commits_total"),
            audit_refused: counter("sealgate_audit_refused_total"),
            audit_writable: gauge(&Key::from_static_name("sealgate_audit_writable")),
            policy_observe: gauge(&Key::from_static_name("sealgate_policy_observe")),
            inspect_open: gauge(&Key::from_static_name("sealgate_inspect_open")),
            recognizer: RwLock::default(),
            recognizer_time: recorder.register_histogram(&Key::from_static_name(RECOGNIZER), &META),
            recognizer_rests: gauge(&Key::from_static_name("sealgate_recognizer_resting")),
            backend_up: RwLock::default(),
            reloads_ok: reloads("ok"),
            reloads_failed: reloads("failed"),
            handle: recorder.handle(),
            recorder,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The text of `/metrics` (Prometheus exposition format 0.0.4).
    pub fn render(&self) -> String {
        self.inner.handle.render()
    }

    /// Starts the upkeep that sorts samples into buckets.
    pub fn run(&self, tracker: &TaskTracker, cancel: CancellationToken) {
        let handle = self.inner.handle.clone();
        tracker.spawn(async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    _ = ticks.tick() => handle.run_upkeep(),
                }
            }
        });
    }

    /// A call of an agent ended (`mcp.server.operation.duration`). `tool` only when it is in the catalog,
    /// else [`semconv::OTHER`]; `error_type` only when it failed.
    pub fn record_call(
        &self,
        method: &'static str,
        tool: Option<&str>,
        error_type: Option<&'static str>,
        seconds: f64,
    ) {
        let place = Place { metric: SERVER_DURATION, label: "gen_ai_tool_name" };
        self.record(&self.inner.calls, &place, (tool.unwrap_or_default(), method, error_type), seconds);
    }

    /// A call to a backend ended (`mcp.client.operation.duration`).
    pub fn record_backend_call(
        &self,
        method: &'static str,
        server: &str,
        error_type: Option<&'static str>,
        seconds: f64,
    ) {
        let place = Place { metric: CLIENT_DURATION, label: "server" };
        self.record(&self.inner.backends, &place, (server, method, error_type), seconds);
    }

    /// What the gateway itself added to a call: everything but the backend's time.
    pub fn record_overhead(&self, seconds: f64) {
        self.inner.overhead.record(seconds);
    }

    /// A call was denied; `kind` is one of policy's kinds of denial.
    pub fn denied(&self, kind: &'static str) {
        self.count(&self.inner.denials, "sealgate_denials_total", "kind", kind, 1);
    }

    /// Inspection found something; `kind` is one of its detectors.
    pub fn found(&self, kind: &'static str, count: u64) {
        self.count(&self.inner.findings, "sealgate_findings_total", "type", kind, count);
    }

    /// A request was not authenticated; `reason` as `identity::Refused::reason` names it.
    pub fn auth_failed(&self, reason: &'static str) {
        self.count(&self.inner.auth_failures, "sealgate_auth_failures_total", "reason", reason, 1);
    }

    /// What the log says about itself; call it before [`Metrics::render`].
    pub fn set_audit(&self, figures: AuditFigures) {
        self.inner.audit_records.absolute(figures.records);
        self.inner.audit_commits.absolute(figures.commits);
        self.inner.audit_refused.absolute(figures.refused);
        self.inner.audit_writable.set(f64::from(u8::from(figures.writable)));
    }

    /// A backend answers.
    pub fn backend_is_up(&self, server: &str) {
        self.backend(server).set(1.0);
    }

    /// A backend does not answer.
    pub fn backend_is_down(&self, server: &str) {
        self.backend(server).set(0.0);
    }

    /// Whether denials are only observed, not enforced.
    pub fn policy_observes(&self, observes: bool) {
        self.inner.policy_observe.set(f64::from(u8::from(observes)));
    }

    /// For so many directions, servers and tools settings let everything pass inspection.
    pub fn inspect_lets_pass(&self, places: usize) {
        self.inner.inspect_open.set(f64::from(u32::try_from(places).unwrap_or(u32::MAX)));
    }

    /// The external recogniser was asked about the texts of one message; `outcome` is `ok` or what went wrong.
    pub fn recognizer_asked(&self, outcome: &'static str, seconds: f64) {
        self.inner.recognizer_time.record(seconds);
        self.count(&self.inner.recognizer, "sealgate_recognizer_asked_total", "outcome", outcome, 1);
    }

    /// Whether the external recogniser is left alone after failures.
    pub fn recognizer_rests(&self, rests: bool) {
        self.inner.recognizer_rests.set(f64::from(u8::from(rests)));
    }

    /// So many tools of a backend are held back.
    pub fn held(&self, server: &str, tools: usize) {
        let key = Key::from_parts("sealgate_tools_held", vec![Label::new("server", server.to_owned())]);
        let tools = u32::try_from(tools).unwrap_or(u32::MAX);
        self.inner.recorder.register_gauge(&key, &META).set(f64::from(tools));
    }

    /// A new configuration is in force.
    pub fn reloaded(&self) {
        self.inner.reloads_ok.increment(1);
    }

    /// A new configuration was refused; the old one stays.
    pub fn reload_failed(&self) {
        self.inner.reloads_failed.increment(1);
    }

    fn record(
        &self,
        operations: &RwLock<Operations>,
        place: &Place,
        (name, method, error_type): (&str, &'static str, Option<&'static str>),
        seconds: f64,
    ) {
        let which = (method, error_type.unwrap_or_default());
        {
            let known = operations.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(histogram) = known.get(name).and_then(|kinds| kinds.get(&which)) {
                return histogram.record(seconds);
            }
        }
        let mut known = operations.write().unwrap_or_else(PoisonError::into_inner);
        let full = known.len() >= NAMES && !known.contains_key(name);
        let name: Arc<str> = Arc::from(if full { semconv::OTHER } else { name });
        let key = place.key(&name, which);
        let histogram = known
            .entry(name)
            .or_default()
            .entry(which)
            .or_insert_with(|| self.inner.recorder.register_histogram(&key, &META));
        histogram.record(seconds);
    }

    fn count(
        &self,
        counters: &Counters,
        metric: &'static str,
        label: &'static str,
        value: &'static str,
        by: u64,
    ) {
        {
            let known = counters.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(counter) = known.get(value) {
                return counter.increment(by);
            }
        }
        let key = Key::from_parts(metric, vec![Label::from_static_parts(label, value)]);
        let mut known = counters.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(value).or_insert_with(|| self.inner.recorder.register_counter(&key, &META)).increment(by);
    }

    fn backend(&self, server: &str) -> Gauge {
        let mut known = self.inner.backend_up.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(gauge) = known.get(server) {
            return gauge.clone();
        }
        let key = Key::from_parts("sealgate_backend_up", vec![Label::new("server", server.to_owned())]);
        let gauge = self.inner.recorder.register_gauge(&key, &META);
        known.insert(server.into(), gauge.clone());
        gauge
    }
}

/// A duration metric and the label that holds the name.
struct Place {
    metric: &'static str,
    label: &'static str,
}

impl Place {
    fn key(&self, name: &Arc<str>, (method, error): (&'static str, &'static str)) -> Key {
        let mut labels = vec![Label::from_static_parts("mcp_method_name", method)];
        if !name.is_empty() {
            labels.push(Label::new(self.label, Arc::clone(name)));
        }
        if !error.is_empty() {
            labels.push(Label::from_static_parts("error_type", error));
        }
        Key::from_parts(self.metric, labels)
    }
}

fn describe(recorder: &PrometheusRecorder) {
    for (name, text) in [
        (SERVER_DURATION, "Duration of a call, from the agent's request to its last frame."),
        (CLIENT_DURATION, "Duration of a request to a backend."),
        (RECOGNIZER, "What the external recogniser took for the texts of one message."),
        (OVERHEAD, "What the gateway itself added to a call."),
    ] {
        recorder.describe_histogram(name.into(), Some(Unit::Seconds), text.into());
    }
    for (name, text) in [
        ("sealgate_denials_total", "Calls that policy denied, by kind of denial."),
        ("sealgate_findings_total", "What inspection found, by type."),
        (
            "sealgate_recognizer_asked_total",
            "Messages about whose texts the external recogniser was asked, by outcome.",
        ),
        ("sealgate_auth_failures_total", "Requests that were not authenticated, by reason."),
        ("sealgate_audit_records_total", "Records written to the log since start."),
        ("sealgate_audit_commits_total", "Commits of the log (one fsync each) since start."),
        ("sealgate_audit_refused_total", "Records that the log refused since start."),
        ("sealgate_reloads_total", "Reloads of the configuration, by outcome."),
    ] {
        recorder.describe_counter(name.into(), Some(Unit::Count), text.into());
    }
    for (name, text) in [
        ("sealgate_audit_writable", "Whether the log can be written."),
        ("sealgate_backend_up", "Whether a backend answers."),
        ("sealgate_tools_held", "Tools that are held back until their definition is approved."),
        ("sealgate_build_info", "The version that runs."),
        ("sealgate_inspect_open", "Directions, servers and tools for which everything passes inspection."),
        ("sealgate_recognizer_resting", "Whether the external recogniser is left alone after failures."),
        ("sealgate_policy_observe", "Whether denials are only observed, not enforced."),
    ] {
        recorder.describe_gauge(name.into(), None, text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_with_the_names_of_the_conventions() {
        let metrics = Metrics::new().unwrap();
        metrics.record_call("tools/call", Some("crm_find"), None, 0.015);
        metrics.record_call("tools/call", Some("crm_find"), Some(semconv::TOOL_ERROR), 0.7);
        metrics.record_call("tools/list", None, None, 0.001);
        metrics.record_backend_call("tools/call", "crm", None, 0.012);
        metrics.record_overhead(0.000_15);
        metrics.denied("forbidden");
        metrics.found("email", 3);
        metrics.auth_failed("expired");
        metrics.set_audit(AuditFigures { records: 7, commits: 3, refused: 0, writable: true });
        metrics.backend_is_up("crm");
        metrics.backend_is_down("web");
        metrics.reloaded();
        metrics.reload_failed();
        let text = metrics.render();
        for line in [
            r#"mcp_server_operation_duration_seconds_bucket{mcp_method_name="tools/call",gen_ai_tool_name="crm_find",le="0.02"} 1"#,
            r#"mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="crm_find",error_type="tool_error"} 1"#,
            r#"mcp_server_operation_duration_seconds_count{mcp_method_name="tools/list"} 1"#,
            r#"mcp_client_operation_duration_seconds_count{mcp_method_name="tools/call",server="crm"} 1"#,
            r#"sealgate_overhead_seconds_bucket{le="0.0002"} 1"#,
            r#"sealgate_denials_total{kind="forbidden"} 1"#,
            r#"sealgate_findings_total{type="email"} 3"#,
            r#"sealgate_auth_failures_total{reason="expired"} 1"#,
            "sealgate_audit_records_total 7",
            "sealgate_audit_commits_total 3",
            "sealgate_audit_refused_total 0",
            "sealgate_audit_writable 1",
            r#"sealgate_backend_up{server="crm"} 1"#,
            r#"sealgate_backend_up{server="web"} 0"#,
            r#"sealgate_reloads_total{outcome="ok"} 1"#,
            r#"sealgate_reloads_total{outcome="failed"} 1"#,
            concat!(r#"sealgate_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ] {
            assert!(text.lines().any(|known| known == line), "no line `{line}` in:\n{text}");
        }
    }

    #[test]
    fn tools_without_number_share_one_label() {
        let metrics = Metrics::new().unwrap();
        for tool in 0..NAMES + 50 {
            metrics.record_call("tools/call", Some(&format!("t{tool}")), None, 0.001);
        }
        let text = metrics.render();
        let series =
            text.lines().filter(|line| line.starts_with("mcp_server_operation_duration_seconds_count"));
        assert_eq!(series.count(), NAMES + 1);
        assert!(text.contains(
            r#"mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="_OTHER"} 50"#
        ));
    }
}
