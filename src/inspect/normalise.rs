//! A plainer view of a text for detectors: hidden characters dropped, digits and letters of other widths and
//! scripts as ASCII, with offsets back to the text. What is shown to anyone is never the view.

use super::joined::{concatenated, untagged};
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
    /// Looks like this ASCII letter; counts as it in a word that has ASCII letters or digits.
    Like(char),
}

/// What a text holds that only a decoded view shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// `%XX`, `\uXXXX`, `\xXX` or `&…;` may occur.
    pub coded: bool,
    /// `=XX` may occur.
    pub quoted: bool,
    /// `" + "` may occur.
    pub joined: bool,
    /// Inline markup may occur.
    pub tagged: bool,
}

/// A plainer text, and where its bytes lie in the one that it was made of.
#[derive(Debug)]
pub(super) struct View {
    pub text: String,
    steps: Vec<Shifts>,
    /// What was undone, for records.
    pub chain: Vec<&'static str>,
}

impl View {
    /// Whether it shows what is not ASCII as the text does.
    pub fn keeps_letters(&self) -> bool {
        matches!(self.chain.as_slice(), ["quoted-printable" | "concatenated" | "markup"])
    }

    /// The offset in the text that the view was made of.
    pub fn source(&self, here: usize) -> usize {
        self.steps.iter().rev().fold(here, |here, shifts| shifts.source(here))
    }
}

/// Whether the text is its own view, codes aside.
pub(super) fn is_plain(text: &str) -> bool {
    text.chars().all(|letter| matches!(fold(letter), Fold::Keep))
}

/// The views of a text that differ from it. Codes in codes are undone up to `most` times.
pub(super) fn views(text: &str, hints: Hints, most: usize) -> Vec<View> {
    let mut views: Vec<View> = Vec::new();
    if hints.coded || !(text.is_ascii() || is_plain(text)) {
        let (plain, shifts) = view(text, hints.coded);
        if plain != text {
            let chain = vec![if hints.coded { "escapes" } else { "unicode" }];
            views.push(View { text: plain, steps: vec![shifts], chain });
        }
        while hints.coded
            && views.len() < most
            && let Some(last) = views.last()
        {
            let (plain, shifts) = view(&last.text, true);
            if plain == last.text {
                break;
            }
            let steps = last.steps.iter().cloned().chain([shifts]).collect();
            let chain = last.chain.iter().copied().chain(["escapes"]).collect();
            views.push(View { text: plain, steps, chain });
        }
    }
    if hints.quoted
        && let Some((plain, shifts)) = unquoted(text)
    {
        views.push(View { text: plain, steps: vec![shifts], chain: vec!["quoted-printable"] });
    }
    if hints.joined
        && let Some((plain, shifts)) = concatenated(text)
    {
        views.push(View { text: plain, steps: vec![shifts], chain: vec!["concatenated"] });
    }
    if hints.tagged
        && let Some((plain, shifts)) = untagged(text)
    {
        views.push(View { text: plain, steps: vec![shifts], chain: vec!["markup"] });
    }
    views
}

fn view(text: &str, coded: bool) -> (String, Shifts) {
    let bytes = text.as_bytes();
    let mut view = String::with_capacity(text.len());
    let mut shifts = Shifts::default();
    let mut at = 0;
    // Whether the word that ends here has ASCII letters or digits among look-alikes.
    let mut mixed_until = 0;
    while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let (letter, length) = if coded {
            decoded(letter, bytes.get(at..).unwrap_or_default())
        } else {
            (letter, letter.len_utf8())
        };
        match fold(letter) {
            Fold::Keep => view.push(letter),
            Fold::Drop => {}
            Fold::As(other) => view.push(other),
            Fold::Like(other) => {
                if at >= mixed_until
                    && let Some(end) = mixed_word(text, at)
                {
                    mixed_until = end;
                }
                view.push(if at < mixed_until { other } else { letter });
            }
        }
        at += length;
        shifts.keep_step(view.len(), at);
    }
    (view, shifts)
}

/// Where the word at `at` ends, if all its letters are ASCII or look like ASCII, and some are ASCII indeed.
fn mixed_word(text: &str, at: usize) -> Option<usize> {
    let part = |letter: char| {
        letter.is_alphanumeric()
            || matches!(letter, '_' | '-' | '.' | '@' | '+')
            || matches!(fold(letter), Fold::Drop)
    };
    let back = text
        .get(..at)?
        .chars()
        .rev()
        .take(64)
        .take_while(|letter| part(*letter))
        .map(char::len_utf8)
        .sum::<usize>();
    let start = at - back;
    let word = text.get(start..)?;
    let end = start
        + word.find(|letter: char| !part(letter)).unwrap_or(word.len()).min(word.floor_char_boundary(512));
    let word = text.get(start..end)?;
    let ascii = word.chars().filter(char::is_ascii_alphanumeric).count();
    let strange = word
        .chars()
        .any(|letter| letter.is_alphabetic() && !letter.is_ascii() && matches!(fold(letter), Fold::Keep));
    (ascii > 0 && !strange).then_some(end.max(at + 1))
}

/// The character at the start of `bytes`, read through the codes of URLs, JSON, C and HTML.
fn decoded(letter: char, bytes: &[u8]) -> (char, usize) {
    let own = (letter, letter.len_utf8());
    let hex = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
    match letter {
        '%' => percent(bytes).unwrap_or(own),
        '\\' if bytes.get(1..3) == Some(b"u{") => braced(bytes).unwrap_or(own),
        '\\' if matches!(bytes.get(1), Some(b'0' | b'1')) => octal(bytes).unwrap_or(own),
        '\\' if bytes.get(1) == Some(&b'u') => match unicode_escape(bytes) {
            (char::REPLACEMENT_CHARACTER, _) => own,
            found => found,
        },
        '\\' if bytes.get(1) == Some(&b'x') => match (hex(2), hex(3)) {
            (Some(high @ 2..8), Some(low)) => (char::from_u32(high * 16 + low).unwrap_or(letter), 4),
            _ => own,
        },
        '&' => entity(bytes).unwrap_or(own),
        _ => own,
    }
}

/// `\u{40}` of Rust and JavaScript.
fn braced(bytes: &[u8]) -> Option<(char, usize)> {
    let digits = bytes.get(3..)?.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let value = std::str::from_utf8(bytes.get(3..3 + digits)?).ok()?;
    let letter =
        char::from_u32(u32::from_str_radix(value, 16).ok()?).filter(|letter| !letter.is_control())?;
    (bytes.get(3 + digits) == Some(&b'}')).then_some((letter, digits + 4))
}

/// `\100` of C and shells: three octal digits of a printable character.
fn octal(bytes: &[u8]) -> Option<(char, usize)> {
    let value =
        bytes.get(1..4)?.iter().try_fold(0u32, |sum, byte| Some(sum * 8 + char::from(*byte).to_digit(8)?))?;
    char::from_u32(value).filter(|_| (0x20..0x7F).contains(&value)).map(|letter| (letter, 4))
}

/// A percent-encoded character, also one of several bytes.
fn percent(bytes: &[u8]) -> Option<(char, usize)> {
    let byte = |at: usize| -> Option<u8> {
        let digit = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        (bytes.get(at) == Some(&b'%')).then_some(())?;
        u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
    };
    let first = byte(0)?;
    let width = match first {
        0x20..0x80 => return Some((char::from(first), 3)),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let raw: Vec<u8> = (0..width).map_while(|index| byte(index * 3)).collect();
    let text = std::str::from_utf8(&raw).ok()?;
    text.chars().next().map(|letter| (letter, width * 3))
}

/// A character reference of HTML: by number, or one of those that stand for signs in what is looked for.
fn entity(bytes: &[u8]) -> Option<(char, usize)> {
    const NAMES: &[(&[u8], char)] = &[
        (b"&commat;", '@'),
        (b"&period;", '.'),
        (b"&nbsp;", ' '),
        (b"&hyphen;", '-'),
        (b"&dash;", '-'),
        (b"&lowbar;", '_'),
        (b"&plus;", '+'),
        (b"&equals;", '='),
        (b"&colon;", ':'),
        (b"&sol;", '/'),
        (b"&amp;", '&'),
        (b"&quot;", '"'),
        (b"&apos;", '\''),
        (b"&lt;", '<'),
        (b"&gt;", '>'),
        (b"&shy;", '\u{AD}'),
        (b"&zwnj;", '\u{200C}'),
        (b"&zwj;", '\u{200D}'),
        (b"&ZeroWidthSpace;", '\u{200B}'),
        (b"&NoBreak;", '\u{2060}'),
        (b"&lpar;", '('),
        (b"&rpar;", ')'),
        (b"&comma;", ','),
    ];
    let Some(number) = bytes.strip_prefix(b"&#") else {
        return NAMES
            .iter()
            .find(|(name, _)| bytes.starts_with(name))
            .map(|(name, letter)| (*letter, name.len()));
    };
    let (radix, skip) = if matches!(number.first(), Some(b'x' | b'X')) { (16, 1) } else { (10, 0) };
    let digits =
        number.get(skip..)?.iter().take(8).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let value = std::str::from_utf8(number.get(skip..skip + digits)?).ok()?;
    let letter =
        char::from_u32(u32::from_str_radix(value, radix).ok()?).filter(|letter| !letter.is_control())?;
    let end = skip + digits;
    Some((letter, 2 + end + usize::from(number.get(end) == Some(&b';'))))
}

/// A text of quoted-printable (RFC 2045 §6.7): three codes at least, or a soft line break.
fn unquoted(text: &str) -> Option<(String, Shifts)> {
    let bytes = text.as_bytes();
    let code = |at: usize| -> Option<u8> {
        let digit = |at: usize| {
            bytes
                .get(at)
                .filter(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
                .and_then(|&digit| char::from(digit).to_digit(16))
        };
        u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok().filter(|byte| (0x20..0x7F).contains(byte))
    };
    let soft = |at: usize| match (bytes.get(at + 1), bytes.get(at + 2)) {
        (Some(b'\n'), _) => 2,
        (Some(b'\r'), Some(b'\n')) => 3,
        _ => 0,
    };
    let codes = memchr::memchr_iter(b'=', bytes)
        .map(|at| usize::from(code(at).is_some()) + 3 * soft(at))
        .sum::<usize>();
    if codes < 3 {
        return None;
    }
    let mut view = String::with_capacity(text.len());
    let mut shifts = Shifts::default();
    let mut at = 0;
    while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let (letter, length) = match letter {
            '=' => match (code(at), soft(at)) {
                (Some(byte), _) => (Some(char::from(byte)), 3),
                (None, 0) => (Some('='), 1),
                (None, width) => (None, width),
            },
            other => (Some(other), other.len_utf8()),
        };
        view.extend(letter);
        at += length;
        shifts.keep_step(view.len(), at);
    }
    Some((view, shifts))
}

fn fold(letter: char) -> Fold {
    let code = u32::from(letter);
    match code {
        0..0xA0 => Fold::Keep,
        0xA0 | 0x2000..=0x200A | 0x2028..=0x2029 | 0x202F | 0x205F | 0x3000 => Fold::As(' '),
        0xAD
        | 0x0300..=0x036F
        | 0x061C
        | 0x115F..=0x1160
        | 0x17B4..=0x17B5
        | 0x180B..=0x180F
        | 0x1AB0..=0x1AFF
        | 0x1DC0..=0x1DFF
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x206F
        | 0x20D0..=0x20FF
        | 0x3164
        | 0xFE00..=0xFE0F
        | 0xFEFF
        | 0xFFA0
        | 0xFFF9..=0xFFFB => Fold::Drop,
        0x2010..=0x2015 | 0x2043 | 0x2212 | 0xFE58 | 0xFE63 => Fold::As('-'),
        0xB7 | 0x2024 | 0x2027 | 0x2219 | 0x22C5 | 0x30FB | 0xFE52 | 0x3002 | 0xFF61 => Fold::As('.'),
        0xFE6B => Fold::As('@'),
        0xFF01..=0xFF5E => as_char(code - 0xFEE0),
        0xB9 => Fold::As('1'),
        0xB2 | 0xB3 => as_char(code - 0xB2 + u32::from('2')),
        0x2070 | 0x2074..=0x2079 => as_char(code - 0x2070 + u32::from('0')),
        0x2080..=0x2089 => as_char(code - 0x2080 + u32::from('0')),
        0x2460..=0x2468 => as_char(code - 0x2460 + u32::from('1')),
        0x24EA | 0x24FF => Fold::As('0'),
        0x24B6..=0x24CF => as_char(code - 0x24B6 + u32::from('A')),
        0x24D0..=0x24E9 => as_char(code - 0x24D0 + u32::from('a')),
        // Letters of mathematics: thirteen alphabets of capitals and small letters.
        0x1D400..=0x1D6A3 => {
            let place = (code - 0x1D400) % 52;
            as_char(if place < 26 { u32::from('A') + place } else { u32::from('a') + place - 26 })
        }
        // Tag characters repeat ASCII invisibly: text smuggled in them is read like any other.
        0xE0020..=0xE007E => as_char(code - 0xE0000),
        0xE0000..=0xE0FFF => Fold::Drop,
        0x0370..=0x0556 => like(letter),
        _ => digit(code),
    }
}

/// Greek, Cyrillic and Armenian letters that look like ASCII.
fn like(letter: char) -> Fold {
    const STRANGE: &str = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυχϲϳАВЕКМНОРСТУХЅІЈаеорсухѕіјһԁԛԝկհոսօ";
    const ASCII: &str = "ABEZHIKMNOPTYXavopuxcjABEKMHOPCTYXSIJaeopcyxsijhdqwkhnuo";
    STRANGE
        .chars()
        .zip(ASCII.chars())
        .find(|(strange, _)| *strange == letter)
        .map_or(Fold::Keep, |(_, ascii)| Fold::Like(ascii))
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
            ("bob%2540x", "bob@x"),
            ("bob&#64;x&#x2e;y&commat;", "bob@x.y@"),
            (r"bob\u0040x\x2e", "bob@x."),
            ("\u{E0062}\u{E006F}", "bo"),
            ("gh\u{440}_", "ghp_"),
            ("e\u{301}x4\u{336}1", "ex41"),
            ("\u{1D41A}\u{2460}", "a1"),
            ("%D9%A4", "4"),
        ];
        for (text, plain) in cases {
            let views = views(text, Hints { coded: true, quoted: false, joined: false, tagged: false }, 3);
            let view = views.last().expect(text);
            assert_eq!(view.text, plain);
            assert_eq!(view.source(view.text.len()), text.len(), "{text}");
            for (here, _) in view.text.char_indices() {
                assert!(text.is_char_boundary(view.source(here)), "{text}");
            }
        }
        for text in ["plain, caf\u{e9}, \u{4e2d}", "Москва и область", "100% of \\user & co; &#;"]
        {
            let views = views(text, Hints { coded: true, quoted: true, joined: false, tagged: false }, 3);
            assert!(views.iter().all(|view| view.text == text), "{text}: {views:?}");
        }
    }

    #[test]
    fn quoted_printable_is_read_through_and_maps_back() {
        let text = "=34=31=31=31 1111 11=\n11";
        let views = views(text, Hints { coded: false, quoted: true, joined: false, tagged: false }, 3);
        assert_eq!(views[0].text, "4111 1111 1111");
        assert_eq!(views[0].source(4), 12);
        assert!(
            super::views("a=1&b=2", Hints { coded: false, quoted: true, joined: false, tagged: false }, 3)
                .is_empty()
        );
    }
}
