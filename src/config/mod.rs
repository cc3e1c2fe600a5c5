//! What did the operator ask for?
//!
//! One YAML file, one section a stage, backends under `mcpServers` in the shape that MCP clients use. Loading
//! finds all problems at once, each with file, line and column; a configuration that exists is valid.
//! `docs/configuration.md` is the reference.

mod access;
mod approval;
mod check;
mod decode;
mod env;
mod failure;
mod load;
mod otel;
mod problem;
mod restart;
mod schema;
mod sections;
mod server;
mod suggest;
mod tls;
mod tree;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use url::Url;

pub use self::approval::Approval;
pub use self::env::Env;
pub use self::problem::Problem;
pub use self::schema::json_schema;
pub use self::sections::Limits;
pub use self::server::{Era, Server, ServerId, Session, ToolSettings, Transport, Wire};
pub use self::watch::watch;
pub use crate::secret::Secret;
use crate::telemetry;
use crate::tls::ServerTls;
use crate::{audit, inspect, policy, search};

/// The whole configuration, checked: variables expanded, secrets read, paths relative to the file resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address that agents connect to.
    pub listen: SocketAddr,
    /// The certificate of that listener; without one it speaks plain HTTP.
    pub tls: Option<ServerTls>,
    /// The listener for health, metrics and administration.
    pub admin: Admin,
    /// The listener for auditors.
    pub audit_api: AuditApi,
    /// Where people approve calls, and how long a call waits for them.
    pub approval: Approval,
    /// The gateway's URL as agents see it.
    pub public_url: Option<Url>,
    /// Folder of the log and the tokens.
    pub data_dir: PathBuf,
    /// Browser origins that may connect, besides the gateway's own.
    pub allowed_origins: Vec<String>,
    /// Values of the `Host` header that are accepted, besides the listener's own.
    pub allowed_hosts: Vec<String>,
    /// Bounds on what may be asked.
    pub limits: Limits,
    /// Where policies and entities are.
    pub policies: policy::Config,
    /// What is looked for in arguments and results.
    pub inspect: inspect::Config,
    /// What is done about hidden text, instructions, links and dangerous arguments.
    pub sanitize: inspect::sanitize::Config,
    /// How the log is kept.
    pub audit: audit::Config,
    /// How the log is searched.
    pub search: search::Config,
    /// Traces and log output.
    pub telemetry: telemetry::Config,
    /// The backends, in the order of the files.
    pub mcp_servers: IndexMap<ServerId, Server>,
    files: Vec<PathBuf>,
    certificates: Vec<PathBuf>,
    digest: String,
}

/// The listener for auditors, and the bounds of both APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditApi {
    /// Its address; none was named: the usual one, or a free port if that one is taken.
    pub listen: Option<SocketAddr>,
    /// Its certificate; without one it speaks plain HTTP.
    pub tls: Option<ServerTls>,
    /// The tenant to which the gateway's own records belong.
    pub operator_tenant: String,
    /// Most requests of one principal in a minute.
    pub requests_per_minute: std::num::NonZeroU32,
    /// Most records on one page.
    pub page_size: u64,
    /// Most records in one export.
    pub export_size: u64,
}

impl AuditApi {
    /// The usual address.
    pub const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8768);
}

/// The listener for health, metrics and administration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Its address.
    pub listen: SocketAddr,
    /// Its certificate; without one it speaks plain HTTP.
    pub tls: Option<ServerTls>,
}

impl Config {
    /// Loads a file with the variables of this process. On failure all problems are returned, in the order
    /// of the files.
    pub fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        Self::load_with(path, &Env::process())
    }

    /// Loads a file with these variables.
    pub fn load_with(path: &Path, env: &Env) -> Result<Self, Vec<Problem>> {
        load::load(path, env)
    }

    /// Loads from text, as if it stood in `path`.
    pub fn from_text(text: &str, path: &Path, env: &Env) -> Result<Self, Vec<Problem>> {
        load::from_text(text, path, env)
    }

    /// `sha256:…` over the files as they are written: no variable is expanded and no secret file read.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What [`watch`] should look at: the files of the configuration, those with certificates and keys,
    /// and the folders of policy and entities.
    pub fn watched(&self) -> Vec<PathBuf> {
        let mut paths = self.files.clone();
        paths.extend(self.certificates.iter().cloned());
        paths.push(self.policies.folder.clone());
        paths.extend(self.policies.entities.clone());
        paths.extend(self.policies.bundle.as_ref().map(|bundle| bundle.file.clone()));
        paths
    }
}
