//! The names that tie the schema to the code.

use cedar_policy::{EntityId, EntityTypeName, EntityUid, ParseErrors};

/// Parent of every tool's action.
pub(super) const CALL_TOOL: &str = "CallTool";
/// The decision on a result.
pub(super) const RETURN_RESULT: &str = "ReturnResult";
/// Seeing a thing at all.
pub(super) const DISCOVER: &str = "Discover";
/// Reading a resource.
pub(super) const READ_RESOURCE: &str = "ReadResource";
/// Subscribing to a resource.
pub(super) const SUBSCRIBE_RESOURCE: &str = "SubscribeResource";
/// Getting a prompt.
pub(super) const GET_PROMPT: &str = "GetPrompt";
/// Completing an argument.
pub(super) const COMPLETE: &str = "Complete";

/// Approving somebody's call.
pub(super) const APPROVE_CALL: &str = "ApproveCall";

/// Opening a token for a tool.
pub(super) const OPEN_TOKEN: &str = "OpenToken";

/// Following a task that a tool started.
pub(super) const FOLLOW_TASK: &str = "FollowTask";

/// Calling a method of an extension.
pub(super) const CALL_EXTENSION: &str = "CallExtension";

/// The action group of one server's tools.
pub(super) fn group_of(server: &str) -> String {
    format!("{server}_*")
}

/// The entity types, parsed once.
#[derive(Debug, Clone)]
pub(super) struct Types {
    pub(super) action: EntityTypeName,
    pub(super) agent: EntityTypeName,
    pub(super) agent_group: EntityTypeName,
    pub(super) audit_log: EntityTypeName,
    pub(super) gateway: EntityTypeName,
    pub(super) prompt: EntityTypeName,
    pub(super) resource: EntityTypeName,
    pub(super) role: EntityTypeName,
    pub(super) server: EntityTypeName,
    pub(super) server_group: EntityTypeName,
    pub(super) service_account: EntityTypeName,
    pub(super) team: EntityTypeName,
    pub(super) tenant: EntityTypeName,
    pub(super) tool: EntityTypeName,
    pub(super) tool_group: EntityTypeName,
    pub(super) user: EntityTypeName,
}

impl Types {
    pub(super) fn new() -> Result<Self, Box<ParseErrors>> {
        Self::parsed().map_err(Box::new)
    }

    #[allow(clippy::result_large_err, reason = "boxed by the only caller")]
    fn parsed() -> Result<Self, ParseErrors> {
        Ok(Self {
            action: "Action".parse()?,
            agent: "Agent".parse()?,
            agent_group: "AgentGroup".parse()?,
            audit_log: "AuditLog".parse()?,
            gateway: "Gateway".parse()?,
            prompt: "Prompt".parse()?,
            resource: "Resource".parse()?,
            role: "Role".parse()?,
            server: "Server".parse()?,
            server_group: "ServerGroup".parse()?,
            service_account: "ServiceAccount".parse()?,
            team: "Team".parse()?,
            tenant: "Tenant".parse()?,
            tool: "Tool".parse()?,
            tool_group: "ToolGroup".parse()?,
            user: "User".parse()?,
        })
    }

    pub(super) fn action(&self, id: &str) -> EntityUid {
        uid(&self.action, id)
    }
}

/// The entity of a type with an id, any text.
pub(super) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
