//! Rules of the customer's own: the same YAML as ours, within limits, and not such that every text is a lead.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;

use super::Error;
use super::ledger::hex;
use super::rules::{self, How, Rule};

/// Bytes of one file.
const FILE_BYTES: u64 = 256 << 10;
/// Rules of all files.
const RULES: usize = 256;
/// Letters of the shortest prefix or name: shorter ones stand everywhere.
const SHORTEST: usize = 3;
/// Bytes of the longest value.
const LONGEST: usize = 4_096;
/// Times that a prefix may stand in our own rule files, which are mostly words: more often, and it stands everywhere.
const OFTEN: usize = 40;

/// Rules, and what they were read from.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub rules: Vec<Rule>,
    /// SHA-256 of all files in order, or nothing.
    pub digest: String,
}

/// A name that lasts as long as the process, as records and metrics need it: kept once, however often rules are loaded.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(Box::from(name));
    names.insert(name);
    name
}

/// Reads files of rules.
pub(super) fn load(files: &[PathBuf]) -> Result<Own, Error> {
    let mut own = Own::default();
    let mut context = digest::Context::new(&digest::SHA256);
    for file in files {
        let text = read(file)?;
        context.update(text.as_bytes());
        let name = file.display().to_string();
        own.rules.extend(
            rules::read(&text, lasting)
                .map_err(|source| Error::OwnRules { file: name.clone(), source: Box::new(source) })?,
        );
    }
    if own.rules.len() > RULES {
        return Err(Error::TooManyRules { count: own.rules.len(), limit: RULES });
    }
    for rule in &own.rules {
        cheap(rule)?;
    }
    if !files.is_empty() {
        own.digest = hex(context.finish().as_ref());
    }
    Ok(own)
}

fn read(file: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::OwnRulesUnreadable { file: file.display().to_string(), source };
    let bytes = std::fs::metadata(file).map_err(unreadable)?.len();
    if bytes > FILE_BYTES {
        let large = std::io::Error::other(format!("{bytes} bytes, the limit is {FILE_BYTES}"));
        return Err(unreadable(large));
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

/// A rule of ours must not change its meaning.
pub(super) fn check_names(ours: &[Rule], own: &[Rule]) -> Result<(), Error> {
    let taken = own.iter().find(|rule| ours.iter().any(|known| known.kind == rule.kind));
    match taken {
        Some(rule) => Err(dear(rule, "the name is one of ours, choose another one")),
        None => Ok(()),
    }
}

/// What a rule costs is bounded by how often it is led to and how far it looks then; both are checked here. Patterns
/// are matched in linear time, anchored, and compile within a bound.
fn cheap(rule: &Rule) -> Result<(), Error> {
    if !rule.kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(dear(rule, "write its type in small letters, digits and `_`"));
    }
    let starts: &[String] = match &rule.how {
        How::Token(token) => {
            if token.max > LONGEST {
                return Err(dear(rule, "`max` is over 4096 bytes"));
            }
            if token.pattern.is_match(b"") {
                return Err(dear(rule, "its pattern fits nothing at all, which is everywhere"));
            }
            &token.starts
        }
        How::Named(named) => &named.names,
        How::Forms(forms) if forms.alone.is_empty() && rule.context.is_empty() => {
            return Err(dear(rule, "give `context`, or no value is ever found"));
        }
        How::Forms(_) | How::Keyed(_) => &[],
        How::Scanner(_) => return Err(dear(rule, "`scanner` is for rules that come with the program")),
    };
    if starts.is_empty() && matches!(rule.how, How::Token(_) | How::Named(_)) {
        return Err(dear(rule, "give at least one of `starts` or `names`"));
    }
    for start in starts {
        let lower = start.to_lowercase();
        if lower.chars().count() < SHORTEST {
            return Err(dear(rule, "a prefix or name has fewer than three letters and stands everywhere"));
        }
        let often: usize = rules::sources().map(|text| text.to_lowercase().matches(&lower).count()).sum();
        if often > OFTEN {
            return Err(dear(rule, "a prefix or name stands in almost every text, choose a longer one"));
        }
    }
    Ok(())
}

fn dear(rule: &Rule, problem: &'static str) -> Error {
    Error::Rule { rule: rule.kind.to_owned(), problem }
}
