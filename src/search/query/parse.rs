//! Reading a query: a descent by hand, so that every error has a place and a word of help.

use super::value;
use super::{Misread, Node, Said, Test};
use crate::search::field::{Field, nearest};
use crate::search::words::Words;

/// Longest query, in bytes.
pub const MOST_BYTES: usize = 4096;
/// Deepest nesting.
const DEEPEST: usize = 32;
/// Most terms.
const MOST_TERMS: usize = 256;

type Read<T> = Result<T, Misread>;

pub(super) fn parse(text: &str, now_us: i64) -> Read<Node> {
    let mut parser = Parser { text, at: 0, now_us, depth: 0, terms: 0 };
    if text.len() > MOST_BYTES {
        return Err(parser.wrong(0..text.len(), format!("a query has at most {MOST_BYTES} bytes"), None));
    }
    let node = parser.any()?;
    match parser.peek() {
        None => Ok(node),
        // `any` stops at the end or at a parenthesis that nothing opened.
        Some(_) => Err(parser.wrong(parser.at..parser.at + 1, "nothing opened this parenthesis", None)),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    now_us: i64,
    depth: usize,
    terms: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is no white space.
    fn peek(&mut self) -> Option<char> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    fn take(&mut self, expected: char) -> bool {
        let there = self.rest().starts_with(expected);
        if there {
            self.at += expected.len_utf8();
        }
        there
    }

    fn wrong(
        &self,
        bytes: std::ops::Range<usize>,
        what: impl Into<String>,
        suggestion: Option<String>,
    ) -> Misread {
        let chars = |range| self.text.get(range).map_or(0, |part: &str| part.chars().count());
        Misread { at: chars(0..bytes.start), length: chars(bytes), what: what.into(), suggestion }
    }

    /// Whether a word of the language itself is next.
    fn is_keyword(&mut self, word: &str) -> bool {
        self.peek();
        let ends = |rest: &str| rest.chars().next().is_none_or(|c| c.is_whitespace() || "()\"".contains(c));
        self.rest().strip_prefix(word).is_some_and(ends)
    }

    /// Skips a word of the language itself, if it is next.
    fn keyword(&mut self, word: &str) -> bool {
        let there = self.is_keyword(word);
        if there {
            self.at += word.len();
        }
        there
    }

    /// Whether no term can follow.
    fn ends(&mut self) -> bool {
        matches!(self.peek(), None | Some(')')) || self.is_keyword("OR") || self.is_keyword("AND")
    }

    fn any(&mut self) -> Read<Node> {
        let mut branches = vec![self.all()?];
        while self.is_keyword("OR") {
            let or = self.at..self.at + 2;
            self.at = or.end;
            if branches.last().is_some_and(is_empty) || self.ends() {
                return Err(self.wrong(or, "`OR` needs something on both sides", None));
            }
            branches.push(self.all()?);
        }
        Ok(Node::any(branches))
    }

    fn all(&mut self) -> Read<Node> {
        let mut nodes = Vec::new();
        while !matches!(self.peek(), None | Some(')')) && !self.is_keyword("OR") {
            let begin = self.at;
            if self.keyword("AND") && (nodes.is_empty() || self.ends()) {
                return Err(self.wrong(begin..begin + 3, "`AND` needs something on both sides", None));
            }
            nodes.push(self.unary()?);
        }
        Ok(Node::all(nodes))
    }

    fn unary(&mut self) -> Read<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(self.at..self.at + 1, format!("nested deeper than {DEEPEST}"), None));
        }
        let begin = self.at;
        let negated = self.keyword("NOT") || self.take('-');
        let node = if negated {
            match self.peek() {
                None | Some(')') => Err(self.wrong(begin..self.at, "nothing follows the negation", None)),
                Some(_) => self.unary().map(|node| Node::Not(Box::new(node))),
            }
        } else if self.take('(') {
            let node = self.any()?;
            self.peek();
            if !self.take(')') {
                Err(self.wrong(begin..begin + 1, "this parenthesis is not closed", None))
            } else if is_empty(&node) {
                Err(self.wrong(begin..self.at, "nothing stands between the parentheses", None))
            } else {
                Ok(node)
            }
        } else {
            self.term()
        };
        self.depth -= 1;
        node
    }

    fn term(&mut self) -> Read<Node> {
        let begin = self.at;
        self.terms += 1;
        if self.terms > MOST_TERMS {
            return Err(self.wrong(begin..begin + 1, format!("more than {MOST_TERMS} terms"), None));
        }
        if self.rest().starts_with('"') {
            let phrase = self.quoted()?;
            return self.said(begin, &phrase, false);
        }
        let word = self.run(|c| c.is_whitespace() || "():\"".contains(c));
        if self.take(':') {
            return self.field(begin, word);
        }
        if word.is_empty() {
            // Only `(`, `)` and white space stop a run at once, and all of them are dealt with before.
            return Err(self.wrong(begin..begin + 1, "this is not expected here", None));
        }
        if let Some(operator) = ["AND", "OR", "NOT"].into_iter().find(|op| op.eq_ignore_ascii_case(word)) {
            let help = format!("write `{operator}`, or `\"{word}\"` for the word");
            return Err(self.wrong(begin..self.at, format!("`{word}` can be read in two ways"), Some(help)));
        }
        let (word, is_prefix) = word.strip_suffix('*').map_or((word, false), |word| (word, true));
        self.said(begin, word, is_prefix)
    }

    fn said(&self, begin: usize, text: &str, is_prefix: bool) -> Read<Node> {
        let words: Vec<String> = Words::of(text).collect();
        let span = begin..self.at;
        match (words.as_slice(), is_prefix) {
            ([], _) => Err(self.wrong(span, "no letter and no digit to look for", None)),
            ([prefix], true) => Ok(Node::Said(Said::Prefix(prefix.clone()))),
            (_, true) => Err(self.wrong(span, "`*` stands at the end of one word", None)),
            (_, false) => Ok(Node::Said(Said::Phrase(words))),
        }
    }

    fn run(&mut self, stops: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let run = rest.get(..rest.find(stops).unwrap_or(rest.len())).unwrap_or_default();
        self.at += run.len();
        run
    }

    fn quoted(&mut self) -> Read<String> {
        let begin = self.at;
        self.take('"');
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(self.wrong(begin..begin + 1, "this quotation mark is not closed", None))
    }

    fn field(&mut self, begin: usize, name: &str) -> Read<Node> {
        let Some(field) = Field::parse(name) else {
            let guess = Field::guess(&name.to_lowercase()).map(|guess| format!("did you mean `{guess}`?"));
            let whole = self.run(|c| c.is_whitespace() || c == ')');
            let help = guess.unwrap_or_else(|| format!("for the words, write `\"{name}:{whole}\"`"));
            let what = format!("there is no field `{name}`");
            return Err(self.wrong(begin..begin + name.len(), what, Some(help)));
        };
        if self.rest().starts_with("in(") {
            self.at += "in(".len();
            return self.list(field);
        }
        let from = self.at;
        if field.values().is_numeric() {
            let test = self.numbers(field, from)?;
            return Ok(Node::Is(field, test));
        }
        if self.rest().starts_with('"') {
            let text = self.quoted()?;
            return self.keyword_of(field, from, text, true);
        }
        let text = self.run(|c| c.is_whitespace() || "()\"".contains(c)).to_owned();
        self.keyword_of(field, from, text, false)
    }

    fn list(&mut self, field: Field) -> Read<Node> {
        let mut nodes = Vec::new();
        loop {
            self.peek();
            let from = self.at;
            self.terms += 1;
            if self.terms > MOST_TERMS {
                return Err(self.wrong(from..from, format!("more than {MOST_TERMS} terms"), None));
            }
            let quoted = self.rest().starts_with('"');
            let text = if quoted {
                self.quoted()?
            } else {
                self.run(|c| c.is_whitespace() || ",()\"".contains(c)).to_owned()
            };
            nodes.push(if field.values().is_numeric() {
                let (from, to) = self.span(field, from, &text)?;
                Node::Is(field, Test::Within { from: Some(from), to: Some(to) })
            } else {
                self.keyword_of(field, from, text, quoted)?
            });
            self.peek();
            if self.take(')') {
                return Ok(Node::any(nodes));
            }
            if !self.take(',') {
                let help = format!("write `{}:in(a, b)`", field.name());
                return Err(self.wrong(self.at..self.at + 1, "a comma or `)` is expected", Some(help)));
            }
        }
    }

    fn keyword_of(&self, field: Field, from: usize, text: String, quoted: bool) -> Read<Node> {
        let span = from..self.at;
        if text.is_empty() {
            let help = format!("write `{0}:VALUE`, or `{0}:*` for any", field.name());
            return Err(self.wrong(span, "a value is missing", Some(help)));
        }
        if !quoted {
            if text.chars().all(|c| c == '*') {
                return Ok(Node::Is(field, Test::Exists));
            }
            if text.starts_with(['<', '>', '=']) {
                let what = format!("`{}` is not compared by size", field.name());
                return Err(self.wrong(span, what, Some(format!("write `{}:VALUE`", field.name()))));
            }
            if text.contains('*') {
                return Ok(Node::Is(field, Test::Like(text)));
            }
        }
        if let Some(known) = field.values().known()
            && !known.contains(&text.as_str())
        {
            let guess = nearest(&text, known.iter().copied()).map(|guess| format!("did you mean `{guess}`?"));
            let help = guess.unwrap_or_else(|| format!("it is one of {}", known.join(", ")));
            let what = format!("`{}` is never `{text}`", field.name());
            return Err(self.wrong(span, what, Some(help)));
        }
        Ok(Node::Is(field, Test::Equals(cut(text))))
    }

    fn numbers(&mut self, field: Field, begin: usize) -> Read<Test> {
        let operator = [">=", "<=", ">", "<", "="].into_iter().find(|op| self.rest().starts_with(op));
        self.at += operator.map_or(0, str::len);
        let from = self.at;
        let text = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            self.run(|c| c.is_whitespace() || "()\"".contains(c)).to_owned()
        };
        if let Some(operator) = operator {
            let (first, after) = self.span(field, from, &text)?;
            return Ok(match operator {
                ">=" => Test::Within { from: Some(first), to: None },
                ">" => Test::Within { from: Some(after), to: None },
                "<=" => Test::Within { from: None, to: Some(after) },
                "<" => Test::Within { from: None, to: Some(first) },
                _ => Test::Within { from: Some(first), to: Some(after) },
            });
        }
        if text == "*" {
            return Ok(Test::Exists);
        }
        let Some((low, high)) = text.split_once("..") else {
            let (first, after) = self.span(field, from, &text)?;
            return Ok(Test::Within { from: Some(first), to: Some(after) });
        };
        let bound = |parser: &Self, text: &str| match text {
            "" | "*" => Ok(None),
            text => parser.span(field, from, text).map(Some),
        };
        let (low, high) = (bound(self, low)?, bound(self, high)?);
        let (from, to) = (low.map(|(first, _)| first), high.map(|(_, after)| after));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(self.wrong(begin..self.at, "the range ends before it begins", None));
        }
        if (from, to) == (None, None) {
            return Ok(Test::Exists);
        }
        Ok(Test::Within { from, to })
    }

    fn span(&self, field: Field, from: usize, text: &str) -> Read<value::Span> {
        value::read(field.values(), text, self.now_us).map_err(|help| {
            let what = if text.is_empty() {
                "a value is missing".to_owned()
            } else {
                format!("`{text}` is no value of `{}`", field.name())
            };
            self.wrong(from..self.at, what, Some(help.to_owned()))
        })
    }
}

fn is_empty(node: &Node) -> bool {
    matches!(node, Node::All(nodes) if nodes.is_empty())
}

/// Values are kept and compared by their beginning.
fn cut(text: String) -> String {
    crate::search::doc::cut(&text).to_owned()
}
