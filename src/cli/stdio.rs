//! `sealgate stdio`

use super::{Done, runtime};
use crate::secret::Secret;
use crate::stdio::Remote;
use crate::tls::{Authorities, ClientTls};
use anyhow::Context as _;
use std::path::PathBuf;
use url::Url;

/// Options of `stdio`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The endpoint of a running gateway: `https://gateway.example/mcp`.
    #[arg(long, value_name = "URL")]
    url: Url,
    /// A file with the bearer token. Without it, the variable `SEALGATE_TOKEN` is used.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[arg(long, hide = true, env = "SEALGATE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file of authorities (PEM) to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
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

    fn tls(&self) -> anyhow::Result<ClientTls> {
        let Some(file) = &self.ca else { return Ok(ClientTls::default()) };
        let cannot = || format!("cannot use `{}`", file.display());
        let authorities = Authorities::from_pem(&std::fs::read(file).with_context(cannot)?);
        Ok(ClientTls { authorities: Some(authorities.with_context(cannot)?), identity: None })
    }
}

pub(super) fn run(options: &Options) -> Done {
    if !matches!(options.url.scheme(), "http" | "https") {
        return Err(anyhow::anyhow!("`--url` must begin with `http://` or `https://`").into());
    }
    let remote = Remote::new(options.url.clone(), options.token()?.as_ref(), &options.tls()?)?;
    let runtime = runtime()?;
    runtime.block_on(remote.carry(tokio::io::stdin(), tokio::io::stdout()));
    // The thread that reads standard input blocks until its end: nobody waits for it.
    runtime.shutdown_background();
    Ok(())
}
