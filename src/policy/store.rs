//! The files behind each digest that a record names, kept so that any decision can be made again.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digests::{self, Digests};
use super::folder::Source;
use super::hierarchy::Hierarchy;
use super::load::{Makings, Policies, zone};
use super::model::ServerModel;
use super::problem::Problem;

/// Name of the part that holds the servers.
pub(super) const MODELS: &str = "models";
/// Name of the part that holds the time zone.
pub(super) const ZONE: &str = "time zone";
/// Below the data folder.
const FOLDER: &str = "policy";
/// Below that: one file a digest.
const PARTS: &str = "sha256";
/// Digests of what is in force.
const IN_FORCE: &str = "in-force.json";

/// Name and content of each part of something that has a digest.
pub type Parts = Vec<(String, String)>;

/// What a set of policies was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The policy files.
    pub policy_set: Parts,
    /// The base schema and what was generated from the tools.
    pub schema: Parts,
    /// Entities files, servers and the time zone.
    pub entities: Parts,
}

/// Why kept files cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is kept under that digest.
    #[error("no files are kept for `{0}`: was the data folder moved or cleaned?")]
    Missing(String),
    /// What is kept has another digest.
    #[error("the files kept for `{0}` were changed afterwards")]
    Changed(String),
    /// No gateway ever ran with this data folder.
    #[error("nothing was ever put in force in `{0}`: start the gateway once, or give --config or --catalog")]
    NeverInForce(PathBuf),
    /// The system.
    #[error("`{}` cannot be used: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Archive {
    pub(super) fn digests(&self) -> Digests {
        Digests {
            policy_set: digest(&self.policy_set),
            schema: digest(&self.schema),
            entities: digest(&self.entities),
        }
    }
}

fn digest(parts: &Parts) -> String {
    digests::of(parts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())))
}

#[derive(Serialize, Deserialize)]
struct Pointer {
    entities: String,
    policy_set: String,
    schema: String,
}

/// The files that were ever in force, by digest.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store of a data folder. Nothing is made until something is kept.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join(FOLDER) }
    }

    /// Keeps what policies were built from. When this returns it is durable.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn keep(&self, policies: &Policies) -> Result<(), StoreError> {
        let (archive, digests) = (policies.archive(), policies.digests());
        self.keep_parts(&digests.policy_set, &archive.policy_set)?;
        self.keep_parts(&digests.schema, &archive.schema)?;
        self.keep_parts(&digests.entities, &archive.entities)
    }

    /// Notes what is in force now, for tools that work beside the gateway.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn point(&self, digests: &Digests) -> Result<(), StoreError> {
        let pointer = Pointer {
            entities: digests.entities.clone(),
            policy_set: digests.policy_set.clone(),
            schema: digests.schema.clone(),
        };
        let text = serde_json::to_string(&pointer).unwrap_or_default();
        self.write(&self.folder.join(IN_FORCE), &text)
    }

    /// Digests of what was put in force last.
    ///
    /// # Errors
    /// Nothing ever was, or it cannot be read.
    pub fn in_force(&self) -> Result<Digests, StoreError> {
        let never = || StoreError::NeverInForce(self.folder.clone());
        let text = fs::read_to_string(self.folder.join(IN_FORCE)).map_err(|_| never())?;
        let Pointer { entities, policy_set, schema } = serde_json::from_str(&text).map_err(|_| never())?;
        Ok(Digests { policy_set, schema, entities })
    }

    /// The parts with that digest, checked against it.
    ///
    /// # Errors
    /// They are not there, or not what they were.
    pub fn parts(&self, digest_text: &str) -> Result<Parts, StoreError> {
        let path = self.path(digest_text).ok_or_else(|| StoreError::Missing(digest_text.to_owned()))?;
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => StoreError::Missing(digest_text.to_owned()),
            _ => StoreError::Io { path: path.clone(), source: error },
        })?;
        let parts: Option<Parts> = serde_json::from_str(&text).ok();
        parts
            .filter(|parts| digest(parts) == digest_text)
            .ok_or_else(|| StoreError::Changed(digest_text.to_owned()))
    }

    fn keep_parts(&self, digest_text: &str, parts: &Parts) -> Result<(), StoreError> {
        let missing = || StoreError::Missing(digest_text.to_owned());
        let path = self.path(digest_text).ok_or_else(missing)?;
        if self.parts(digest_text).is_ok() {
            return Ok(());
        }
        self.write(&path, &serde_json::to_string(parts).unwrap_or_default())
    }

    fn path(&self, digest_text: &str) -> Option<PathBuf> {
        let hex = digest_text.strip_prefix("sha256:")?;
        let whole = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        whole.then(|| self.folder.join(PARTS).join(format!("{hex}.json")))
    }

    /// Whole or not at all, and on disk when this returns.
    fn write(&self, path: &Path, text: &str) -> Result<(), StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        fs::create_dir_all(self.folder.join(PARTS)).map_err(io)?;
        let fresh = path.with_extension("fresh");
        let mut file = fs::File::create(&fresh).map_err(io)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        fs::rename(&fresh, path).map_err(io)?;
        let folder = path.parent().map(fs::File::open);
        folder.map_or(Ok(()), |folder| folder.and_then(|folder| folder.sync_all())).map_err(io)
    }
}

/// What policies are judged against: servers with their tools, groups, and the time zone.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The servers.
    pub servers: Vec<ServerModel>,
    pub(super) hierarchy: Hierarchy,
    pub(super) zone: jiff::tz::TimeZone,
}

impl Surroundings {
    /// Servers alone, without groups, in UTC.
    pub fn bare(servers: Vec<ServerModel>) -> Self {
        Self { servers, hierarchy: Hierarchy::default(), zone: jiff::tz::TimeZone::UTC }
    }

    /// Servers with the groups and the time zone of a configuration.
    ///
    /// # Errors
    /// The entities or the zone cannot be used.
    pub fn configured(config: &super::Config, servers: Vec<ServerModel>) -> Result<Self, Vec<Problem>> {
        let hierarchy = Hierarchy::read(config.entities.as_deref())?;
        Ok(Self { servers, hierarchy, zone: zone(&config.time_zone)? })
    }

    /// From the kept parts of an entities digest.
    ///
    /// # Errors
    /// They do not read back.
    pub fn from_parts(parts: &Parts) -> Result<Self, Vec<Problem>> {
        let part =
            |wanted: &str| parts.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_str());
        let damaged =
            |what: &str| vec![Problem::with_file("kept entities", format!("{what} do not read back"))];
        let servers = part(MODELS).and_then(|text| serde_json::from_str(text).ok());
        let files = parts.iter().filter(|(name, _)| name != MODELS && name != ZONE);
        let files =
            files.map(|(name, text)| Source { path: name.clone(), name: name.clone(), text: text.clone() });
        Ok(Self {
            servers: servers.ok_or_else(|| damaged("servers"))?,
            hierarchy: Hierarchy::of(files.collect(), "kept entities")?,
            zone: zone(part(ZONE).unwrap_or("UTC"))?,
        })
    }

    /// The same, with servers whose lists nobody knows: policies that name a tool that is not there wait.
    #[must_use]
    pub fn undiscovered(&self) -> Self {
        let mut all = self.clone();
        all.servers.iter_mut().for_each(|server| server.discovered = false);
        all
    }
}

/// Policy files, from a folder or from the store.
#[derive(Debug, Clone)]
pub struct PolicyFiles(pub(super) Vec<Source>);

impl PolicyFiles {
    /// Every policy file below a folder.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Vec<Problem>> {
        super::folder::read(folder, &["cedar"]).map(Self)
    }

    /// From kept parts.
    pub fn from_parts(parts: &Parts) -> Self {
        let file = |(name, text): &(String, String)| Source {
            path: name.clone(),
            name: name.clone(),
            text: text.clone(),
        };
        Self(parts.iter().map(file).collect())
    }

    /// Path and text of each file.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|file| (file.path.as_str(), file.text.as_str()))
    }

    /// Builds the policies for these surroundings; obligations are checked for their form.
    ///
    /// # Errors
    /// Every problem of the files.
    pub fn build(&self, surroundings: &Surroundings) -> Result<Policies, Vec<Problem>> {
        let makings = Makings {
            sources: self.0.clone(),
            hierarchy: surroundings.hierarchy.clone(),
            zone: surroundings.zone.clone(),
        };
        Policies::build(makings, &surroundings.servers, None)
    }
}
