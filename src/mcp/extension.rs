//! Methods of extensions that the gateway does not know, let through by configuration.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{PoisonError, RwLock};

/// Longest name, in bytes.
const LONGEST: usize = 128;
/// Most names in the life of a process; they are kept for ever, so that a method stays a small value.
const MOST: usize = 1024;

static NAMES: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());

/// A method that some configuration of this process has named.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extension(&'static str);

/// Why a name cannot be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadExtension {
    /// Not the form of a method.
    #[error(
        "a method is 3 to 128 characters such as `com.example/search`: letters, digits, `.`, `_`, `-`, and `/` inside"
    )]
    Form,
    /// The protocol itself has a method or a family of that name.
    #[error("the protocol itself has methods of that name, and they are never let through unjudged")]
    Reserved,
    /// Too many names.
    #[error("more than 1024 names in the life of one process: restart it")]
    TooMany,
}

impl Extension {
    /// Remembers a name.
    ///
    /// # Errors
    /// It is no method's name, or one of the protocol's own.
    pub fn declare(name: &str) -> Result<Self, BadExtension> {
        let inside = name.split('/').count() > 1 && name.split('/').all(|part| !part.is_empty());
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
        if !inside || !plain || name.len() > LONGEST {
            return Err(BadExtension::Form);
        }
        let family = name.split('/').next().unwrap_or_default();
        if FAMILIES.contains(&family) {
            return Err(BadExtension::Reserved);
        }
        if let Some(known) = Self::known(name) {
            return Ok(known);
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST {
            return Err(BadExtension::TooMany);
        }
        let kept = names.get(name).copied().unwrap_or_else(|| Box::leak(name.to_owned().into_boxed_str()));
        names.insert(kept);
        Ok(Self(kept))
    }

    /// The method of that name, if some configuration has named it.
    pub fn known(name: &str) -> Option<Self> {
        NAMES.read().unwrap_or_else(PoisonError::into_inner).get(name).copied().map(Self)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What comes before the first `/` in the methods of MCP, in either direction.
const FAMILIES: [&str; 15] = [
    "completion",
    "elicitation",
    "initialize",
    "logging",
    "messages",
    "notifications",
    "ping",
    "prompts",
    "resources",
    "roots",
    "sampling",
    "server",
    "subscriptions",
    "tasks",
    "tools",
];

#[cfg(test)]
mod tests {
    use super::{BadExtension, Extension};

    #[test]
    fn only_names_outside_the_protocol_are_declared() {
        assert_eq!(Extension::known("com.example/never-declared"), None);
        let declared = Extension::declare("com.example/search").unwrap();
        assert_eq!(Extension::known("com.example/search"), Some(declared));
        assert_eq!(Extension::declare("com.example/search"), Ok(declared));
        for bad in ["", "search", "/search", "a//b", "a/", "a b/c", "é/x", &"a/".repeat(99)] {
            assert_eq!(Extension::declare(bad), Err(BadExtension::Form), "{bad}");
        }
        for own in ["tools/call2", "tasks/get", "sampling/createMessage", "notifications/x", "server/x"] {
            assert_eq!(Extension::declare(own), Err(BadExtension::Reserved), "{own}");
        }
    }
}
