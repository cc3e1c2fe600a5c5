//! The process environment, and `${VAR}` in text.

use std::collections::BTreeMap;

/// The variables that a configuration may refer to: a snapshot, so that a load sees one state and a test
/// needs no process-wide change.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

// The values may be secrets.
impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Env({} variables)", self.0.len())
    }
}

impl Env {
    /// The variables of this process; those that are not valid UTF-8 are left out.
    pub fn process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// Exactly these variables.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Those of these variables that this process has.
    pub fn inherited(names: &[&str]) -> BTreeMap<String, String> {
        let mut all = Self::process().0;
        all.retain(|name, _| names.contains(&name.as_str()));
        all
    }

    /// The value of a variable; an empty one counts as unset, as the OpenTelemetry specification wants it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether the variable is set, be it to nothing.
    fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Why text could not be expanded. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpandError {
    /// The variable is not set and has no default.
    #[error("variable `{0}` is not set")]
    Missing(String),
    /// `${` without `}`.
    #[error("`${{` has no closing `}}`")]
    Unclosed,
    /// What stands between the braces is no variable name.
    #[error("`${{…}}` does not hold the name of a variable")]
    BadName,
}

impl ExpandError {
    /// What to do about it.
    pub(super) fn help(&self) -> String {
        match self {
            Self::Missing(name) => format!("set it, or write `${{{name}:-default}}`"),
            Self::Unclosed => "close it, or write `$$` for a plain dollar sign".into(),
            Self::BadName => "write `${NAME}` or `${NAME:-default}`; `$$` is a plain dollar sign".into(),
        }
    }
}

/// Expands `${VAR}`, `${VAR:-default}` (also for an empty variable, as in a shell) and `$$`. `${env:VAR}`, as
/// some editors write it, means `${VAR}`. Returns `None` when there is nothing to expand. What a variable
/// holds is not expanded again.
pub(super) fn expand(text: &str, env: &Env) -> Result<Option<String>, ExpandError> {
    if !text.contains("$$") && !text.contains("${") {
        return Ok(None);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some(tail) = after.strip_prefix('{') {
            let (inside, tail) = tail.split_once('}').ok_or(ExpandError::Unclosed)?;
            out.push_str(&variable(inside, env)?);
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(Some(out))
}

fn variable(inside: &str, env: &Env) -> Result<String, ExpandError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let name = name.strip_prefix("env:").unwrap_or(name);
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(ExpandError::BadName);
    }
    match (env.raw(name), default) {
        (Some(value), None) => Ok(value.to_owned()),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value.to_owned()),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Missing(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_expand_as_in_a_shell() {
        let env = Env::of([("A", "1"), ("EMPTY", ""), ("DOLLAR", "${A}")]);
        for (text, expanded) in [
            ("plain", None),
            ("$A costs $5", None),
            ("${A}", Some("1")),
            ("x${A}y${A}", Some("x1y1")),
            ("${env:A}", Some("1")),
            ("${EMPTY}", Some("")),
            ("${EMPTY:-d}", Some("d")),
            ("${NO:-}", Some("")),
            ("${NO:-a:-b}", Some("a:-b")),
            ("$${A}", Some("${A}")),
            ("$$", Some("$")),
            ("${DOLLAR}", Some("${A}")),
            ("$x ${A}", Some("$x 1")),
        ] {
            assert_eq!(expand(text, &env), Ok(expanded.map(str::to_owned)), "{text}");
        }
        assert_eq!(expand("${NO}", &env), Err(ExpandError::Missing("NO".into())));
        assert_eq!(expand("${A", &env), Err(ExpandError::Unclosed));
        assert_eq!(expand("${}", &env), Err(ExpandError::BadName));
        assert_eq!(expand("${1A}", &env), Err(ExpandError::BadName));
        assert_eq!(expand("${input:token}", &env), Err(ExpandError::BadName));
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", Env::of([("TOKEN", "hunter2")])), "Env(1 variables)");
    }
}
