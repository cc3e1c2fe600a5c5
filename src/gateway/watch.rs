//! What operators see of a call: spans by the MCP semantic conventions, and figures. Never content.

use super::judge::Judgement;
use super::owed::Status;
use super::{Call, Rules, Trace};
use crate::mcp::{Era, Method};
use crate::route::Target;
use crate::telemetry::{Metrics, context, semconv};
use std::time::Duration;
use tracing::{Span, field::Empty, info_span};

/// Drops a `tracestate` with personal or secret data in it: it goes on to backends and to the collector.
pub(super) fn clean(rules: &Rules, trace: &mut Trace) {
    trace.state = trace.state.take().filter(|state| rules.inspector.redact_text(state) == state.as_str());
}

/// The span of a call towards the agent. Its parent is what the agent sent.
pub(super) fn call_span(call: &Call) -> Span {
    let span = info_span!(
        target: "sealgate::gateway",
        "call",
        { semconv::OTEL_NAME } = call.method.as_str(),
        { semconv::OTEL_KIND } = "server",
        { semconv::OTEL_STATUS_CODE } = Empty,
        { semconv::MCP_METHOD_NAME } = call.method.as_str(),
        { semconv::MCP_PROTOCOL_VERSION } = call.edition.as_str(),
        { semconv::MCP_SESSION_ID } = Empty,
        { semconv::GEN_AI_OPERATION_NAME } = Empty,
        { semconv::GEN_AI_TOOL_NAME } = Empty,
        { semconv::GEN_AI_PROMPT_NAME } = Empty,
        { semconv::ERROR_TYPE } = Empty,
        { semconv::NETWORK_TRANSPORT } = "tcp",
        { semconv::NETWORK_PROTOCOL_NAME } = "http",
        { semconv::SEALGATE_CALL_ID } = %call.id,
    );
    if span.is_disabled() {
        return span;
    }
    context::adopt(&span, call.trace.parent.as_deref(), call.trace.state.as_deref());
    if call.edition.era() == Era::Legacy && !call.session.id.is_empty() {
        span.record(semconv::MCP_SESSION_ID, call.session.id.as_str());
    }
    span
}

/// Names what was found: only names from the catalog, since an agent's own words may hold anything.
pub(super) fn name(span: &Span, judgement: &Judgement) {
    if span.is_disabled() {
        return;
    }
    let method = judgement.call.method;
    if method == Method::ToolsCall {
        span.record(semconv::GEN_AI_OPERATION_NAME, semconv::EXECUTE_TOOL);
    }
    if let Some((key, shown)) = named(judgement) {
        span.record(key, shown);
        context::rename(span, full_name(judgement));
    }
}

/// The tool or prompt that a call names, if the catalog has it.
fn named(judgement: &Judgement) -> Option<(&'static str, &str)> {
    match &judgement.found.as_ref()?.target {
        Target::Tool(tool) => Some((semconv::GEN_AI_TOOL_NAME, tool)),
        Target::Prompt(prompt) => Some((semconv::GEN_AI_PROMPT_NAME, prompt)),
        Target::Resource { .. } | Target::Extension { .. } => None,
    }
}

/// `{mcp.method.name} {target}`, or the method alone.
fn full_name(judgement: &Judgement) -> String {
    let method = judgement.call.method.as_str();
    named(judgement).map_or_else(|| method.to_owned(), |(_, shown)| format!("{method} {shown}"))
}

/// The span of one stage.
pub(super) fn stage_span(parent: &Span, stage: &'static str) -> Span {
    info_span!(target: "sealgate::gateway", parent: parent, "stage", { semconv::OTEL_NAME } = stage)
}

/// The span towards a backend, and the trace context that the backend gets.
pub(super) fn backend_span(parent: &Span, judgement: &Judgement) -> (Span, Trace) {
    let method = judgement.call.method.as_str();
    let server = judgement.found.as_ref().map(|f| f.server.as_str()).unwrap_or_default();
    let span = info_span!(
        target: "sealgate::gateway",
        parent: parent,
        "backend",
        { semconv::OTEL_NAME } = full_name(judgement).as_str(),
        { semconv::OTEL_KIND } = "client",
        { semconv::OTEL_STATUS_CODE } = Empty,
        { semconv::MCP_METHOD_NAME } = method,
        { semconv::ERROR_TYPE } = Empty,
        { semconv::SEALGATE_SERVER_ID } = server,
    );
    let trace = match context::inject(&span) {
        Some((parent, state)) => Trace { parent: Some(parent), state: Some(state) },
        None => judgement.call.trace.clone(),
    };
    (span, trace)
}

/// Closes a span with how it went.
pub(super) fn end(span: &Span, error: Option<&'static str>) {
    if let Some(error) = error {
        span.record(semconv::ERROR_TYPE, error);
        span.record(semconv::OTEL_STATUS_CODE, "error");
    }
}

/// The value of `error.type` for a status.
pub(super) fn error_type(status: Status) -> Option<&'static str> {
    match status {
        // Asking for input is how such a call goes, not how it fails.
        Status::Ok | Status::InputRequired => None,
        Status::ToolError => Some(semconv::TOOL_ERROR),
        Status::Timeout => Some(semconv::TIMEOUT),
        Status::RpcError | Status::UpstreamError | Status::Cancelled | Status::Blocked => {
            Some(status.as_str())
        }
    }
}

/// Counts a judgement.
pub(super) fn judged(metrics: &Metrics, judgement: &Judgement) {
    for finding in &judgement.findings {
        metrics.found(finding.kind, u64::from(finding.count));
    }
    if let Err(refusal) = &judgement.ruling {
        let kind = judgement.denial.as_ref().map_or(refusal.text().reason, |d| d.kind().as_str());
        metrics.denied(kind);
        metrics.record_call(judgement.call.method.as_str(), None, Some(refusal.text().reason), 0.0);
    }
}

/// A finished call in figures.
pub(super) struct Finished<'a> {
    pub method: Method,
    pub target: Option<&'a Target>,
    pub server: &'a str,
    pub status: Status,
    pub total: Duration,
    pub backend: Duration,
}

/// Counts a finished call.
pub(super) fn finished(metrics: &Metrics, call: &Finished<'_>) {
    let error = error_type(call.status);
    let tool = match call.target {
        Some(Target::Tool(tool)) => Some(tool.as_str()),
        _ => None,
    };
    metrics.record_call(call.method.as_str(), tool, error, call.total.as_secs_f64());
    if !call.server.is_empty() {
        metrics.record_backend_call(call.method.as_str(), call.server, error, call.backend.as_secs_f64());
        metrics.record_overhead(call.total.saturating_sub(call.backend).as_secs_f64());
    }
}
