//! A streaming tokenizer over the text of one JSON value (RFC 8259): offsets only, no tree, no allocation per
//! token, no recursion.

use wide::u8x16;

use super::{Blocked, Limits};

/// Where a string's content lies (without its quotes) and what reading it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted {
    pub start: usize,
    pub end: usize,
    pub escapes: Escapes,
    /// False if it holds, or may hold, bytes beyond ASCII.
    pub ascii: bool,
}

/// Which escapes a string is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Escapes {
    None,
    /// Only `\"`, `\\`, `\n`, `\r`, `\t`: no prefix or digit can hide behind them.
    Simple,
    /// `\u`, `\/`, `\b` or `\f`: what the raw bytes show is not what the string says.
    Hiding,
}

/// One token with the offset of its first byte.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    ObjectStart(usize),
    ObjectEnd,
    ArrayStart(usize),
    ArrayEnd,
    Key(Quoted),
    Text(Quoted),
    Number {
        start: usize,
        end: usize,
    },
    /// `true`, `false` or `null`.
    Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    Nothing,
}

/// Reads token after token; after the last one `next` gives `None` once the rest is only white space.
pub(super) struct Lexer<'t> {
    bytes: &'t [u8],
    at: usize,
    /// True for an object, false for an array.
    open: Vec<bool>,
    expect: Expect,
    limits: &'t Limits,
    keys: usize,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str, limits: &'t Limits) -> Self {
        Self::from(text, 0, limits)
    }

    /// Starts at the value that begins at byte `at`.
    pub fn from(text: &'t str, at: usize, limits: &'t Limits) -> Self {
        Self { bytes: text.as_bytes(), at, open: Vec::new(), expect: Expect::Value, limits, keys: 0 }
    }

    /// Depth of open objects and arrays.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Offset of the next unread byte.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next token, or `None` at the end of the one value.
    pub fn next(&mut self) -> Result<Option<Token>, Blocked> {
        loop {
            self.skip_space();
            let Some(&byte) = self.bytes.get(self.at) else {
                return if self.expect == Expect::Nothing { Ok(None) } else { Err(self.invalid()) };
            };
            match self.expect {
                Expect::Value => return self.value(byte).map(Some),
                Expect::ValueOrEnd if byte == b']' => return Ok(Some(self.close(Token::ArrayEnd))),
                Expect::ValueOrEnd => return self.value(byte).map(Some),
                Expect::KeyOrEnd if byte == b'}' => return Ok(Some(self.close(Token::ObjectEnd))),
                Expect::Key | Expect::KeyOrEnd => return self.key(byte).map(Some),
                Expect::CommaOrEnd => match (byte, self.open.last()) {
                    (b',', Some(true)) => self.expect = Expect::Key,
                    (b',', Some(false)) => self.expect = Expect::Value,
                    (b'}', Some(true)) => return Ok(Some(self.close(Token::ObjectEnd))),
                    (b']', Some(false)) => return Ok(Some(self.close(Token::ArrayEnd))),
                    _ => return Err(self.invalid()),
                },
                Expect::Nothing => return Err(self.invalid()),
            }
            self.at += 1;
        }
    }

    fn invalid(&self) -> Blocked {
        Blocked::InvalidJson { at: self.at }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn after_value(&mut self) {
        self.expect = if self.open.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    fn close(&mut self, token: Token) -> Token {
        self.at += 1;
        self.open.pop();
        self.after_value();
        token
    }

    fn open(&mut self, object: bool) -> Result<(), Blocked> {
        if self.open.len() >= self.limits.depth {
            return Err(Blocked::TooDeep { limit: self.limits.depth });
        }
        self.at += 1;
        self.open.push(object);
        self.expect = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        Ok(())
    }

    fn value(&mut self, byte: u8) -> Result<Token, Blocked> {
        let start = self.at;
        match byte {
            b'{' => self.open(true).map(|()| Token::ObjectStart(start)),
            b'[' => self.open(false).map(|()| Token::ArrayStart(start)),
            b'"' => {
                let text = self.string()?;
                self.after_value();
                Ok(Token::Text(text))
            }
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.invalid()),
        }
    }

    fn key(&mut self, byte: u8) -> Result<Token, Blocked> {
        if byte != b'"' {
            return Err(self.invalid());
        }
        self.keys += 1;
        if self.keys > self.limits.keys {
            return Err(Blocked::TooManyKeys { limit: self.limits.keys });
        }
        let text = self.string()?;
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.invalid());
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Token::Key(text))
    }

    fn word(&mut self, word: &[u8]) -> Result<Token, Blocked> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.invalid());
        }
        self.at += word.len();
        self.after_value();
        Ok(Token::Word)
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Result<Token, Blocked> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let zero = self.bytes.get(self.at) == Some(&b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            return Err(self.invalid());
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.invalid());
            }
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.invalid());
            }
        }
        if self.at - start > self.limits.number_bytes {
            return Err(Blocked::NumberTooLong { limit: self.limits.number_bytes });
        }
        self.after_value();
        Ok(Token::Number { start, end: self.at })
    }

    fn string(&mut self) -> Result<Quoted, Blocked> {
        self.at += 1;
        let start = self.at;
        let mut escapes = Escapes::None;
        let mut beyond_ascii = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            self.at += plain_length(rest, &mut beyond_ascii);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => escapes = escapes.max(self.escape()?),
                _ => return Err(self.invalid()),
            }
        }
        let end = self.at;
        self.at += 1;
        if end - start > self.limits.string_bytes {
            return Err(Blocked::StringTooLong { limit: self.limits.string_bytes });
        }
        Ok(Quoted { start, end, escapes, ascii: !beyond_ascii })
    }

    fn escape(&mut self) -> Result<Escapes, Blocked> {
        let kind = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'n' | b'r' | b't') => Escapes::Simple,
            Some(b'/' | b'b' | b'f') => Escapes::Hiding,
            Some(b'u') => {
                let unit = self.unit(self.at + 2)?;
                if (0xDC00..0xE000).contains(&unit) {
                    return Err(self.invalid());
                }
                if (0xD800..0xDC00).contains(&unit) {
                    // A lone surrogate is not text: parsers differ on it, so it is refused.
                    let pair = self.bytes.get(self.at + 6..self.at + 8) == Some(b"\\u")
                        && (0xDC00..0xE000).contains(&self.unit(self.at + 8)?);
                    if !pair {
                        return Err(self.invalid());
                    }
                    self.at += 6;
                }
                self.at += 4;
                Escapes::Hiding
            }
            _ => return Err(self.invalid()),
        };
        self.at += 2;
        Ok(kind)
    }

    fn unit(&self, at: usize) -> Result<u32, Blocked> {
        hex_unit(self.bytes.get(at..at + 4).unwrap_or_default()).ok_or_else(|| self.invalid())
    }
}

/// The value of exactly four hexadecimal digits.
pub(super) fn hex_unit(digits: &[u8]) -> Option<u32> {
    if digits.len() != 4 {
        return None;
    }
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

/// Whether `text` is one valid JSON value; limits other than validity are errors of their own.
pub(super) fn is_json(text: &str, limits: &Limits) -> Result<bool, Blocked> {
    let mut lexer = Lexer::new(text, limits);
    loop {
        match lexer.next() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(true),
            Err(Blocked::InvalidJson { .. }) => return Ok(false),
            Err(limit) => return Err(limit),
        }
    }
}

/// Length of the part before the first quote, backslash or control character, sixteen bytes at a time.
fn plain_length(bytes: &[u8], beyond_ascii: &mut bool) -> usize {
    let mut length = 0;
    let (chunks, rest) = bytes.as_chunks::<16>();
    for chunk in chunks {
        let bytes = u8x16::from(*chunk);
        let is = |sign: u8| bytes.simd_eq(u8x16::splat(sign));
        let stops = is(b'"') | is(b'\\') | bytes.min(u8x16::splat(0x1F)).simd_eq(bytes);
        // The high bits of all.
        *beyond_ascii |= bytes.to_bitmask() != 0;
        let stops = stops.to_bitmask();
        if stops != 0 {
            return length + stops.trailing_zeros() as usize;
        }
        length += chunk.len();
    }
    for &byte in rest {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        *beyond_ascii |= !byte.is_ascii();
        length += 1;
    }
    length
}
