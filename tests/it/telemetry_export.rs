//! Traces reach a collector; nothing else does.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry::trace::TraceContextExt;
use sealgate::config::{Config, Env};
use sealgate::telemetry::{self, Telemetry, context, semconv};
use tokio::sync::mpsc;
use tracing::dispatcher::with_default;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

type Received = (HeaderMap, Bytes);

/// A collector on the loopback.
async fn collector(path: &str) -> (String, mpsc::Receiver<Received>) {
    let (sender, receiver) = mpsc::channel(16);
    let take = |State(sender): State<mpsc::Sender<Received>>, headers: HeaderMap, body: Bytes| async move {
        sender.send((headers, body)).await.unwrap();
        // An empty ExportTraceServiceResponse, and for gRPC an empty message in its frame.
        ([("content-type", "application/x-protobuf")], Bytes::new())
    };
    let app = Router::new().route(path, post(take)).with_state(sender);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), receiver)
}

fn config(text: &str, env: &[(&str, &str)]) -> telemetry::Config {
    let path = std::path::Path::new("sealgate.yaml");
    Config::from_text(text, path, &Env::of(env.iter().copied())).unwrap().telemetry
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn writer(&self) -> BoxMakeWriter {
        let lines = self.clone();
        BoxMakeWriter::new(move || lines.clone())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

/// One call with a child span, and things that must stay at home.
fn one_call() {
    let span = tracing::info_span!(target: "sealgate::gateway", "call", { semconv::OTEL_NAME } = "tools/call crm_find", { semconv::OTEL_KIND } = "server", { semconv::GEN_AI_TOOL_NAME } = "crm_find");
    context::adopt(&span, Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Some("vendor=1"));
    span.in_scope(|| {
        tracing::info!(target: "sealgate::gateway", "an event is no part of a span");
        let child = tracing::info_span!(target: "sealgate::policy", "authorize");
        child.in_scope(|| {
            let (traceparent, tracestate) = context::inject(&child).unwrap();
            assert!(traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{traceparent}");
            assert!(traceparent.ends_with("-01") && !traceparent.contains("b7ad6b7169203331"));
            assert_eq!(tracestate, "vendor=1");
        });
        let _foreign = tracing::info_span!(target: "hyper::client", "foreign-span").entered();
        let _close = tracing::info_span!(target: "sealgateway", "neighbour-span").entered();
        let _fine = tracing::debug_span!(target: "sealgate::gateway", "debug-span").entered();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_a_collector_over_http() {
    let (endpoint, mut received) = collector("/v1/traces").await;
    let text = format!(
        "telemetry: {{ otlp: {{ endpoint: {endpoint}, headers: {{ x-key: abc }}, serviceName: gate }} }}"
    );
    let lines = Lines::default();
    let (dispatch, telemetry) = Telemetry::build(&config(&text, &[]), lines.writer()).unwrap();
    assert!(telemetry.traces());
    with_default(&dispatch, one_call);
    telemetry.shutdown().await;
    let (headers, body) =
        tokio::time::timeout(Duration::from_secs(10), received.recv()).await.unwrap().unwrap();
    assert_eq!(
        (&headers["content-type"], &headers["x-key"]),
        (&"application/x-protobuf".parse().unwrap(), &"abc".parse().unwrap())
    );
    for text in
        ["tools/call crm_find", "authorize", "crm_find", "gate", "vendor=1", env!("CARGO_PKG_VERSION")]
    {
        assert!(holds(&body, text), "`{text}` is missing");
    }
    for text in ["an event", "foreign-span", "neighbour-span", "debug-span", "code.", "thread."] {
        assert!(!holds(&body, text), "`{text}` is in the export");
    }
    assert!(lines.text().contains("an event is no part of a span"));
    assert!(received.try_recv().is_err(), "the export was exported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_a_collector_over_grpc() {
    let (endpoint, mut received) =
        collector("/opentelemetry.proto.collector.trace.v1.TraceService/Export").await;
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let text = "telemetry: { otlp: { headers: { x-key: abc }, timeoutMs: 2000 } }";
    let (dispatch, telemetry) = Telemetry::build(&config(text, &env), Lines::default().writer()).unwrap();
    with_default(&dispatch, one_call);
    let stopping = tokio::task::spawn(telemetry.shutdown());
    let (headers, body) =
        tokio::time::timeout(Duration::from_secs(10), received.recv()).await.unwrap().unwrap();
    assert_eq!(
        (&headers["content-type"], &headers["x-key"]),
        (&"application/grpc".parse().unwrap(), &"abc".parse().unwrap())
    );
    assert!(holds(&body, "tools/call crm_find") && holds(&body, "sealgate"));
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_traces_variable_is_used_as_it_is() {
    let (endpoint, mut received) = collector("/custom/path").await;
    let endpoint = format!("{endpoint}/custom/path");
    let env = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint.as_str())];
    let (dispatch, telemetry) = Telemetry::build(&config("", &env), Lines::default().writer()).unwrap();
    with_default(&dispatch, one_call);
    telemetry.shutdown().await;
    assert!(received.recv().await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_down_stops_nothing() {
    let text = "telemetry: { otlp: { endpoint: http://127.0.0.1:9, timeoutMs: 200 } }";
    let (dispatch, telemetry) = Telemetry::build(&config(text, &[]), Lines::default().writer()).unwrap();
    with_default(&dispatch, one_call);
    tokio::time::timeout(Duration::from_secs(20), telemetry.shutdown()).await.unwrap();
}

#[test]
fn without_a_collector_spans_are_never_made() {
    let lines = Lines::default();
    let (dispatch, telemetry) = Telemetry::build(&config("", &[]), lines.writer()).unwrap();
    assert!(!telemetry.traces());
    with_default(&dispatch, || {
        let span = tracing::info_span!(target: "sealgate::gateway", "call");
        assert!(span.is_disabled());
        assert!(context::inject(&span).is_none());
        assert!(!span.context().span().span_context().is_valid());
        tracing::info!(target: "sealgate", port = 1, "started");
        tracing::debug!(target: "sealgate", "details");
    });
    let text = lines.text();
    assert!(text.contains("started") && text.contains("port=1") && !text.contains("details"), "{text}");
}

#[test]
fn log_lines_can_be_json() {
    let lines = Lines::default();
    let text = "telemetry: { log: { format: json, level: \"warn,sealgate::policy=debug\" } }";
    let (dispatch, _telemetry) = Telemetry::build(&config(text, &[]), lines.writer()).unwrap();
    with_default(&dispatch, || {
        tracing::debug!(target: "sealgate::policy", kind = "forbidden", "denied");
        tracing::info!(target: "sealgate", "quiet");
    });
    let text = lines.text();
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(
        (&line["fields"]["kind"], &line["fields"]["message"]),
        (&"forbidden".into(), &"denied".into())
    );
}

#[tokio::test]
async fn endpoints_that_cannot_work_are_refused() {
    for (endpoint, protocol) in [
        ("https://127.0.0.1:4317", "grpc"),
        ("nowhere", "http/protobuf"),
        (concat!("http://user:pa", "ss@127.0.0.1:4318"), "http/protobuf"),
    ] {
        let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
        let error = Telemetry::build(&config("", &env), Lines::default().writer()).unwrap_err();
        assert!(!error.to_string().contains("user:"), "{error}");
    }
    let off = [("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere"), ("OTEL_SDK_DISABLED", "true")];
    assert!(Telemetry::build(&config("", &off), Lines::default().writer()).is_ok());
}
