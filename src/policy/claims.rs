//! What claims mean: roles, teams, and typed attributes of the principal, as `entities/*.yaml` map them.
//!
//! Tenants are not mapped: the isolation of one from another is a property of the credential itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cedar_policy::RestrictedExpression;
use serde::Deserialize;

use super::problem::Problem;
use crate::identity::{Claim, Claims};

/// Words that Cedar keeps for itself, and attributes that every principal has.
const TAKEN: [&str; 10] = ["true", "false", "if", "then", "else", "in", "is", "like", "has", "tenant"];

/// The section `claims` of entities files.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Mapping {
    /// Claims whose texts name roles.
    roles: Vec<String>,
    /// Claims whose texts name teams.
    teams: Vec<String>,
    /// Attributes of `User` and `ServiceAccount`, by name.
    attributes: BTreeMap<String, Attribute>,
}

/// Where an attribute comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    /// The claim; the attribute's own name if left out.
    claim: Option<String>,
    #[serde(rename = "type")]
    kind: Type,
}

/// The type that policies see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    String,
    Long,
    Boolean,
    Strings,
}

impl Type {
    fn cedar(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Long => "Long",
            Self::Boolean => "Bool",
            Self::Strings => "Set<String>",
        }
    }

    fn of(self, claim: &Claim) -> Option<RestrictedExpression> {
        let text = |text: &String| RestrictedExpression::new_string(text.clone());
        match (self, claim) {
            (Self::String, Claim::Text(value)) => Some(text(value)),
            (Self::Long, Claim::Number(value)) => Some(RestrictedExpression::new_long(*value)),
            (Self::Boolean, Claim::Flag(value)) => Some(RestrictedExpression::new_bool(*value)),
            (Self::Strings, Claim::Texts(values)) => {
                Some(RestrictedExpression::new_set(values.iter().map(text)))
            }
            (Self::Strings, Claim::Text(value)) => Some(RestrictedExpression::new_set([text(value)])),
            _ => None,
        }
    }
}

/// A claim of another type than its attribute, or than a name: who it is about is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mistyped;

impl Mapping {
    /// Takes in what another file says. Two meanings for one attribute are a problem.
    pub(super) fn add(&mut self, other: Self, place: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.roles.extend(other.roles);
        self.teams.extend(other.teams);
        for (name, attribute) in other.attributes {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let begins = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
            if !plain || !begins || name.starts_with("__") || TAKEN.contains(&name.as_str()) {
                let message = format!("`{}` cannot be an attribute of a principal", name.escape_debug());
                let help = "use letters, digits and `_`, and none of Cedar's own words or `tenant`";
                problems.push(Problem::with_file(place, message).help(help));
                continue;
            }
            match self.attributes.get(&name) {
                Some(known) if *known != attribute => {
                    let message = format!("the attribute `{name}` is mapped twice, differently");
                    problems.push(Problem::with_file(place, message).help("keep one of the two"));
                }
                _ => {
                    self.attributes.insert(name, attribute);
                }
            }
        }
        problems
    }

    /// The attributes as members of a Cedar record type. A credential need not have the claim, so each is optional.
    pub(super) fn members(&self) -> String {
        let mut members = String::new();
        for (name, attribute) in &self.attributes {
            let _ = writeln!(members, "  {name}?: {},", attribute.kind.cedar());
        }
        members
    }

    /// Roles that claims name.
    pub(super) fn roles<'c>(&self, claims: &'c Claims) -> Result<Vec<&'c String>, Mistyped> {
        named(&self.roles, claims)
    }

    /// Teams that claims name.
    pub(super) fn teams<'c>(&self, claims: &'c Claims) -> Result<Vec<&'c String>, Mistyped> {
        named(&self.teams, claims)
    }

    /// The attributes that claims have values for.
    pub(super) fn attributes(&self, claims: &Claims) -> Result<Vec<(&str, RestrictedExpression)>, Mistyped> {
        let mut found = Vec::new();
        for (name, attribute) in &self.attributes {
            if let Some(claim) = claims.get(attribute.claim.as_ref().unwrap_or(name)) {
                found.push((name.as_str(), attribute.kind.of(claim).ok_or(Mistyped)?));
            }
        }
        Ok(found)
    }
}

fn named<'c>(wanted: &[String], claims: &'c Claims) -> Result<Vec<&'c String>, Mistyped> {
    let mut names = Vec::new();
    for claim in wanted.iter().filter_map(|name| claims.get(name)) {
        match claim {
            Claim::Text(name) => names.push(name),
            Claim::Texts(several) => names.extend(several),
            Claim::Flag(_) | Claim::Number(_) => return Err(Mistyped),
        }
    }
    Ok(names)
}
