//! What inspection costs on one core: the full path (read, walk, normalise, scan, write) over three kinds of traffic.
//!
//! `cargo bench --bench inspect` prints MB/s of processor time, the time that a message of 4 KiB takes, what building
//! the rules takes, and the memory that they hold. The documents are the same in each run.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::Instant;

use sealgate::inspect::sanitize::{Rules, Sanitizer};
use sealgate::inspect::{Config, Direction, Inspector, Subject};
use serde_json::{Value, json};

const SUBJECT: Subject<'static> =
    Subject { call: uuid::Uuid::nil(), direction: Direction::Response, exempt: &[] };

/// Passes over each corpus, of which the best counts.
const PASSES: usize = 5;

/// Processor time of this thread in nanoseconds: what other programs do meanwhile does not count.
fn spent() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4
}

/// A small generator, so that every run has the same documents.
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn result(text: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": text}], "isError": false}})
        .to_string()
}

/// Contents of files, of which one in a few has an address in it.
fn sparse() -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let mut files: Vec<_> = ["src/inspect", "src/inspect/sanitize", "docs", "policies"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(format!("{root}{folder}")).ok())
        .flatten()
        .filter_map(|file| file.ok().map(|file| file.path()))
        .collect();
    files.sort();
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let mut messages = Vec::new();
    for text in texts {
        let lines: Vec<&str> = text.lines().collect();
        for (index, part) in lines.chunks(120).enumerate() {
            let sign = if index % 3 == 0 { "\nmaintained by ana.lima@example.org" } else { "" };
            messages.push(result(&(part.join("\n") + sign)));
        }
    }
    messages
}

/// The documents of the corpora, with something to find in almost every line; the disguised ones, or the others.
fn dense(disguised: bool) -> Vec<String> {
    let corpora =
        [include_str!("../tests/corpus/corpus.jsonl"), include_str!("../tests/corpus/probes.jsonl")];
    let documents = corpora.iter().flat_map(|corpus| corpus.lines()).map(|line| line.replace('¦', ""));
    let bodies = documents.filter_map(|line| {
        let document: Value = serde_json::from_str(&line).ok()?;
        let wanted = document.get("evasion").is_some() == disguised;
        let text = document.get("text").and_then(Value::as_str).map(str::to_owned);
        text.or_else(|| document.get("json").map(Value::to_string)).filter(|_| wanted)
    });
    bodies.collect::<Vec<_>>().chunks(16).map(|part| result(&part.join("\n"))).collect()
}

/// Identifiers, measurements, digests and times.
fn numeric() -> Vec<String> {
    let mut seed = Seed(0x5EA1_6A7E);
    (0..400)
        .map(|_| {
            let rows: Vec<_> = (0..40)
                .map(|_| {
                    let (one, other) = (seed.next(), seed.next());
                    json!({"id": one >> 12, "count": other % 100_000, "ratio": (one % 1_000_003) as f64 / 997.0,
                           "digest": format!("{one:016x}{other:016x}"), "at": 1_700_000_000 + other % 90_000_000})
                })
                .collect();
            json!({"jsonrpc": "2.0", "id": 7, "result": {"structuredContent": {"rows": rows}}}).to_string()
        })
        .collect()
}

fn throughput(name: &str, messages: &[String], inspector: &Inspector) {
    let bytes: usize = messages.iter().map(String::len).sum();
    let mut findings = 0;
    let mut best = u64::MAX;
    for _ in 0..PASSES {
        let copies = messages.to_vec();
        findings = 0;
        let before = spent();
        for message in copies {
            findings += inspector.filter(message, &SUBJECT).map_or(0, |filtered| filtered.findings().len());
        }
        best = best.min(spent() - before);
    }
    let rate = bytes as f64 * 1e3 / best as f64;
    println!(
        "{name:8} {:7.2} MB {:6} messages {findings:6} findings {rate:8.1} MB/s",
        bytes as f64 / 1e6,
        messages.len()
    );
}

/// Times of single messages, in nanoseconds: half of them, and 99 of 100, take no longer.
fn single(name: &str, message: &str, filter: impl Fn(String)) {
    let mut times: Vec<u64> = (0..20_000)
        .map(|_| {
            let copy = message.to_owned();
            let start = Instant::now();
            filter(copy);
            u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
        })
        .collect();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default() as f64 / 1e3;
    println!("{name:34} {:6} bytes   p50 {:8.1} us   p99 {:8.1} us", message.len(), at(50), at(99));
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let empty = resident();
    let before = spent();
    let inspector = Inspector::new(&Config::default(), &[7; 32])?;
    let built = spent() - before;
    let rules = Rules::of(&[]);
    let sanitizer = Sanitizer::new(&rules, &[7; 32])?;
    println!(
        "rules: {:.0} ms to build and test, {} KiB with the sanitizer",
        built as f64 / 1e6,
        resident() - empty
    );
    let sparse = sparse();
    throughput("sparse", &sparse, &inspector);
    throughput("dense", &dense(false), &inspector);
    throughput("numeric", &numeric(), &inspector);
    throughput("disguise", &dense(true), &inspector);
    let four = sparse.iter().find(|message| message.len() >= 4_096).cloned().unwrap_or_default();
    let four = result(four.get(..four.floor_char_boundary(3_900)).unwrap_or_default());
    let small = r#"{"name":"git_log","arguments":{"repository":"acme/widgets","branch":"main","limit":20,"author":"build bot"}}"#;
    let answer = result("commit 1f3a: fix the parser of dates\nThe build is green, three files changed.");
    let filter = |message: String| {
        let _ = std::hint::black_box(inspector.filter(message, &SUBJECT));
    };
    single("a message of 4 KiB, filtered", &four, filter);
    single("a small call, filtered", small, filter);
    single("a small result, filtered", &answer, filter);
    single("a small result, sanitized", &answer, |message| {
        let _ = std::hint::black_box(sanitizer.result(message, &rules.results));
    });
    Ok(())
}
