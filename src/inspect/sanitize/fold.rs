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

/// The plain view.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !hidden::may_hide(text) {
        return Cow::Borrowed(text);
    }
    let seen = without(text, &hidden::hits(text));
    let lower: String = seen.nfkc().flat_map(char::to_lowercase).collect();
    let mut out = String::with_capacity(lower.len());
    // A word that has letters of its own script stays what it is.
    for word in lower.split_inclusive(|letter: char| !letter.is_alphanumeric()) {
        let own = |letter: char| letter.is_alphabetic() && !letter.is_ascii() && alike(letter) == letter;
        if word.is_ascii() || word.chars().any(own) {
            out.push_str(word);
        } else {
            out.extend(word.chars().map(alike));
        }
    }
    Cow::Owned(out)
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
    if letter.is_ascii() {
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
