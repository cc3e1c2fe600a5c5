//! What people at a desk ask of policies: their format, their names, one taken away.

use std::collections::BTreeSet;

use cedar_policy::SchemaFragment;
use cedar_policy::ffi::{FormattingAnswer, format_json};
use serde_json::{Value, json};

use super::folder::Source;
use super::load::FIXED;
use super::load::{Makings, Policies};
use super::problem::Problem;
use super::store::Surroundings;

/// Width of a formatted line, in characters.
const WIDTH: usize = 80;

/// A policy file in its one format.
///
/// # Errors
/// It does not parse.
pub fn formatted(path: &str, text: &str) -> Result<String, Vec<Problem>> {
    let call = json!({"policyText": text, "lineWidth": WIDTH, "indentWidth": 2});
    let answer = format_json(call).ok().and_then(|answer| serde_json::from_value(answer).ok());
    match answer {
        Some(FormattingAnswer::Success { formatted_policy }) => Ok(formatted_policy),
        Some(FormattingAnswer::Failure { errors }) => {
            Err(errors.iter().map(|error| Problem::from_cedar(path, text, 0, error)).collect())
        }
        None => Err(vec![Problem::with_file(path, "it cannot be formatted")]),
    }
}

impl Policies {
    /// The same policies but one.
    ///
    /// # Errors
    /// The rest does not load.
    pub fn without(&self, id: &str, surroundings: &Surroundings) -> Result<Self, Vec<Problem>> {
        let rest = self.rules.policies.iter().filter(|(other, _)| *other != id);
        let texts: Vec<String> = rest.filter_map(|(_, policy)| policy.to_cedar()).collect();
        let source =
            Source { path: "rest.cedar".to_owned(), name: "rest.cedar".to_owned(), text: texts.join("\n") };
        let makings = Makings {
            sources: vec![source],
            hierarchy: surroundings.hierarchy.clone(),
            zone: surroundings.zone.clone(),
        };
        Self::build(makings, &surroundings.servers, None)
    }

    /// Tools that no policy names: what is said of them is said of groups only, or not at all. Sorted.
    pub fn unnamed_tools(&self) -> Vec<String> {
        let mut named = BTreeSet::new();
        for policy in self.rules.policies.values() {
            for literal in policy.entity_literals() {
                let kind = literal.type_name();
                if *kind == self.world.types.action || *kind == self.world.types.tool {
                    named.insert(literal.id().unescaped().to_owned());
                }
            }
        }
        let mut tools: Vec<String> =
            self.world.tools.keys().filter(|tool| !named.contains(*tool)).cloned().collect();
        tools.sort_unstable();
        tools
    }

    /// The schema as files: the fixed half, and one file a server.
    pub fn schema_files(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for (name, text) in &self.archive.schema {
            if name == FIXED {
                files.insert(0, (format!("{name}.cedarschema"), text.clone()));
                continue;
            }
            let fragment: Option<Value> = serde_json::from_str(text).ok();
            let fragment = fragment.and_then(|value| SchemaFragment::from_json_value(value).ok());
            if let Some(text) = fragment.and_then(|fragment| fragment.to_cedarschema().ok()) {
                files.push((format!("{name}.cedarschema"), format!("{text}\n")));
            }
        }
        files
    }
}

impl Surroundings {
    /// Some arguments that fit a tool's types; none if there is no such tool.
    pub fn fitting_arguments(&self, tool: &str) -> Option<Value> {
        let model = self.servers.iter().flat_map(|server| &server.tools).find(|model| model.name == tool)?;
        let shape = super::generate::generate(model.input_schema.as_ref()).args;
        Some(shape.map_or_else(|| json!({}), |shape| shape.sample()))
    }
}
