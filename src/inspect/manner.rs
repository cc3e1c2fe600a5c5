//! How one value is treated besides what the settings say: whose it is, what policy asks for, whether tokens are kept.

use uuid::Uuid;

use super::{Operator, Route, Scope, Told};

/// Longest value that a token stands for, in bytes; a longer one is masked.
pub(super) const LONGEST: usize = 16 << 10;

/// Whose value it is. What is not known is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whose<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The principal, whole: kind, tenant and id.
    pub principal: &'a str,
    /// The session of the agent.
    pub session: &'a str,
}

/// How one value is treated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner<'a> {
    /// Where it comes from or goes to.
    pub route: Route<'a>,
    /// Whose it is.
    pub whose: Whose<'a>,
    /// Types, and what becomes of their findings at least: what policy asks for.
    pub at_least: &'a [(&'a str, Operator)],
    /// Whether somebody keeps what tokens stand for. If not, what would be a token is a mask.
    pub tokens: bool,
    /// What somebody outside says of the same value.
    pub told: Option<&'a Told>,
}

/// What a token stands for. It is for the vault alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// The token, as it stands in the value.
    pub token: String,
    /// The type.
    pub kind: &'static str,
    /// The commitment that findings of this value carry.
    pub commitment: String,
    /// What it stands for.
    pub value: String,
    /// Whether that was a JSON number.
    pub number: bool,
}

/// Shows what it is, never the value.
impl std::fmt::Debug for Minted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Minted")
            .field("token", &self.token)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Scope {
    /// Within which equal values get equal names: different texts for different scopes.
    pub(super) fn of(self, whose: &Whose<'_>, call: Uuid) -> String {
        match self {
            Self::Message => format!("message\n{call}"),
            Self::Session => format!("session\n{}", whose.session),
            Self::Principal => format!("principal\n{}", whose.principal),
            Self::Tenant => format!("tenant\n{}", whose.tenant),
            Self::Gateway => "gateway".to_owned(),
        }
    }
}
