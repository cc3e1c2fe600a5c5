//! What inspection costs on one core: the full path (read, walk, normalise, scan, write) over several kinds of traffic.
//!
//! `cargo bench --bench inspect` prints MB/s of processor time, what texts of 4 MiB cost that were made to cost much,
//! the time that a message of 4 KiB takes, what building the rules takes, and the memory that they hold. The documents
//! are the same in each run.

#![allow(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "figures for people, of texts of our own"
)]

use std::time::Instant;

use base64::Engine as _;
use sealgate::inspect::sanitize::{Rules, Sanitizer};
use sealgate::inspect::{Config, Direction, Inspector, Subject};
use serde_json::{Value, json};

const SUBJECT: Subject<'static> =
    Subject { call: uuid::Uuid::nil(), direction: Direction::Response, exempt: &[] };

/// Passes over each corpus, of which the best counts.
const PASSES: usize = 5;
/// Bytes of one pass at least: the processor time of a thread is told in steps of some milliseconds.
const PASS: usize = 8 << 20;
/// Bytes of a text that was made to cost much.
const LONG: usize = (4 << 20) - 64;

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

/// Sentences without a finding.
const BETWEEN: [&str; 4] = [
    "The build is green again.",
    "Nos vemos en la oficina.",
    "Het rapport staat in de map.",
    "Ci sentiamo domani mattina.",
];

/// The documents of the corpora, with something to find in almost every line; the disguised ones, or the others.
fn documents(disguised: bool) -> Vec<String> {
    let corpora =
        [include_str!("../tests/corpus/corpus.jsonl"), include_str!("../tests/corpus/probes.jsonl")];
    let documents = corpora.iter().flat_map(|corpus| corpus.lines()).map(|line| line.replace('¦', ""));
    let bodies = documents.filter_map(|line| {
        let document: Value = serde_json::from_str(&line).ok()?;
        let wanted = document.get("evasion").is_some() == disguised;
        let text = document.get("text").and_then(Value::as_str).map(str::to_owned);
        text.or_else(|| document.get("json").map(Value::to_string)).filter(|_| wanted)
    });
    bodies.collect()
}

/// Sixteen documents a message.
fn messages(documents: &[String]) -> Vec<String> {
    documents.chunks(16).map(|part| result(&part.join("\n"))).collect()
}

/// The same with a sentence behind each, so that a finding comes every 150 bytes and three of four messages hold more
/// than ASCII, as in the texts by which the aim was set.
fn dense() -> Vec<String> {
    let documents = documents(false).into_iter().zip(BETWEEN.iter().cycle()).enumerate();
    let with_sentence = |(index, (document, sentence)): (usize, (String, &&str))| {
        let sentence = if index % 48 == 0 { "Merci, c'est bien reçu." } else { sentence };
        format!("{document}\n{sentence}")
    };
    messages(&documents.map(with_sentence).collect::<Vec<_>>())
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

/// What the load benches send: prose without a finding, with one in every 512 bytes, and short sentences with numbers.
fn served() -> [(&'static str, String); 3] {
    const PROSE: &str = "The quarterly maintenance report lists every pump, valve and sensor that was inspected between \
                         March and May, with the technician's remarks and the parts that were replaced. ";
    const PERSONAL: [&str; 3] = [
        "Contact jane.roe@example.com for details. ",
        "Card 4111 1111 1111 1111 was charged. ",
        "SSN 078-05-1120 is on file. ",
    ];
    let mut personal = String::new();
    for value in PERSONAL.iter().cycle().take(200) {
        personal.push_str(&PROSE.repeat(3));
        personal.push_str(value);
    }
    [
        ("prose", PROSE.repeat(600)),
        ("personal", personal),
        ("fox", "The quick brown fox jumps over the lazy dog; item 42 of 99. ".repeat(1_700)),
    ]
}

/// Texts that were made to cost much, as JSON strings of 4 MiB.
fn adversarial() -> Vec<(String, String)> {
    const PIECES: [&str; 40] = [
        "1",
        "1 1 ",
        "12-",
        "4 1 1 1 1 1 1 1 ",
        "4111 1111 1111 1112 ",
        "8.8.8.8 ",
        "12:34:56:",
        "1.1.",
        "4,1,",
        "31 ",
        "@",
        "a@",
        "A1",
        "AB12 ",
        "DE89",
        "eyJ",
        "eyJhbGci.",
        "://a:",
        "sk-T3BlbkFJ",
        "password=",
        "password: \"",
        "key key key ",
        "sk_live_ ghp_ AKIA xoxb- ",
        "-----BEGIN ",
        "\" + \"",
        "**",
        "<!--",
        "\\u0041",
        "%41",
        "&#65;",
        "=41",
        "QUFB",
        "H4sI",
        "a,1\n",
        "[",
        "{\"a\":",
        "\u{430}a",
        "\u{430}",
        "a\u{301}",
        "\u{200b}4",
    ];
    let json = |text: &str| Value::from(text).to_string();
    let mut texts: Vec<(String, String)> = PIECES
        .iter()
        .map(|piece| (format!("{piece:?}"), json(&piece.repeat(LONG / (json(piece).len() - 2)))))
        .collect();
    let mut seed = Seed(77);
    let mut random = |letters: &[u8]| -> String {
        let letter =
            |_| char::from(letters[usize::try_from(seed.next() % letters.len() as u64).unwrap_or(0)]);
        (0..LONG).map(letter).collect()
    };
    texts.push(("random digits".to_owned(), json(&random(b"0123456789"))));
    texts.push(("random groups of digits".to_owned(), json(&random(b"0123456789 -."))));
    texts.push(("random letters of Base64".to_owned(), json(&random(b"ABCDEFGHabcdefgh0123456789+/"))));
    let mut coded = "ana.lima@example.org 4111 1111 1111 1111 ".repeat(20_000);
    while coded.len() * 4 / 3 < LONG {
        coded = base64::engine::general_purpose::STANDARD.encode(&coded);
    }
    texts.push(("Base64 in Base64".to_owned(), json(&coded)));
    texts.push(("prefixes, letters behind".to_owned(), json(&near_misses())));
    texts.push((
        "two long rows".to_owned(),
        json(&format!("{}\n", "a,536228726,".repeat(LONG / 26)).repeat(2)),
    ));
    let rows = format!("[{}1]", r#"{"a":["x",{"n":"536228726"}]},"#.repeat(LONG / 48));
    texts.push(("JSON in a string".to_owned(), json(&rows)));
    let pieces: Vec<String> = (0..LONG / 20).map(|at| format!("part{at}-4111")).collect();
    texts.push(("an array of pieces".to_owned(), Value::from(pieces).to_string()));
    texts
}

/// Every prefix of a credential, with some letters behind that make none of it.
fn near_misses() -> String {
    let rules = include_str!("../src/inspect/rules/tokens.yaml");
    let lists = rules.split("starts: [").skip(1).filter_map(|rest| rest.split(']').next());
    let starts: Vec<&str> =
        lists.flat_map(|list| list.split(',')).map(|start| start.trim().trim_matches('\'')).collect();
    let mut seed = Seed(0xA11);
    let mut text = String::new();
    for start in starts.iter().cycle() {
        text.push_str(start);
        let mut word = seed.next();
        for _ in 0..seed.next() % 20 {
            text.push(char::from(b"abcdefABCDEF0123"[usize::try_from(word & 15).unwrap_or(0)]));
            word >>= 3;
        }
        text.push(' ');
        if text.len() > LONG - 4_096 {
            break;
        }
    }
    text
}

fn throughput(name: &str, messages: &[String], inspector: &Inspector) {
    let bytes: usize = messages.iter().map(String::len).sum();
    let times = PASS / bytes.max(1) + 1;
    let mut findings = 0;
    let mut refused = "";
    let mut best = u64::MAX;
    // What takes long is told well enough by one pass.
    for _ in 0..if messages.len() == 1 && times <= 3 { 1 } else { PASSES } {
        let copies: Vec<Vec<String>> = (0..times).map(|_| messages.to_vec()).collect();
        let before = spent();
        for messages in copies {
            findings = 0;
            for message in messages {
                match inspector.filter(message, &SUBJECT) {
                    Ok(filtered) => {
                        findings +=
                            filtered.findings().iter().map(|found| found.count as usize).sum::<usize>();
                    }
                    Err(_) => refused = "refused",
                }
            }
        }
        best = best.min(spent() - before);
    }
    let rate = (bytes * times) as f64 * 1e3 / best.max(1) as f64;
    println!(
        "{name:28} {:7.2} MB {:6} messages {findings:6} findings, one per {:7.0} bytes {rate:8.1} MB/s {refused}",
        bytes as f64 / 1e6,
        messages.len(),
        bytes as f64 / findings as f64
    );
}

/// The same for what the sanitizer does with results.
fn sanitized(name: &str, messages: &[String], sanitizer: &Sanitizer, rules: &Rules) {
    let bytes: usize = messages.iter().map(String::len).sum();
    let times = PASS / bytes.max(1) + 1;
    let mut best = u64::MAX;
    for _ in 0..PASSES {
        let copies: Vec<Vec<String>> = (0..times).map(|_| messages.to_vec()).collect();
        let before = spent();
        for message in copies.into_iter().flatten() {
            let _ = std::hint::black_box(sanitizer.result(message, &rules.results));
        }
        best = best.min(spent() - before);
    }
    println!("{name:28} sanitized {:8.1} MB/s", (bytes * times) as f64 * 1e3 / best.max(1) as f64);
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
    let mut kinds = vec![
        ("sparse", sparse.clone()),
        ("dense", dense()),
        ("documents", messages(&documents(false))),
        ("documents, one a message", documents(false).iter().map(|text| result(text)).collect()),
        ("numeric", numeric()),
        ("disguise", messages(&documents(true))),
    ];
    kinds.extend(served().map(|(name, text)| (name, vec![result(&text)])));
    for (name, messages) in &kinds {
        throughput(name, messages, &inspector);
    }
    for (name, messages) in &kinds {
        sanitized(name, messages, &sanitizer, &rules);
    }
    for (name, text) in adversarial() {
        throughput(&name, &[text], &inspector);
    }
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
