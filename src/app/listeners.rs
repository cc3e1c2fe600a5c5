//! The listeners: bound once; their certificates are exchanged on each reload.

use super::StartError;
use crate::config::{AuditApi, Config};
use crate::http::Listener;
use crate::tls::{ServerTls, Switch};
use std::net::SocketAddr;

/// All listeners, not yet serving.
pub(super) struct Listeners {
    pub agents: Listener,
    pub admin: Listener,
    pub auditors: Listener,
    pub addresses: Addresses,
    pub certificates: Certificates,
}

/// Where the gateway can be reached.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Where agents connect.
    pub agents: SocketAddr,
    /// Where health, metrics and administration are.
    pub admin: SocketAddr,
    /// Where auditors ask.
    pub auditors: SocketAddr,
}

impl Addresses {
    /// What the configuration names, where nothing is bound.
    pub(super) fn named(config: &Config) -> Self {
        let auditors = config.audit_api.listen.unwrap_or(AuditApi::USUAL);
        Self { agents: config.listen, admin: config.admin.listen, auditors }
    }
}

/// What the listeners show; `None` where they speak plain HTTP.
#[derive(Debug, Clone, Default)]
pub(super) struct Certificates {
    agents: Option<Switch>,
    admin: Option<Switch>,
    auditors: Option<Switch>,
}

impl Listeners {
    pub(super) async fn bind(config: &Config) -> Result<Self, StartError> {
        let (agents, shown) = bind(config.listen, config.tls.as_ref(), config).await?;
        let (admin, admin_shown) = bind(config.admin.listen, config.admin.tls.as_ref(), config).await?;
        let auditors = config.audit_api.tls.as_ref();
        let named = config.audit_api.listen.unwrap_or(AuditApi::USUAL);
        let (auditors, auditors_shown) = match bind(named, auditors, config).await {
            // Nobody asked for that very port; whoever needs it is told which one it is.
            Err(StartError::Bind { address, .. }) if config.audit_api.listen.is_none() => {
                bind(SocketAddr::new(address.ip(), 0), auditors, config).await?
            }
            bound => bound?,
        };
        let local = |listener: &Listener, address| {
            listener.address().map_err(|source| StartError::Bind { address, source })
        };
        let addresses = Addresses {
            agents: local(&agents, config.listen)?,
            admin: local(&admin, config.admin.listen)?,
            auditors: local(&auditors, named)?,
        };
        let certificates = Certificates { agents: shown, admin: admin_shown, auditors: auditors_shown };
        Ok(Self { agents, admin, auditors, addresses, certificates })
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
        for (name, switch, tls) in [
            ("listen", &self.agents, &config.tls),
            ("admin.listen", &self.admin, &config.admin.tls),
            ("auditApi.listen", &self.auditors, &config.audit_api.tls),
        ] {
            if let (Some(switch), Some(tls)) = (switch, tls)
                && let Err(e) = switch.set(tls)
            {
                tracing::error!(listener = name, "the certificate stays as it was: {e}");
            }
        }
    }
}
