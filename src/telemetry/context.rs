//! W3C trace context, in from agents and out to backends (`params._meta` or headers, SEP-414).

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TraceFlags};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The member of `_meta`, and the header, that names trace and span.
pub const TRACEPARENT: &str = "traceparent";
/// The member of `_meta`, and the header, that holds the vendors' state.
pub const TRACESTATE: &str = "tracestate";

/// Trace Context §3.3.1.5: more than this need not be passed on.
const TRACESTATE_BYTES: usize = 512;

struct Carrier<'a> {
    parent: &'a str,
    state: &'a str,
}

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(self.parent),
            TRACESTATE => Some(self.state),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

/// The context that an agent sent, for `OpenTelemetrySpanExt::set_parent` before the span is entered. `None`
/// when there is none or it is not valid; a broken `tracestate` is dropped (Trace Context §3.3).
pub fn parent(traceparent: Option<&str>, tracestate: Option<&str>) -> Option<Context> {
    let state = tracestate.filter(|state| state.len() <= TRACESTATE_BYTES).unwrap_or_default();
    let carrier = Carrier { parent: traceparent?, state };
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    context.span().span_context().is_valid().then_some(context)
}

/// Makes the context that an agent sent the parent of a span that was not entered yet. Nothing happens when
/// no traces are made.
pub fn adopt(span: &tracing::Span, traceparent: Option<&str>, tracestate: Option<&str>) {
    if span.is_disabled() {
        return;
    }
    if let Some(context) = parent(traceparent, tracestate) {
        // It fails only when no layer listens; then there is no trace to join.
        drop(span.set_parent(context));
    }
}

/// Gives a span that may have begun another name; recording `otel.name` works before the beginning only.
pub fn rename(span: &tracing::Span, name: String) {
    if !span.is_disabled() {
        span.context().span().update_name(name);
    }
}

/// `traceparent` and `tracestate` (may be empty) for a backend, so that its spans join under `span`. `None`
/// when no traces are made: what the agent sent is then passed on as it is.
pub fn inject(span: &tracing::Span) -> Option<(String, String)> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let active = context.span();
    let sent = active.span_context();
    if !sent.is_valid() {
        return None;
    }
    let flags = sent.trace_flags() & TraceFlags::SAMPLED;
    let traceparent = format!("00-{}-{}-{flags:02x}", sent.trace_id(), sent.span_id());
    Some((traceparent, sent.trace_state().header()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_a_valid_traceparent_is_a_parent() {
        let context = parent(Some(TRACE), Some("vendor=1")).unwrap();
        let span = context.span().span_context().clone();
        assert_eq!(span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span.trace_state().header(), "vendor=1");
        assert!(span.is_remote());
        for bad in
            ["", "00", "00-0-0-0", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "ff-x-y-z", "ä"]
        {
            assert!(parent(Some(bad), None).is_none(), "{bad}");
        }
        assert!(parent(None, Some("vendor=1")).is_none());
    }

    #[test]
    fn an_oversized_or_broken_tracestate_is_dropped() {
        for state in ["x=1,".repeat(200), "=;;=".to_owned()] {
            let context = parent(Some(TRACE), Some(&state)).unwrap();
            assert_eq!(context.span().span_context().trace_state().header(), "");
        }
    }

    #[test]
    fn without_a_trace_layer_nothing_is_injected() {
        let span = tracing::info_span!("call");
        adopt(&span, Some(TRACE), None);
        assert_eq!(inject(&span), None);
    }
}
