//! The section `sanitize` of the configuration: for all servers, and over it for one server or tool.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What is done about definitions, results and arguments. What is left out is taken from the level above, at last
/// from the defaults: certain signs are blocked or cleaned, uncertain ones flagged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "Sanitize")]
pub struct Config {
    /// What servers say of their tools, prompts and resources.
    pub definitions: DefinitionSettings,
    /// What tools answer.
    pub results: ResultSettings,
    /// What agents ask.
    pub arguments: ArgumentSettings,
}

/// What is done about definitions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "SanitizeDefinitions")]
pub struct DefinitionSettings {
    /// A tool that was never seen before: `accept` (the default) pins it, `quarantine` waits for
    /// `sealgate server approve`.
    pub on_new: Option<OnNew>,
    /// A tool whose definition differs from its pin: `block` (the default) until it is approved, `flag`, `off`.
    pub on_drift: Option<Guard>,
    /// Tag characters, bidirectional and other controls, terminal sequences, runs of selectors. Default: `block`.
    pub hidden: Option<Hold>,
    /// Single zero-width characters and words of mixed scripts. Default: `flag`.
    pub zero_width: Option<Hold>,
    /// Text behind much white space, comments, markup of prompts, coded prose. Default: `quarantine`.
    pub concealed: Option<Hold>,
    /// Phrases that command the model. Default: `flag`; together with secrets or addresses always `quarantine`.
    pub instructions: Option<Hold>,
    /// Names beyond `[A-Za-z0-9_.-]`, or that look like another server's tool. Default: `block`.
    pub names: Option<Hold>,
}

/// What is done about results.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "SanitizeResults")]
pub struct ResultSettings {
    /// Hidden characters and controls. Default: `clean`.
    pub hidden: Option<Wash>,
    /// Images and links that carry data out, script links. Default: `clean`.
    pub links: Option<Wash>,
    /// Phrases that command the model. Default: `flag`.
    pub instructions: Option<Guard>,
    /// `structuredContent` that does not fit the tool's `outputSchema`. Default: `flag`.
    pub schema: Option<Guard>,
    /// Hosts (and `*.example.com`) whose images and links stay as they are.
    pub allowed_hosts: Option<Vec<String>>,
}

/// What is done about arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "SanitizeArguments")]
pub struct ArgumentSettings {
    /// URLs that lead to internal hosts or metadata services. Default: `block`; in prose always flagged only.
    pub ssrf: Option<Guard>,
    /// Paths that leave their root or name secret files, in arguments declared as paths. Default: `block`.
    pub traversal: Option<Guard>,
    /// Signs of command and SQL injection, in arguments declared `id`, `token` or `shell`. Default: `block`.
    pub injection: Option<Guard>,
    /// The three above in arguments that nobody has declared. Default: `flag`.
    pub undeclared: Option<Guard>,
    /// Arguments that do not fit the tool's `inputSchema`. Default: `block`, as invalid parameters.
    pub schema: Option<Guard>,
    /// Internal hosts (and `*.example.com`) that arguments may name.
    pub allowed_hosts: Option<Vec<String>>,
}

/// What happens to a tool at first sight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnNew {
    /// It is pinned as it is.
    #[default]
    Accept,
    /// It waits for approval.
    Quarantine,
}

/// What is done about a sign in a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Hold {
    /// Nothing.
    Off,
    /// It is recorded.
    Flag,
    /// The tool waits for approval.
    Quarantine,
    /// The tool is not offered, until a person approves this very definition.
    Block,
}

/// What is done about a sign in a result that can be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Wash {
    /// Nothing.
    Off,
    /// It is recorded.
    Flag,
    /// It is taken out and recorded.
    Clean,
    /// The result is refused.
    Block,
}

/// What is done about a sign that cannot be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Guard {
    /// Nothing.
    Off,
    /// It is recorded.
    Flag,
    /// It is refused.
    Block,
}

impl Hold {
    pub(super) fn action(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Flag => Some("flag"),
            Self::Quarantine => Some("quarantine"),
            Self::Block => Some("block"),
        }
    }
}

impl Guard {
    pub(super) fn action(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Flag => Some("flag"),
            Self::Block => Some("block"),
        }
    }
}

/// What an argument is, so that it can be judged for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Semantic {
    /// An address of the web.
    Url,
    /// A path, below `root` if that is given.
    Path {
        /// The folder that it must not leave.
        root: Option<String>,
    },
    /// An identifier: letters, digits and `_.:@=+-/`.
    Id,
    /// The same, for opaque tokens.
    Token,
    /// A word that ends up on a command line.
    Shell,
}

impl Semantic {
    /// The meaning of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "url" => Some(Self::Url),
            "path" => Some(Self::Path { root: None }),
            "id" => Some(Self::Id),
            "token" => Some(Self::Token),
            "shell" => Some(Self::Shell),
            _ => None,
        }
    }
}

const WANTED: &str = "`url`, `path`, `id`, `token`, `shell`, or `{ path: { root: /folder } }`";

impl<'de> Deserialize<'de> for Semantic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Semantic;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(WANTED)
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Semantic, E> {
                Semantic::parse(name)
                    .ok_or_else(|| E::custom(format!("unknown meaning `{name}`, write {WANTED}")))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Semantic, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Below {
                    root: Option<String>,
                }
                let name: Option<String> = map.next_key()?;
                if name.as_deref() != Some("path") {
                    return Err(de::Error::custom(format!("write {WANTED}")));
                }
                let below: Below = map.next_value()?;
                if map.next_key::<String>()?.is_some() {
                    return Err(de::Error::custom(format!("write {WANTED}")));
                }
                Ok(Semantic::Path { root: below.root })
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl JsonSchema for Semantic {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Semantic".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What an argument is, so that it can be judged for certain.",
            "oneOf": [
                { "type": "string", "enum": ["url", "path", "id", "token", "shell"] },
                { "type": "object", "required": ["path"], "additionalProperties": false, "properties": { "path": {
                    "type": "object", "additionalProperties": false, "properties": {
                        "root": { "type": "string", "description": "The folder that the path must not leave." }
                    }
                }}}
            ]
        })
    }
}

/// What is done about definitions of one server or tool: every choice made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in DefinitionSettings")]
pub struct DefinitionRules {
    pub on_new: OnNew,
    pub on_drift: Guard,
    pub hidden: Hold,
    pub zero_width: Hold,
    pub concealed: Hold,
    pub instructions: Hold,
    pub names: Hold,
}

/// What is done about results of one tool: every choice made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in ResultSettings")]
pub struct ResultRules {
    pub hidden: Wash,
    pub links: Wash,
    pub instructions: Guard,
    pub schema: Guard,
    pub allowed_hosts: Vec<String>,
}

/// What is done about arguments of one tool: every choice made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in ArgumentSettings")]
pub struct ArgumentRules {
    pub ssrf: Guard,
    pub traversal: Guard,
    pub injection: Guard,
    pub undeclared: Guard,
    pub schema: Guard,
    pub allowed_hosts: Vec<String>,
}

/// All rules that hold for one tool, or for what a server has beside tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// For its definition.
    pub definitions: DefinitionRules,
    /// For its results.
    pub results: ResultRules,
    /// For its arguments.
    pub arguments: ArgumentRules,
}

impl Rules {
    /// Joins levels, the most special first.
    pub fn of(levels: &[&Config]) -> Self {
        fn first<T: Clone>(levels: &[&Config], of: impl Fn(&Config) -> Option<T>, default: T) -> T {
            levels.iter().find_map(|level| of(level)).unwrap_or(default)
        }
        let l = levels;
        Self {
            definitions: DefinitionRules {
                on_new: first(l, |c| c.definitions.on_new, OnNew::Accept),
                on_drift: first(l, |c| c.definitions.on_drift, Guard::Block),
                hidden: first(l, |c| c.definitions.hidden, Hold::Block),
                zero_width: first(l, |c| c.definitions.zero_width, Hold::Flag),
                concealed: first(l, |c| c.definitions.concealed, Hold::Quarantine),
                instructions: first(l, |c| c.definitions.instructions, Hold::Flag),
                names: first(l, |c| c.definitions.names, Hold::Block),
            },
            results: ResultRules {
                hidden: first(l, |c| c.results.hidden, Wash::Clean),
                links: first(l, |c| c.results.links, Wash::Clean),
                instructions: first(l, |c| c.results.instructions, Guard::Flag),
                schema: first(l, |c| c.results.schema, Guard::Flag),
                allowed_hosts: first(l, |c| c.results.allowed_hosts.clone(), Vec::new()),
            },
            arguments: ArgumentRules {
                ssrf: first(l, |c| c.arguments.ssrf, Guard::Block),
                traversal: first(l, |c| c.arguments.traversal, Guard::Block),
                injection: first(l, |c| c.arguments.injection, Guard::Block),
                undeclared: first(l, |c| c.arguments.undeclared, Guard::Flag),
                schema: first(l, |c| c.arguments.schema, Guard::Block),
                allowed_hosts: first(l, |c| c.arguments.allowed_hosts.clone(), Vec::new()),
            },
        }
    }

    /// Names of the controls that are off; whoever runs the gateway should see them.
    pub fn off(&self) -> Vec<&'static str> {
        let (d, r, a) = (&self.definitions, &self.results, &self.arguments);
        [
            ("definitions.onDrift", d.on_drift == Guard::Off),
            ("definitions.hidden", d.hidden == Hold::Off),
            ("definitions.zeroWidth", d.zero_width == Hold::Off),
            ("definitions.concealed", d.concealed == Hold::Off),
            ("definitions.instructions", d.instructions == Hold::Off),
            ("definitions.names", d.names == Hold::Off),
            ("results.hidden", r.hidden == Wash::Off),
            ("results.links", r.links == Wash::Off),
            ("results.instructions", r.instructions == Guard::Off),
            ("results.schema", r.schema == Guard::Off),
            ("arguments.ssrf", a.ssrf == Guard::Off),
            ("arguments.traversal", a.traversal == Guard::Off),
            ("arguments.injection", a.injection == Guard::Off),
            ("arguments.undeclared", a.undeclared == Guard::Off),
            ("arguments.schema", a.schema == Guard::Off),
        ]
        .into_iter()
        .filter_map(|(name, off)| off.then_some(name))
        .collect()
    }
}

/// Whether a host is in a list of names and `*.name` patterns.
pub(super) fn allows(list: &[String], host: &str) -> bool {
    let host = host.trim_end_matches('.');
    list.iter().any(|allowed| match allowed.strip_prefix("*.") {
        Some(parent) => host
            .len()
            .checked_sub(parent.len() + 1)
            .and_then(|at| host.get(at..))
            .is_some_and(|end| end.strip_prefix('.').is_some_and(|end| end.eq_ignore_ascii_case(parent))),
        None => allowed.eq_ignore_ascii_case(host),
    })
}
