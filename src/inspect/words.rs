//! Words of names and texts, and masks among them.

use unicode_normalization::char::decompose_canonical;

use super::bytes::{self, DIGIT, LOWER, UPPER};

/// Characters before a value in the same text that count as its context.
pub(super) const REACH: usize = 45;
/// Bytes of a key or label that are read: longer ones are no names.
const NAME_LIMIT: usize = 96;

/// The words of one text without what separates them, lower-cased and without accents.
#[derive(Debug, Clone, Default)]
pub(super) struct Folded {
    /// UTF-8.
    squashed: Vec<u8>,
    /// Start and end of each word in `squashed`, and where it ends in the text.
    words: Vec<(usize, usize, usize)>,
}

impl Folded {
    /// Splits at case and separators: `socialSecurity_no` is `social`, `security`, `no`. Masks (`[EMAIL]`) do not count.
    pub fn of(text: &str) -> Self {
        let mut folded = Self::default();
        folded.read(text);
        folded
    }

    /// The same into the memory of another one.
    pub fn read(&mut self, text: &str) {
        self.squashed.clear();
        self.words.clear();
        // As much as most texts need, so that the memory need not grow.
        self.squashed.reserve(text.len().max(64));
        self.words.reserve((text.len() / 4).max(16));
        if text.is_ascii() {
            self.read_ascii(text.as_bytes());
        } else {
            self.read_any(text);
        }
    }

    fn read_ascii(&mut self, bytes: &[u8]) {
        self.squashed.resize(bytes.len(), 0);
        let letters = &mut self.squashed;
        let (mut length, mut at) = (0, 0);
        let mut put = |letter: u8, length: &mut usize| {
            if let Some(place) = letters.get_mut(*length) {
                *place = letter;
                *length += 1;
            }
        };
        while let Some(&byte) = bytes.get(at) {
            if !bytes::is(byte, UPPER | LOWER | DIGIT) {
                let mask = if byte == b'[' { mask_length(bytes.get(at..).unwrap_or_default()) } else { 0 };
                at += mask.max(1);
                continue;
            }
            let from = length;
            if bytes::is(byte, UPPER) {
                put(byte | 0x20, &mut length);
                at += 1;
                // The last of several capitals begins the next word: `APIKey`.
                while let Some(&byte) = bytes.get(at)
                    && bytes::is(byte, UPPER)
                    && !bytes::at(bytes, at + 1, LOWER)
                {
                    put(byte | 0x20, &mut length);
                    at += 1;
                }
            }
            while let Some(&byte) = bytes.get(at)
                && bytes::is(byte, LOWER | DIGIT)
            {
                put(byte, &mut length);
                at += 1;
            }
            self.words.push((from, length, at));
        }
        self.squashed.truncate(length);
    }

    fn read_any(&mut self, text: &str) {
        let (mut from, mut before) = (0, ' ');
        let mut letters = text.char_indices().peekable();
        let mut skip_to = 0;
        while let Some((at, letter)) = letters.next() {
            if at < skip_to {
                continue;
            }
            if letter == '[' {
                skip_to = at + mask_length(text.as_bytes().get(at..).unwrap_or_default());
            }
            if !is_alphanumeric(letter) {
                self.end_word(&mut from, at);
            } else if let Ok(byte) = u8::try_from(letter)
                && byte.is_ascii()
                && !bytes::is(byte, UPPER)
            {
                push(letter, &mut self.squashed);
            } else if !has_case(letter) {
                push(letter, &mut self.squashed);
            } else {
                let mut next_is_lower = || letters.peek().is_some_and(|(_, next)| next.is_lowercase());
                let begins = letter.is_uppercase()
                    && (before.is_lowercase()
                        || before.is_ascii_digit()
                        || (before.is_uppercase() && next_is_lower()));
                if begins {
                    self.end_word(&mut from, at);
                }
                if letter.is_ascii() {
                    push(letter.to_ascii_lowercase(), &mut self.squashed);
                } else {
                    fold_letter(letter, &mut self.squashed);
                }
            }
            before = letter;
        }
        self.end_word(&mut from, text.len());
    }

    fn end_word(&mut self, from: &mut usize, at: usize) {
        if self.squashed.len() > *from {
            self.words.push((*from, self.squashed.len(), at));
            *from = self.squashed.len();
        }
    }

    /// All words written together.
    pub fn squashed(&self) -> &str {
        std::str::from_utf8(&self.squashed).unwrap_or_default()
    }

    /// The same as bytes.
    pub fn letters(&self) -> &[u8] {
        &self.squashed
    }

    pub fn words(&self) -> &[(usize, usize, usize)] {
        &self.words
    }

    /// The name of a key or label.
    pub fn of_name(name: &str) -> Self {
        Self::of(name.get(..name.floor_char_boundary(NAME_LIMIT)).unwrap_or_default())
    }
}

/// Scripts without capitals, in which all characters are letters: Japanese, Chinese, Korean.
fn has_case(letter: char) -> bool {
    !matches!(letter, '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Whether a character is a letter or digit; most need no look into the tables of Unicode.
fn is_alphanumeric(letter: char) -> bool {
    match letter {
        '\0'..='\u{7F}' => letter.is_ascii_alphanumeric(),
        '\u{C0}'..='\u{24F}' => !matches!(letter, '×' | '÷'),
        '\u{400}'..='\u{481}' | '\u{5D0}'..='\u{5EA}' | '\u{620}'..='\u{64A}' => true,
        other => !has_case(other) || other.is_alphanumeric(),
    }
}

fn push(letter: char, out: &mut Vec<u8>) {
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Lower case without the accents of Latin letters.
fn fold_letter(letter: char, out: &mut Vec<u8>) {
    let plain = match letter {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'Ď'..='đ' | 'Ð' | 'ð' => "d",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ĝ'..='ģ' => "g",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ĺ'..='ł' => "l",
        'Ñ' | 'ñ' | 'Ń'..='ň' => "n",
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => "o",
        'Ŕ'..='ř' => "r",
        'Ś'..='š' | 'Ș' | 'ș' => "s",
        'ß' => "ss",
        'Ţ'..='ŧ' | 'Ț' | 'ț' => "t",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ý' | 'ý' | 'ÿ' => "y",
        'Ź'..='ž' => "z",
        // Letters with two accents, as in Vietnamese.
        '\u{1E00}'..='\u{1EFF}' => {
            let mut base = None;
            decompose_canonical(letter, |part| base = base.or(Some(part)));
            base.unwrap_or(letter).to_lowercase().for_each(|letter| push(letter, out));
            return;
        }
        other => {
            other.to_lowercase().for_each(|letter| push(letter, out));
            return;
        }
    };
    out.extend_from_slice(plain.as_bytes());
}

/// Length of a mask such as `[US_SSN]` or `[EMAIL_2]` at the start of `bytes`; 0 if there is none.
pub(super) fn mask_length(bytes: &[u8]) -> usize {
    if bytes.first() != Some(&b'[') || !bytes.get(1).is_some_and(u8::is_ascii_uppercase) {
        return 0;
    }
    let inner = bytes
        .iter()
        .skip(1)
        .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'_')
        .count();
    // `[MRN]` is a label that someone wrote: but two names of types are that short.
    let short = inner <= 3 && !matches!(bytes.get(1..=inner), Some(b"VIN" | b"JWT"));
    if bytes.get(inner + 1) == Some(&b']') && !short { inner + 2 } else { 0 }
}

/// Whether a mask stands anywhere in `text`.
pub(super) fn holds_mask(text: &str) -> bool {
    memchr::memchr_iter(b'[', text.as_bytes())
        .any(|at| mask_length(text.as_bytes().get(at..).unwrap_or_default()) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_case_and_separators() {
        for (name, words) in [
            ("socialSecurityNumber", "social security number"),
            ("customer_ssn", "customer ssn"),
            ("APIKey", "api key"),
            ("card-number", "card number"),
            ("a [EMAIL] card", "a card"),
            ("Numéro d'assuré", "numero d assure"),
            ("Straße", "strasse"),
        ] {
            let folded = Folded::of(name);
            let split: Vec<&str> = folded
                .words()
                .iter()
                .map(|(from, to, _)| folded.squashed().get(*from..*to).unwrap())
                .collect();
            assert_eq!(split.join(" "), words, "{name}");
        }
    }
}
