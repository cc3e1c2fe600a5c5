//! One number with the shape of a type: is it one?

use super::bytes::{self, LOWER, UPPER};
use super::checks::Check;
use super::context::mark;
use super::digits::{before, is_word};
use super::engine::Engine;
use super::found::{Evidence, Found};
use super::notes::Why;
use super::rules::{Forms, Rule};
use super::surroundings::{Surroundings, nearness, topic_of};

/// One number that is looked at.
pub(super) struct Candidate<'c> {
    pub rule: usize,
    pub start: usize,
    pub end: usize,
    pub alone: bool,
    pub value: &'c [u8],
}

/// Whether a shape that needs words is none without any around it: for a card, what stands behind it may speak too.
pub(super) fn needs_words(rule: &Rule) -> bool {
    rule.forms().is_some_and(|forms| forms.check != Check::Card)
}

/// Whether a candidate is a finding: its check, and the words around it.
pub(super) fn judge(
    engine: &Engine,
    around: &mut Surroundings<'_, '_>,
    candidate: &Candidate<'_>,
) -> Option<Found> {
    let Candidate { rule: index, start, end, alone, value } = *candidate;
    let rule = engine.rule(index)?;
    let forms = rule.forms()?;
    if !around.scan.is_on(index) {
        if around.scan.notes.is_some() && forms.check.passes(value) {
            around.scan.pass(index, (start, end), Why::Off);
        }
        return None;
    }
    // Where nothing speaks of the type, a shape that needs words is none; only who asks why is told more.
    let silent = !alone && needs_words(rule) && around.scan.notes.is_none();
    if silent && !around.may_speak_of(mark(topic_of(index)), start) {
        return None;
    }
    if !(forms.check.passes(value) && spelled(forms, around.scan.text.as_bytes(), (start, end))) {
        if alone {
            around.scan.pass(index, (start, end), Why::Check);
        }
        return None;
    }
    let clear = clear(around.scan.text.as_bytes(), (start, end));
    let strength = forms.check.strength();
    // A digest cut short: `cacae4329f`.
    let hexadecimal = value.iter().all(u8::is_ascii_hexdigit)
        && around
            .scan
            .text
            .as_bytes()
            .get(start..end)
            .is_some_and(|raw| raw.iter().any(u8::is_ascii_lowercase));
    let alone = alone && !hexadecimal;
    let context = (clear || strength >= 40).then(|| around.context(engine, index, start, end)).flatten();
    let score = match context {
        Some(hit) => 420 + strength + nearness(hit),
        None if forms.check == Check::Card && clear && expires(around.scan.text, end) => 420 + strength,
        None if alone && clear => {
            let bare = end - start == value.len() && value.iter().all(u8::is_ascii_digit);
            let whole = around.bare_length() == end - start;
            let an_id = forms.check == Check::Card && whole && around.scan.around.names_id();
            if bare && (an_id || (strength < 70 && around.neutral(start))) {
                around.scan.pass(index, (start, end), Why::Neutral);
                return None;
            }
            400 + strength
        }
        None => {
            let why = if alone || around.neutral(start) { Why::Neutral } else { Why::Words };
            around.scan.pass(index, (start, end), why);
            return None;
        }
    };
    let evidence =
        if forms.check == Check::Shape || forms.weak { Evidence::Context } else { Evidence::Validator };
    Some(Found::new(index, (start, end), evidence, score))
}

/// Whether words that only cards have follow: `exp 08/27`, `CVV 123`.
fn expires(text: &str, end: usize) -> bool {
    let rest = text.get(end..text.floor_char_boundary(text.len().min(end + 24))).unwrap_or_default();
    let rest = rest.trim_start_matches(|letter: char| !letter.is_alphanumeric()).to_ascii_lowercase();
    [
        "exp",
        "cvv",
        "cvc",
        "cvn",
        "valid thru",
        "good thru",
        "valid until",
        "gültig bis",
        "venc",
        "scad",
        "val ",
    ]
    .iter()
    .any(|word| rest.starts_with(word))
}

/// Letters stand in capitals, or all of them small where that is usual.
fn spelled(forms: &Forms, bytes: &[u8], (start, end): (usize, usize)) -> bool {
    let letters = bytes.get(start..end).unwrap_or_default();
    forms.any_case
        || !letters.iter().any(|byte| bytes::is(*byte, LOWER))
        || !letters.iter().any(|byte| bytes::is(*byte, UPPER))
}

/// Nothing on either side suggests that it is part of something longer.
fn clear(bytes: &[u8], (start, end): (usize, usize)) -> bool {
    let word = |byte: Option<&u8>| is_word(byte);
    let left = match before(bytes, start) {
        Some(b'+') => false,
        Some(b'-' | b'.' | b'/') => !word(start.checked_sub(2).and_then(|at| bytes.get(at))),
        _ => true,
    };
    let right = match bytes.get(end) {
        Some(b'-' | b'.' | b'/') => !word(bytes.get(end + 1)),
        _ => true,
    };
    left && right
}
