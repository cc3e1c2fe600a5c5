//! The walk over one JSON value: every string, number and key, with the names on the way to it.

use std::cell::LazyCell;
use std::ops::Range;

use super::digits::whole_number;
use super::engine::{Around, Leads};
use super::frame::{Frame, VALUE_NAMES};
use super::lexer::{Escapes, Lexer, Quoted, Token, is_json};
use super::pass::{Edit, Named, Pass, Scanned, Sighting, outwards};
use super::pointer::{Alive, Exempt, push_segment, push_whole_segment};
use super::shifts::{Shifts, unescape};
use super::words::{Place, Words};
use super::{Blocked, Limits};

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
    let leads = pass.engine.leads(text);
    let mut walk = Walk {
        pass,
        text,
        exempt,
        above,
        leads,
        words_at: 0,
        digits_at: 0,
        frames: Vec::new(),
        edits: Vec::new(),
    };
    walk.run()?;
    Ok(walk.edits)
}

/// Whether a text is a JSON object, array or string, to be walked as such.
pub(super) fn holds_json(text: &str, limits: &Limits) -> Result<bool, Blocked> {
    let trimmed = text.trim_matches([' ', '\n', '\r', '\t']);
    let framed = match (trimmed.as_bytes().first(), trimmed.as_bytes().last()) {
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => true,
        (Some(b'"'), Some(b'"')) => trimmed.len() > 1,
        _ => false,
    };
    Ok(framed && is_json(text, limits)?)
}

struct Walk<'w, 'e, 'k> {
    pass: &'w mut Pass<'e, 'k>,
    text: &'w str,
    exempt: &'w Exempt,
    above: &'w Above,
    leads: Leads,
    /// Leads before these belong to tokens that have been read.
    words_at: usize,
    digits_at: usize,
    frames: Vec<Frame>,
    edits: Vec<Edit>,
}

/// A string as it is meant, and how its offsets lie in the text.
struct Content<'t> {
    text: std::borrow::Cow<'t, str>,
    shifts: Option<Shifts>,
    leads: Leads,
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
                Token::ArrayStart => match self.enter() {
                    Some(alive) => self.frames.push(Frame::array(alive)),
                    None => exempt_at = Some(lexer.depth() - 1),
                },
                Token::ObjectEnd | Token::ArrayEnd => {
                    self.frames.pop();
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

    /// The leads inside of a token. Tokens are asked for in order.
    fn leads_in(&mut self, token: Range<usize>) -> Leads {
        let words = self.leads.words.get(self.words_at..).unwrap_or_default();
        let skipped = words.iter().take_while(|lead| lead.end <= token.start).count();
        let words = words.get(skipped..).unwrap_or_default();
        let taken = words.iter().take_while(|lead| lead.end <= token.end).count();
        let inside = words.iter().take(taken).filter(|lead| lead.start >= token.start).copied().collect();
        self.words_at += skipped + taken;
        let digits = self.leads.digits.get(self.digits_at..).unwrap_or_default();
        let before = digits.iter().take_while(|lead| **lead < token.start).count();
        let digits = digits.get(before..).unwrap_or_default();
        let here = digits.iter().take_while(|lead| **lead < token.end).count();
        self.digits_at += before + here;
        Leads { words: inside, digits: digits.iter().take(here).copied().collect() }
    }

    fn content(&self, quoted: Quoted, mut leads: Leads) -> Content<'w> {
        let raw = self.text.get(quoted.start..quoted.end).unwrap_or_default();
        let shifts = match quoted.escapes {
            Escapes::None => None,
            Escapes::Simple | Escapes::Hiding => Some(unescape(raw)),
        };
        let Some((text, shifts)) = shifts else {
            leads.shift(|at| at.checked_sub(quoted.start));
            return Content { text: raw.into(), shifts: None, leads };
        };
        if quoted.escapes == Escapes::Hiding {
            leads = self.pass.engine.leads(&text);
        } else {
            leads.shift(|at| at.checked_sub(quoted.start).and_then(|at| shifts.here(at)));
        }
        Content { text: text.into(), shifts: Some(shifts), leads }
    }

    fn string(&mut self, quoted: Quoted) -> Result<(), Blocked> {
        let leads = self.leads_in(quoted.start..quoted.end);
        let named = self.may_be_named();
        let plain = quoted.ascii && quoted.escapes < Escapes::Hiding;
        if plain && named == Named::No && leads.words.is_empty() && leads.digits.is_empty() {
            return Ok(());
        }
        let content = self.content(quoted, leads);
        if self.descends(&content.text)? {
            let above =
                Above { pointer: self.pointer() + "#", place: self.place(), nesting: self.above.nesting + 1 };
            let Content { text, shifts, .. } = content;
            let text = text.into_owned();
            let seen = self.pass.spots.as_ref().map_or(0, Vec::len);
            let edits = walk(self.pass, &text, &Exempt::default(), &above)?;
            self.lift(seen, quoted.start, shifts.as_ref());
            self.edits.extend(outwards(edits, quoted.start, shifts.as_ref()));
            return Ok(());
        }
        let around: Around<'_> = LazyCell::new(Box::new(|| self.place()));
        let scanned = self.pass.scan(&content.text, &content.leads, &around, named)?;
        if scanned.edits.is_empty() {
            return Ok(());
        }
        drop(around);
        let shifts = content.shifts;
        self.pass.unsettled |= scanned.unsettled;
        self.sight(&scanned, (quoted.start, shifts.as_ref()), false);
        self.edits.extend(outwards(scanned.edits, quoted.start, shifts.as_ref()));
        self.record(&scanned.values, &self.pointer())
    }

    fn descends(&self, text: &str) -> Result<bool, Blocked> {
        if !holds_json(text, self.pass.limits)? {
            return Ok(false);
        }
        if self.above.nesting >= self.pass.limits.nesting {
            return Err(Blocked::NestedTooDeep { limit: self.pass.limits.nesting });
        }
        Ok(true)
    }

    fn number(&mut self, start: usize, end: usize) -> Result<(), Blocked> {
        let leads = self.leads_in(start..end);
        let named = self.may_be_named();
        if leads.digits.is_empty() && named == Named::No {
            return Ok(());
        }
        let literal = self.text.get(start..end).unwrap_or_default();
        let around: Around<'_> = LazyCell::new(Box::new(|| self.place()));
        let by_digits = whole_number(literal).and_then(|digits| {
            let rule = self.pass.engine.number(&digits, &around, self.pass.on)?;
            Some((rule, digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>()))
        });
        let by_name = || {
            let rule =
                self.pass.engine.named_number(&around, self.pass.on).filter(|_| named == Named::Maybe)?;
            Some((rule, literal.to_owned()))
        };
        let Some(found) = by_digits.or_else(by_name) else { return Ok(()) };
        drop(around);
        let mask = self.pass.engine.rule(found.0).map(|rule| rule.mask.as_str()).unwrap_or_default();
        self.edits.push(Edit { start, end, with: format!("\"{mask}\"") });
        if self.pass.spots.is_some() {
            let pointer = Some(self.exact_pointer());
            let sighting =
                Sighting { source: start..end, pointer, local: 0..end - start, key: false, rule: found.0 };
            self.pass.spots.get_or_insert_default().push(sighting);
        }
        self.record(&[found], &self.pointer())
    }

    fn key(&mut self, quoted: Quoted) -> Result<(), Blocked> {
        let leads = self.leads_in(quoted.start..quoted.end);
        let raw = self.text.get(quoted.start..quoted.end).unwrap_or_default();
        let value_like = VALUE_NAMES.iter().any(|name| raw.eq_ignore_ascii_case(name));
        let plain = quoted.ascii && quoted.escapes < Escapes::Hiding;
        if plain && leads.words.is_empty() && leads.digits.is_empty() {
            self.frame(|frame| frame.take_key(quoted, value_like, false));
            return Ok(());
        }
        // The name above is the key's context; its own frame still holds the key before it.
        self.frame(Frame::forget_key);
        let content = self.content(quoted, leads);
        let names_secret = self.pass.engine.names_secret(&content.leads.words) || !plain;
        let around: Around<'_> = LazyCell::new(Box::new(|| self.place()));
        let scanned = self.pass.scan(&content.text, &content.leads, &around, Named::No)?;
        drop(around);
        let Content { text, shifts, .. } = content;
        let text = text.into_owned();
        self.pass.unsettled |= scanned.unsettled;
        self.frame(|frame| frame.take_key(quoted, value_like, names_secret));
        if scanned.edits.is_empty() {
            return Ok(());
        }
        self.sight(&scanned, (quoted.start, shifts.as_ref()), true);
        let (source, limits, mut edits) = (self.text, self.pass.limits, scanned.edits);
        self.frame(|frame| frame.mask_key(&text, &mut edits, (source, limits)));
        self.edits.extend(outwards(edits, quoted.start, shifts.as_ref()));
        self.record(&scanned.values, &self.pointer())
    }

    /// Notes where the findings of one string lie, if anyone asks.
    fn sight(&mut self, scanned: &Scanned, (start, shifts): (usize, Option<&Shifts>), key: bool) {
        if self.pass.spots.is_none() {
            return;
        }
        let pointer = self.exact_pointer();
        let at = |here: usize| start + shifts.map_or(here, |shifts| shifts.source(here));
        let sightings = scanned.edits.iter().zip(&scanned.rules).map(|(edit, rule)| Sighting {
            source: at(edit.start)..at(edit.end),
            pointer: Some(pointer.clone()),
            local: edit.start..edit.end,
            key,
            rule: *rule,
        });
        self.pass.spots.get_or_insert_default().extend(sightings);
    }

    /// What was seen in JSON inside a string lies, for this walk, in the string.
    fn lift(&mut self, from: usize, start: usize, shifts: Option<&Shifts>) {
        let pointer = self.pass.spots.is_some().then(|| self.exact_pointer());
        let at = |here: usize| start + shifts.map_or(here, |shifts| shifts.source(here));
        for sighting in self.pass.spots.iter_mut().flatten().skip(from) {
            sighting.local = sighting.source.clone();
            sighting.source = at(sighting.local.start)..at(sighting.local.end);
            sighting.pointer.clone_from(&pointer);
            sighting.key = false;
        }
    }

    /// The pointer of the present value with whole keys, whatever they hold.
    fn exact_pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in &self.frames {
            push_whole_segment(&mut pointer, &frame.exact_segment(self.text));
        }
        pointer
    }

    fn frame(&mut self, change: impl FnOnce(&mut Frame)) {
        if let Some(frame) = self.frames.last_mut() {
            change(frame);
        }
    }

    fn record(&mut self, values: &[(usize, String)], pointer: &str) -> Result<(), Blocked> {
        for (rule, canonical) in values {
            let kind = self.pass.engine.rule(*rule).map(|rule| rule.kind).unwrap_or_default();
            self.pass.ledger.record(kind, pointer.to_owned(), canonical)?;
        }
        Ok(())
    }

    /// Whether the names of this place may make its value a secret; says yes too often rather than too seldom.
    fn may_be_named(&self) -> Named {
        let named = match self.frames.iter().rev().find(|frame| frame.is_object()) {
            Some(frame) => frame.names_secret || frame.value_like,
            None => !self.above.place.own.is_empty(),
        };
        if named { Named::Maybe } else { Named::No }
    }

    fn place(&self) -> Place {
        let mut objects = self.frames.iter().rev().filter(|frame| frame.is_object());
        let Some(nearest) = objects.next() else { return self.above.place.clone() };
        let labels = nearest.labels(self.text, self.pass.limits);
        let own = nearest.key_words(self.text);
        let mut above: Vec<Words> =
            objects.map(|frame| frame.key_words(self.text)).take(ANCESTORS - 1).collect();
        let missing = (ANCESTORS - 1).saturating_sub(above.len());
        above.extend(self.above.place.around.iter().take(missing).cloned());
        let mut names = vec![own.clone()];
        if nearest.value_like {
            names.extend(above.first().cloned());
            names.extend(labels.iter().cloned());
        }
        let mut around = vec![own];
        around.append(&mut above);
        around.extend(labels.iter().cloned());
        Place { around, own: names }
    }

    fn pointer(&self) -> String {
        let mut pointer = self.above.pointer.clone();
        for frame in &self.frames {
            push_segment(&mut pointer, &frame.shown_segment(self.text));
        }
        pointer
    }
}
