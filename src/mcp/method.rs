//! The closed table of methods: a name that is neither here nor configured is refused, never forwarded.

use super::{Era, Extension};

/// Who answers a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A backend does, after judgement.
    Forwarded,
    /// The gateway does, from its own catalog or state; recorded.
    Own,
    /// The gateway does, and nothing is worth a record.
    Liveness,
}

/// A request method that an agent may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `initialize` (up to 2025-11-25)
    Initialize,
    /// `server/discover` (from 2026-07-28)
    Discover,
    /// `ping` (up to 2025-11-25)
    Ping,
    /// `tools/list`
    ToolsList,
    /// `tools/call`
    ToolsCall,
    /// `prompts/list`
    PromptsList,
    /// `prompts/get`
    PromptsGet,
    /// `resources/list`
    ResourcesList,
    /// `resources/templates/list`
    TemplatesList,
    /// `resources/read`
    ResourcesRead,
    /// `completion/complete`
    Complete,
    /// `logging/setLevel` (up to 2025-11-25)
    SetLevel,
    /// `subscriptions/listen` (from 2026-07-28)
    Listen,
    /// `resources/subscribe` (up to 2025-11-25)
    Subscribe,
    /// `resources/unsubscribe` (up to 2025-11-25)
    Unsubscribe,
    /// `tasks/get` (extension `io.modelcontextprotocol/tasks`, 2026-07-28)
    TasksGet,
    /// `tasks/update` (the same)
    TasksUpdate,
    /// `tasks/cancel` (the same)
    TasksCancel,
    /// A method that the configuration lets through to some server.
    Extension(Extension),
}

impl Method {
    /// All methods of the protocol.
    pub const ALL: [Self; 18] = [
        Self::Initialize,
        Self::Discover,
        Self::Ping,
        Self::ToolsList,
        Self::ToolsCall,
        Self::PromptsList,
        Self::PromptsGet,
        Self::ResourcesList,
        Self::TemplatesList,
        Self::ResourcesRead,
        Self::Complete,
        Self::SetLevel,
        Self::Listen,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::TasksGet,
        Self::TasksUpdate,
        Self::TasksCancel,
    ];

    /// The method's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Discover => "server/discover",
            Self::Ping => "ping",
            Self::ToolsList => "tools/list",
            Self::ToolsCall => "tools/call",
            Self::PromptsList => "prompts/list",
            Self::PromptsGet => "prompts/get",
            Self::ResourcesList => "resources/list",
            Self::TemplatesList => "resources/templates/list",
            Self::ResourcesRead => "resources/read",
            Self::Complete => "completion/complete",
            Self::SetLevel => "logging/setLevel",
            Self::Listen => "subscriptions/listen",
            Self::Subscribe => "resources/subscribe",
            Self::Unsubscribe => "resources/unsubscribe",
            Self::TasksGet => "tasks/get",
            Self::TasksUpdate => "tasks/update",
            Self::TasksCancel => "tasks/cancel",
            Self::Extension(extension) => extension.as_str(),
        }
    }

    /// The method of that name in that era, or `None`: then the request is refused.
    pub fn parse(name: &str, era: Era) -> Option<Self> {
        let Some(method) = Self::ALL.into_iter().find(|method| method.as_str() == name) else {
            return Extension::known(name).map(Self::Extension);
        };
        let missing = match era {
            Era::Modern => matches!(
                method,
                Self::Initialize | Self::Ping | Self::SetLevel | Self::Subscribe | Self::Unsubscribe
            ),
            Era::Legacy => matches!(method, Self::Discover | Self::Listen) || method.follows_task(),
        };
        (!missing).then_some(method)
    }

    /// Who answers it.
    pub fn kind(self) -> Kind {
        match self {
            Self::ToolsCall
            | Self::PromptsGet
            | Self::ResourcesRead
            | Self::Complete
            | Self::Subscribe
            | Self::TasksGet
            | Self::TasksUpdate
            | Self::TasksCancel
            | Self::Extension(_) => Kind::Forwarded,
            Self::Ping => Kind::Liveness,
            Self::Initialize
            | Self::Discover
            | Self::ToolsList
            | Self::PromptsList
            | Self::ResourcesList
            | Self::TemplatesList
            | Self::SetLevel
            | Self::Listen
            | Self::Unsubscribe => Kind::Own,
        }
    }

    /// The parameter that names what is asked for; the `Mcp-Name` header mirrors it.
    pub fn target_param(self) -> Option<&'static str> {
        match self {
            Self::ToolsCall | Self::PromptsGet => Some("name"),
            Self::ResourcesRead | Self::Subscribe | Self::Unsubscribe => Some("uri"),
            Self::TasksGet | Self::TasksUpdate | Self::TasksCancel => Some("taskId"),
            _ => None,
        }
    }

    /// Whether the method follows a task that a tool started.
    pub fn follows_task(self) -> bool {
        matches!(self, Self::TasksGet | Self::TasksUpdate | Self::TasksCancel)
    }

    /// Whether a backend may answer the method with a request for input (MCP 2026-07-28).
    pub fn may_need_input(self) -> bool {
        matches!(self, Self::ToolsCall | Self::PromptsGet | Self::ResourcesRead)
    }

    /// Whether results of the method carry `ttlMs` and `cacheScope` from 2026-07-28 on.
    pub fn is_cacheable(self) -> bool {
        matches!(
            self,
            Self::Discover
                | Self::ToolsList
                | Self::PromptsList
                | Self::ResourcesList
                | Self::TemplatesList
                | Self::ResourcesRead
        )
    }
}
