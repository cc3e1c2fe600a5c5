//! One round over one value: scans texts, collects findings and edits. The walk decides what is a text.

use std::ops::Range;

use super::context::near;
use super::decode::{self, Blob};
use super::engine::{Engine, Scan};
use super::found::{Around, Effort, Evidence, Leads, Signs};
use super::ledger::Ledger;
use super::lexer::is_json;
use super::normalise;
use super::notes::Notes;
use super::operators::Operators;
use super::overlap;
use super::shifts::Shifts;
use super::spelled;
use super::told::Outside;
use super::{Blocked, Limits};

/// Bytes on either side of a mask that are looked at again: as far as words before a value and the parts of one reach.
const NEAR: usize = 320;
/// The same on either side of nothing: a long value may be short enough now.
const NEAR_NOTHING: usize = 1_100;

/// Bytes of encoded text that shares the context of what it stands in.
const SHORT: usize = 256;

/// What a round needs and gathers.
pub(super) struct Pass<'e, 'k> {
    pub engine: &'e Engine,
    pub limits: &'e Limits,
    /// Which rules are on, by index.
    pub on: &'e [bool],
    pub operators: Operators<'e>,
    pub effort: Effort,
    pub ledger: Ledger<'k>,
    /// A rule that goes by keys alone is on.
    pub keyed: bool,
    /// Masking has brought something to light that the round did not see.
    pub unsettled: bool,
    /// What somebody outside says of the texts.
    pub outside: Outside<'e>,
    /// Where findings lie, for whoever owns the value and asks.
    pub spots: Option<Vec<Sighting>>,
    /// What looked like a value and is none, for the same.
    pub notes: Option<Notes>,
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
    pub evidence: Evidence,
    pub score: u32,
    pub decoded: Vec<&'static str>,
}

/// Bytes that give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub start: usize,
    pub end: usize,
    pub with: String,
}

/// One finding in one text.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub start: usize,
    pub end: usize,
    pub rule: usize,
    pub evidence: Evidence,
    pub score: u32,
    /// In which form equal values are equal.
    pub canonical: String,
    /// The encodings that had to be undone, the outermost first.
    pub decoded: Vec<&'static str>,
    /// What it gives way to.
    pub with: String,
    /// It is only counted.
    pub stays: bool,
}

/// What a scan of one text found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub seen: Vec<Seen>,
    pub unsettled: bool,
}

impl Scanned {
    pub fn edits(&self) -> Vec<Edit> {
        let edit = |one: &Seen| Edit { start: one.start, end: one.end, with: one.with.clone() };
        self.seen.iter().filter(|one| !one.stays).map(edit).collect()
    }

    pub fn into_edits(self) -> Vec<Edit> {
        let edit = |one: Seen| Edit { start: one.start, end: one.end, with: one.with };
        self.seen.into_iter().filter(|one| !one.stays).map(edit).collect()
    }
}

impl Pass<'_, '_> {
    /// Notes where the findings of a plain text lie, if anyone asks.
    pub fn sight_plain(&mut self, scanned: &Scanned) {
        let sightings = scanned.seen.iter().map(|one| Sighting {
            source: one.start..one.end,
            pointer: None,
            local: one.start..one.end,
            key: false,
            rule: one.rule,
            evidence: one.evidence,
            score: one.score,
            decoded: one.decoded.clone(),
        });
        if let Some(spots) = &mut self.spots {
            spots.extend(sightings);
        }
    }

    /// Counts one finding.
    pub fn record(&mut self, one: &Seen, pointer: &str) -> Result<(), Blocked> {
        let Some(rule) = self.engine.rule(one.rule) else { return Ok(()) };
        let (kind, operator) = (rule.kind, self.operators.done(rule, one).name());
        self.ledger.record(kind, (operator, one.evidence.name()), pointer.to_owned(), one)
    }

    /// Scans one text. With `named`, its place may say that the whole of it is a secret.
    pub fn scan(
        &self,
        text: &str,
        leads: &Leads,
        around: &Around<'_>,
        named: Named,
    ) -> Result<Scanned, Blocked> {
        let mut seen = self.look(text, leads, around, (named, 0))?;
        if seen.is_empty() {
            return Ok(Scanned::default());
        }
        for one in &mut seen {
            let value = text.get(one.start..one.end).unwrap_or_default();
            one.stays = !self.operators.edits(one.rule);
            one.with = self.operators.replace(self.engine, one, value)?;
        }
        let mut scanned = Scanned { seen, unsettled: false };
        scanned.unsettled = self.settles_not(text, &scanned, around, named)?;
        Ok(scanned)
    }

    /// Everything in a text, without a look at what comes after masking.
    pub fn look_once(
        &self,
        text: &str,
        leads: &Leads,
        around: &Around<'_>,
        named: Named,
    ) -> Result<Vec<Seen>, Blocked> {
        self.look(text, leads, around, (named, 0))
    }

    /// Everything in a text: as it is written, as it is meant, and inside what it holds encoded.
    fn look(
        &self,
        text: &str,
        leads: &Leads,
        around: &Around<'_>,
        (named, depth): (Named, usize),
    ) -> Result<Vec<Seen>, Blocked> {
        let views = normalise::views(text, leads.signs.hints(), self.limits.nesting);
        // What is not ASCII is only seen as it is meant: a view holds all that the text holds.
        let shown =
            text.is_ascii() || views.iter().all(normalise::View::keeps_letters) || normalise::is_plain(text);
        let mut seen = if shown { self.look_at(text, leads, around, named)? } else { Vec::new() };
        for view in views {
            let leads = self.engine.leads(&view.text);
            for mut one in self.look_at(&view.text, &leads, around, named)? {
                (one.start, one.end) = (view.source(one.start), view.source(one.end));
                one.decoded.clone_from(&view.chain);
                add(&mut seen, one);
            }
            for blob in self.blobs(&view.text, &leads, depth) {
                if let Some(mut one) = self.look_inside(&view.text, &blob, around, depth)? {
                    (one.start, one.end) = (view.source(blob.start), view.source(blob.end));
                    add(&mut seen, one);
                }
            }
        }
        for blob in self.blobs(text, leads, depth) {
            if let Some(one) = self.look_inside(text, &blob, around, depth)? {
                add(&mut seen, one);
            }
        }
        Ok(seen)
    }

    /// What a text holds encoded.
    fn blobs(&self, text: &str, leads: &Leads, depth: usize) -> Vec<Blob> {
        let mut blobs = Vec::new();
        if depth < self.limits.nesting {
            blobs.extend(decode::blobs(text, &leads.runs));
            blobs.extend(spelled::blobs(text, &leads.digits));
        }
        blobs
    }

    /// The strongest finding inside of something encoded stands for all of it.
    fn look_inside(
        &self,
        text: &str,
        blob: &Blob,
        around: &Around<'_>,
        depth: usize,
    ) -> Result<Option<Seen>, Blocked> {
        self.effort.spend(blob.text.len())?;
        // The words before something short speak of what is in it.
        let before = if blob.text.len() <= SHORT { near(text, blob.start) } else { "" };
        let inner = format!("{before}{}", blob.text);
        let inside = self.look(&inner, &self.engine.leads(&inner), around, (Named::Maybe, depth + 1))?;
        let inside = inside.into_iter().filter(|one| one.end > before.len());
        let strongest = inside.max_by_key(|one| (one.score, one.canonical.len()));
        Ok(strongest.map(|mut one| {
            (one.start, one.end) = (blob.start, blob.end);
            one.decoded.insert(0, blob.encoding);
            one
        }))
    }

    fn look_at(
        &self,
        text: &str,
        leads: &Leads,
        around: &Around<'_>,
        named: Named,
    ) -> Result<Vec<Seen>, Blocked> {
        let speaks = leads.signs.hold(Signs::BANK);
        if leads.words.is_empty() && leads.digits.is_empty() && !speaks && named == Named::No {
            return Ok(Vec::new());
        }
        let scan = self.scan_of(text, leads, around);
        let mut found = self.engine.scan(&scan)?;
        if named == Named::Maybe {
            found.extend(self.engine.named(text, around, self.on));
        }
        let spans = overlap::merge(&mut found, self.engine.rules());
        Ok(spans
            .iter()
            .map(|span| {
                let value = text.get(span.start..span.end).unwrap_or_default();
                let canonical = self.engine.rule(span.rule).map(|rule| rule.canonical.of(value));
                Seen {
                    start: span.start,
                    end: span.end,
                    rule: span.rule,
                    evidence: span.evidence,
                    score: span.score,
                    canonical: canonical.unwrap_or_default(),
                    decoded: Vec::new(),
                    with: String::new(),
                    stays: false,
                }
            })
            .collect())
    }

    /// A scan of one text with the rules of this pass.
    pub fn scan_of<'s, 'a>(
        &'s self,
        text: &'s str,
        leads: &'s Leads,
        around: &'s Around<'a>,
    ) -> Scan<'s, 'a> {
        Scan {
            text,
            words: &leads.words,
            digits: &leads.digits,
            classes: &leads.classes,
            signs: leads.signs,
            around,
            on: self.on,
            effort: &self.effort,
            notes: self.notes.as_ref(),
        }
    }

    /// Whether the masked text would show a finding near a mask: words have come closer, values have become shorter.
    fn settles_not(
        &self,
        text: &str,
        scanned: &Scanned,
        around: &Around<'_>,
        named: Named,
    ) -> Result<bool, Blocked> {
        let edits = || scanned.seen.iter().filter(|one| !one.stays);
        let masked = replaced(text, edits().map(|one| (one.start..one.end, one.with.as_str())));
        if masked.starts_with(['{', '[', '"']) && is_json(&masked, self.limits)? {
            return Ok(true);
        }
        let mut windows: Vec<(usize, usize)> = Vec::new();
        let (mut grown, mut shrunk) = (0, 0);
        for edit in edits() {
            let at = edit.start + grown - shrunk;
            grown += edit.with.len();
            shrunk += edit.end - edit.start;
            let near = if edit.with.is_empty() { NEAR_NOTHING } else { NEAR };
            let window = (at.saturating_sub(near), masked.len().min(at + edit.with.len() + near));
            match windows.last_mut() {
                Some(last) if window.0 <= last.1 => last.1 = window.1,
                _ => windows.push(window),
            }
        }
        let mut leads = Leads::default();
        for (from, to) in windows {
            let near = masked
                .get(masked.floor_char_boundary(from)..masked.ceil_char_boundary(to))
                .unwrap_or_default();
            self.engine.note(near, &mut leads);
            if leads.is_empty() && named == Named::No && near.is_ascii() {
                continue;
            }
            let again = self.look(near, &leads, around, (named, 0))?;
            if again.iter().any(|one| self.operators.edits(one.rule)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Adds a finding unless it overlaps with a stronger one; weaker ones give way to it. They stay in order.
pub(super) fn add(seen: &mut Vec<Seen>, one: Seen) {
    let rank = |one: &Seen| (one.score, one.end - one.start);
    let from = seen.partition_point(|other| other.end <= one.start);
    let behind = seen.get(from..).unwrap_or_default();
    let to = from + behind.iter().take_while(|other| other.start < one.end).count();
    if !seen.get(from..to).unwrap_or_default().iter().any(|other| rank(other) >= rank(&one)) {
        seen.splice(from..to, [one]);
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
    replaced(text, edits.iter().map(|edit| (edit.start..edit.end, edit.with.as_str())))
}

fn replaced<'e>(text: &str, edits: impl Iterator<Item = (Range<usize>, &'e str)>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (range, with) in edits {
        result.push_str(text.get(at..range.start).unwrap_or_default());
        result.push_str(with);
        at = range.end;
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
        with: escape(edit.with),
    })
}

fn escape(text: String) -> String {
    if text.contains(['"', '\\']) { text.replace('\\', "\\\\").replace('"', "\\\"") } else { text }
}
