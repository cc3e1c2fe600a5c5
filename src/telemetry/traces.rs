//! The OTLP exporter and the layer that feeds it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter, Tracer};
use url::Url;

use super::Error;
use super::config::{Otlp, Protocol};

/// The path of OTLP/HTTP for traces, after a collector's base URL.
const TRACES_PATH: &str = "/v1/traces";
const SERVICE_NAME: &str = "sealgate";

/// Makes spans of ours, and sends them from a thread of its own in batches.
pub(super) fn provider(otlp: &Otlp) -> Result<Option<SdkTracerProvider>, Error> {
    if otlp.disabled {
        return Ok(None);
    }
    let Some(named) = otlp.traces_endpoint.as_deref().or(otlp.endpoint.as_deref()) else {
        return Ok(None);
    };
    let endpoint = checked(named)?;
    let exporter = match otlp.protocol.unwrap_or_default() {
        Protocol::HttpProtobuf => http_exporter(otlp, endpoint)?,
        Protocol::Grpc => grpc_exporter(otlp, endpoint)?,
    };
    let watched = Watched { inner: exporter, failing: AtomicBool::new(false) };
    let mut builder = SdkTracerProvider::builder().with_batch_exporter(watched).with_resource(resource(otlp));
    if let Some(ratio) = otlp.sample_ratio {
        // Without this the SDK follows OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.
        builder = builder.with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))));
    }
    Ok(Some(builder.build()))
}

/// The tracer that the layer writes to.
pub(super) fn tracer(provider: &SdkTracerProvider) -> Tracer {
    provider.tracer(SERVICE_NAME)
}

fn checked(endpoint: &str) -> Result<Url, Error> {
    let url = Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    // Errors of an export name the URL, so it must hold nothing secret.
    url.filter(|url| url.username().is_empty() && url.password().is_none()).ok_or(Error::Endpoint)
}

fn http_exporter(otlp: &Otlp, mut endpoint: Url) -> Result<OtlpExporter, Error> {
    if otlp.traces_endpoint.is_none() && !endpoint.path().ends_with(TRACES_PATH) {
        let path = format!("{}{TRACES_PATH}", endpoint.path().trim_end_matches('/'));
        endpoint.set_path(&path);
    }
    // The exporter's own client needs a process-wide TLS provider; an earlier one stays.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let headers =
        otlp.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let mut builder = OtlpExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
        .with_headers(headers);
    if let Some(timeout) = otlp.timeout_ms {
        builder = builder.with_timeout(Duration::from_millis(timeout));
    }
    builder.build().map_err(Error::Exporter)
}

fn grpc_exporter(otlp: &Otlp, endpoint: Url) -> Result<OtlpExporter, Error> {
    if endpoint.scheme() == "https" {
        return Err(Error::GrpcTls);
    }
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(Error::NoRuntime);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &otlp.headers {
        let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value.expose()).ok());
        let (name, value) = parsed.ok_or_else(|| Error::Header(name.clone()))?;
        headers.insert(name, value);
    }
    let mut builder = OtlpExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_metadata(MetadataMap::from_headers(headers));
    if let Some(timeout) = otlp.timeout_ms {
        builder = builder.with_timeout(Duration::from_millis(timeout));
    }
    builder.build().map_err(Error::Exporter)
}

/// The SDK's resource (with OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES) under our name.
fn resource(otlp: &Otlp) -> Resource {
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let found = Resource::builder().with_attribute(version.clone()).build();
    let named = found.get(&"service.name".into()).map(|name| name.to_string());
    let anonymous = named.is_none_or(|name| name.starts_with("unknown_service"));
    let name = otlp.service_name.clone().or_else(|| anonymous.then(|| SERVICE_NAME.to_owned()));
    match name {
        Some(name) => Resource::builder().with_attribute(version).with_service_name(name).build(),
        None => found,
    }
}

/// Says once when exports begin to fail and once when they work again: the SDK's own messages are left out
/// of the build, and a collector that is down must not fill the log.
#[derive(Debug)]
struct Watched<E> {
    inner: E,
    failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.inner.export(batch).await;
        let failed_before = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !failed_before => {
                tracing::warn!(%error, spans, "traces cannot be delivered; calls go on without");
            }
            Ok(()) if failed_before => tracing::info!("traces are delivered again"),
            Ok(()) | Err(_) => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use opentelemetry_sdk::error::OTelSdkError;
    use tracing::dispatcher::with_default;

    use super::*;
    use crate::telemetry::{Config, Telemetry};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Fails as often as it says, then works.
    #[derive(Debug)]
    struct Flaky(Mutex<u32>);

    impl SpanExporter for Flaky {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            let mut left = self.0.lock().unwrap();
            if *left == 0 {
                return Ok(());
            }
            *left -= 1;
            Err(OTelSdkError::InternalFailure("refused".into()))
        }
    }

    #[test]
    fn a_collector_that_is_down_is_told_once_and_once_when_it_is_back() {
        let lines = Lines::default();
        let writer = {
            let lines = lines.clone();
            tracing_subscriber::fmt::writer::BoxMakeWriter::new(move || lines.clone())
        };
        let (dispatch, _telemetry) = Telemetry::build(&Config::default(), writer).unwrap();
        let exporter = Watched { inner: Flaky(Mutex::new(3)), failing: AtomicBool::new(false) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        with_default(&dispatch, || {
            for attempt in 0..6 {
                let result = runtime.block_on(exporter.export(Vec::new()));
                assert_eq!(result.is_ok(), attempt >= 3);
            }
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("cannot be delivered").count(), 1, "{text}");
        assert_eq!(text.matches("delivered again").count(), 1, "{text}");
        assert!(text.contains("refused"), "{text}");
    }
}
