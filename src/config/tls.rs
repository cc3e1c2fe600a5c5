//! Certificates and keys: named by path in the file, read and checked here.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use crate::tls::{Authorities, ClientTls, Error, Identity, ServerTls};

/// A file of certificates or keys may hold this much.
const FILE_BYTES: u64 = 1024 * 1024;

/// TLS of a listener.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ListenerTls")]
pub(super) struct ListenerTls {
    /// File with the certificate and its intermediates, leaf first, PEM.
    pub(super) cert: PathBuf,
    /// File with its private key, PEM without a passphrase.
    pub(super) key: PathBuf,
}

/// TLS towards a backend: needed for a private authority or a client certificate only.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "BackendTls")]
pub(super) struct BackendTls {
    /// File with the authorities to trust instead of the system's, PEM.
    pub(super) ca: Option<PathBuf>,
    /// File with our client certificate and its intermediates, leaf first, PEM.
    pub(super) cert: Option<PathBuf>,
    /// File with its private key, PEM without a passphrase.
    pub(super) key: Option<PathBuf>,
}

impl Checker<'_> {
    /// The certificate of the listener whose section is at `path`.
    pub(super) fn listener_tls(&mut self, path: &[&str], entry: Option<&ListenerTls>) -> Option<ServerTls> {
        let entry = entry?;
        self.identity(path, &entry.cert, &entry.key).map(|identity| ServerTls { identity })
    }

    /// The TLS of a backend.
    pub(super) fn backend_tls(&mut self, id: &str, entry: Option<&BackendTls>) -> Option<ClientTls> {
        let entry = entry?;
        let path = ["mcpServers", id, "tls"];
        let authorities = entry.ca.as_ref().and_then(|ca| {
            let place = [path.as_slice(), &["ca"]].concat();
            let pem = self.pem(&place, ca)?;
            Authorities::from_pem(&pem).map_err(|e| self.unusable(&place, ca, e)).ok()
        });
        let identity = match (&entry.cert, &entry.key) {
            (Some(cert), Some(key)) => self.identity(&path, cert, key),
            (None, None) => None,
            _ => {
                let help = "a client certificate needs both: add the other, or remove this one";
                self.wrong(&path, "`cert` without `key`, or `key` without `cert`", help);
                None
            }
        };
        Some(ClientTls { authorities, identity })
    }

    fn identity(&mut self, path: &[&str], cert: &Path, key: &Path) -> Option<Identity> {
        let (cert_place, key_place) = ([path, &["cert"]].concat(), [path, &["key"]].concat());
        let chain = self.pem(&cert_place, cert);
        let private = self.pem(&key_place, key);
        let made = Identity::from_pem(&chain?, &private?);
        made.map_err(|e| match e {
            Error::NoKey | Error::Mismatch => self.unusable(&key_place, key, e),
            _ => self.unusable(&cert_place, cert, e),
        })
        .ok()
    }

    /// Reads a file that the section at `path` names, and notes that it must be watched.
    fn pem(&mut self, path: &[&str], named: &Path) -> Option<Vec<u8>> {
        let file = self.beside(path, named);
        self.read.push(file.clone());
        let content = match std::fs::metadata(&file) {
            Ok(about) if about.len() > FILE_BYTES => Err(format!("larger than {FILE_BYTES} bytes")),
            Ok(_) => std::fs::read(&file).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match content {
            Ok(content) => Some(content),
            Err(why) => {
                let message = format!("cannot read `{}`: {why}", named.display());
                self.wrong(path, message, "correct the path or the permissions");
                None
            }
        }
    }

    fn unusable(&mut self, path: &[&str], named: &Path, why: Error) {
        self.wrong(path, format!("`{}` cannot be used: {why}", named.display()), "replace the file");
    }
}
