//! A plainer view of a text for detectors: hidden characters dropped, digits and letters of other widths and
//! scripts as ASCII, with offsets back to the text. What is shown to anyone is never the view.

use super::codes::{CODE_REACH, decoded, unquoted};
use super::cuts::{Cuts, WHOLE};
use super::joined::{concatenated, untagged};
use super::shifts::Shifts;

/// Zero digits of the scripts whose ten decimal digits follow one another (Unicode general category Nd).
const ZEROS: &[u32] = &[
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0,
    0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x11066,
    0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950,
    0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140,
    0x1E2F0, 0x1E950, 0x1FBF0,
];

/// Characters before a look-alike that are of its word.
const BACK: usize = 64;
/// Bytes of a word from there on.
const AHEAD: usize = 512;
/// Bytes behind a long word without ASCII that are looked through at once.
const FAR: usize = 1 << 14;

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
    let (mut odd, mut at) = (Odd::new(text, false), 0);
    while let Some(found) = odd.next(at) {
        let Some(letter) = text.get(found..).and_then(|rest| rest.chars().next()) else { break };
        if !matches!(fold(letter), Fold::Keep) {
            return false;
        }
        at = found + letter.len_utf8();
    }
    true
}

/// The views of a text that differ from it. Codes in codes are undone up to `most` times.
pub(super) fn views(text: &str, hints: Hints, most: usize) -> Vec<View> {
    let mut views: Vec<View> = Vec::new();
    if hints.coded || !text.is_ascii() {
        if let Some((plain, shifts)) = view(text, hints.coded) {
            let chain = vec![if hints.coded { "escapes" } else { "unicode" }];
            views.push(View { text: plain, steps: vec![shifts], chain });
        }
        while hints.coded
            && views.len() < most
            && let Some(last) = views.last()
            && let Some((plain, shifts)) = view(&last.text, true)
        {
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

/// The plainer text, unless it is the same. Where only codes make it another, what stands far from them is left out.
fn view(text: &str, coded: bool) -> Option<(String, Shifts)> {
    let bytes = text.as_bytes();
    let known = coded && text.len() > 2 * CODE_REACH && is_plain(text);
    let mut cuts = Cuts::new(text, if known { CODE_REACH } else { WHOLE });
    let mut at = 0;
    let mut words = Words::default();
    let mut odd = Odd::new(text, coded);
    while let Some(found) = odd.next(at) {
        at = found;
        let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        let (read, length) = if coded && letter.is_ascii() {
            decoded(letter, bytes.get(at..).unwrap_or_default())
        } else {
            (letter, letter.len_utf8())
        };
        let other = match fold(read) {
            Fold::Keep => Some(read),
            Fold::Drop => None,
            Fold::As(other) => Some(other),
            Fold::Like(other) => Some(if words.mixed(text, at) { other } else { read }),
        };
        if other != Some(letter) || length != letter.len_utf8() {
            cuts.cut(at, at + length, other)?;
        }
        at += length;
    }
    cuts.finish()
}

/// The characters of a text that are not ASCII, and those that may begin a code if it may hold some.
struct Odd<'t> {
    bytes: &'t [u8],
    coded: bool,
    /// Where the next one stands that is not ASCII: looked for once.
    beyond: Option<usize>,
}

impl<'t> Odd<'t> {
    fn new(text: &'t str, coded: bool) -> Self {
        let bytes = text.as_bytes();
        Self { bytes, coded, beyond: beyond_ascii(bytes, 0) }
    }

    /// The first one at or behind `from`. Questions come in order.
    fn next(&mut self, from: usize) -> Option<usize> {
        if self.beyond.is_some_and(|beyond| beyond < from) {
            self.beyond = beyond_ascii(self.bytes, from);
        }
        let ascii = self.bytes.get(from..self.beyond.unwrap_or(self.bytes.len()))?;
        let code = if self.coded { memchr::memchr3(b'%', b'\\', b'&', ascii) } else { None };
        code.map(|found| from + found).or(self.beyond)
    }
}

/// Where the next byte stands that is not ASCII.
fn beyond_ascii(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    if rest.first().is_some_and(|byte| !byte.is_ascii()) {
        return Some(from);
    }
    // Sixteen bytes at a time, without a branch for each.
    let (chunks, _) = rest.as_chunks::<16>();
    let start = chunks.iter().position(|chunk| !chunk.is_ascii()).unwrap_or(chunks.len()) * 16;
    let near = rest.get(start..)?;
    near.iter().position(|byte| !byte.is_ascii()).map(|found| from + start + found)
}

/// Which words have ASCII letters or digits among look-alikes of them: told once for each word.
#[derive(Default)]
struct Words {
    /// Look-alikes before this are what they look like.
    mixed_until: usize,
    /// Look-alikes before this are what they are.
    own_until: usize,
}

impl Words {
    fn mixed(&mut self, text: &str, at: usize) -> bool {
        if at >= self.mixed_until && at >= self.own_until {
            match mixed_word(text, at) {
                Ok(end) => self.mixed_until = end,
                Err(end) => self.own_until = end,
            }
        }
        at < self.mixed_until
    }
}

/// Where the word at `at` ends, if all its letters are ASCII or look like ASCII, and some are ASCII indeed; else up to
/// where no letter of it can be in such a word.
fn mixed_word(text: &str, at: usize) -> Result<usize, usize> {
    let part = |letter: char| {
        letter.is_alphanumeric()
            || matches!(letter, '_' | '-' | '.' | '@' | '+')
            || matches!(fold(letter), Fold::Drop)
    };
    let head = text.get(..at).unwrap_or_default();
    let (mut start, mut count) = (at, 0);
    for letter in head.chars().rev().take(BACK).take_while(|letter| part(*letter)) {
        start -= letter.len_utf8();
        count += 1;
    }
    let rest = text.get(start..).unwrap_or_default();
    let window = rest.floor_char_boundary(AHEAD);
    let near = rest.get(..window).unwrap_or_default();
    let end = start + near.find(|letter: char| !part(letter)).unwrap_or(window);
    let word = text.get(start..end).unwrap_or_default();
    let ascii = word.bytes().any(|byte| byte.is_ascii_alphanumeric());
    let strange = word
        .chars()
        .any(|letter| !letter.is_ascii() && letter.is_alphabetic() && matches!(fold(letter), Fold::Keep));
    if ascii && !strange {
        return Ok(end.max(at + 1));
    }
    // The whole word has been seen, and will be seen from each of its letters.
    let whole = count < BACK && end < start + window && word.chars().count() <= BACK;
    if whole {
        return Err(end);
    }
    // A letter of its own script counts for all before it.
    let own = word.char_indices().rev().find(|(_, letter)| {
        !letter.is_ascii() && letter.is_alphabetic() && matches!(fold(*letter), Fold::Keep)
    });
    if let Some((last, letter)) = own {
        return Err((at + 1).max(start + last + letter.len_utf8()));
    }
    // Without ASCII far ahead, no window of a letter before that has some.
    let rest = text.get(end..text.floor_char_boundary(end + FAR)).unwrap_or_default();
    let plain = rest.chars().take_while(|letter| part(*letter) && !letter.is_ascii_alphanumeric());
    let far = end + plain.map(char::len_utf8).sum::<usize>();
    Err((at + 1).max(far.saturating_sub(AHEAD)))
}

fn fold(letter: char) -> Fold {
    let code = u32::from(letter);
    match code {
        // Most letters there are stand for themselves: Latin with accents, ideographs, Hangul.
        0..0xA0 | 0xC0..0x0300 | 0x4E00..0xA000 | 0xAC00..0xD7A4 => Fold::Keep,
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
    Fold::Like(match letter {
        'Α' | 'А' => 'A',
        'Β' | 'В' => 'B',
        'Ε' | 'Е' => 'E',
        'Ζ' => 'Z',
        'Η' | 'Н' => 'H',
        'Ι' | 'І' => 'I',
        'Κ' | 'К' => 'K',
        'Μ' | 'М' => 'M',
        'Ν' => 'N',
        'Ο' | 'О' => 'O',
        'Ρ' | 'Р' => 'P',
        'Τ' | 'Т' => 'T',
        'Υ' | 'У' => 'Y',
        'Χ' | 'Х' => 'X',
        'α' | 'а' => 'a',
        'ν' => 'v',
        'ο' | 'о' | 'օ' => 'o',
        'ρ' | 'р' => 'p',
        'υ' | 'ս' => 'u',
        'χ' | 'х' => 'x',
        'ϲ' | 'с' => 'c',
        'ϳ' | 'ј' => 'j',
        'С' => 'C',
        'Ѕ' => 'S',
        'Ј' => 'J',
        'е' => 'e',
        'у' => 'y',
        'ѕ' => 's',
        'і' => 'i',
        'һ' | 'հ' => 'h',
        'ԁ' => 'd',
        'ԛ' => 'q',
        'ԝ' => 'w',
        'կ' | 'к' | 'κ' => 'k',
        'ո' => 'n',
        _ => return Fold::Keep,
    })
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
