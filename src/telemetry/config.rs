//! The `telemetry` section of the configuration.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::secret::Secret;

/// Traces and log output.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Telemetry")]
pub struct Config {
    /// Where traces go. Without an endpoint, here or in the `OTEL_*` variables, none are made.
    pub otlp: Otlp,
    /// What Sealgate says on standard error.
    pub log: Log,
}

/// The OpenTelemetry exporter. What is not set here follows the standard `OTEL_*` variables.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Otlp {
    /// The collector, for instance `http://127.0.0.1:4318`; `/v1/traces` is added for HTTP.
    pub endpoint: Option<String>,
    /// How it is spoken to; `http/protobuf` when nothing is said.
    pub protocol: Option<Protocol>,
    /// Headers (HTTP) or metadata (gRPC) for each export.
    #[schemars(with = "std::collections::BTreeMap<String, Secret>")]
    pub headers: IndexMap<String, Secret>,
    /// The share of traces that start here and are kept, 0 to 1; a decision that came with the call is kept.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: Option<f64>,
    /// Longest time for one export, in milliseconds.
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: Option<u64>,
    /// The `service.name` of our resource; `sealgate` when nothing is said.
    pub service_name: Option<String>,
    /// The endpoint for traces alone (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`), used as it is.
    #[serde(skip)]
    pub traces_endpoint: Option<String>,
    /// Whether the environment switches traces off (`OTEL_SDK_DISABLED`, `OTEL_TRACES_EXPORTER=none`).
    #[serde(skip)]
    pub disabled: bool,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum Protocol {
    /// OTLP over HTTP, protobuf bodies.
    #[default]
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    /// OTLP over gRPC, without TLS.
    #[serde(rename = "grpc")]
    Grpc,
}

impl Protocol {
    /// The protocol of that name in `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "http/protobuf" => Some(Self::HttpProtobuf),
            "grpc" => Some(Self::Grpc),
            _ => None,
        }
    }
}

/// What Sealgate says on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, also by module: `info,sealgate::policy=debug`. When nothing
    /// is said: `RUST_LOG`, then `info`.
    pub level: Option<String>,
    /// One line of text, or one JSON object, an event.
    pub format: LogFormat,
}

/// The shape of log output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For collectors: one object a line.
    Json,
}

/// A log level that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a log level: write `error`, `warn`, `info`, `debug` or `trace`, also by module")]
pub struct BadLevel;

impl Log {
    /// The level as a filter. A word that is no level is an error here, though the filter's own syntax would
    /// take it for a module and show everything that module says.
    pub fn filter(&self) -> Result<Targets, BadLevel> {
        let level = self.level.as_deref().unwrap_or("info");
        for part in level.split(',').map(str::trim) {
            let (_, level) = part.rsplit_once('=').unwrap_or(("", part));
            if level.is_empty() || level.parse::<LevelFilter>().is_err() {
                return Err(BadLevel);
            }
        }
        level.parse().map_err(|_| BadLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_words_not_modules() {
        let level = |level: &str| Log { level: Some(level.into()), format: LogFormat::Text }.filter();
        for good in ["info", "off", "warn,sealgate=debug", "sealgate::policy=trace"] {
            assert!(level(good).is_ok(), "{good}");
        }
        for bad in ["infoo", "", "sealgate", "sealgate=loud", "info,"] {
            assert!(level(bad).is_err(), "{bad}");
        }
        assert!(Log::default().filter().is_ok());
    }
}
