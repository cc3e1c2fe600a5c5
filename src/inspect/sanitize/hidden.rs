//! Characters that a person does not see and a model reads, or that steer a terminal.

/// What a hidden run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Hidden {
    /// Tag characters (U+E0000–E007F) that are no flag of a region.
    Tag,
    /// Controls of writing direction (U+202A–202E, U+2066–2069).
    Bidi,
    /// Other C0 and C1 controls, DEL.
    Control,
    /// Sequences of terminals that do more than colour.
    Ansi,
    /// Colours of terminals: common in the output of programs.
    Colour,
    /// Variation selectors where there is nothing to vary.
    Selector,
    /// Four or more invisible characters in a row: a message, not typography.
    Payload,
    /// Zero-width and other invisible characters inside or beside words.
    ZeroWidth,
}

impl Hidden {
    /// Whether it hides for certain.
    pub fn is_certain(self) -> bool {
        self != Self::ZeroWidth
    }

    pub fn detail(self) -> &'static str {
        match self {
            Self::Tag => "tag characters",
            Self::Bidi => "bidirectional controls",
            Self::Control => "control characters",
            Self::Ansi => "terminal control sequences",
            Self::Colour => "terminal colours",
            Self::Selector => "variation selectors without a base",
            Self::Payload => "a run of invisible characters",
            Self::ZeroWidth => "invisible characters",
        }
    }
}

/// Bytes that give way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub start: usize,
    pub end: usize,
    pub what: Hidden,
}

/// Regions whose flags are written with tag characters (Unicode RGI emoji tag sequences).
const FLAGS: [&str; 3] = ["gbeng", "gbsct", "gbwls"];
const BLACK_FLAG: char = '\u{1F3F4}';
/// So many invisible characters in a row are a payload.
const RUN: usize = 4;

/// The text with every hidden character written as its code: for people who decide about it.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for hit in hits(text) {
        out.push_str(text.get(at..hit.start).unwrap_or_default());
        for letter in text.get(hit.start..hit.end).unwrap_or_default().chars() {
            match letter {
                ' '..='~' => out.push(letter),
                _ => out.extend(letter.escape_unicode()),
            }
        }
        at = hit.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Whether a text can hold anything hidden at all; quick.
pub(super) fn may_hide(text: &str) -> bool {
    next_odd(text.as_bytes(), 0).is_some()
}

/// Where the next byte stands that is neither seen as it is nor white space.
fn next_odd(bytes: &[u8], from: usize) -> Option<usize> {
    let odd = |byte: &u8| !matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    let rest = bytes.get(from..)?;
    // Many bytes at a time, without a branch for each.
    let (chunks, _) = rest.as_chunks::<32>();
    let clean =
        chunks.iter().take_while(|chunk| !chunk.iter().fold(false, |any, byte| any | odd(byte))).count();
    let near = rest.get(clean * 32..)?;
    near.iter().position(odd).map(|found| from + clean * 32 + found)
}

/// All hidden runs in order. Removing them leaves a text without any.
pub(super) fn hits(text: &str) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut kept: Option<char> = None;
    let mut at = 0;
    while let Some(odd) = next_odd(text.as_bytes(), at) {
        if odd > at {
            kept = text.as_bytes().get(odd - 1).copied().map(char::from);
            at = odd;
        }
        let rest = text.get(at..).unwrap_or_default();
        let Some(letter) = rest.chars().next() else { break };
        let (length, what) = judge(letter, rest, kept);
        match what {
            None => kept = rest.get(..length).and_then(|taken| taken.chars().next_back()),
            Some(what) => hits.push(Hit { start: at, end: at + length, what }),
        }
        at += length;
    }
    payloads(text, &mut hits);
    hits
}

/// Adjacent invisible characters, four or more, are one payload.
fn payloads(text: &str, hits: &mut [Hit]) {
    let mut from = 0;
    while from < hits.len() {
        let mut to = from + 1;
        while let (Some(before), Some(after)) = (hits.get(to - 1), hits.get(to))
            && before.end == after.start
        {
            to += 1;
        }
        let run = hits.get_mut(from..to).unwrap_or_default();
        let bytes = run.first().zip(run.last()).map_or(0..0, |(first, last)| first.start..last.end);
        let letters = text.get(bytes).unwrap_or_default().chars().count();
        if letters >= RUN {
            for hit in run.iter_mut().filter(|hit| hit.what == Hidden::ZeroWidth) {
                hit.what = Hidden::Payload;
            }
        }
        from = to;
    }
}

/// How many bytes to take together, and what they are if they must go.
fn judge(letter: char, rest: &str, kept: Option<char>) -> (usize, Option<Hidden>) {
    let own = letter.len_utf8();
    match letter {
        '\t' | '\n' | '\r' => (own, None),
        '\u{1B}' | '\u{9B}' | '\u{9D}' => terminal(letter, rest),
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' => (own, Some(Hidden::Control)),
        ' '..='~' => (own, None),
        BLACK_FLAG => (flag(rest).unwrap_or(own), None),
        '\u{E0000}'..='\u{E007F}' => (own, Some(Hidden::Tag)),
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => (own, Some(Hidden::Bidi)),
        '\u{FE00}'..='\u{FE0F}' => (own, selector(letter, kept)),
        '\u{E0100}'..='\u{E01EF}' => (own, (!kept.is_some_and(is_ideograph)).then_some(Hidden::Selector)),
        '\u{200B}' => (own, (!kept.is_some_and(breaks_without_space)).then_some(Hidden::ZeroWidth)),
        '\u{200C}' => (own, (!kept.is_some_and(joins)).then_some(Hidden::ZeroWidth)),
        '\u{200D}' => (own, joiner(rest, kept)),
        '\u{200E}' | '\u{200F}' | '\u{61C}' => (own, mark(rest, kept)),
        _ if is_invisible(letter) => (own, Some(Hidden::ZeroWidth)),
        _ => (own, None),
    }
}

/// Characters without a picture of their own that no script needs inside words.
fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'
            ..='\u{180F}'
                | '\u{2060}'..='\u{2065}'
                | '\u{206A}'..='\u{206F}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFF9}'..='\u{FFFB}'
                | '\u{1BCA0}'..='\u{1BCA3}'
                | '\u{1D173}'..='\u{1D17A}'
                | '\u{E0080}'..='\u{E00FF}'
                | '\u{E01F0}'..='\u{E0FFF}'
    )
}

/// A sequence that a terminal would obey (ECMA-48). One without an end loses its first character only.
fn terminal(first: char, rest: &str) -> (usize, Option<Hidden>) {
    let own = first.len_utf8();
    let after = rest.get(own..).unwrap_or_default();
    let (kind, body) = match (first, after.chars().next()) {
        ('\u{9B}', _) => ('[', after),
        ('\u{9D}', _) => (']', after),
        (_, Some(kind @ ('[' | ']' | 'P' | 'X' | '^' | '_'))) => (kind, after.get(1..).unwrap_or_default()),
        (_, Some('\u{20}'..='\u{7E}')) => return (own + 1, Some(Hidden::Ansi)),
        _ => return (own, Some(Hidden::Control)),
    };
    let before = rest.len() - body.len();
    let bytes = body.as_bytes();
    if kind == '[' {
        let parameters = bytes.iter().take(64).take_while(|byte| matches!(byte, 0x20..=0x3F)).count();
        return match bytes.get(parameters) {
            Some(b'm') => (before + parameters + 1, Some(Hidden::Colour)),
            Some(0x40..=0x7E) => (before + parameters + 1, Some(Hidden::Ansi)),
            _ => (own, Some(Hidden::Ansi)),
        };
    }
    // Strings of operating system commands end with BEL, ST, or the C1 form of ST.
    let window = body.get(..body.floor_char_boundary(2048)).unwrap_or_default();
    let ends = [("\u{7}", 1), ("\u{1B}\\", 2), ("\u{9C}", 2)];
    let end = ends.iter().filter_map(|(end, length)| window.find(end).map(|at| (at, at + length))).min();
    match end {
        Some((_, end)) => (before + end, Some(Hidden::Ansi)),
        None => (own, Some(Hidden::Ansi)),
    }
}

/// The length of a region's flag that begins here.
fn flag(rest: &str) -> Option<usize> {
    let after = rest.get(BLACK_FLAG.len_utf8()..)?;
    FLAGS.iter().find_map(|region| {
        let tags: String =
            region.bytes().filter_map(|byte| char::from_u32(0xE0000 + u32::from(byte))).collect();
        let written = tags + "\u{E007F}";
        after.starts_with(&written).then_some(BLACK_FLAG.len_utf8() + written.len())
    })
}

fn selector(letter: char, kept: Option<char>) -> Option<Hidden> {
    match kept {
        // Keycaps: `1️⃣`, `#️⃣`.
        Some('0'..='9' | '#' | '*') if letter >= '\u{FE0E}' => None,
        Some(base) if base.is_ascii() => Some(Hidden::ZeroWidth),
        Some('\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}') | None => Some(Hidden::Selector),
        // Emoji and text presentation for symbols; the first three vary letters of some scripts.
        Some(base) if letter >= '\u{FE0E}' && !base.is_alphabetic() => None,
        Some(base)
            if letter >= '\u{FE0E}'
                && matches!(base, '\u{2100}'..='\u{214F}' | '\u{3030}'..='\u{32FF}' | '\u{1F100}'..='\u{1F2FF}') =>
        {
            None
        }
        Some(base)
            if letter <= '\u{FE02}' && (is_ideograph(base) || !base.is_alphanumeric() || joins(base)) =>
        {
            None
        }
        Some(_) => Some(Hidden::Selector),
    }
}

fn joiner(rest: &str, kept: Option<char>) -> Option<Hidden> {
    let next = rest.chars().nth(1);
    let fine = match kept {
        Some(before) if joins(before) => true,
        Some(before) if is_pictograph(before) => next.is_some_and(is_pictograph),
        _ => false,
    };
    (!fine).then_some(Hidden::ZeroWidth)
}

/// Marks of direction are needed beside letters that run from right to left.
fn mark(rest: &str, kept: Option<char>) -> Option<Hidden> {
    let next = rest.chars().nth(1);
    let fine = kept.is_some_and(runs_left) || next.is_some_and(runs_left);
    (!fine).then_some(Hidden::ZeroWidth)
}

fn runs_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
}

/// Scripts in which zero-width joiners and non-joiners are spelling: Arabic, Syriac, Mongolian, those of India and
/// of South-East Asia.
fn joins(letter: char) -> bool {
    matches!(letter, '\u{600}'..='\u{8FF}' | '\u{900}'..='\u{DFF}' | '\u{E00}'..='\u{109F}' | '\u{1700}'..='\u{18AF}'
        | '\u{1900}'..='\u{1AAF}' | '\u{1B00}'..='\u{1C4F}' | '\u{A800}'..='\u{ABFF}' | '\u{FB50}'..='\u{FDFF}'
        | '\u{FE70}'..='\u{FEFC}' | '\u{11000}'..='\u{1193F}')
}

/// Scripts that are written without spaces and mark breaks with U+200B.
fn breaks_without_space(letter: char) -> bool {
    matches!(letter, '\u{E00}'..='\u{EFF}' | '\u{F00}'..='\u{FFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}')
}

fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

/// Pictures, and what may stand between a picture and a joiner.
fn is_pictograph(letter: char) -> bool {
    matches!(letter, '\u{FE0F}' | '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(text: &str) -> String {
        let mut out = text.to_owned();
        for hit in hits(text).iter().rev() {
            out.replace_range(hit.start..hit.end, "");
        }
        out
    }

    #[test]
    fn what_writing_needs_stays() {
        for text in [
            "plain\ttext\nover lines\r\n",
            "👨‍👩‍👧 👩🏽‍💻 🏳️‍🌈 ❤️‍🔥 ☎️ 1️⃣ #️⃣ ©️ ™️ ℹ️",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} wins",
            "می‌خواهم",
            "क्‍ष and ನ್‌ನ",
            "สวัสดี\u{200B}ครับ",
            "葛\u{E0100}城",
            "\u{200F}שלום\u{200E} עולם",
            "日本語、中文、한국어 — “quotes” … naïve",
        ] {
            assert_eq!(hits(text), [], "{text}");
        }
    }

    #[test]
    fn what_hides_goes_and_what_is_seen_stays() {
        let tags: String = "do it".chars().filter_map(|c| char::from_u32(0xE0000 + u32::from(c))).collect();
        let selectors: String = "do".bytes().filter_map(|b| char::from_u32(0xE0100 + u32::from(b))).collect();
        for (text, seen, what) in [
            (format!("a{tags}b"), "ab", Hidden::Tag),
            (format!("🏴{tags}"), "🏴", Hidden::Tag),
            (format!("😀{selectors}"), "😀", Hidden::Selector),
            ("a\u{FE0F}\u{FE0F}b".into(), "ab", Hidden::ZeroWidth),
            ("a\u{202E}b\u{2066}c".into(), "abc", Hidden::Bidi),
            ("pass\u{200B}word".into(), "password", Hidden::ZeroWidth),
            ("a\u{200B}\u{200C}\u{200D}\u{2060}b".into(), "ab", Hidden::Payload),
            ("\u{1B}[31mred\u{1B}[0m".into(), "red", Hidden::Colour),
            ("\u{1B}[2Jgone".into(), "gone", Hidden::Ansi),
            ("\u{1B}]8;;https://e.example/x\u{1B}\\seen\u{1B}]8;;\u{1B}\\".into(), "seen", Hidden::Ansi),
            ("\u{9B}31mx".into(), "x", Hidden::Colour),
            ("a\u{0}b\u{7F}".into(), "ab", Hidden::Control),
            ("\u{1B}]unending".into(), "]unending", Hidden::Ansi),
        ] {
            assert_eq!(stripped(&text), seen, "{text:?}");
            assert!(hits(&text).iter().any(|hit| hit.what == what), "{text:?}: {:?}", hits(&text));
            assert_eq!(hits(seen), [], "{seen:?}");
        }
    }
}
