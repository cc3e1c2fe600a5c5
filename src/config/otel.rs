//! The standard `OTEL_*` variables that decide whether and where traces go. The file wins over them. What
//! they say about headers, time-outs, sampling, batching and the resource is read by the OpenTelemetry SDK.

use super::env::Env;
use crate::telemetry;

/// Fills what the file leaves open.
pub(super) fn fill_from(env: &Env, telemetry: &mut telemetry::Config) {
    if telemetry.log.level.is_none() {
        telemetry.log.level = env.get("RUST_LOG").map(str::to_owned);
    }
    let otlp = &mut telemetry.otlp;
    let off = env.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || env.get("OTEL_TRACES_EXPORTER") == Some("none");
    otlp.disabled |= off;
    if otlp.endpoint.is_none() {
        otlp.traces_endpoint = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(str::to_owned);
        otlp.endpoint = env.get("OTEL_EXPORTER_OTLP_ENDPOINT").map(str::to_owned);
    }
    if otlp.protocol.is_none() {
        let named = env.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL");
        let named = named.or_else(|| env.get("OTEL_EXPORTER_OTLP_PROTOCOL"));
        otlp.protocol = named.and_then(telemetry::Protocol::parse);
    }
}
