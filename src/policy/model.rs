//! The world that policies speak of: servers, their tools, their prompts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One backend server, as configured and as discovered so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerModel {
    /// Its id in the configuration (Cedar `Server` id).
    pub id: String,
    /// The tenant that it belongs to.
    pub tenant: String,
    /// Free text such as `production` or `staging`.
    pub environment: String,
    /// How far it is trusted, 0 to 3.
    pub trust: i64,
    /// Whether somebody else runs it.
    pub third_party: bool,
    /// The `ServerGroup`s that it is in.
    pub groups: Vec<String>,
    /// Whether its lists have been read in full. While they have not, a policy that names a tool that is not
    /// among `tools` waits for it; afterwards such a name is an error.
    pub discovered: bool,
    /// Its tools.
    pub tools: Vec<ToolModel>,
    /// Its prompts.
    pub prompts: Vec<PromptModel>,
}

/// One tool. The hints must already hold MCP's defaults where the server said nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolModel {
    /// The name that agents see, `server_tool`: id of both the Cedar action and the `Tool`.
    pub name: String,
    /// The name that the server uses.
    pub own_name: String,
    /// The JSON Schema of its arguments.
    pub input_schema: Option<Value>,
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something.
    pub destructive: bool,
    /// Calling it twice is the same as calling it once.
    pub idempotent: bool,
    /// It reaches beyond its server's own data.
    pub open_world: bool,
    /// A person has reviewed the description and the hints.
    pub pinned: bool,
    /// Labels from the configuration.
    pub labels: Vec<String>,
    /// The `ToolGroup`s that it is in.
    pub groups: Vec<String>,
}

/// One prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptModel {
    /// The name that agents see (Cedar `Prompt` id).
    pub name: String,
    /// The name that the server uses.
    pub own_name: String,
}
