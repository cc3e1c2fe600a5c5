//! A plainer view of a text for detectors: hidden characters dropped, digits and letters of other widths and
//! scripts as ASCII, with offsets back to the text. What is shown to anyone is never the view.

use super::shifts::{Shifts, unicode_escape};

/// Zero digits of the scripts whose ten decimal digits follow one another (Unicode general category Nd).
const ZEROS: &[u32] = &[
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0,
    0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x11066,
    0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950,
    0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140,
    0x1E2F0, 0x1E950, 0x1FBF0,
];

enum Fold {
    Keep,
    Drop,
    As(char),
}

/// The view, or `None` if it would be the text itself. `coded` says that `%XX` or `\uXXXX` occur in the text.
pub(super) fn view(text: &str, coded: Coded) -> Option<(String, Shifts)> {
    let plain = coded == Coded::No && text.chars().all(|letter| matches!(fold(letter), Fold::Keep));
    if plain {
        return None;
    }
    let bytes = text.as_bytes();
    let mut view = String::with_capacity(text.len());
    let mut shifts = Shifts::default();
    let mut at = 0;
    while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let written = letter.len_utf8();
        let (letter, length) = match coded {
            Coded::Yes => decoded(letter, bytes.get(at..).unwrap_or_default()),
            Coded::No => (letter, written),
        };
        at += length;
        match fold(letter) {
            Fold::Keep => view.push(letter),
            Fold::Drop => {}
            Fold::As(other) => view.push(other),
        }
        shifts.keep_step(view.len(), at);
    }
    Some((view, shifts))
}

/// Whether a text holds characters written as percent or `\u` codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coded {
    No,
    Yes,
}

/// The character at the start of `bytes`, read through percent and `\u` codes.
fn decoded(letter: char, bytes: &[u8]) -> (char, usize) {
    let own = (letter, letter.len_utf8());
    match letter {
        '%' => {
            let digit = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
            match (digit(1), digit(2)) {
                // Only printable ASCII: bytes beyond are parts of a character.
                (Some(high @ 2..8), Some(low)) => (char::from_u32(high * 16 + low).unwrap_or(letter), 3),
                _ => own,
            }
        }
        '\\' if bytes.get(1) == Some(&b'u') => match unicode_escape(bytes) {
            (char::REPLACEMENT_CHARACTER, _) => own,
            found => found,
        },
        _ => own,
    }
}

fn fold(letter: char) -> Fold {
    let code = u32::from(letter);
    match code {
        0..0xA0 => Fold::Keep,
        0xA0 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Fold::As(' '),
        0xAD
        | 0x034F
        | 0x061C
        | 0x115F..=0x1160
        | 0x17B4..=0x17B5
        | 0x180B..=0x180F
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x206F
        | 0x3164
        | 0xFE00..=0xFE0F
        | 0xFEFF => Fold::Drop,
        0x2010..=0x2015 | 0x2212 | 0xFE58 | 0xFE63 => Fold::As('-'),
        0xFF01..=0xFF5E => as_char(code - 0xFEE0),
        // Tag characters repeat ASCII invisibly: text smuggled in them is read like any other.
        0xE0020..=0xE007E => as_char(code - 0xE0000),
        0xE0000..=0xE0FFF => Fold::Drop,
        _ => digit(code),
    }
}

fn as_char(code: u32) -> Fold {
    char::from_u32(code).map_or(Fold::Keep, Fold::As)
}

fn digit(code: u32) -> Fold {
    let after = ZEROS.partition_point(|&zero| zero <= code);
    match after.checked_sub(1).and_then(|last| ZEROS.get(last)) {
        Some(zero) if code - zero < 10 => as_char(u32::from('0') + code - zero),
        _ => Fold::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_disguise_is_read_as_ascii_and_maps_back() {
        let cases = [
            ("a\u{200B}b", "ab"),
            ("\u{FF14}\u{FF11}", "41"),
            ("\u{0664}\u{1D7CF}", "41"),
            ("1\u{00A0}2\u{2011}3", "1 2-3"),
            ("bob%40x", "bob@x"),
            (r"bob\u0040x", "bob@x"),
            ("\u{E0062}\u{E006F}", "bo"),
            ("100% of \\user", "100% of \\user"),
        ];
        for (text, plain) in cases {
            let (seen, shifts) = view(text, Coded::Yes).expect("coded always gives a view");
            assert_eq!(seen, plain);
            assert_eq!(shifts.source(seen.len()), text.len(), "{text}");
            for (here, _) in seen.char_indices() {
                assert!(text.is_char_boundary(shifts.source(here)), "{text}");
            }
        }
        assert!(view("plain, caf\u{e9}, \u{4e2d}", Coded::No).is_none());
    }
}
