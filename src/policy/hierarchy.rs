//! Which role, group or tool is inside which, and what claims mean, from `entities/*.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::claims::Mapping;
use super::folder;
use super::problem::Problem;

/// Parents by name.
pub(super) type Parents = BTreeMap<String, BTreeSet<String>>;

/// One entities file: each name with the names of what it is in.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    roles: Parents,
    tools: Parents,
    tool_groups: Parents,
    server_groups: Parents,
    agents: Parents,
    agent_groups: Parents,
    claims: Mapping,
}

/// All entities files together, closed: each name leads to all that it is in, however far up.
#[derive(Debug, Default, Clone)]
pub(super) struct Hierarchy {
    /// `Role` in `Role`.
    pub(super) roles: Parents,
    /// `Tool` in `ToolGroup`.
    pub(super) tools: Parents,
    /// `ToolGroup` in `ToolGroup`.
    pub(super) tool_groups: Parents,
    /// `ServerGroup` in `ServerGroup`.
    pub(super) server_groups: Parents,
    /// `Agent` in `AgentGroup`.
    pub(super) agents: Parents,
    /// `AgentGroup` in `AgentGroup`.
    pub(super) agent_groups: Parents,
    /// What claims mean.
    pub(super) claims: Mapping,
    /// The files, for the digest: name and text.
    pub(super) files: Vec<(String, String)>,
}

impl Hierarchy {
    /// Reads every `.yaml` file of a folder. No folder configured: nothing is inside anything.
    pub(super) fn read(folder: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let Some(folder) = folder else { return Ok(Self::default()) };
        let sources = folder::read(folder, &["yaml", "yml"])?;
        Self::of(sources, &folder.display().to_string())
    }

    /// The same from files that have been read already.
    pub(super) fn of(sources: Vec<folder::Source>, place: &str) -> Result<Self, Vec<Problem>> {
        let mut all = Self::default();
        let mut problems = Vec::new();
        for source in sources {
            match serde_saphyr::from_str::<File>(&source.text) {
                Ok(mut file) => {
                    problems.extend(all.claims.add(std::mem::take(&mut file.claims), &source.path));
                    all.add(file);
                }
                Err(error) => problems.push(unreadable(&source, &error)),
            }
            all.files.push((source.name, source.text));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        for (kind, parents) in [
            ("role", &mut all.roles),
            ("tool group", &mut all.tool_groups),
            ("server group", &mut all.server_groups),
            ("agent group", &mut all.agent_groups),
        ] {
            *parents = closed(parents, kind, place)?;
        }
        Ok(all)
    }

    fn add(&mut self, file: File) {
        for (into, from) in [
            (&mut self.roles, file.roles),
            (&mut self.tools, file.tools),
            (&mut self.tool_groups, file.tool_groups),
            (&mut self.server_groups, file.server_groups),
            (&mut self.agents, file.agents),
            (&mut self.agent_groups, file.agent_groups),
        ] {
            for (name, parents) in from {
                into.entry(name).or_default().extend(parents);
            }
        }
    }
}

/// The names and all that they are in.
pub(super) fn with_ancestors<'a>(
    names: impl IntoIterator<Item = &'a String>,
    parents: &'a Parents,
) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::new();
    for name in names {
        all.insert(name.as_str());
        all.extend(parents.get(name).into_iter().flatten().map(String::as_str));
    }
    all
}

fn unreadable(source: &folder::Source, error: &serde_saphyr::Error) -> Problem {
    let mut problem = Problem::with_file(&source.path, "this entities file does not have the expected form")
        .help("its keys are roles, tools, tool_groups, server_groups, agents, agent_groups, each of which maps a name to a list of names, and claims (roles, teams, attributes)");
    if let Some(place) = error.location() {
        problem.line = usize::try_from(place.line()).unwrap_or(0);
        problem.column = usize::try_from(place.column()).unwrap_or(0);
    }
    problem
}

fn closed(parents: &Parents, kind: &str, place: &str) -> Result<Parents, Vec<Problem>> {
    let mut all = Parents::new();
    for name in parents.keys() {
        let mut reached = BTreeSet::new();
        let mut open = vec![name];
        while let Some(next) = open.pop() {
            for parent in parents.get(next).into_iter().flatten() {
                if parent == name {
                    let problem = Problem::with_file(place, format!("the {kind} `{name}` is inside itself"));
                    return Err(vec![problem.help("take one of the links of the circle away")]);
                }
                if reached.insert(parent.clone()) {
                    open.push(parent);
                }
            }
        }
        all.insert(name.clone(), reached);
    }
    Ok(all)
}
