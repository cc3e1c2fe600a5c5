//! Towards agents and operators: the listeners' certificates, exchanged while they run.

use super::{Error, Identity, provider};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::sync::Arc;

/// What a listener shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate and its key.
    pub identity: Identity,
}

impl ServerTls {
    /// The library's configuration: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// Returns what cannot be used.
    pub fn config(&self) -> Result<ServerConfig, Error> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::Unusable)?;
        // The place for client certificates: a verifier here, and its verdict into `identity`.
        let mut config = builder
            .with_no_client_auth()
            .with_single_cert(self.identity.chain.clone(), self.identity.key.clone_key())
            .map_err(|_| Error::Unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// A listener's certificate of the moment. Connections that are open keep the one they began with.
#[derive(Debug, Clone)]
pub struct Switch(Arc<ArcSwap<ServerConfig>>);

impl Switch {
    /// Begins with this.
    ///
    /// # Errors
    /// Returns what cannot be used.
    pub fn new(tls: &ServerTls) -> Result<Self, Error> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(tls.config()?))))
    }

    /// Shows this from now on; what cannot be used changes nothing.
    ///
    /// # Errors
    /// Returns what cannot be used.
    pub fn set(&self, tls: &ServerTls) -> Result<(), Error> {
        self.0.store(Arc::new(tls.config()?));
        Ok(())
    }

    /// What the next handshake uses.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}
