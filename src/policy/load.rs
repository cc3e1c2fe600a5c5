//! From a folder to a set of policies that can be asked, or to the reasons why not.

use std::path::Path;
use std::sync::Arc;

use cedar_policy::Schema;
use jiff::tz::TimeZone;

use super::actions::Types;
use super::callers::Callers;
use super::config::{Config, Enforcement};
use super::digests::Digests;
use super::folder::{self, Source};
use super::hierarchy::Hierarchy;
use super::model::ServerModel;
use super::obligations::Abilities;
use super::problem::Problem;
use super::reads::Reads;
use super::schema::Schemas;
use super::selftest;
use super::slices::Index;
use super::store::{Archive, MODELS, ZONE};
use super::validate::{Rules, rules};
use super::world::World;

/// All policies in force, with everything that deciding by them takes.
#[derive(Debug)]
pub struct Policies {
    pub(super) world: World,
    pub(super) callers: Callers,
    pub(super) request_schema: Schema,
    pub(super) zone: TimeZone,
    pub(super) digests: Arc<Digests>,
    pub(super) archive: Arc<Archive>,
    pub(super) observing: bool,
    /// What a thing that does not exist is looked at for.
    pub(super) nothing: Reads,
    pub(super) rules: Rules,
    warnings: Vec<Problem>,
    schema_text: String,
}

impl Policies {
    /// Reads, checks and indexes the policies for these servers, then tests them on calls that must be denied.
    ///
    /// # Errors
    /// Every problem found: a folder or file that cannot be read, a policy that does not parse, has no id, or
    /// does not validate (warnings count), an annotation that would not be enforced, a failed self-test.
    ///
    /// `able` is what the gateway can do: an obligation beyond that is a problem. Without it, obligations are
    /// checked for their form only, which is enough for whoever does not serve calls.
    pub fn load(
        config: &Config,
        servers: &[ServerModel],
        able: Option<&Abilities>,
    ) -> Result<Self, Vec<Problem>> {
        let makings = Makings::read(config)?;
        let mut policies = Self::build(makings, servers, able)?.noting_emptiness(&config.folder);
        policies.observing = config.mode == Enforcement::Observe;
        let failed = |error: selftest::Failure| {
            let place = config.folder.display().to_string();
            vec![
                Problem::with_file(place, error.to_string()).help("report this; nothing is served meanwhile"),
            ]
        };
        selftest::run(&policies).map_err(failed)?;
        Ok(policies)
    }

    pub(super) fn build(
        makings: Makings,
        servers: &[ServerModel],
        able: Option<&Abilities>,
    ) -> Result<Self, Vec<Problem>> {
        let Makings { sources, hierarchy, zone } = makings;
        let internal =
            |error: &dyn std::fmt::Display| vec![Problem::with_file("policies", error.to_string())];
        let types = Types::new().map_err(|error| internal(&error))?;
        let schemas = Schemas::new(servers, &hierarchy.claims)?;
        let rules = rules(&sources, &schemas.policies, servers, able)?;
        let archive = archive(&sources, &schemas, &hierarchy, (servers, &zone));
        let digests = Arc::new(archive.digests());
        let mut warnings = schemas.warnings.clone();
        warnings.extend(rules.warnings.iter().cloned());
        warnings.extend(strange_names(&hierarchy, servers));
        let mut index = Index::new(&rules.policies, &rules.notes).map_err(|error| internal(&error))?;
        let world =
            World::new(types, hierarchy, servers, &schemas, &mut index).map_err(|error| internal(&error))?;
        let schema_text = schemas.text();
        Ok(Self {
            world,
            callers: Callers::default(),
            request_schema: schemas.requests,
            zone,
            digests,
            archive: Arc::new(archive),
            observing: false,
            nothing: Reads::default(),
            rules,
            warnings,
            schema_text,
        })
    }

    fn noting_emptiness(mut self, folder: &Path) -> Self {
        if self.rules.policies.is_empty() {
            let place = folder.display().to_string();
            self.warnings.push(
                Problem::with_file(place, "no policy is in force, so everything is denied")
                    .help("put .cedar files there"),
            );
        }
        self
    }

    /// Digests of what decides.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The files behind the digests.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Whether denials are recorded but not enforced.
    pub fn observing(&self) -> bool {
        self.observing
    }

    /// What is worth knowing, such as policies that wait for a server.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Ids of the policies in force, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.policies.keys().map(String::as_str)
    }

    /// The whole schema that policies are validated against, in Cedar's own syntax.
    pub fn schema_text(&self) -> String {
        self.schema_text.clone()
    }
}

/// What policies are built from, besides the servers.
#[derive(Debug, Clone)]
pub(super) struct Makings {
    pub(super) sources: Vec<Source>,
    pub(super) hierarchy: Hierarchy,
    pub(super) zone: TimeZone,
}

impl Makings {
    fn read(config: &Config) -> Result<Self, Vec<Problem>> {
        let zone = zone(&config.time_zone)?;
        let hierarchy = Hierarchy::read(config.entities.as_deref())?;
        let sources = folder::read(&config.folder, &["cedar"])?;
        if let Some(bundle) = &config.bundle {
            super::bundle::check(bundle, &config.folder, &sources, &hierarchy)?;
        }
        Ok(Self { sources, hierarchy, zone })
    }
}

pub(super) fn zone(name: &str) -> Result<TimeZone, Vec<Problem>> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        let message = format!("`{}` is not a time zone that this system knows", name.escape_debug());
        vec![Problem::with_file("policy.time_zone", message).help("use a name such as Europe/Berlin, or UTC")]
    })
}

/// Under which name the fixed half of the schema is kept.
pub(super) const FIXED: &str = "gateway";

fn archive(
    sources: &[Source],
    schemas: &Schemas,
    hierarchy: &Hierarchy,
    (servers, zone): (&[ServerModel], &TimeZone),
) -> Archive {
    let mut schema: Vec<(String, String)> = schemas
        .generated
        .iter()
        .map(|(server, fragment)| (format!("servers/{server}"), fragment.to_string()))
        .collect();
    schema.push((FIXED.to_owned(), schemas.base.clone()));
    let mut entities = hierarchy.files.clone();
    entities.push((MODELS.to_owned(), serde_json::to_string(servers).unwrap_or_default()));
    entities.push((ZONE.to_owned(), zone.iana_name().unwrap_or("UTC").to_owned()));
    Archive {
        policy_set: sources.iter().map(|file| (file.name.clone(), file.text.clone())).collect(),
        schema,
        entities,
    }
}

/// Tools that entities files put into groups, but that no server has.
fn strange_names(hierarchy: &Hierarchy, servers: &[ServerModel]) -> Vec<Problem> {
    let there = |name: &str| {
        servers.iter().any(|server| {
            let waits = !server.discovered && name.starts_with(&format!("{}_", server.id));
            waits || server.tools.iter().any(|tool| tool.name == name)
        })
    };
    let strange = hierarchy.tools.keys().filter(|name| !there(name));
    strange
        .map(|name| {
            Problem::with_file(
                "entities",
                format!("no server has the tool `{name}` that is put into a group"),
            )
            .help("use the name that agents see, server_tool")
        })
        .collect()
}
