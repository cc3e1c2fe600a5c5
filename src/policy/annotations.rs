//! Which annotations a policy may carry.
//!
//! Cedar gives annotations no meaning, so a misspelled or unsupported one would be ignored in silence. Here
//! each is known, or the folder is refused.

use cedar_policy::Policy;

use super::problem::closest;

/// Annotations with a meaning, or of documentation only.
const KNOWN: [&str; 5] = ["id", "doc", "severity", "reply", "tags"];
/// Words that ask the gateway to do something; none of them is enforced here.
const OBLIGATIONS: [&str; 17] = [
    "approval_ttl",
    "audit",
    "log_level",
    "max_bytes",
    "mode",
    "notify",
    "oblige",
    "observe",
    "rate_key",
    "rate_limit",
    "redact",
    "redact_mode",
    "require_approval",
    "require_justification",
    "shadow",
    "suppress_output",
    "timeout",
];
const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];
/// Longest id of a policy, in bytes.
const MAX_ID: usize = 128;

/// A complaint and what to do about it.
pub(super) type Complaint = (String, String);

/// The id of a policy, if it has a usable one.
pub(super) fn id_of(policy: &Policy) -> Result<&str, Complaint> {
    let Some(id) = policy.annotation("id") else {
        return Err(("this policy has no `@id`".to_owned(), "write @id(\"some-name\") above it".to_owned()));
    };
    let usable = !id.is_empty()
        && id.len() <= MAX_ID
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    if usable {
        Ok(id)
    } else {
        Err((
            format!("`{}` cannot be the id of a policy", id.escape_debug()),
            format!("use 1 to {MAX_ID} letters, digits, `-`, `_`, `.` or `/`"),
        ))
    }
}

/// What is wrong with a policy's annotations.
pub(super) fn complaints(policy: &Policy) -> Vec<Complaint> {
    let mut found: Vec<Complaint> =
        policy.annotations().filter_map(|(name, value)| complaint(name, value)).collect();
    found.sort_unstable();
    found
}

fn complaint(name: &str, value: &str) -> Option<Complaint> {
    if name == "severity" && !SEVERITIES.contains(&value) {
        let message = format!("`{}` is not a severity", value.escape_debug());
        return Some((message, format!("use one of {}", SEVERITIES.join(", "))));
    }
    if KNOWN.contains(&name) || name.starts_with("x_") {
        return None;
    }
    if OBLIGATIONS.contains(&name) {
        return Some((
            format!("`@{name}` asks for something that this version does not enforce"),
            "take it away, or the policy would promise more than it does".to_owned(),
        ));
    }
    let help = match closest(name, KNOWN.into_iter().chain(OBLIGATIONS)) {
        Some(meant) => format!("did you mean `@{meant}`?"),
        None => "notes go into @doc, @tags, or a name of your own that starts with `x_`".to_owned(),
    };
    Some((format!("`@{name}` is not an annotation that this version knows"), help))
}
