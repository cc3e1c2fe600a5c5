//! The schema: the base that ships, and what each server's tools add.

use std::collections::HashSet;

use cedar_policy::{Schema, SchemaFragment};
use serde_json::{Map, Value, json};

use super::actions::{CALL_TOOL, group_of};
use super::claims::Mapping;
use super::generate::{Generated, generate};
use super::model::{ServerModel, ToolModel};
use super::problem::Problem;

/// The fixed half.
const BASE: &str = include_str!("../../schemas/gateway.cedarschema");
/// Where problems with it are reported.
const BASE_NAME: &str = "schemas/gateway.cedarschema";

/// The attribute of `User` and `ServiceAccount` behind which those that claims give them stand.
const PRINCIPAL: &str = "  tenant: Tenant,\n";

/// Attributes that cost time to build. Policies are validated with them required; a request is checked with
/// them optional, because it carries them only if a policy of its slice looks at them. Should that ever be
/// misjudged, the policy fails to evaluate, and a failing forbid denies.
const BUILT_ON_DEMAND: [(&str, &str); 6] = [
    ("  now: datetime,", "  now?: datetime,"),
    ("  hour: Long,", "  hour?: Long,"),
    ("  weekday: Long,", "  weekday?: Long,"),
    ("  startedAt: datetime,", "  startedAt?: datetime,"),
    ("  taint: Set<String>,", "  taint?: Set<String>,"),
    ("  toolsCalled: Set<Tool>,", "  toolsCalled?: Set<Tool>,"),
];

/// Everything that the schema half of a load yields.
#[derive(Debug)]
pub(super) struct Schemas {
    /// What policies are validated against.
    pub(super) policies: Schema,
    /// What requests are checked against.
    pub(super) requests: Schema,
    /// The fixed half, with the attributes that claims give to principals.
    pub(super) base: String,
    /// The generated half of each server, in Cedar's JSON format.
    pub(super) generated: Vec<(String, Value)>,
    /// What became of each usable tool's input schema.
    pub(super) tools: Vec<TypedTool>,
    /// Tools that were left out, and why.
    pub(super) warnings: Vec<Problem>,
}

/// One tool of one server with its types.
#[derive(Debug)]
pub(super) struct TypedTool {
    pub(super) server: String,
    pub(super) model: ToolModel,
    pub(super) generated: Generated,
}

impl Schemas {
    pub(super) fn new(servers: &[ServerModel], claims: &Mapping) -> Result<Self, Vec<Problem>> {
        let mut names = HashSet::new();
        let mut warnings = Vec::new();
        let mut tools = Vec::new();
        let mut generated = Vec::new();
        for server in servers {
            names.insert(group_of(&server.id));
            let from = tools.len();
            for model in &server.tools {
                if names.insert(model.name.clone()) {
                    let types = generate(model.input_schema.as_ref());
                    tools.push(TypedTool {
                        server: server.id.clone(),
                        model: model.clone(),
                        generated: types,
                    });
                } else {
                    let message = format!("the tool `{}` is listed twice", model.name);
                    warnings.push(
                        Problem::with_file(format!("server {}", server.id), message)
                            .help("the first one is used; rename the other on its server"),
                    );
                }
            }
            let own = tools.get(from..).unwrap_or_default();
            generated.push((server.id.clone(), fragment(&server.id, own)));
        }
        let base = BASE.replace(PRINCIPAL, &format!("{PRINCIPAL}{}", claims.members()));
        let relaxed = BUILT_ON_DEMAND.iter().fold(base.clone(), |text, (from, to)| text.replace(from, to));
        Ok(Self {
            policies: joined(&base, &generated)?,
            requests: joined(&relaxed, &generated)?,
            base,
            generated,
            tools,
            warnings,
        })
    }

    /// The whole schema in Cedar's own syntax.
    pub(super) fn text(&self) -> String {
        let mut text = self.base.clone();
        for (server, fragment) in &self.generated {
            let written = SchemaFragment::from_json_value(fragment.clone())
                .ok()
                .and_then(|fragment| fragment.to_cedarschema().ok());
            text.push_str("\n// generated from the tools of ");
            text.push_str(server);
            text.push('\n');
            text.push_str(written.as_deref().unwrap_or("// (it has no form in this syntax)"));
            text.push('\n');
            for tool in self.tools.iter().filter(|tool| tool.server == *server) {
                for path in &tool.generated.lost {
                    text.push_str("// no rule can see `");
                    text.extend(path.escape_debug());
                    text.push_str("` of ");
                    text.extend(tool.model.name.escape_debug());
                    text.push('\n');
                }
            }
        }
        text
    }
}

/// One server's half: its action group, and an action for each tool.
fn fragment(server: &str, tools: &[TypedTool]) -> Value {
    let group = group_of(server);
    let mut actions = Map::new();
    // The group itself applies to nothing that is ever asked, but it lets rules on the group be validated
    // while the server has no tools, and makes them say `context has args` before they look at one.
    actions.insert(group.clone(), action(CALL_TOOL, None));
    for tool in tools {
        actions.insert(tool.model.name.clone(), action(&group, tool.generated.args.as_ref()));
    }
    json!({"": {"entityTypes": {}, "actions": actions}})
}

fn action(group: &str, args: Option<&super::shape::RecordShape>) -> Value {
    let text = json!({"type": "String"});
    let texts = json!({"type": "Set", "element": text});
    let mut attributes = Map::new();
    attributes.insert("request".to_owned(), json!({"type": "EntityOrCommon", "name": "Common"}));
    attributes.insert("session".to_owned(), json!({"type": "EntityOrCommon", "name": "Session"}));
    attributes.insert("findings".to_owned(), texts.clone());
    attributes.insert("lost".to_owned(), texts);
    match args {
        Some(shape) => attributes.insert("args".to_owned(), shape.to_cedar()),
        None => attributes.insert("argsJson".to_owned(), text),
    };
    json!({
        "memberOf": [{"id": group}],
        "appliesTo": {
            "principalTypes": ["User", "ServiceAccount"],
            "resourceTypes": ["Tool"],
            "context": {"type": "Record", "attributes": attributes},
        },
    })
}

fn joined(base: &str, generated: &[(String, Value)]) -> Result<Schema, Vec<Problem>> {
    let problem = |place: String, error: String| vec![Problem::with_file(place, error)];
    let (base, _) = SchemaFragment::from_cedarschema_str(base)
        .map_err(|error| problem(BASE_NAME.to_owned(), error.to_string()))?;
    let mut fragments = vec![base];
    for (server, fragment) in generated {
        let fragment = SchemaFragment::from_json_value(fragment.clone())
            .map_err(|error| problem(format!("server {server}"), error.to_string()))?;
        fragments.push(fragment);
    }
    Schema::from_schema_fragments(fragments)
        .map_err(|error| problem("the schemas of all servers together".to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{BASE, BUILT_ON_DEMAND, PRINCIPAL, joined};

    #[test]
    fn every_attribute_that_is_built_on_demand_stands_in_the_base_once() {
        for (required, _) in BUILT_ON_DEMAND {
            assert_eq!(BASE.matches(required).count(), 1, "{required}");
        }
        let people = [
            "entity User in [Role, Team, Tenant] = {\n",
            "entity ServiceAccount in [Role, Team, Tenant] = {\n",
        ];
        assert_eq!(BASE.matches(PRINCIPAL).count(), people.len());
        assert!(people.iter().all(|begins| BASE.contains(&format!("{begins}{PRINCIPAL}"))));
        joined(BASE, &[]).unwrap();
    }
}
