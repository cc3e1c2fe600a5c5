//! Is it ready? What `/readyz` and `/metrics` read.

use super::registry::Registry;
use super::report::BackendReport;
use crate::gateway::Gateway;
use crate::http::Edge;
use crate::recognizer::Recognizer;
use crate::telemetry::{AuditFigures, Metrics};
use serde::Serialize;
use std::sync::Arc;

/// A view of the running gateway for the administrative listener.
#[derive(Debug)]
pub struct Status {
    gateway: Arc<Gateway>,
    edge: Arc<Edge>,
    registry: Arc<Registry>,
    metrics: Metrics,
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
pub struct Ready {
    /// Whether calls are served: the log can be written and its tail verifies.
    pub ready: bool,
    /// The log.
    pub log: crate::audit::Status,
    /// Each backend. One that is down does not make the gateway unready.
    pub backends: Vec<BackendReport>,
    /// Why the last change of configuration or policies was rejected, if it was.
    pub rejected_change: Option<String>,
    /// Tools that are held back until a person has looked at them.
    pub held: Vec<super::HeldTool>,
    /// What a person should look at.
    pub notes: Vec<String>,
    /// Open legacy sessions.
    pub sessions: usize,
}

impl Status {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        edge: Arc<Edge>,
        registry: Arc<Registry>,
        metrics: Metrics,
    ) -> Self {
        Self { gateway, edge, registry, metrics }
    }

    /// The state of everything that readiness hangs on.
    pub fn ready(&self) -> Ready {
        let log = self.gateway.log().status();
        let trial = self.registry.trial();
        let mut notes = trial.notes;
        if self.recognizer_rests() {
            notes.push(
                "the external recogniser fails and is left alone for a while: see `inspect.recognizer`"
                    .into(),
            );
        }
        Ready {
            ready: log.writable,
            log,
            backends: trial.backends,
            rejected_change: self.registry.rejected(),
            held: trial.held,
            notes,
            sessions: self.edge.open_sessions(),
        }
    }

    fn recognizer_rests(&self) -> bool {
        self.gateway.rules().recognizer.as_ref().is_some_and(Recognizer::rests)
    }

    /// Asks for a reload, as SIGHUP does.
    pub fn reload(&self) {
        self.registry.reload();
    }

    /// Metrics in the Prometheus text format.
    pub fn metrics(&self) -> String {
        let ready = self.ready();
        self.metrics.set_audit(AuditFigures {
            records: ready.log.records,
            commits: ready.log.commits,
            refused: ready.log.refused,
            writable: ready.log.writable,
        });
        let rules = self.gateway.rules();
        self.metrics.policy_observes(rules.policies.observing());
        self.metrics.recognizer_rests(self.recognizer_rests());
        self.metrics.inspect_lets_pass(rules.inspector.warnings().len());
        for backend in &ready.backends {
            let held = ready.held.iter().filter(|tool| tool.server == backend.server).count();
            self.metrics.held(&backend.server, held);
            match backend.state {
                "up" => self.metrics.backend_is_up(&backend.server),
                _ => self.metrics.backend_is_down(&backend.server),
            }
        }
        self.metrics.render()
    }
}
