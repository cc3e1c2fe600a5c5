//! Tokens on their way: what they stand for is kept before they go out, and put back for the tool and argument that policy
//! names, at the last hop, after everything was recorded.

use super::judge::{Judgement, Passed, Ruling, circumstances};
use super::wanted::Owner;
use super::{Call, Refusal, Rules};
use crate::identity::Caller;
use crate::inspect::{Minted, Unknown};
use crate::mcp::{Object, array_items, quote, string_value};
use crate::policy::{Asked, Question};
use crate::vault::{self, Kept, Opened, Vault};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// How every token begins.
const BEGINS: &str = "[TOKEN_";
/// Letters at its end.
const LETTERS: usize = 26;
/// Bytes of the longest one.
const LONGEST: usize = 128;
/// Tokens of one call that are opened at most.
const OPENED: usize = 1_000;

/// The vault, and what happens to a call whose tokens it does not know.
#[derive(Debug, Clone)]
pub struct Vaulted {
    /// Where the values are.
    pub vault: Arc<Vault>,
    /// What happens to unknown ones.
    pub unknown: Unknown,
}

/// A token in arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    /// JSON pointer of its string, in the arguments.
    pub pointer: String,
    pub token: String,
}

impl Placed {
    /// The type that it says it stands for.
    fn kind(&self) -> String {
        let inner = self.token.get(BEGINS.len()..self.token.len().saturating_sub(LETTERS + 2));
        inner.unwrap_or_default().to_ascii_lowercase()
    }
}

/// An opening, as records tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Opening {
    pub commitment: String,
    pub pointer: String,
    #[serde(rename = "type")]
    pub kind: String,
}

/// Arguments with what tokens stand for.
#[derive(Clone, Default)]
pub(super) struct Filled {
    /// For the last hop alone.
    pub arguments: String,
    pub openings: Vec<Opening>,
}

impl fmt::Debug for Filled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Filled").field("openings", &self.openings).finish_non_exhaustive()
    }
}

/// The tokens in the arguments of a call that policy lets be opened for it.
pub(super) fn to_open(
    rules: &Rules,
    caller: &Caller,
    (call, tool): (&Call, &str),
    arguments: &str,
) -> Result<Vec<Placed>, Refusal> {
    if rules.vaulted.is_none() {
        return Ok(Vec::new());
    }
    let mut placed = in_strings(arguments);
    if placed.is_empty() {
        return Ok(placed);
    }
    if placed.len() > OPENED {
        return Err(Refusal::Blocked(format!("the arguments hold more than {OPENED} tokens")));
    }
    let circumstances = circumstances(call);
    placed.retain(|one| {
        let asked = Asked::OpenToken { tool, kind: &one.kind(), argument: &one.pointer };
        let question = Question { call: call.id, asked, circumstances: &circumstances, findings: &[] };
        rules.policies.authorize(caller, &question).is_ok()
    });
    Ok(placed)
}

/// Keeps what tokens in the parameters stand for, and fetches what those stand for that are opened; or turns the judgement
/// into a refusal.
pub(super) async fn settle(rules: &Arc<Rules>, caller: &Caller, judgement: &mut Judgement) {
    let Ok(Ruling::Forward(passed)) = &judgement.ruling else { return };
    let Some(tokens) = rules.vaulted.clone() else { return };
    if passed.params.minted().is_empty() && passed.open.is_empty() {
        return;
    }
    let owner = Owner::of(caller, &judgement.call);
    let work = Work {
        scope: rules.inspector.token_scope(&owner.whose(), judgement.call.id),
        subject: caller.id.clone(),
        call: judgement.call.id,
        minted: passed.params.minted().to_vec(),
        open: passed.open.clone(),
        arguments: arguments_of(passed),
        tokens,
    };
    let settled = tokio::task::spawn_blocking(move || work.settle()).await;
    let filled = settled.unwrap_or(Err(Refusal::Unhonoured("vault"))).and_then(|filled| {
        fits(rules, passed, &filled)?;
        Ok(filled)
    });
    match filled {
        Ok(filled) => {
            judgement.opened.clone_from(&filled.openings);
            if let (Ok(Ruling::Forward(passed)), false) = (&mut judgement.ruling, filled.openings.is_empty())
            {
                passed.filled = Some(filled);
            }
        }
        Err(refusal) => judgement.refuse(refusal),
    }
}

/// Keeps what tokens in a result stand for.
pub(super) async fn keep(
    tokens: Option<&Vaulted>,
    (scope, subject, call): (String, String, Uuid),
    minted: &[Minted],
) -> Result<(), Refusal> {
    if minted.is_empty() {
        return Ok(());
    }
    let Some(tokens) = tokens.cloned() else { return Err(Refusal::Unhonoured("vault")) };
    let minted = minted.to_vec();
    let work = Work { scope, subject, call, minted, open: Vec::new(), arguments: String::new(), tokens };
    tokio::task::spawn_blocking(move || work.keep()).await.unwrap_or(Err(Refusal::Unhonoured("vault")))
}

fn arguments_of(passed: &Passed) -> String {
    let params = Object::parse(passed.params.value());
    params.and_then(|params| Some(params.get("arguments")?.to_owned())).unwrap_or_default()
}

/// What is said against the arguments as the tool will see them.
fn fits(rules: &Rules, passed: &Passed, filled: &Filled) -> Result<(), Refusal> {
    let check = rules.checks.of(Some(&passed.found.target), &passed.found.server);
    let said = check.arguments(&rules.sanitizer, &filled.arguments);
    if let Some(why) = said.judged.refusal() {
        return Err(Refusal::Blocked(why));
    }
    said.misfit.map_or(Ok(()), |misfit| Err(Refusal::InvalidParams(misfit)))
}

/// What waits for the disk.
struct Work {
    scope: String,
    subject: String,
    call: Uuid,
    minted: Vec<Minted>,
    open: Vec<Placed>,
    arguments: String,
    tokens: Vaulted,
}

impl Work {
    fn settle(self) -> Result<Filled, Refusal> {
        self.keep()?;
        let mut filled = Filled::default();
        let mut known: Vec<(&Placed, Opened)> = Vec::new();
        for placed in &self.open {
            let opened = self.tokens.vault.give(&self.scope, &placed.token).map_err(|e| down(&e))?;
            match opened {
                Some(opened) if opened.kind == placed.kind() => {
                    filled.openings.push(Opening {
                        commitment: opened.commitment.clone(),
                        pointer: placed.pointer.clone(),
                        kind: opened.kind.clone(),
                    });
                    known.push((placed, opened));
                }
                _ if self.tokens.unknown == Unknown::Leave => {}
                _ => {
                    let place = &placed.pointer;
                    return Err(Refusal::Blocked(format!(
                        "the token at `{place}` is unknown or has expired"
                    )));
                }
            }
        }
        filled.arguments = fill(&self.arguments, &known);
        Ok(filled)
    }

    fn keep(&self) -> Result<(), Refusal> {
        let kept: Vec<Kept<'_>> = self
            .minted
            .iter()
            .map(|one| Kept {
                token: &one.token,
                kind: one.kind,
                commitment: &one.commitment,
                value: &one.value,
                number: one.number,
            })
            .collect();
        let owner = vault::Owner { scope: &self.scope, subject: &self.subject, call: self.call };
        if kept.is_empty() { Ok(()) } else { self.tokens.vault.keep(&owner, &kept).map_err(|e| down(&e)) }
    }
}

fn down(error: &vault::Error) -> Refusal {
    tracing::error!("tokens cannot be kept or opened: {error}");
    Refusal::Unhonoured("vault")
}

/// All tokens in the strings of a JSON value, each place once.
fn in_strings(raw: &str) -> Vec<Placed> {
    let mut found = Vec::new();
    if memchr::memmem::find(raw.as_bytes(), b"TOKEN_").is_some() {
        each_string(raw, &mut String::new(), &mut |pointer, raw| {
            let value = string_value(raw).unwrap_or_default();
            for token in tokens(&value) {
                let placed = Placed { pointer: pointer.to_owned(), token: token.to_owned() };
                if !found.contains(&placed) {
                    found.push(placed);
                }
            }
        });
    }
    found
}

/// Calls `each` with pointer and raw text of every string of a JSON value, keys not among them.
fn each_string<'t>(raw: &'t str, pointer: &mut String, each: &mut dyn FnMut(&str, &'t str)) {
    let length = pointer.len();
    match raw.trim_start().as_bytes().first() {
        Some(b'"') => each(pointer, raw.trim()),
        Some(b'{') => {
            for (key, value) in Object::parse(raw).iter().flat_map(Object::iter) {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                each_string(value, pointer, each);
                pointer.truncate(length);
            }
        }
        Some(b'[') => {
            for (index, value) in array_items(raw).unwrap_or_default().into_iter().enumerate() {
                pointer.push('/');
                pointer.push_str(&index.to_string());
                each_string(value, pointer, each);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// The tokens in a text.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let starts = memchr::memmem::find_iter(text.as_bytes(), BEGINS.as_bytes());
    starts.filter_map(|start| {
        let rest = text.get(start..)?;
        let end = rest.bytes().take(LONGEST).position(|byte| byte == b']')?;
        let token = rest.get(..=end)?;
        let (name, letters) = token.get(1..end)?.split_at_checked(end.checked_sub(LETTERS + 1)?)?;
        let letter = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
        let named = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        (name.ends_with('_') && name.bytes().all(named) && letters.bytes().all(letter)).then_some(token)
    })
}

/// The arguments with values in place of tokens. All else keeps its bytes.
fn fill(arguments: &str, known: &[(&Placed, Opened)]) -> String {
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    each_string(arguments, &mut String::new(), &mut |pointer, raw| {
        let here: Vec<_> = known.iter().filter(|(placed, _)| placed.pointer == pointer).collect();
        if here.is_empty() {
            return;
        }
        let value = string_value(raw).unwrap_or_default();
        let start = raw.as_ptr() as usize - arguments.as_ptr() as usize;
        let with = match here.as_slice() {
            // What was a number is one again.
            [(placed, opened)] if opened.number && placed.token == value => opened.value.clone(),
            _ => quote(&replaced(&value, &here)),
        };
        edits.push((start, start + raw.len(), with));
    });
    let (mut filled, mut at) = (String::with_capacity(arguments.len()), 0);
    for (start, end, with) in edits {
        filled.push_str(arguments.get(at..start).unwrap_or_default());
        filled.push_str(&with);
        at = end;
    }
    filled.push_str(arguments.get(at..).unwrap_or_default());
    filled
}

/// One pass: what a value holds is not looked at again.
fn replaced(value: &str, known: &[&(&Placed, Opened)]) -> String {
    let mut text = String::with_capacity(value.len());
    let mut at = 0;
    for token in tokens(value) {
        let start = token.as_ptr() as usize - value.as_ptr() as usize;
        if let Some((_, opened)) = known.iter().find(|(placed, _)| placed.token == token) {
            text.push_str(value.get(at..start).unwrap_or_default());
            text.push_str(&opened.value);
            at = start + token.len();
        }
    }
    text.push_str(value.get(at..).unwrap_or_default());
    text
}
