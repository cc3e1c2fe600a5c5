//! What is declared of each tool: how its arguments and results are judged. Compiled once per definition.

use crate::inspect::sanitize::{Guard, Judged, Rules, Sanitizer, Schema, Semantic};
use crate::mcp::Object;
use crate::route::Target;
use std::collections::HashMap;
use std::sync::Arc;

/// The checks of one tool, or of what a server has beside tools.
#[derive(Debug)]
pub struct Check {
    /// What is done about signs.
    pub rules: Rules,
    /// What arguments must fit.
    pub input: Option<Schema>,
    /// What structured content must fit.
    pub output: Option<Schema>,
    /// What arguments are, by JSON pointer: configured, and said by the schema.
    pub semantics: Vec<(String, Semantic)>,
}

/// All checks of one set of rules.
#[derive(Debug, Clone)]
pub struct Checks {
    /// By shown name.
    pub tools: HashMap<String, Arc<Check>>,
    /// By server.
    pub servers: HashMap<String, Arc<Check>>,
    /// For all else.
    pub default: Arc<Check>,
}

/// What was said against arguments.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub judged: Judged,
    /// Why they are invalid parameters.
    pub misfit: Option<String>,
}

impl Checks {
    pub(super) fn of(&self, target: Option<&Target>, server: &str) -> &Arc<Check> {
        let tool = match target {
            Some(Target::Tool(tool)) => self.tools.get(tool),
            _ => None,
        };
        tool.or_else(|| self.servers.get(server)).unwrap_or(&self.default)
    }
}

impl Check {
    /// Judges raw arguments.
    pub(super) fn arguments(&self, sanitizer: &Sanitizer, arguments: &str) -> Said {
        let arguments = if arguments.is_empty() { "{}" } else { arguments };
        let mut said = Said {
            judged: sanitizer.arguments(arguments, &self.semantics, &self.rules.arguments),
            misfit: None,
        };
        let guard = self.rules.arguments.schema;
        let Some(schema) = self.input.as_ref().filter(|_| guard != Guard::Off) else { return said };
        let misfits = schema.misfits(arguments);
        if guard == Guard::Block {
            said.misfit = misfits.first().map(ToString::to_string);
        }
        sanitizer.add_misfits(&mut said.judged, &misfits, "flag");
        said
    }

    /// Whether structured content is what the tool declares, or nothing holds it to that.
    pub(super) fn declares(&self, result: &str) -> bool {
        let Some(schema) = self.output.as_ref().filter(|_| self.rules.results.schema != Guard::Off) else {
            return true;
        };
        let content = Object::parse(result).and_then(|result| result.get("structuredContent"));
        content.is_none_or(|content| schema.misfits(content).is_empty())
    }

    /// Holds structured content against the schema of a tool's output.
    pub(super) fn structured(&self, sanitizer: &Sanitizer, result: &str) -> Judged {
        let mut judged = Judged::default();
        let action = match self.rules.results.schema {
            Guard::Off => return judged,
            Guard::Flag => "flag",
            Guard::Block => "block",
        };
        if let Some(schema) = &self.output
            && let Some(content) = Object::parse(result).and_then(|result| result.get("structuredContent"))
        {
            sanitizer.add_misfits(&mut judged, &schema.misfits(content), action);
        }
        judged
    }
}
