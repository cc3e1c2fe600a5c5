//! The two listeners: bound once; their certificates are exchanged on each reload.

use super::StartError;
use crate::config::Config;
use crate::http::Listener;
use crate::tls::{ServerTls, Switch};
use std::net::SocketAddr;

/// Both listeners, not yet serving.
pub(super) struct Listeners {
    pub agents: Listener,
    pub admin: Listener,
    /// The addresses that were bound, of agents and of operators.
    pub addresses: (SocketAddr, SocketAddr),
    pub certificates: Certificates,
}

/// What the listeners show; `None` where they speak plain HTTP.
#[derive(Debug, Clone, Default)]
pub(super) struct Certificates {
    agents: Option<Switch>,
    admin: Option<Switch>,
}

impl Listeners {
    pub(super) async fn bind(config: &Config) -> Result<Self, StartError> {
        let (agents, shown) = bind(config.listen, config.tls.as_ref(), config).await?;
        let (admin, admin_shown) = bind(config.admin.listen, config.admin.tls.as_ref(), config).await?;
        let local = |listener: &Listener, address| {
            listener.address().map_err(|source| StartError::Bind { address, source })
        };
        let addresses = (local(&agents, config.listen)?, local(&admin, config.admin.listen)?);
        let certificates = Certificates { agents: shown, admin: admin_shown };
        Ok(Self { agents, admin, addresses, certificates })
    }
}

async fn bind(
    address: SocketAddr,
    tls: Option<&ServerTls>,
    config: &Config,
) -> Result<(Listener, Option<Switch>), StartError> {
    let switch = tls.map(Switch::new).transpose()?;
    let listener = Listener::bind(address, config.limits.header_bytes, switch.clone()).await;
    Ok((listener.map_err(|source| StartError::Bind { address, source })?, switch))
}

impl Certificates {
    /// Shows what the configuration names now. Whether a listener speaks TLS at all is decided at the start.
    pub(super) fn renew(&self, config: &Config) {
        for (name, switch, tls) in
            [("listen", &self.agents, &config.tls), ("admin.listen", &self.admin, &config.admin.tls)]
        {
            if let (Some(switch), Some(tls)) = (switch, tls)
                && let Err(e) = switch.set(tls)
            {
                tracing::error!(listener = name, "the certificate stays as it was: {e}");
            }
        }
    }
}
