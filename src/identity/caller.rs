//! The caller: who asks, as every later stage sees it.

use std::sync::Arc;

use super::Claims;

/// Whether a person or a workload stands behind the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A human (Cedar `User`).
    User,
    /// A workload with no human behind it (Cedar `ServiceAccount`).
    ServiceAccount,
}

impl PrincipalKind {
    /// The Cedar entity type of this kind.
    pub fn entity_type(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::ServiceAccount => "ServiceAccount",
        }
    }
}

/// An authenticated caller. It never holds the credential, only the credential's public id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Person or workload.
    pub kind: PrincipalKind,
    /// Stable id of the principal (the Cedar entity id).
    pub id: String,
    /// The software that speaks for the principal.
    pub agent: String,
    /// Whether an administrator vouched for that software when the credential was made.
    pub agent_approved: bool,
    /// Roles (Cedar `Role` ids).
    pub roles: Vec<String>,
    /// Teams (Cedar `Team` ids).
    pub teams: Vec<String>,
    /// The tenant (Cedar `Tenant` id).
    pub tenant: String,
    /// What the credential says of its holder besides; policies see what `entities/*.yaml` map.
    pub claims: Claims,
    /// Public id of the credential that was used.
    pub credential: String,
}

/// A shared, immutable caller.
pub type SharedCaller = Arc<Caller>;
