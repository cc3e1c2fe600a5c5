//! The stamp of this stage, and what goes in and comes out beside it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Minted;

/// Which way a value travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InspectDirection")]
pub enum Direction {
    /// From the agent to a backend.
    Request,
    /// From a backend to the agent.
    Response,
}

impl Direction {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Request, Self::Response];

    /// The name as it stands in configuration and errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// Whose value is inspected, and how.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The call that the stamp will carry.
    pub call: Uuid,
    /// Which way the value travels.
    pub direction: Direction,
    /// JSON pointers (RFC 6901) of protocol fields that are neither scanned nor changed, with all below them; `*`
    /// stands for any one segment. At most 64 of them count.
    pub exempt: &'a [&'a str],
}

/// Where a value comes from or goes to, as far as it is known: some settings hold only for some backends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route<'a> {
    /// The backend's name in the configuration.
    pub server: Option<&'a str>,
    /// The tool's or prompt's own name there.
    pub tool: Option<&'a str>,
    /// The principal's id.
    pub principal: Option<&'a str>,
}

/// What was found, for records and policies. It never holds the value nor a part of it.
///
/// Members are declared in the order of their names, so that they serialise sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Hex of the first 16 bytes of HMAC-SHA-256(key, type ‖ 0x00 ‖ canonical value).
    pub commitment: String,
    /// How often this value stands at the pointer.
    pub count: u32,
    /// Encodings that had to be undone to see it, the outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decoded: Vec<&'static str>,
    /// What speaks most for it: `validator`, `prefix`, `context` or `key`.
    pub evidence: &'static str,
    /// What was done with it, such as `mask`.
    pub operator: &'static str,
    /// JSON pointer of the string, number or member. `#` begins a pointer inside JSON that a string holds; a key that
    /// was a finding itself is shown masked.
    pub pointer: String,
    /// The type, such as `us_ssn`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// Proof that a value has been inspected: only [`Inspector::filter`](super::Inspector::filter) makes one.
///
/// It cannot be built elsewhere:
///
/// ```compile_fail,E0451
/// use sealgate::inspect::Filtered;
/// let forged = Filtered { value: String::from("{}"), findings: Vec::new(), minted: Vec::new(), call: uuid::Uuid::nil() };
/// ```
///
/// ```compile_fail,E0599
/// use sealgate::inspect::Filtered;
/// let forged = Filtered::new(String::from("{}"), (Vec::new(), Vec::new()), uuid::Uuid::nil());
/// ```
///
/// and its value cannot be exchanged:
///
/// ```compile_fail,E0616
/// fn alter(mut stamped: sealgate::inspect::Filtered<String>) {
///     stamped.value = String::from("{}");
/// }
/// ```
///
/// ```compile_fail,E0596
/// fn alter(mut stamped: sealgate::inspect::Filtered<String>) {
///     stamped.value().push('x');
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Filtered<T> {
    value: T,
    findings: Vec<Finding>,
    minted: Vec<Minted>,
    call: Uuid,
}

impl<T> Filtered<T> {
    pub(super) fn new(value: T, (findings, minted): (Vec<Finding>, Vec<Minted>), call: Uuid) -> Self {
        Self { value, findings, minted, call }
    }

    /// The tokens that were made, and what they stand for. They must be kept before the value goes on.
    pub fn minted(&self) -> &[Minted] {
        &self.minted
    }

    /// The inspected value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The inspected value without its stamp.
    pub fn into_value(self) -> T {
        self.value
    }

    /// What was found and masked.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The call that the value belongs to.
    pub fn call(&self) -> Uuid {
        self.call
    }
}

/// Shows what was found, never the value: a stamp may end up in a log line.
impl<T> fmt::Debug for Filtered<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Filtered")
            .field("call", &self.call)
            .field("findings", &self.findings.len())
            .field("minted", &self.minted.len())
            .field("value", &"***")
            .finish()
    }
}
