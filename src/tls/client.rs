//! Towards backends: whom to trust, and who we are.

use super::{Authorities, Error, Identity, provider};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;

/// How a backend's certificate is verified. It always is: there is no switch to turn that off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientTls {
    /// Trusted instead of the system's authorities.
    pub authorities: Option<Authorities>,
    /// Shown to a backend that asks for a client certificate.
    pub identity: Option<Identity>,
}

impl ClientTls {
    /// The library's configuration, offering these protocols (ALPN).
    ///
    /// # Errors
    /// Returns what cannot be used.
    pub fn config(&self, protocols: &[&[u8]]) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::Unusable)?;
        let builder = match &self.authorities {
            Some(authorities) => builder.with_root_certificates(authorities.store()?),
            None => builder.with_platform_verifier().map_err(|_| Error::System)?,
        };
        let mut config = match &self.identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|_| Error::Unusable)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}
