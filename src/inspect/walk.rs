//! The walk over one JSON value: every string, number and key, with the names on the way to it.

use std::borrow::Cow;
use std::cell::{LazyCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::digits::whole_number;
use super::found::{Around, Leads, Signs};
use super::frame::{Frame, VALUE_NAMES};
use super::hasher::Keyed;
use super::lexer::{Escapes, Lexer, Quoted, Token, is_json};
use super::pass::{Edit, Named, Pass, Scanned, Seen, outwards};
use super::place::{Name, Names, Place};
use super::pointer::{Alive, Exempt, push_segment};
use super::shifts::{Shifts, unescape};
use super::{Blocked, Limits};

/// Characters of the shortest number that is looked at.
const SHORTEST: usize = 4;
/// Keys that are remembered; more than most messages have.
const QUIET: usize = 1_024;
/// Names of ancestors that count as context, beside the own one.
const ANCESTORS: usize = 4;

/// What stands above the value: nothing, or for JSON inside a string the place of that string.
#[derive(Debug, Default)]
pub(super) struct Above {
    pub pointer: String,
    pub place: Place,
    pub nesting: usize,
}

/// Walks one value and gives the edits that mask it, in order.
pub(super) fn walk(
    pass: &mut Pass<'_, '_>,
    text: &str,
    exempt: &Exempt,
    above: &Above,
) -> Result<Vec<Edit>, Blocked> {
    let mut walk = Walk {
        pass,
        text,
        exempt,
        above,
        leads: Leads::default(),
        quiet: HashMap::default(),
        frames: Vec::new(),
        edits: Vec::new(),
        names: RefCell::default(),
        seamed: false,
    };
    walk.run()?;
    if walk.seamed {
        walk.edits.sort_by_key(|edit| edit.start);
    }
    Ok(walk.edits)
}

/// Whether a text is a JSON object, array or string, to be walked as such.
pub(super) fn holds_json(text: &str, limits: &Limits) -> Result<bool, Blocked> {
    Ok(framed(text) && is_json(text, limits)?)
}

/// Whether a text begins and ends as JSON objects, arrays and strings do.
fn framed(text: &str) -> bool {
    let trimmed = text.trim_matches([' ', '\n', '\r', '\t']);
    match (trimmed.as_bytes().first(), trimmed.as_bytes().last()) {
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => true,
        (Some(b'"'), Some(b'"')) => trimmed.len() > 1,
        _ => false,
    }
}

pub(super) struct Walk<'w, 'e, 'k> {
    pub pass: &'w mut Pass<'e, 'k>,
    pub text: &'w str,
    exempt: &'w Exempt,
    above: &'w Above,
    /// Memory for the leads of one string.
    leads: Leads,
    /// Keys in which there is nothing, and whether they name secrets.
    quiet: HashMap<&'w str, bool, Keyed>,
    pub frames: Vec<Frame>,
    pub edits: Vec<Edit>,
    names: RefCell<Names>,
    /// Edits have been added out of order.
    pub seamed: bool,
}

/// A string as it is meant, and how its offsets lie in the text.
struct Content<'t> {
    text: Cow<'t, str>,
    shifts: Option<Shifts>,
}

impl<'w> Walk<'w, '_, '_> {
    fn run(&mut self) -> Result<(), Blocked> {
        let mut lexer = Lexer::new(self.text, self.pass.limits);
        // Depth of the container that is exempt, while inside of one.
        let mut exempt_at: Option<usize> = None;
        while let Some(token) = lexer.next()? {
            if let Some(depth) = exempt_at {
                if lexer.depth() <= depth {
                    exempt_at = None;
                }
                continue;
            }
            match token {
                Token::ObjectStart(start) => match self.enter() {
                    Some(alive) => self.frames.push(Frame::object(start, alive)),
                    None => exempt_at = Some(lexer.depth() - 1),
                },
                Token::ArrayStart(start) => match self.enter() {
                    Some(alive) => self.frames.push(Frame::array(start, alive)),
                    None => exempt_at = Some(lexer.depth() - 1),
                },
                Token::ObjectEnd | Token::ArrayEnd => {
                    if let Some(frame) = self.frames.pop() {
                        self.join(&frame.pieces)?;
                    }
                }
                Token::Key(key) => self.key(key)?,
                Token::Text(text) => {
                    if self.enter().is_some() {
                        self.string(text)?;
                    }
                }
                Token::Number { start, end } => {
                    if self.enter().is_some() {
                        self.number(start, end)?;
                    }
                }
                Token::Word => {
                    self.enter();
                }
            }
        }
        Ok(())
    }

    /// Begins a value: counts it in its array. `None` if it is exempt.
    fn enter(&mut self) -> Option<Alive> {
        let depth = self.frames.len();
        let Some(frame) = self.frames.last_mut() else {
            let alive = self.exempt.all();
            return (!self.exempt.ends(alive, 0)).then_some(alive);
        };
        let index = frame.next_index();
        if frame.alive == 0 {
            return Some(0);
        }
        let segment = frame.segment(self.text, index);
        let alive = self.exempt.enter(frame.alive, depth - 1, &segment);
        (!self.exempt.ends(alive, depth)).then_some(alive)
    }

    fn content(&self, quoted: Quoted) -> Content<'w> {
        let raw = self.text.get(quoted.start..quoted.end).unwrap_or_default();
        if quoted.escapes == Escapes::None {
            return Content { text: Cow::Borrowed(raw), shifts: None };
        }
        let (text, shifts) = unescape(raw);
        Content { text: Cow::Owned(text), shifts: Some(shifts) }
    }

    fn string(&mut self, quoted: Quoted) -> Result<(), Blocked> {
        let named = self.may_be_named();
        let before = self.edits.len();
        let mut leads = std::mem::take(&mut self.leads);
        let read = self.read_string(quoted, &mut leads, named);
        self.leads = leads;
        read?;
        self.keep_piece(quoted, before..self.edits.len());
        Ok(())
    }

    fn read_string(&mut self, quoted: Quoted, leads: &mut Leads, named: Named) -> Result<(), Blocked> {
        let content = self.content(quoted);
        let holds_json = framed(&content.text).then(|| is_json(&content.text, self.pass.limits));
        if matches!(holds_json, Some(Ok(true))) && self.above.nesting < self.pass.limits.nesting {
            return self.descend(quoted, content);
        }
        self.pass.engine.note(&content.text, leads);
        // Lines of a file in JSON are more often rows of quoted cells than code.
        if quoted.escapes == Escapes::Simple {
            leads.signs.forget(Signs::LINED);
        }
        let quiet = leads.is_empty() && named == Named::No && content.text.is_ascii();
        if quiet && !self.pass.has_outside() {
            return Ok(());
        }
        // What is deeper, or larger, than may be looked through is refused only if there is something to look at.
        if holds_json.transpose()? == Some(true) {
            return Err(Blocked::NestedTooDeep { limit: self.pass.limits.nesting });
        }
        let around: Around<'_> = LazyCell::new(Box::new(|| self.place()));
        let mut scanned = self.pass.scan(&content.text, leads, &around, named)?;
        drop(around);
        if self.pass.has_outside() {
            self.pass.outside(&content.text, &self.pointer(), &mut scanned)?;
        }
        if scanned.seen.is_empty() {
            return Ok(());
        }
        let shifts = content.shifts;
        self.pass.unsettled |= scanned.unsettled;
        self.sight(&scanned, (quoted.start, shifts.as_ref()), false);
        self.record(&scanned.seen, &self.pointer())?;
        self.edits.extend(outwards(scanned.into_edits(), quoted.start, shifts.as_ref()));
        Ok(())
    }

    /// Walks the JSON that a string holds.
    fn descend(&mut self, quoted: Quoted, content: Content<'_>) -> Result<(), Blocked> {
        let above =
            Above { pointer: self.pointer() + "#", place: self.place(), nesting: self.above.nesting + 1 };
        let Content { text, shifts } = content;
        let seen = self.pass.spots.as_ref().map_or(0, Vec::len);
        let edits = walk(self.pass, &text, &Exempt::default(), &above)?;
        self.lift(seen, quoted.start, shifts.as_ref());
        self.edits.extend(outwards(edits, quoted.start, shifts.as_ref()));
        Ok(())
    }

    fn number(&mut self, start: usize, end: usize) -> Result<(), Blocked> {
        let named = self.may_be_named();
        // Three digits are no number of ours, whatever their key says, unless it names a secret.
        if end - start < SHORTEST && named == Named::No {
            return Ok(());
        }
        let literal = self.text.get(start..end).unwrap_or_default();
        let around: Around<'_> = LazyCell::new(Box::new(|| self.place()));
        let none = Leads::default();
        let by_digits = whole_number(literal).and_then(|digits| {
            let found = self.pass.engine.number(&digits, &self.pass.scan_of(&digits, &none, &around))?;
            Some((found, digits))
        });
        let by_name = || {
            let found =
                self.pass.engine.named_number(&around, self.pass.on).filter(|_| named == Named::Maybe)?;
            Some((found, Cow::Borrowed(literal)))
        };
        let Some((found, canonical)) = by_digits.or_else(by_name) else { return Ok(()) };
        drop(around);
        let canonical = canonical.into_owned();
        let with = self.pass.operators.replace_number(self.pass.engine, found.rule, &canonical)?;
        let seen = Seen {
            start: 0,
            end: end - start,
            rule: found.rule,
            evidence: found.evidence,
            score: found.score,
            canonical,
            decoded: Vec::new(),
            with: with.clone(),
            stays: false,
        };
        let scanned = Scanned { seen: vec![seen], unsettled: false };
        self.sight(&scanned, (start, None), false);
        if self.pass.operators.edits(found.rule) {
            self.edits.push(Edit { start, end, with });
        }
        self.record(&scanned.seen, &self.pointer())
    }

    fn key(&mut self, quoted: Quoted) -> Result<(), Blocked> {
        let raw = self.text.get(quoted.start..quoted.end).unwrap_or_default();
        let value_like = VALUE_NAMES.iter().any(|name| raw.eq_ignore_ascii_case(name));
        let plain = quoted.ascii && quoted.escapes < Escapes::Hiding;
        if let Some(&names_secret) = self.quiet.get(raw) {
            self.frame(|frame| frame.take_key(quoted, value_like, names_secret));
            return Ok(());
        }
        let content = self.content(quoted);
        let mut leads = std::mem::take(&mut self.leads);
        self.pass.engine.note(&content.text, &mut leads);
        let names_secret = leads.signs.hold(Signs::NAME) || !plain;
        let read = if plain && leads.is_empty() {
            if self.quiet.len() < QUIET {
                self.quiet.insert(raw, names_secret);
            }
            self.frame(|frame| frame.take_key(quoted, value_like, names_secret));
            Ok(())
        } else {
            self.read_key(quoted, content, &leads, (value_like, names_secret))
        };
        self.leads = leads;
        read
    }

    fn read_key(
        &mut self,
        quoted: Quoted,
        content: Content<'_>,
        leads: &Leads,
        (value_like, names_secret): (bool, bool),
    ) -> Result<(), Blocked> {
        // The name above is the key's context; its own frame still holds the key before it.
        self.frame(Frame::forget_key);
        let around: Around<'_> = LazyCell::new(Box::new(|| self.place()));
        let scanned = self.pass.scan(&content.text, leads, &around, Named::No)?;
        drop(around);
        let Content { text, shifts } = content;
        self.pass.unsettled |= scanned.unsettled;
        self.frame(|frame| frame.take_key(quoted, value_like, names_secret));
        if scanned.seen.is_empty() {
            return Ok(());
        }
        self.sight(&scanned, (quoted.start, shifts.as_ref()), true);
        let (source, limits, mut edits) = (self.text, self.pass.limits, scanned.edits());
        if !edits.is_empty() {
            self.frame(|frame| frame.mask_key(&text, &mut edits, (source, limits)));
            self.edits.extend(outwards(edits, quoted.start, shifts.as_ref()));
        }
        self.record(&scanned.seen, &self.pointer())
    }

    fn frame(&mut self, change: impl FnOnce(&mut Frame)) {
        if let Some(frame) = self.frames.last_mut() {
            change(frame);
        }
    }

    fn record(&mut self, seen: &[Seen], pointer: &str) -> Result<(), Blocked> {
        for one in seen {
            self.pass.record(one, pointer)?;
        }
        Ok(())
    }

    /// Whether the names of this place may make its value a secret; says yes too often rather than too seldom.
    fn may_be_named(&self) -> Named {
        let named = match self.frames.iter().rev().find(|frame| frame.is_object()) {
            Some(frame) => frame.names_secret || frame.value_like || self.pass.keyed,
            None => !self.above.place.own.is_empty() || self.frames.len() > 1,
        };
        if named { Named::Maybe } else { Named::No }
    }

    fn name(&self, name: &str) -> Arc<Name> {
        let engine = self.pass.engine;
        self.names.borrow_mut().get((engine.usual(), engine.lexicon(), engine.claims()), name)
    }

    fn place(&self) -> Place {
        let mut objects = self.frames.iter().rev().filter(|frame| frame.is_object());
        let Some(nearest) = objects.next() else {
            let mut place = self.above.place.clone();
            place.own.extend(self.column());
            return place;
        };
        let name = |name: &str| self.name(name);
        let labels = nearest.labels(self.text, self.pass.limits, name);
        let above = nearest.above(|| {
            let mut above: Vec<Arc<Name>> =
                objects.map(|frame| frame.name(self.text, name)).take(ANCESTORS - 1).collect();
            let missing = (ANCESTORS - 1).saturating_sub(above.len());
            above.extend(self.above.place.own.iter().chain(&*self.above.place.above).take(missing).cloned());
            above.extend(labels.iter().cloned());
            above.into()
        });
        let mut own = vec![nearest.name(self.text, name)];
        if nearest.value_like {
            let ancestor = above.first().filter(|_| above.len() > labels.len());
            own.extend(ancestor.cloned());
            own.extend(labels.iter().cloned());
        }
        own.extend(self.column());
        Place { own, above }
    }

    /// The title of the column, for a value in a row of rows.
    fn column(&self) -> Option<Arc<Name>> {
        let [.., rows, row] = self.frames.as_slice() else { return None };
        if rows.is_object() || row.is_object() {
            return None;
        }
        let limits = self.pass.limits;
        let object = self.frames.iter().rev().nth(2).filter(|frame| frame.is_object());
        let of_object = object.and_then(|object| object.columns(self.text, limits).get(row.present()));
        let title = of_object.or_else(|| {
            (rows.present() > 0).then(|| rows.first_row(self.text, limits).get(row.present())).flatten()
        })?;
        Some(self.name(title))
    }

    pub fn pointer(&self) -> String {
        let mut pointer = self.above.pointer.clone();
        for frame in &self.frames {
            push_segment(&mut pointer, &frame.shown_segment(self.text));
        }
        pointer
    }
}
