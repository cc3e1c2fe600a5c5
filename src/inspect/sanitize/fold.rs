//! A plain view of a text for phrases: hidden characters dropped, other widths and look-alike letters as ASCII,
//! lower case. Never shown to anyone.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use super::hidden::{self, Hit};

/// Look-alikes of ASCII letters in other scripts (from the confusables of UTS #39).
#[rustfmt::skip]
const ALIKE: &[(char, char)] = &[
    ('а', 'a'), ('ѕ', 's'), ('с', 'c'), ('ԁ', 'd'), ('е', 'e'), ('ё', 'e'), ('ѐ', 'e'), ('ɡ', 'g'),
    ('һ', 'h'), ('і', 'i'), ('ї', 'i'), ('ј', 'j'), ('к', 'k'), ('ӏ', 'l'), ('м', 'm'), ('н', 'h'),
    ('п', 'n'), ('о', 'o'), ('р', 'p'), ('ԛ', 'q'), ('г', 'r'), ('т', 't'), ('и', 'u'), ('ѵ', 'v'),
    ('ԝ', 'w'), ('х', 'x'), ('у', 'y'), ('в', 'b'), ('α', 'a'), ('β', 'b'), ('γ', 'y'), ('ε', 'e'),
    ('η', 'n'), ('ι', 'i'), ('κ', 'k'), ('ν', 'v'), ('ο', 'o'), ('ρ', 'p'), ('τ', 't'), ('υ', 'u'),
    ('χ', 'x'), ('ω', 'w'), ('ı', 'i'), ('ɑ', 'a'), ('ꜱ', 's'), ('ʏ', 'y'), ('ʀ', 'r'), ('ɴ', 'n'),
    ('ɪ', 'i'), ('ᴀ', 'a'), ('ᴄ', 'c'), ('ᴅ', 'd'), ('ᴇ', 'e'), ('ᴊ', 'j'), ('ᴋ', 'k'), ('ᴍ', 'm'),
    ('ᴏ', 'o'), ('ᴘ', 'p'), ('ᴛ', 't'), ('ᴜ', 'u'), ('ᴠ', 'v'), ('ᴡ', 'w'), ('ᴢ', 'z'), ('ʙ', 'b'),
    ('ɢ', 'g'), ('ʜ', 'h'), ('ʟ', 'l'), ('օ', 'o'), ('ո', 'n'), ('ս', 'u'),
];

/// The plain view. Letters of ASCII stay large or small: whoever reads it takes both alike.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !hidden::may_hide(text) {
        return Cow::Borrowed(text);
    }
    let hits = hidden::hits(text);
    let seen = if hits.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, &hits)) };
    if seen.is_ascii() {
        return seen;
    }
    Cow::Owned(unmasked(&composed(&seen)))
}

/// The text in compatibility form (NFKC) and small letters; ASCII is so already, but for its case.
fn composed(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = next_beyond(bytes, at) {
        // A mark belongs to the letter before it.
        let start = found.saturating_sub(1).max(at);
        out.push_str(text.get(at..start).unwrap_or_default());
        let rest = bytes.get(found..).unwrap_or_default();
        let end = found + rest.iter().position(u8::is_ascii).unwrap_or(rest.len());
        out.extend(text.get(start..end).unwrap_or_default().nfkc().flat_map(char::to_lowercase));
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

fn next_beyond(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let (chunks, _) = rest.as_chunks::<32>();
    let plain = chunks.iter().take_while(|chunk| chunk.is_ascii()).count();
    let near = rest.get(plain * 32..)?;
    near.iter().position(|byte| !byte.is_ascii()).map(|found| from + plain * 32 + found)
}

/// Words of look-alikes as what they look like; one that has letters of its own script stays what it is.
fn unmasked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let own = |letter: char| letter.is_alphabetic() && !letter.is_ascii() && alike(letter) == letter;
    let mut at = 0;
    while let Some(found) = next_beyond(text.as_bytes(), at) {
        let head = text.get(at..found).unwrap_or_default();
        let start = at + head.trim_end_matches(|letter: char| letter.is_ascii_alphanumeric()).len();
        let rest = text.get(found..).unwrap_or_default();
        let end = match rest.char_indices().find(|(_, letter)| !letter.is_alphanumeric()) {
            Some((gap, letter)) => found + gap + letter.len_utf8(),
            None => text.len(),
        };
        out.push_str(text.get(at..start).unwrap_or_default());
        let word = text.get(start..end).unwrap_or_default();
        if word.chars().any(own) {
            out.push_str(word);
        } else {
            out.extend(word.chars().map(alike));
        }
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The text without these runs.
pub(super) fn without(text: &str, hits: &[Hit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for hit in hits {
        out.push_str(text.get(at..hit.start).unwrap_or_default());
        at = hit.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

fn alike(letter: char) -> char {
    // No letter further on looks like one of ASCII.
    if letter.is_ascii() || u32::from(letter) > 0xA800 || (0x3000..0xA000).contains(&u32::from(letter)) {
        return letter;
    }
    ALIKE.iter().find(|(other, _)| *other == letter).map_or(letter, |(_, ascii)| *ascii)
}

/// Whether one word mixes Latin letters with look-alikes of another script: nobody writes so by chance.
pub(super) fn mixes_scripts(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    text.split(|letter: char| !letter.is_alphabetic()).any(|word| {
        let latin = word.chars().filter(char::is_ascii_alphabetic).count();
        let other = |letter: char| matches!(letter, '\u{400}'..='\u{52F}' | '\u{370}'..='\u{3FF}' | '\u{530}'..='\u{58F}');
        let mut strange = word.chars().filter(|letter| other(*letter));
        // `μs`, `Δt`, `Ωm`: one sign before a unit or a variable is a symbol.
        let symbol = word.chars().next().is_some_and(|letter| matches!(letter, 'μ' | 'Δ' | 'Ω' | 'π' | 'Σ' | 'λ'));
        latin >= 2 && strange.any(|letter| alike(letter.to_lowercase().next().unwrap_or(letter)) != letter) && !symbol
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_read_as_what_they_look_like() {
        assert_eq!(plain("іgnоrе рrevious іnѕtruсtіons"), "ignore previous instructions");
        assert_eq!(plain("ｉｇｎｏｒｅ 𝗽𝗿𝗲𝘃𝗶𝗼𝘂𝘀 i\u{200B}nstructions"), "ignore previous instructions");
        assert!(mixes_scripts("іgnоrе it") && mixes_scripts("pаypal"));
        assert!(!mixes_scripts("μs and Δt, Привет мир, naïve café, hello"));
    }
}
