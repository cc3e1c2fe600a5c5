//! Who proves their name to whom? TLS of the listeners and towards backends: one library, keys never shown.

mod client;
mod server;

pub use client::ClientTls;
pub use server::{ServerTls, Switch};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;

/// Why a certificate or key cannot be used. Texts never hold what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no certificate in the file, or one that cannot be read.
    #[error("no certificate in PEM form: the file needs `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// There is no private key in the file, or one that cannot be read.
    #[error("no private key in PEM form: the file needs `-----BEGIN PRIVATE KEY-----`, without a passphrase")]
    NoKey,
    /// The key is of another certificate.
    #[error("the private key does not belong to the certificate: the leaf certificate must come first")]
    Mismatch,
    /// A certificate cannot be an authority.
    #[error("a certificate in the file cannot be used as an authority")]
    NoAuthority,
    /// The system's own authorities cannot be read.
    #[error("the system's trusted certificates cannot be used: install them, or name a `ca`")]
    System,
    /// The library refuses the combination.
    #[error("the certificate or key cannot be used for TLS")]
    Unusable,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A certificate chain with its private key, known to fit.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

// A key is never printed.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a chain, leaf first, and its key.
    ///
    /// # Errors
    /// Refuses what is not PEM, and a key of another certificate.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Error::NoKey)?;
        let identity = Self { chain, key: Arc::new(key) };
        identity.certified()?;
        Ok(identity)
    }

    fn certified(&self) -> Result<CertifiedKey, Error> {
        let made = CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), &provider());
        made.map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => Error::Mismatch,
            _ => Error::Unusable,
        })
    }
}

/// Certificate authorities that are trusted instead of the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads one or more authorities.
    ///
    /// # Errors
    /// Refuses what is not PEM, and certificates that cannot be trust anchors.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let authorities = Self(certificates(pem)?);
        authorities.store()?;
        Ok(authorities)
    }

    fn store(&self) -> Result<rustls::RootCertStore, Error> {
        let mut store = rustls::RootCertStore::empty();
        for certificate in &self.0 {
            store.add(certificate.clone()).map_err(|_| Error::NoAuthority)?;
        }
        Ok(store)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(Error::NoCertificate)
}
