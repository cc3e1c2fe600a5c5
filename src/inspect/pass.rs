//! One round over one value: scans texts, collects findings and edits. The walk decides what is a text.

use std::borrow::Cow;
use std::ops::Range;

use super::engine::{Around, Effort, Engine, Leads, Scan};
use super::ledger::Ledger;
use super::lexer::is_json;
use super::normalise::{self, Coded};
use super::overlap;
use super::shifts::Shifts;
use super::{Blocked, Limits};

/// Bytes on either side of a mask that are looked at again.
const NEAR: usize = 1_100;

/// What a round needs and gathers.
pub(super) struct Pass<'e, 'k> {
    pub engine: &'e Engine,
    pub limits: &'e Limits,
    /// Which rules are on, by index.
    pub on: &'e [bool],
    pub effort: Effort,
    pub ledger: Ledger<'k>,
    /// Masking has brought something to light that the round did not see.
    pub unsettled: bool,
    /// Where findings lie, for whoever owns the value and asks.
    pub spots: Option<Vec<Sighting>>,
}

/// Where one finding lies.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    /// Bytes of the walked text.
    pub source: Range<usize>,
    /// JSON pointer of the string, number or member; `None` for plain text.
    pub pointer: Option<String>,
    /// Bytes of the string at the pointer, as it is meant.
    pub local: Range<usize>,
    /// It lies in the name of the member at the pointer.
    pub key: bool,
    pub rule: usize,
}

/// Bytes that give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub start: usize,
    pub end: usize,
    pub with: String,
}

/// What a scan of one text found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub edits: Vec<Edit>,
    /// The rule of each edit.
    pub rules: Vec<usize>,
    /// Rule and canonical value of each finding.
    pub values: Vec<(usize, String)>,
    pub unsettled: bool,
}

impl Pass<'_, '_> {
    /// Notes where the findings of a plain text lie, if anyone asks.
    pub fn sight_plain(&mut self, scanned: &Scanned) {
        let sightings = scanned.edits.iter().zip(&scanned.rules).map(|(edit, rule)| Sighting {
            source: edit.start..edit.end,
            pointer: None,
            local: edit.start..edit.end,
            key: false,
            rule: *rule,
        });
        if let Some(spots) = &mut self.spots {
            spots.extend(sightings);
        }
    }

    /// Scans one text. With `named`, its place may say that the whole of it is a secret.
    pub fn scan(
        &self,
        text: &str,
        leads: &Leads,
        around: &Around<'_>,
        named: Named,
    ) -> Result<Scanned, Blocked> {
        let seen = self.look(text, leads, around, named)?;
        if seen.edits.is_empty() {
            return Ok(seen);
        }
        let unsettled = self.settles_not(text, &seen.edits, around, named)?;
        Ok(Scanned { unsettled, ..seen })
    }

    fn look(&self, text: &str, leads: &Leads, around: &Around<'_>, named: Named) -> Result<Scanned, Blocked> {
        let coded = if self.engine.coded(&leads.words) { Coded::Yes } else { Coded::No };
        let view = if coded == Coded::No && text.is_ascii() { None } else { normalise::view(text, coded) };
        let Some((view, shifts)) = view else { return self.look_at(text, leads, around, named) };
        let mut seen = self.look_at(&view, &self.engine.leads(&view), around, named)?;
        for edit in &mut seen.edits {
            (edit.start, edit.end) = (shifts.source(edit.start), shifts.source(edit.end));
        }
        Ok(seen)
    }

    fn look_at(
        &self,
        text: &str,
        leads: &Leads,
        around: &Around<'_>,
        named: Named,
    ) -> Result<Scanned, Blocked> {
        let scan = Scan {
            text,
            words: &leads.words,
            digits: &leads.digits,
            around,
            on: self.on,
            effort: &self.effort,
        };
        let mut found = self.engine.scan(&scan)?;
        if named == Named::Maybe
            && let Some(rule) = self.engine.named(text, around, self.on)
        {
            found.push(super::engine::Found { start: 0, end: text.len(), rule });
        }
        let spans = overlap::merge(&mut found, self.engine.rules());
        let mask = |rule: usize| self.engine.rule(rule).map(|rule| rule.mask.clone()).unwrap_or_default();
        let canonical = |one: &super::engine::Found| {
            let value = text.get(one.start..one.end).unwrap_or_default();
            self.engine.rule(one.rule).map(|rule| rule.canonical.of(value)).unwrap_or_default()
        };
        Ok(Scanned {
            edits: spans
                .iter()
                .map(|span| Edit { start: span.start, end: span.end, with: mask(span.rule) })
                .collect(),
            rules: spans.iter().map(|span| span.rule).collect(),
            values: found.iter().map(|one| (one.rule, canonical(one))).collect(),
            unsettled: false,
        })
    }

    /// Whether the masked text would show a finding near a mask: words have come closer, values have become shorter.
    fn settles_not(
        &self,
        text: &str,
        edits: &[Edit],
        around: &Around<'_>,
        named: Named,
    ) -> Result<bool, Blocked> {
        let masked = apply(text, edits);
        if masked.starts_with(['{', '[', '"']) && is_json(&masked, self.limits)? {
            return Ok(true);
        }
        let mut windows: Vec<(usize, usize)> = Vec::new();
        let (mut grown, mut shrunk) = (0, 0);
        for edit in edits {
            let at = edit.start + grown - shrunk;
            grown += edit.with.len();
            shrunk += edit.end - edit.start;
            let window = (at.saturating_sub(NEAR), masked.len().min(at + edit.with.len() + NEAR));
            match windows.last_mut() {
                Some(last) if window.0 <= last.1 => last.1 = window.1,
                _ => windows.push(window),
            }
        }
        for (from, to) in windows {
            let near = masked
                .get(masked.floor_char_boundary(from)..masked.ceil_char_boundary(to))
                .unwrap_or_default();
            if !self.look(near, &self.engine.leads(near), around, named)?.edits.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the place of a text may say that the whole of it is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    No,
    Maybe,
}

/// The text with its edits, which are in order and do not overlap.
pub(super) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        result.push_str(text.get(at..edit.start).unwrap_or_default());
        result.push_str(&edit.with);
        at = edit.end;
    }
    result.push_str(text.get(at..).unwrap_or_default());
    result
}

/// Moves edits of a decoded string to the place where it is written in JSON.
pub(super) fn outwards(
    edits: Vec<Edit>,
    start: usize,
    shifts: Option<&Shifts>,
) -> impl Iterator<Item = Edit> {
    let at = move |here: usize| start + shifts.map_or(here, |shifts| shifts.source(here));
    edits.into_iter().map(move |edit| Edit {
        start: at(edit.start),
        end: at(edit.end),
        with: escape(&edit.with).into_owned(),
    })
}

fn escape(text: &str) -> Cow<'_, str> {
    if text.contains(['"', '\\']) {
        Cow::Owned(text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        Cow::Borrowed(text)
    }
}
