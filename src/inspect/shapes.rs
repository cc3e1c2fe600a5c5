//! Shapes of numbers as templates, all of them in one table-driven automaton: `999-99-9999` is three, two and four
//! digits with hyphens.
//!
//! `9` stands for a digit, `A` for a letter, `X` for either, `H` for a hexadecimal digit, anything else for itself;
//! `{n}` or `{n,m}` repeats what stands before it and `?` makes it optional; `\` takes the next letter as it is.

use std::collections::HashMap;

/// Bytes of the longest value with a shape.
pub(super) const LONGEST: usize = 48;
/// States of the automaton; more would say that templates are too free.
const STATES: usize = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit,
    Letter,
    Either,
    Hex,
    Is(u8),
}

impl Class {
    fn holds(self, byte: u8) -> bool {
        match self {
            Self::Digit => byte.is_ascii_digit(),
            Self::Letter => byte.is_ascii_alphabetic(),
            Self::Either => byte.is_ascii_alphanumeric(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Is(own) => byte == own,
        }
    }
}

/// One template: classes with how often they stand, at least and at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<(Class, usize, usize)>);

impl Template {
    pub fn parse(text: &str) -> Option<Self> {
        let mut items: Vec<(Class, usize, usize)> = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let class = match byte {
                b'9' => Class::Digit,
                b'A' => Class::Letter,
                b'X' => Class::Either,
                b'H' => Class::Hex,
                b'\\' => Class::Is(bytes.next()?),
                b'?' => {
                    items.last_mut()?.1 = 0;
                    continue;
                }
                b'{' => {
                    let mut inside = String::new();
                    loop {
                        match bytes.next()? {
                            b'}' => break,
                            other => inside.push(char::from(other)),
                        }
                    }
                    let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
                    let last = items.last_mut()?;
                    (last.1, last.2) = (least.parse().ok()?, most.parse().ok()?);
                    continue;
                }
                own => Class::Is(own),
            };
            items.push((class, 1, 1));
        }
        let longest: usize = items.iter().map(|item| item.2).sum();
        let fits = (1..=LONGEST).contains(&longest) && items.iter().all(|item| item.1 <= item.2);
        fits.then_some(Self(items))
    }
}

/// The automaton over all templates.
#[derive(Debug)]
pub(super) struct Shapes {
    /// Which bytes no template tells apart.
    classes: Box<[u8; 256]>,
    width: usize,
    next: Vec<Step>,
    /// By state, the templates that end there.
    ends: Vec<Box<[u16]>>,
}

/// A step of the automaton: where the next state's own steps stand, and the state if templates end there.
#[derive(Debug, Clone, Copy)]
struct Step {
    row: u32,
    ended: u16,
}

/// The state from which nothing follows, in the first row.
const DEAD: u16 = 0;
const START: u16 = 1;

/// Where in which template: (template, item, repetition).
type Spot = (u16, u16, u16);

impl Shapes {
    /// `None` if the templates make too many states.
    pub fn new(templates: &[Template]) -> Option<Self> {
        let (classes, representatives) = byte_classes(templates);
        let width = representatives.len();
        let mut start = Vec::new();
        for (index, template) in templates.iter().enumerate() {
            reach(template, (u16::try_from(index).ok()?, 0, 0), &mut start);
        }
        start.sort_unstable();
        let mut known: HashMap<Vec<Spot>, u16> = HashMap::from([(Vec::new(), DEAD), (start.clone(), START)]);
        let mut states = vec![Vec::new(), start];
        let (mut next, mut ends): (Vec<u16>, Vec<Box<[u16]>>) = (vec![DEAD; width], vec![Box::default()]);
        let mut at = 1;
        while let Some(state) = states.get(at).cloned() {
            for byte in &representatives {
                let mut after = Vec::new();
                for &(index, item, count) in &state {
                    let Some(template) = templates.get(usize::from(index)) else { continue };
                    if template.0.get(usize::from(item)).is_some_and(|(class, ..)| class.holds(*byte)) {
                        reach(template, (index, item, count + 1), &mut after);
                    }
                }
                after.sort_unstable();
                after.dedup();
                let number = u16::try_from(states.len()).ok()?;
                let to = *known.entry(after).or_insert_with_key(|after| {
                    states.push(after.clone());
                    number
                });
                next.push(to);
            }
            let ended = state.iter().filter(|(index, item, _)| {
                templates
                    .get(usize::from(*index))
                    .is_some_and(|template| usize::from(*item) == template.0.len())
            });
            ends.push(ended.map(|(index, ..)| *index).collect());
            if states.len() > STATES {
                return None;
            }
            at += 1;
        }
        let step = |state: u16| {
            let ended = ends.get(usize::from(state)).is_some_and(|ends| !ends.is_empty());
            let row = u32::try_from(usize::from(state) * width).ok()?;
            Some(Step { row, ended: if ended { state } else { DEAD } })
        };
        let next = next.into_iter().map(step).collect::<Option<_>>()?;
        Some(Self { classes: Box::new(classes.try_into().ok()?), width, next, ends })
    }

    /// By state, the templates that end there.
    pub fn ends(&self) -> impl Iterator<Item = &[u16]> {
        self.ends.iter().map(|ends| &**ends)
    }

    /// Calls `hit` with the end of each value that begins at `start`, the state that it ends in and its templates.
    pub fn at(&self, bytes: &[u8], start: usize, mut hit: impl FnMut(usize, usize, &[u16])) {
        let mut row = usize::from(START) * self.width;
        for (offset, byte) in bytes.get(start..).unwrap_or_default().iter().take(LONGEST).enumerate() {
            let Some(step) = self.next.get(row + self.class(*byte)) else { return };
            row = step.row as usize;
            if row == 0 {
                return;
            }
            let ended = usize::from(step.ended);
            if let Some(ends) = self.ends.get(ended).filter(|_| step.ended != DEAD) {
                hit(start + offset + 1, ended, ends);
            }
        }
    }

    #[allow(clippy::indexing_slicing, reason = "every byte has a place in a table of 256")]
    fn class(&self, byte: u8) -> usize {
        usize::from(self.classes[usize::from(byte)])
    }
}

/// The spots that are reached at `spot` without another byte.
fn reach(template: &Template, (index, item, count): Spot, spots: &mut Vec<Spot>) {
    let Some((_, least, most)) = template.0.get(usize::from(item)) else {
        spots.push((index, item, 0));
        return;
    };
    if usize::from(count) < *most {
        spots.push((index, item, count));
    }
    if usize::from(count) >= *least {
        reach(template, (index, item + 1, 0), spots);
    }
}

/// For each byte its class, and one byte of each class.
fn byte_classes(templates: &[Template]) -> (Vec<u8>, Vec<u8>) {
    let mut kinds: Vec<Class> =
        templates.iter().flat_map(|template| &template.0).map(|item| item.0).collect();
    kinds.sort_unstable_by_key(|kind| format!("{kind:?}"));
    kinds.dedup();
    let mut known: HashMap<Vec<bool>, u8> = HashMap::new();
    let mut representatives = Vec::new();
    let classes = (0..=255u8)
        .map(|byte| {
            let signature = kinds.iter().map(|kind| kind.holds(byte)).collect();
            *known.entry(signature).or_insert_with(|| {
                representatives.push(byte);
                u8::try_from(representatives.len() - 1).unwrap_or(0)
            })
        })
        .collect();
    (classes, representatives)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_templates_that_fit_are_found_with_their_ends() {
        let templates = ["999-99-9999", "9{9}", "A?9{8,9}", "AA 99 99 99 A?"];
        let parsed: Vec<_> = templates.iter().map(|text| Template::parse(text).unwrap()).collect();
        let shapes = Shapes::new(&parsed).unwrap();
        let found = |text: &str| {
            let mut found = Vec::new();
            shapes.at(text.as_bytes(), 0, |end, _, ends| {
                found.extend(ends.iter().map(|template| (*template, end)));
            });
            found
        };
        assert_eq!(found("536-22-8726 x"), [(0, 11)]);
        assert_eq!(found("123456789"), [(2, 8), (1, 9), (2, 9)]);
        assert_eq!(found("x12345678"), [(2, 9)]);
        assert_eq!(found("ab 12 34 56 c"), [(3, 12), (3, 13)]);
        assert_eq!(found("12345"), []);
        assert_eq!(Template::parse("9{2"), None);
        assert_eq!(Template::parse("9{90}"), None);
    }
}
