//! What this stage can be asked.

use std::net::IpAddr;

use uuid::Uuid;

/// How a request reached the gateway, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The client's name, as it gives it.
    pub client_name: String,
    /// The client's version, as it gives it.
    pub client_version: String,
    /// The MCP revision in use, such as `2025-06-18`.
    pub protocol: String,
    /// The transport, such as `http`.
    pub transport: String,
    /// Microseconds since the Unix epoch. Policies see whole milliseconds.
    pub now_us: i64,
    /// The peer's address, if there is one.
    pub source_ip: Option<IpAddr>,
    /// Id of the session, or of what stands for one.
    pub session_id: String,
    /// When the session began, microseconds since the Unix epoch.
    pub session_started_us: i64,
    /// Calls that the session made before this one.
    pub session_calls: i64,
    /// Labels of what the session has read, and kinds of findings in it.
    pub session_taint: Vec<String>,
    /// Names of the tools that the session has called.
    pub session_tools: Vec<String>,
}

/// One question about one call.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The call that the answer will belong to.
    pub call: Uuid,
    /// What the caller wants to do.
    pub asked: Asked<'a>,
    /// How and when it was asked.
    pub circumstances: &'a Circumstances,
    /// Kinds of findings in what is judged, such as `email` or `private_key`.
    pub findings: &'a [&'a str],
}

/// What the caller wants to do.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// Call a tool.
    CallTool {
        /// The tool's exposed name.
        tool: &'a str,
        /// The arguments: the text of one JSON object, or nothing.
        args: &'a str,
    },
    /// Follow a task that a tool started.
    FollowTask {
        /// The tool's exposed name.
        tool: &'a str,
    },
    /// Read a resource.
    ReadResource {
        /// The server's id.
        server: &'a str,
        /// The URI that the server uses.
        uri: &'a str,
    },
    /// Subscribe to a resource.
    SubscribeResource {
        /// The server's id.
        server: &'a str,
        /// The URI that the server uses.
        uri: &'a str,
    },
    /// Get a prompt.
    GetPrompt {
        /// The prompt's exposed name.
        prompt: &'a str,
        /// Name and value of each argument.
        args: &'a [(&'a str, &'a str)],
    },
    /// Call a method of an extension that is let through to a server.
    CallExtension {
        /// The server's id.
        server: &'a str,
        /// The method.
        method: &'a str,
    },
    /// Complete an argument of a prompt, a resource or a resource template.
    Complete {
        /// Of what.
        of: Item<'a>,
    },
    /// Take a result back to the client.
    ReturnResult {
        /// What the result came from: a tool, a resource or a prompt.
        what: Item<'a>,
        /// Its size in bytes.
        bytes: u64,
        /// Whether the backend marked it as an error.
        is_error: bool,
    },
    /// Have a token opened in an argument of a tool.
    OpenToken {
        /// The tool's exposed name.
        tool: &'a str,
        /// The type of what it stands for, such as `email`.
        kind: &'a str,
        /// JSON pointer of the argument.
        argument: &'a str,
    },
    /// Approve a call of somebody else.
    ApproveCall {
        /// What the call is for: a tool, a resource or a prompt.
        what: Item<'a>,
        /// Id of the principal who asks for it.
        requested_by: &'a str,
    },
    /// Do something to the gateway or to the log of a tenant.
    Administer {
        /// What.
        action: AdminAction,
        /// Whose log; actions on the gateway itself ignore it.
        tenant: &'a str,
        /// What of the log; actions on the gateway itself ignore it.
        reading: Reading,
    },
}

/// What a request to the log asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The oldest moment, in microseconds since the Unix epoch.
    pub from_us: i64,
    /// The newest.
    pub to_us: i64,
    /// Records that the answer may hold at most.
    pub rows: u64,
    /// How much is shown.
    pub level: Level,
}

/// How much of the log is shown. All of it is after redaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Proofs and figures.
    Hashes,
    /// Records.
    Records,
    /// What was said.
    Payloads,
}

impl Level {
    /// The level as policies write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hashes => "hashes",
            Self::Records => "records",
            Self::Payloads => "payloads",
        }
    }

    /// The level that policies write so.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Hashes, Self::Records, Self::Payloads].into_iter().find(|level| level.as_str() == name)
    }
}

/// A thing that lists show and results come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A tool, by its exposed name.
    Tool(&'a str),
    /// A prompt, by its exposed name.
    Prompt(&'a str),
    /// A resource of a server, by the URI that the server uses.
    Resource {
        /// The server's id.
        server: &'a str,
        /// The URI that the server uses.
        uri: &'a str,
    },
    /// A resource template: any resource whose URI it could expand to.
    Template {
        /// The server's id.
        server: &'a str,
        /// The URI template that the server uses.
        uri: &'a str,
    },
    /// A server, by its id.
    Server(&'a str),
}

/// What administrators and auditors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdminAction {
    /// Search the audit log.
    SearchAudit,
    /// Read records of it.
    ReadRecord,
    /// Have records, and the log as a whole, proven: hashes only.
    VerifyAudit,
    /// Export a part of the audit log.
    ExportAudit,
    /// Read stored arguments or results.
    ReadPayload,
    /// Keep records from being erased.
    PlaceHold,
    /// Erase what was recorded about one person.
    EraseSubject,
    /// Read the policies.
    ReadPolicy,
    /// Decide recorded calls again under other policies.
    ReplayPolicy,
    /// Add, change or remove backend servers.
    ManageServers,
    /// Vouch for a tool's description and hints.
    PinTool,
    /// Create and revoke tokens.
    ManageTokens,
    /// Load a candidate of the policies strictly.
    CheckPolicy,
    /// Play tables of expectations.
    TestPolicy,
    /// Say why a call is decided so.
    ExplainPolicy,
    /// See what shadow policies would have done.
    ReadShadow,
    /// See which policies never matched.
    ReadCoverage,
    /// See how the gateway is.
    ReadStatus,
    /// Have configuration and policies read again.
    ReloadRules,
    /// See which definitions are pinned and held back.
    ReadPins,
    /// See which calls wait for approval.
    ReadApprovals,
}

impl AdminAction {
    /// Every action, in the order of the schema.
    pub const ALL: [Self; 21] = [
        Self::SearchAudit,
        Self::ReadRecord,
        Self::VerifyAudit,
        Self::ExportAudit,
        Self::ReadPayload,
        Self::PlaceHold,
        Self::EraseSubject,
        Self::ReadPolicy,
        Self::ReplayPolicy,
        Self::ManageServers,
        Self::PinTool,
        Self::ManageTokens,
        Self::CheckPolicy,
        Self::TestPolicy,
        Self::ExplainPolicy,
        Self::ReadShadow,
        Self::ReadCoverage,
        Self::ReadStatus,
        Self::ReloadRules,
        Self::ReadPins,
        Self::ReadApprovals,
    ];

    /// The Cedar action id.
    pub fn id(self) -> &'static str {
        match self {
            Self::SearchAudit => "SearchAudit",
            Self::ReadRecord => "ReadRecord",
            Self::VerifyAudit => "VerifyAudit",
            Self::ExportAudit => "ExportAudit",
            Self::ReadPayload => "ReadPayload",
            Self::PlaceHold => "PlaceHold",
            Self::EraseSubject => "EraseSubject",
            Self::ReadPolicy => "ReadPolicy",
            Self::ReplayPolicy => "ReplayPolicy",
            Self::ManageServers => "ManageServers",
            Self::PinTool => "PinTool",
            Self::ManageTokens => "ManageTokens",
            Self::CheckPolicy => "CheckPolicy",
            Self::TestPolicy => "TestPolicy",
            Self::ExplainPolicy => "ExplainPolicy",
            Self::ReadShadow => "ReadShadow",
            Self::ReadCoverage => "ReadCoverage",
            Self::ReadStatus => "ReadStatus",
            Self::ReloadRules => "ReloadRules",
            Self::ReadPins => "ReadPins",
            Self::ReadApprovals => "ReadApprovals",
        }
    }

    /// Whether it is done to a tenant's log rather than to the gateway.
    pub(super) fn on_log(self) -> bool {
        match self {
            Self::SearchAudit
            | Self::ReadRecord
            | Self::VerifyAudit
            | Self::ExportAudit
            | Self::ReadPayload
            | Self::PlaceHold
            | Self::EraseSubject => true,
            Self::ReadPolicy
            | Self::ReplayPolicy
            | Self::ManageServers
            | Self::PinTool
            | Self::ManageTokens
            | Self::CheckPolicy
            | Self::TestPolicy
            | Self::ExplainPolicy
            | Self::ReadShadow
            | Self::ReadCoverage
            | Self::ReadStatus
            | Self::ReloadRules
            | Self::ReadPins
            | Self::ReadApprovals => false,
        }
    }
}
