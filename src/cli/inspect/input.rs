//! From files, folders and standard input to single texts and JSON values.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::inspect::Shape;

/// How input is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// JSON Lines if the first line is one of `{"text" | "json"}`, else one text.
    Auto,
    /// JSON Lines of `{"id", "text" | "json"}`.
    Jsonl,
    /// Each file is one text.
    Text,
}

/// One text or JSON value.
#[derive(Debug)]
pub(super) struct Item {
    pub id: Value,
    /// Or why it could not be read.
    pub content: Result<Content, String>,
}

#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Json(Box<RawValue>),
}

impl Content {
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Json(value) => value.get(),
        }
    }

    pub fn shape(&self) -> Shape {
        match self {
            Self::Text(_) => Shape::Unknown,
            Self::Json(_) => Shape::Json,
        }
    }
}

impl Item {
    pub fn bytes(&self) -> usize {
        self.content.as_ref().map_or(0, |content| content.text().len())
    }
}

/// The longest line of JSON Lines.
const LINE: u64 = 1 << 30;
/// Folders inside one another; links can make a circle.
const DEPTH: usize = 64;

type Each<'a> = &'a mut dyn FnMut(Item) -> io::Result<()>;

/// Reads everything, one item after the other. Only what goes wrong with output is an error: what goes wrong with
/// an input is said in its item.
pub(super) fn read(paths: &[PathBuf], format: Format, each: Each<'_>) -> io::Result<()> {
    if paths.is_empty() {
        return stream(io::stdin().lock(), "-", format, each);
    }
    for path in paths {
        if path.as_os_str() == "-" {
            stream(io::stdin().lock(), "-", format, each)?;
        } else {
            path_item(path, (format, DEPTH), each)?;
        }
    }
    Ok(())
}

fn path_item(path: &Path, (format, depth): (Format, usize), each: Each<'_>) -> io::Result<()> {
    let name = path.display().to_string();
    if !path.is_dir() {
        return match File::open(path) {
            Ok(file) => stream(BufReader::with_capacity(1 << 16, file), &name, format, each),
            Err(e) => each(unreadable(&name, &e)),
        };
    }
    let Some(depth) = depth.checked_sub(1) else {
        return each(unreadable(&name, &io::Error::other("folders are nested too deep")));
    };
    let mut entries: Vec<PathBuf> = match std::fs::read_dir(path) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(e) => return each(unreadable(&name, &e)),
    };
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden {
            path_item(&entry, (format, depth), each)?;
        }
    }
    Ok(())
}

fn unreadable(name: &str, problem: &io::Error) -> Item {
    Item { id: Value::from(name), content: Err(format!("cannot be read: {problem}")) }
}

fn stream(mut source: impl BufRead, name: &str, format: Format, each: Each<'_>) -> io::Result<()> {
    let mut first = Vec::new();
    if format != Format::Text {
        // Blank lines in front belong to no item.
        loop {
            let before = first.len();
            match (&mut source).take(LINE).read_until(b'\n', &mut first) {
                Err(e) => return each(unreadable(name, &e)),
                Ok(0) => break,
                Ok(_) if first.iter().skip(before).all(u8::is_ascii_whitespace) => {}
                Ok(_) => break,
            }
        }
        let is_lines = format == Format::Jsonl
            || serde_json::from_slice::<Line>(&first).is_ok_and(|line| line.has_content());
        if is_lines {
            return lines(first, source, each);
        }
    }
    whole(first, source, name, each)
}

fn whole(mut bytes: Vec<u8>, mut source: impl BufRead, name: &str, each: Each<'_>) -> io::Result<()> {
    if let Err(e) = source.read_to_end(&mut bytes) {
        return each(unreadable(name, &e));
    }
    let content = String::from_utf8(bytes).map(Content::Text);
    let content = content.map_err(|_| "is not UTF-8 text, convert it first".to_owned());
    each(Item { id: Value::from(name), content })
}

fn lines(first: Vec<u8>, mut source: impl BufRead, each: Each<'_>) -> io::Result<()> {
    let mut line = first;
    let mut number = 1u64;
    loop {
        if !line.iter().all(u8::is_ascii_whitespace) {
            each(item(&line, number))?;
        }
        line.clear();
        number += 1;
        match (&mut source).take(LINE).read_until(b'\n', &mut line) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) => return each(unreadable(&format!("line {number}"), &e)),
        }
    }
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    text: Option<String>,
    json: Option<Box<RawValue>>,
}

impl Line {
    fn has_content(&self) -> bool {
        self.text.is_some() || self.json.is_some()
    }
}

fn item(line: &[u8], number: u64) -> Item {
    match serde_json::from_slice::<Line>(line) {
        Err(e) => {
            let problem = format!("line {number} is not a JSON object with `text` or `json`: {e}");
            Item { id: Value::Null, content: Err(problem) }
        }
        Ok(Line { id, text: Some(text), json: None }) => Item { id, content: Ok(Content::Text(text)) },
        Ok(Line { id, text: None, json: Some(json) }) => Item { id, content: Ok(Content::Json(json)) },
        Ok(Line { id, .. }) => {
            let problem = format!("line {number} needs one of `text` and `json`");
            Item { id, content: Err(problem) }
        }
    }
}
