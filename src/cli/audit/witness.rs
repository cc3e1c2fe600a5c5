//! `sealgate audit witness`

use super::{Done, output};
use crate::audit::tree::keys;
use crate::audit::witness::{Answer, LARGEST, Witness};
use crate::cli::serve::Signals;
use crate::clock::Clock;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The verbs of `audit witness`.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Verb {
    /// Serve `POST /add-checkpoint` until interrupted.
    Serve(Serve),
}

/// Options of `audit witness serve`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Serve {
    /// The witness's own folder: key, and what it has seen.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The witness's name, such as `witness.example/sealgate`.
    #[arg(long)]
    name: String,
    /// A file with verification keys of the logs that it cosigns for (`checkpoint.vkeys` of each); may be given
    /// several times.
    #[arg(long = "log", value_name = "FILE", required = true)]
    logs: Vec<PathBuf>,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:8767")]
    listen: SocketAddr,
    /// Print address and key as one JSON object once ready.
    #[arg(long)]
    json: bool,
}

struct Serving {
    witness: Witness,
    clock: Clock,
}

pub(super) fn run(verb: &Verb) -> Done {
    let Verb::Serve(options) = verb;
    let mut logs = Vec::new();
    for path in &options.logs {
        logs.extend(keys::verifiers(path, &std::fs::read_to_string(path)?)?);
    }
    let witness = Witness::open(&options.dir, &options.name, logs)?;
    let key = witness.verifier().to_string();
    let serving = Arc::new(Serving { witness, clock: Clock::system() });
    let routes = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(serving);
    crate::cli::runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(options.listen).await?;
        let signals = Signals::caught()?;
        let url = format!("http://{}", listener.local_addr()?);
        if options.json {
            output::json_line(&json!({"url": url, "vkey": key}))?;
        } else {
            output::print(&format!("witness  {url}\nkey      {key}\n"))?;
        }
        axum::serve(listener, routes).with_graceful_shutdown(signals.one()).await?;
        Ok(())
    })
}

async fn add_checkpoint(State(serving): State<Arc<Serving>>, body: String) -> Response {
    let now_s = u64::try_from(serving.clock.now_us() / 1_000_000).unwrap_or(0);
    let answered = tokio::task::spawn_blocking(move || serving.witness.add_checkpoint(&body, now_s)).await;
    match answered {
        Ok(Ok(Answer { status, content_type, body })) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(CONTENT_TYPE, content_type)], body).into_response()
        }
        // Nothing was stored, so nothing is cosigned.
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
