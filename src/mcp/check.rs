//! Strict JSON: one value, valid UTF-8, no duplicate keys, bounded depth and size.
//!
//! Parsers downstream disagree on duplicate keys (first wins, last wins, refused), so a message that has
//! them could mean one thing to policy and another to the server. Such a message never passes.

use std::borrow::Cow;
use std::collections::HashSet;

/// Bounds for one JSON text.
#[derive(Debug, Clone, Copy)]
pub struct JsonLimits {
    /// Largest text, in bytes.
    pub bytes: usize,
    /// Deepest nesting of arrays and objects.
    pub depth: usize,
    /// Most members of one object.
    pub members: usize,
    /// Longest number literal, in bytes.
    pub number: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { bytes: 4 << 20, depth: 64, members: 4096, number: 128 }
    }
}

/// Why a text is not acceptable JSON. Positions are byte offsets; contents are never quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than allowed.
    #[error("the message has {found} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Nested deeper than allowed.
    #[error("the message nests deeper than {0} levels")]
    TooDeep(usize),
    /// An object has more members than allowed.
    #[error("an object has more than {0} members")]
    TooManyMembers(usize),
    /// A number literal is longer than allowed.
    #[error("a number has more than {0} characters")]
    LongNumber(usize),
    /// The same key twice in one object.
    #[error("an object has the same key twice, at byte {0}")]
    DuplicateKey(usize),
    /// Not UTF-8.
    #[error("the message is not valid UTF-8, at byte {0}")]
    NotUtf8(usize),
    /// Not JSON (RFC 8259).
    #[error("the message is not valid JSON, at byte {0}")]
    Syntax(usize),
}

impl JsonError {
    /// Whether the text is JSON, but outside the bounds or ambiguous.
    pub fn is_policy(&self) -> bool {
        !matches!(self, Self::Syntax(_) | Self::NotUtf8(_))
    }
}

/// Accepts `bytes` as one strict JSON text within `limits` and returns it as a string.
///
/// # Errors
/// Returns the first reason for which the text is refused.
pub fn check<'a>(bytes: &'a [u8], limits: &JsonLimits) -> Result<&'a str, JsonError> {
    if bytes.len() > limits.bytes {
        return Err(JsonError::TooLarge { found: bytes.len(), limit: limits.bytes });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError::NotUtf8(e.valid_up_to()))?;
    let mut scanner = Scanner { text, bytes, at: 0, limits, open: Vec::new() };
    scanner.value()?;
    scanner.space();
    if scanner.at == bytes.len() { Ok(text) } else { Err(JsonError::Syntax(scanner.at)) }
}

enum Open<'a> {
    Array,
    Object(Keys<'a>),
}

/// Keys seen in one object: a list while it is short, a set when it grows, so that checking stays linear.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

const FEW: usize = 12;

impl<'a> Keys<'a> {
    /// Returns false if the key was there already.
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        if self.many.is_empty() {
            if self.few.contains(&key) {
                return false;
            }
            self.few.push(key);
            if self.few.len() > FEW {
                self.many.extend(self.few.drain(..));
            }
            return true;
        }
        self.many.insert(key)
    }

    fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }
}

struct Scanner<'a, 'l> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    limits: &'l JsonLimits,
    open: Vec<Open<'a>>,
}

impl<'a> Scanner<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn syntax<T>(&self) -> Result<T, JsonError> {
        Err(JsonError::Syntax(self.at))
    }

    fn push(&mut self, open: Open<'a>) -> Result<(), JsonError> {
        if self.open.len() >= self.limits.depth {
            return Err(JsonError::TooDeep(self.limits.depth));
        }
        self.open.push(open);
        Ok(())
    }

    /// Scans one value without recursion: `open` is the stack.
    fn value(&mut self) -> Result<(), JsonError> {
        loop {
            self.space();
            let opened = match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    self.push(Open::Object(Keys::default()))?;
                    self.space();
                    if self.peek() == Some(b'}') {
                        self.at += 1;
                        self.open.pop();
                        false
                    } else {
                        self.key()?;
                        true
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.push(Open::Array)?;
                    self.space();
                    if self.peek() == Some(b']') {
                        self.at += 1;
                        self.open.pop();
                        false
                    } else {
                        true
                    }
                }
                Some(b'"') => {
                    self.string()?;
                    false
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number()?;
                    false
                }
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                _ => return self.syntax(),
            };
            if !opened && self.close()? {
                return Ok(());
            }
        }
    }

    /// After a value: closes what ends here. Returns true when the outermost value is complete.
    fn close(&mut self) -> Result<bool, JsonError> {
        loop {
            let in_object = match self.open.last() {
                None => return Ok(true),
                Some(Open::Array) => false,
                Some(Open::Object(_)) => true,
            };
            self.space();
            match (self.peek(), in_object) {
                (Some(b','), false) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b','), true) => {
                    self.at += 1;
                    self.space();
                    self.key()?;
                    return Ok(false);
                }
                (Some(b']'), false) | (Some(b'}'), true) => {
                    self.at += 1;
                    self.open.pop();
                }
                _ => return self.syntax(),
            }
        }
    }

    fn key(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return self.syntax();
        }
        let escaped = self.string()?;
        let raw = self.text.get(start..self.at).unwrap_or_default();
        let key = if escaped {
            Cow::Owned(serde_json::from_str(raw).map_err(|_| JsonError::Syntax(start))?)
        } else {
            Cow::Borrowed(raw)
        };
        // Escaped and plain spellings of one key must meet in one form: compare decoded, without quotes.
        let key = match key {
            Cow::Borrowed(quoted) => Cow::Borrowed(quoted.trim_matches('"')),
            Cow::Owned(decoded) => Cow::Owned(decoded),
        };
        if let Some(Open::Object(keys)) = self.open.last_mut() {
            if keys.len() >= self.limits.members {
                return Err(JsonError::TooManyMembers(self.limits.members));
            }
            if !keys.insert(key) {
                return Err(JsonError::DuplicateKey(start));
            }
        }
        self.space();
        if self.peek() == Some(b':') {
            self.at += 1;
            Ok(())
        } else {
            self.syntax()
        }
    }

    /// Scans a string, from its opening quote to behind its closing one. Returns whether it has escapes.
    fn string(&mut self) -> Result<bool, JsonError> {
        self.at += 1;
        let mut escaped = false;
        loop {
            let Some(byte) = self.peek() else { return self.syntax() };
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                0..=0x1f => return self.syntax(),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.hex4(self.at + 2)?;
                self.at += 6;
                if (0xDC00..0xE000).contains(&unit) {
                    return self.syntax();
                }
                if (0xD800..0xDC00).contains(&unit) {
                    let pair = self.bytes.get(self.at..self.at + 2) == Some(b"\\u");
                    if !pair || !(0xDC00..0xE000).contains(&self.hex4(self.at + 2)?) {
                        return self.syntax();
                    }
                    self.at += 6;
                }
                Ok(())
            }
            _ => self.syntax(),
        }
    }

    fn hex4(&self, at: usize) -> Result<u32, JsonError> {
        self.text
            .get(at..at + 4)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or(JsonError::Syntax(at))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.syntax();
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.at - start > self.limits.number {
            return Err(JsonError::LongNumber(self.limits.number));
        }
        Ok(())
    }

    /// Scans a literal; always false, since a literal opens nothing.
    fn word(&mut self, word: &str) -> Result<bool, JsonError> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(false)
        } else {
            self.syntax()
        }
    }
}
