//! `sealgate stdio`

use super::serve::{Signals, failure};
use super::{Done, Failure, runtime};
use crate::app::App;
use crate::config::Config;
use crate::identity::{Claim, NewToken, PrincipalKind};
use crate::secret::Secret;
use crate::stdio::{self, Remote};
use crate::telemetry::{Metrics, Telemetry};
use crate::tls::{Authorities, ClientTls};
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use url::Url;

/// Options of `stdio`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("gateway").required(true).args(["config", "url"]))]
pub(super) struct Options {
    /// Start the gateway of this configuration in this process, without listeners. It needs the data folder for
    /// itself.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Reach a running gateway at this endpoint: `https://gateway.example/mcp`.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Show this backend alone, under its own names (with `--config`).
    #[arg(long, value_name = "ID", conflicts_with = "url")]
    server: Option<String>,
    /// A file with the bearer token. Without it, the variable `SEALGATE_TOKEN` is used.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[arg(long, hide = true, env = "SEALGATE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file of authorities (PEM) to trust instead of the system's (with `--url`).
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    principal: Principal,
}

/// Who calls, without a token: whoever may read the data folder could make one.
#[derive(Debug, clap::Args)]
struct Principal {
    /// The person who calls (with `--config`, in place of a token).
    #[arg(long, value_name = "ID", conflicts_with_all = ["url", "token_file"])]
    user: Option<String>,
    /// A role; may be given several times.
    #[arg(long = "role", value_name = "ROLE", requires = "user")]
    roles: Vec<String>,
    /// A team; may be given several times.
    #[arg(long = "team", value_name = "TEAM", requires = "user")]
    teams: Vec<String>,
    /// The tenant.
    #[arg(long, default_value = "default", requires = "user")]
    tenant: String,
    /// A claim, as NAME=VALUE; may be given several times.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = Claim::assignment, requires = "user")]
    claims: Vec<(String, Claim)>,
    /// The software that speaks for the person.
    #[arg(long, value_name = "NAME", default_value = "unnamed", requires = "user")]
    agent: String,
}

/// Who calls.
enum Who {
    Token(Secret),
    Named(Box<NewToken>),
}

impl Options {
    fn token(&self) -> anyhow::Result<Option<Secret>> {
        match (&self.token_file, &self.token) {
            (Some(file), _) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read the token file `{}`", file.display()))?;
                Ok(Some(Secret::new(text.trim())))
            }
            (None, token) => Ok(token.as_deref().map(Secret::new)),
        }
    }

    fn who(&self) -> anyhow::Result<Who> {
        let named = &self.principal;
        if let Some(user) = &named.user {
            return Ok(Who::Named(Box::new(NewToken {
                kind: PrincipalKind::User,
                id: user.clone(),
                agent: named.agent.clone(),
                agent_approved: true,
                roles: named.roles.clone(),
                teams: named.teams.clone(),
                tenant: named.tenant.clone(),
                claims: named.claims.iter().cloned().collect(),
                ttl: "1h".parse()?,
                created_by: "cli".into(),
            })));
        }
        let token =
            self.token()?.context("say who calls: `--token-file FILE`, SEALGATE_TOKEN, or `--user ID`")?;
        Ok(Who::Token(token))
    }

    fn tls(&self) -> anyhow::Result<ClientTls> {
        let Some(file) = &self.ca else { return Ok(ClientTls::default()) };
        let cannot = || format!("cannot use `{}`", file.display());
        let authorities = Authorities::from_pem(&std::fs::read(file).with_context(cannot)?);
        Ok(ClientTls { authorities: Some(authorities.with_context(cannot)?), identity: None })
    }
}

pub(super) fn run(options: &Options) -> Done {
    match (&options.config, &options.url) {
        (Some(file), _) => local(options, file),
        (None, Some(url)) => remote(options, url),
        (None, None) => Err(anyhow::anyhow!("give `--config FILE` or `--url URL`").into()),
    }
}

fn remote(options: &Options, url: &Url) -> Done {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(anyhow::anyhow!("`--url` must begin with `http://` or `https://`").into());
    }
    let remote = Remote::new(url.clone(), options.token()?.as_ref(), &options.tls()?)?;
    let runtime = runtime()?;
    runtime.block_on(remote.carry(tokio::io::stdin(), tokio::io::stdout()));
    // The thread that reads standard input blocks until its end: nobody waits for it.
    runtime.shutdown_background();
    Ok(())
}

fn local(options: &Options, file: &Path) -> Done {
    let config = Config::load(file).map_err(Failure::Problems)?;
    let who = options.who()?;
    // One crypto library for all: a second provider would panic at the first handshake.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = runtime()?;
    let telemetry = {
        let _entered = runtime.enter();
        Telemetry::init(&config.telemetry)?
    };
    let metrics = Metrics::new()?;
    let done = runtime.block_on(async {
        let app = App::start_local(config, file.to_owned(), metrics).await.map_err(failure)?;
        let done = serve(&app, options.server.as_deref(), &who).await;
        app.stop().await;
        done
    });
    runtime.block_on(telemetry.shutdown());
    // The thread that reads standard input blocks until its end: nobody waits for it.
    runtime.shutdown_background();
    done
}

async fn serve(app: &App, server: Option<&str>, who: &Who) -> Done {
    let connection = match who {
        Who::Token(token) => app.connect_with_token(server, token.expose()),
        Who::Named(named) => app.connect_as(server, named),
    };
    let connection = connection.map_err(|refused| anyhow::anyhow!("nobody is let in: {refused}"))?;
    let signals = Signals::caught()?;
    tokio::select! {
        () = stdio::serve(connection, tokio::io::stdin(), tokio::io::stdout()) => {}
        () = signals.one() => {}
    }
    Ok(())
}
