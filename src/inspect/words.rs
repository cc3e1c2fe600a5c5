//! Context: the words of the keys on the way to a value, of its label, and of what stands before it.

/// Bytes before a value in the same text that count as its context.
pub(super) const REACH: usize = 45;
/// Bytes of a key or label that are read: longer ones are no names.
const NAME_LIMIT: usize = 96;

/// The words of one name, lower-cased: `socialSecurity_no` is `social`, `security`, `no`.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Splits a key or a label. Masks (`[EMAIL]`) do not count as words.
    pub fn of_name(name: &str) -> Self {
        let end = name.floor_char_boundary(NAME_LIMIT);
        Self::split(name.get(..end).unwrap_or_default())
    }

    /// Splits the text that stands before byte `at`.
    pub fn before(text: &str, at: usize) -> Self {
        let from = text.ceil_char_boundary(at.saturating_sub(REACH));
        Self::split(text.get(from..at).unwrap_or_default())
    }

    fn split(text: &str) -> Self {
        let mut words = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find('[') {
            let (head, tail) = rest.split_at(start);
            let mask = mask_length(tail.as_bytes());
            split_plain(head, &mut words);
            rest = tail.get(mask.max(1)..).unwrap_or_default();
        }
        split_plain(rest, &mut words);
        Self(words)
    }

    /// Whether some words in a row, written together, are `phrase` (lower case, no separators).
    pub fn name(&self, phrase: &str) -> bool {
        (0..self.0.len()).any(|from| {
            let mut rest = phrase;
            for word in self.0.iter().skip(from) {
                match rest.strip_prefix(word.as_str()) {
                    Some("") => return true,
                    Some(more) => rest = more,
                    None => return false,
                }
            }
            false
        })
    }

    /// Whether all words, written together, end with `phrase`.
    pub fn end_with(&self, phrase: &str) -> bool {
        self.0.concat().ends_with(phrase)
    }
}

/// The words that say what one value is.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Own key, ancestors, labels.
    pub around: Vec<Words>,
    /// The names that are the value's own: its key, or for `{"name": …, "value": …}` the name.
    pub own: Vec<Words>,
}

impl Place {
    pub fn names(&self, phrase: &str) -> bool {
        self.around.iter().any(|words| words.name(phrase))
    }
}

fn split_plain(text: &str, words: &mut Vec<String>) {
    let mut word = String::new();
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next_is_lower = letters.peek().is_some_and(|next| next.is_lowercase());
        let begins = letter.is_uppercase()
            && (before.is_lowercase() || before.is_ascii_digit() || (before.is_uppercase() && next_is_lower));
        if (begins || !letter.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    if !word.is_empty() {
        words.push(word);
    }
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
    if bytes.get(inner + 1) == Some(&b']') { inner + 2 } else { 0 }
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
        for (name, phrase) in [
            ("socialSecurityNumber", "socialsecurity"),
            ("customer_ssn", "ssn"),
            ("SSN", "ssn"),
            ("APIKey", "key"),
            ("card-number", "cardnumber"),
            ("us.ssn.last", "ssn"),
            ("a [EMAIL] card", "acard"),
        ] {
            assert!(Words::of_name(name).name(phrase), "{name}");
        }
        for (name, phrase) in
            [("session", "ssn"), ("discard", "card"), ("[CREDIT_CARD]", "card"), ("sn", "ssn")]
        {
            assert!(!Words::of_name(name).name(phrase), "{name}");
        }
    }
}
