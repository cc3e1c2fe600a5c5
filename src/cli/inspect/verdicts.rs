//! `sealgate inspect --definitions` and `--arguments`: a verdict on each, with reasons.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Options;
use crate::cli::{Done, Failure};
use crate::config::Config;
use crate::inspect::sanitize::{Guard, Judged, Reason, Rules, Sanitizer, Schema, Semantic, Verdict};

/// Largest input that is read as one document, in bytes.
const LARGEST: u64 = 1 << 30;

/// One line of output.
#[derive(Debug, Serialize)]
struct Line {
    id: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    quarantine: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<Reason>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A call as it is typed.
#[derive(Debug, Deserialize)]
struct Call {
    #[serde(default)]
    id: Value,
    #[serde(default, alias = "name")]
    tool: Option<String>,
    #[serde(default, alias = "inputSchema", alias = "input_schema")]
    schema: Option<Box<RawValue>>,
    #[serde(default, alias = "args")]
    arguments: Option<Box<RawValue>>,
    #[serde(default)]
    semantics: Option<BTreeMap<String, Semantic>>,
}

/// Judges definitions or calls, one line of output each.
pub(super) fn run(options: &Options) -> Done {
    let rules = match &options.config {
        Some(file) => Rules::of(&[&Config::load(file).map_err(Failure::Problems)?.sanitize]),
        None => Rules::of(&[]),
    };
    // Commitments are not shown here, so that any key serves.
    let judge = Judge { sanitizer: Sanitizer::new(&rules, &[0; 32])?, rules, calls: options.arguments };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut worst = Verdict::None;
    let mut failed = false;
    let mut each = |line: Line| -> io::Result<()> {
        worst = worst.max(line.verdict.unwrap_or_default());
        failed |= line.error.is_some();
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")
    };
    let mut done = Ok(());
    for input in inputs(&options.paths)? {
        done = done.and_then(|()| judge.input(&input, &mut each));
    }
    match done.and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => return Err(e.into()),
        _ => {}
    }
    match (failed, worst) {
        (true, _) => Err(Failure::No(2)),
        (false, Verdict::None) => Ok(()),
        (false, _) => Err(Failure::No(1)),
    }
}

/// Files, those of folders, or standard input.
fn inputs(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Ok(vec!["-".into()]);
    }
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut inside: Vec<PathBuf> =
            std::fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        inside.retain(|path| path.is_file());
        inside.sort();
        found.append(&mut inside);
    }
    Ok(found)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().lock().take(LARGEST).read_to_string(&mut text)?;
    } else {
        BufReader::new(File::open(path)?).take(LARGEST).read_to_string(&mut text)?;
    }
    Ok(text)
}

struct Judge {
    sanitizer: Sanitizer,
    rules: Rules,
    calls: bool,
}

type Each<'e> = &'e mut dyn FnMut(Line) -> io::Result<()>;

impl Judge {
    fn input(&self, path: &Path, each: Each<'_>) -> io::Result<()> {
        let text = match read(path) {
            Ok(text) => text,
            Err(e) => return each(Line::error(json!(path), format!("cannot be read: {e}"))),
        };
        if self.calls {
            return self.lines(&text, each, &|judge, line, number| judge.call(line, number));
        }
        // One document: a list's result or answer, an array, or a single definition.
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(whole) => {
                let definitions = listed(whole.get());
                for (index, definition) in definitions.iter().enumerate() {
                    each(self.definition(definition, index + 1))?;
                }
                Ok(())
            }
            Err(_) => self.lines(&text, each, &|judge, line, number| judge.definition(line, number)),
        }
    }

    fn lines(&self, text: &str, each: Each<'_>, of: &dyn Fn(&Self, &str, usize) -> Line) -> io::Result<()> {
        let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        filled
            .map(|(index, line)| (index + 1, line))
            .try_for_each(|(number, line)| each(of(self, line, number)))
    }

    fn definition(&self, line: &str, number: usize) -> Line {
        let value: Value = match serde_json::from_str(line) {
            Ok(value @ Value::Object(_)) => value,
            _ => return Line::error(json!(number), format!("definition {number} is not a JSON object")),
        };
        // `{"id": …, "definition": {…}}` names what it is about.
        let inner = ["definition", "tool", "json"]
            .into_iter()
            .find_map(|key| value.get(key).filter(|v| v.is_object()));
        let name = inner.unwrap_or(&value).get("name").and_then(Value::as_str).map(str::to_owned);
        let mut id = value
            .get("id")
            .cloned()
            .or_else(|| name.clone().map(Value::from))
            .unwrap_or_else(|| json!(number));
        let judged = match inner {
            Some(inner) => self.sanitizer.definition(&inner.to_string(), &self.rules.definitions),
            None => self.sanitizer.definition(line, &self.rules.definitions),
        };
        if id.is_null() {
            id = json!(number);
        }
        Line::of(id, name, judged)
    }

    fn call(&self, line: &str, number: usize) -> Line {
        let call: Call = match serde_json::from_str(line) {
            Ok(call) => call,
            Err(e) => {
                let problem = format!(
                    "line {number} is not a call `{{\"id\", \"tool\"?, \"schema\"?, \"arguments\", \"semantics\"?}}`: {e}"
                );
                return Line::error(json!(number), problem);
            }
        };
        let id = if call.id.is_null() { json!(number) } else { call.id };
        let arguments = call.arguments.as_ref().map_or("{}", |arguments| arguments.get());
        let mut semantics: Vec<(String, Semantic)> = call.semantics.unwrap_or_default().into_iter().collect();
        let mut misfits = Vec::new();
        if let Some(raw) = &call.schema {
            match Schema::compile(raw.get()) {
                Ok(schema) => {
                    semantics.extend(schema.hints().iter().cloned());
                    misfits = schema.misfits(arguments);
                }
                Err(e) => return Line::error(id, e.to_string()),
            }
        }
        let mut judged = self.sanitizer.arguments(arguments, &semantics, &self.rules.arguments);
        match self.rules.arguments.schema {
            Guard::Off => {}
            Guard::Flag => self.sanitizer.add_misfits(&mut judged, &misfits, "flag"),
            Guard::Block => self.sanitizer.add_misfits(&mut judged, &misfits, "block"),
        }
        Line::of(id, call.tool, judged)
    }
}

impl Line {
    fn of(id: Value, tool: Option<String>, judged: Judged) -> Self {
        let Judged { verdict, quarantine, reasons } = judged;
        Self { id, tool, verdict: Some(verdict), quarantine, reasons: Some(reasons), error: None }
    }

    fn error(id: Value, problem: String) -> Self {
        Self { id, tool: None, verdict: None, quarantine: false, reasons: None, error: Some(problem) }
    }
}

/// The definitions of one document.
fn listed(text: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Wrapped {
        #[serde(default)]
        result: Option<Box<RawValue>>,
        #[serde(default)]
        tools: Option<Vec<Box<RawValue>>>,
    }
    if let Ok(items) = serde_json::from_str::<Vec<Box<RawValue>>>(text) {
        return items.into_iter().map(|item| item.get().to_owned()).collect();
    }
    match serde_json::from_str::<Wrapped>(text) {
        Ok(Wrapped { tools: Some(tools), .. }) => {
            tools.into_iter().map(|tool| tool.get().to_owned()).collect()
        }
        Ok(Wrapped { result: Some(result), .. }) => listed(result.get()),
        _ => vec![text.to_owned()],
    }
}
