//! `sealgate serve`

use super::{Done, Failure, output, runtime};
use crate::app::{App, StartError};
use crate::audit::OpenError;
use crate::config::Config;
use crate::telemetry::{Metrics, Telemetry};
use serde_json::json;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Options of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", env = "SEALGATE_CONFIG", default_value = "sealgate.yaml")]
    config: PathBuf,
    /// Print the addresses as one JSON object once ready.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Done {
    let config = Config::load(&options.config).map_err(Failure::Problems)?;
    let say = |app: &App| ready(app, &config, options.json);
    serve(config.clone(), &options.config, say)
}

fn ready(app: &App, config: &Config, as_json: bool) -> Done {
    let scheme = |with_tls: bool| if with_tls { "https" } else { "http" };
    let at = app.addresses;
    let endpoint = format!("{}://{}/mcp", scheme(config.tls.is_some()), at.agents);
    let admin = format!("{}://{}", scheme(config.admin.tls.is_some()), at.admin);
    let audit = format!("{}://{}/audit/v1", scheme(config.audit_api.tls.is_some()), at.auditors);
    if as_json {
        return output::json_line(&json!({
            "endpoint": endpoint, "admin": admin, "audit_api": audit, "data_dir": config.data_dir,
        }));
    }
    output::print(&format!(
        "agents   {endpoint}\nhealth   {admin}/readyz\nmetrics  {admin}/metrics\nauditors {audit}\n"
    ))
}

/// Runs the gateway of `config` until a signal ends it; `ready` is called once it serves.
pub(super) fn serve(config: Config, file: &Path, ready: impl FnOnce(&App) -> Done) -> Done {
    // One crypto library for all: a second provider would panic at the first handshake.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = runtime()?;
    let telemetry = {
        let _entered = runtime.enter();
        Telemetry::init(&config.telemetry)?
    };
    let metrics = Metrics::new()?;
    let done = runtime.block_on(async {
        let app = App::start(config, Some(file.to_owned()), metrics).await.map_err(failure)?;
        // Before anybody is told that it is ready, and could take that as leave to stop it.
        let signals = Signals::caught()?;
        let said = ready(&app);
        if said.is_ok() {
            signals.one().await;
        }
        app.stop().await;
        said
    });
    runtime.block_on(telemetry.shutdown());
    done
}

/// What a start that failed is to the one who typed the command.
pub(super) fn failure(error: StartError) -> Failure {
    match error {
        StartError::Problems(problems) => Failure::Problems(problems),
        StartError::Log(ref why @ OpenError::Rollback { .. }) => Failure::RolledBack(why.to_string()),
        StartError::Anchors(ref why) if why.is_rollback() => Failure::RolledBack(why.to_string()),
        other => Failure::Other(other.into()),
    }
}

/// SIGINT and SIGTERM, caught from the moment that this is made: a signal that comes before anybody
/// waits for it is kept, where the default would end the process on the spot.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches both signals from now on. Called within a runtime.
    pub(super) fn caught() -> Result<Self, Failure> {
        let catch = |kind| signal(kind).map_err(|error| Failure::Other(error.into()));
        Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    /// Waits for one of them.
    pub(super) async fn one(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
