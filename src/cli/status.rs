//! `sealgate status`

use super::{Done, Failure, Format, output, runtime};
use crate::config::Config;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for the gateway.
const PATIENCE: Duration = Duration::from_secs(10);

/// Options of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The configuration file of the gateway, whose administrative address is asked.
    #[arg(long, short, value_name = "FILE", env = "SEALGATE_CONFIG", default_value = "sealgate.yaml")]
    config: PathBuf,
    /// The administrative address itself: `http://127.0.0.1:8766`.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

/// Exit code 1: it is not ready, or the last change was rejected.
pub(super) fn run(options: &Options) -> Done {
    let base = match &options.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", Config::load(&options.config).map_err(Failure::Problems)?.admin.listen),
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let ready: Value = runtime()?.block_on(async {
        let text = client.get(format!("{base}/readyz")).send().await?.text().await?;
        serde_json::from_str(&text).map_err(anyhow::Error::from)
    })?;
    match options.output {
        Format::Json => output::json(&ready)?,
        Format::Text => output::print(&text(&ready))?,
    }
    let well = ready.get("ready") == Some(&Value::Bool(true));
    let rejected = ready.get("rejected_change").is_some_and(|why| !why.is_null());
    if well && !rejected { Ok(()) } else { Err(Failure::No(1)) }
}

fn text(ready: &Value) -> String {
    let word = if ready.get("ready") == Some(&Value::Bool(true)) { "ready" } else { "NOT READY" };
    let mut out = format!("{word}\n");
    for backend in ready.get("backends").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| backend.get(name).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "backend  {:<16} {:<9} {}", part("server"), part("state"), part("reason"));
    }
    for note in ready.get("notes").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(out, "note     {}", note.as_str().unwrap_or_default());
    }
    if let Some(why) = ready.get("rejected_change").and_then(Value::as_str) {
        let _ = writeln!(out, "the last change was rejected, the rules before it are in force:\n{why}");
    }
    out
}
