//! With default settings no value of any type that is detected reaches a backend, an agent or a file, however it is encoded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::StreamExt as _;
use futures_util::stream;
use sealgate::audit::{Payload, Payloads};
use serde_json::{Value, json};

use crate::harness::{PERMIT_ALL, Site};
use crate::leaks::{collector, files};

/// Marks that keep credentials out of the corpus; see its generator.
const CUT: &str = "¦";
/// Calls at once.
const ABREAST: usize = 8;

/// A text with a value in it.
struct Planted {
    kind: String,
    text: String,
    value: String,
}

/// The shortest document of each type of the corpus that holds one value and nothing else.
fn planted() -> Vec<Planted> {
    let mut shortest: BTreeMap<String, Planted> = BTreeMap::new();
    let corpora = [include_str!("../corpus/corpus.jsonl"), include_str!("../corpus/probes.jsonl")];
    for line in corpora.iter().flat_map(|corpus| corpus.lines()) {
        let document: Value = serde_json::from_str(&line.replace(CUT, "")).unwrap();
        let (Some(text), [span]) =
            (document["text"].as_str(), document["spans"].as_array().unwrap().as_slice())
        else {
            continue;
        };
        if !document["evasion"].is_null() || !span["path"].is_null() {
            continue;
        }
        let at = |key: &str| usize::try_from(span[key].as_u64().unwrap()).unwrap();
        let kind = span["type"].as_str().unwrap().to_owned();
        let value = text.get(at("start")..at("end")).unwrap().to_owned();
        if shortest.get(&kind).is_none_or(|known| text.len() < known.text.len()) {
            shortest.insert(kind.clone(), Planted { kind, text: text.to_owned(), value });
        }
    }
    shortest.into_values().collect()
}

fn each_byte(text: &str, write: impl Fn(&mut String, u8)) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write(&mut out, byte);
        out
    })
}

fn percent(text: &str) -> String {
    each_byte(text, |out, byte| write!(out, "%{byte:02X}").unwrap())
}

fn between(value: &str, joint: &str) -> String {
    let letters: Vec<String> = value.chars().map(String::from).collect();
    letters.join(joint)
}

fn shifted(value: &str, shift: impl Fn(char) -> u32) -> String {
    value.chars().map(|c| char::from_u32(shift(c)).unwrap()).collect()
}

/// The text in the encodings and evasions of what the detectors claim to see through, each with its name.
fn disguises(planted: &Planted) -> Vec<(&'static str, String)> {
    let Planted { text, value, .. } = planted;
    let with = |value: &str| text.replace(&planted.value, value);
    let mut all = vec![
        ("plain", text.clone()),
        ("json_in_string", json!({ "note": text }).to_string()),
        ("base64", STANDARD.encode(text)),
        ("base64url", URL_SAFE_NO_PAD.encode(text)),
        ("base64_twice", STANDARD.encode(STANDARD.encode(text))),
        ("hex", each_byte(text, |out, byte| write!(out, "{byte:02x}").unwrap())),
        ("percent", percent(text)),
        ("percent_twice", percent(&percent(text))),
        ("quoted_printable", each_byte(text, |out, byte| write!(out, "={byte:02X}").unwrap())),
        ("data_uri", format!("data:text/plain;base64,{}", STANDARD.encode(text))),
        ("entities", text.chars().fold(String::new(), |out, c| out + &format!("&#{};", u32::from(c)))),
        ("js_u", text.encode_utf16().fold(String::new(), |out, unit| out + &format!("\\u{unit:04x}"))),
        ("zero_width", with(&between(value, "\u{200b}"))),
        ("soft_hyphen", with(&between(value, "\u{ad}"))),
        ("variation", with(&between(value, "\u{fe0f}"))),
    ];
    if text.is_ascii() {
        // Without a mark at its beginning it is known by the zeros of Latin letters.
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        all.push(("utf16_base64", STANDARD.encode(wide)));
        all.push(("js_x", each_byte(text, |out, byte| write!(out, "\\x{byte:02x}").unwrap())));
    }
    if value.is_ascii() {
        let full = |c: char| if c.is_ascii_graphic() { u32::from(c) + 0xfee0 } else { u32::from(c) };
        all.push(("fullwidth", with(&shifted(value, full))));
        all.push(("tags", with(&shifted(value, |c| u32::from(c) + 0xe_0000))));
        let digits = |c: char| if c.is_ascii_digit() { u32::from(c) - 0x30 + 0x660 } else { u32::from(c) };
        if value.contains(|c: char| c.is_ascii_digit()) {
            all.push(("arabic_digits", with(&shifted(value, digits))));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_every_type_in_every_disguise_go_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let planted = planted();
    assert!(planted.len() >= 130, "{} types", planted.len());
    let mut cases: Vec<(&Planted, &'static str, String)> = Vec::new();
    for one in &planted {
        cases.extend(disguises(one).into_iter().map(|(name, text)| (one, name, text)));
    }
    let lines: String = cases.iter().map(|(_, _, text)| json!(text).to_string() + "\n").collect();
    let (said, received) = (folder.path().join("said"), folder.path().join("received"));
    std::fs::write(&said, lines).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/parrot.py");
    let server = format!(
        "  parrot: {{ command: python3, args: [\"{script}\", {}, {}], startTimeoutMs: 10000 }}\n",
        json!(said.to_str()),
        json!(received.to_str()),
    );
    let (collector, traces) = collector().await;
    let settings = format!("telemetry: {{ log: {{ level: debug }}, otlp: {{ endpoint: \"{collector}\" }} }}");
    let site = Site::new(&server, &settings, PERMIT_ALL);
    let token = site.token("alice", "employee");
    let mut gate = site.start();

    // Each travels in an argument, and comes back in a result.
    let call = |(n, (_, _, text)): (usize, &(&Planted, &str, String))| {
        let (gate, token, text) = (&gate, &token, text.clone());
        async move {
            let sent = gate.call(token, "parrot_take", json!({ "text": text })).await.body;
            let back = gate.call(token, "parrot_say", json!({ "n": n })).await.body;
            sent + &back
        }
    };
    let calls: Vec<_> = cases.iter().enumerate().map(call).collect();
    let answers: Vec<String> = stream::iter(calls).buffer_unordered(ABREAST).collect().await;
    let metrics = gate.page("/metrics").await.body;
    // The last spans leave when the process ends.
    assert!(gate.stop());

    // As each is written in JSON, and as it is; of what is not disguised, the bare value too.
    let mut forms: Vec<(String, String)> = Vec::new();
    for (one, name, text) in &cases {
        let quoted = json!(text).to_string();
        let name = format!("{} {name}", one.kind);
        forms.push((name.clone(), quoted.trim_matches('"').to_owned()));
        forms.push((name.clone(), text.clone()));
        if name.ends_with(" plain") {
            forms.push((name, one.value.clone()));
        }
    }
    let search = AhoCorasick::new(forms.iter().map(|(_, form)| form)).unwrap();
    let mut leaks: BTreeSet<(&str, String)> = BTreeSet::new();
    let mut look = |place: &str, bytes: &[u8]| {
        let found = search.find_overlapping_iter(bytes).map(|hit| &forms[hit.pattern().as_usize()].0);
        leaks.extend(found.map(|name| (name.as_str(), place.to_owned())));
    };
    for answer in &answers {
        look("an answer", answer.as_bytes());
    }
    look("what the backend was sent", &std::fs::read(&received).unwrap());
    let mut kept = Vec::new();
    files(&gate.site.data(), &mut kept);
    kept.push(("standard error".into(), gate.stderr().into_bytes()));
    kept.push(("the metrics".into(), metrics.into_bytes()));
    let traces = std::mem::take(&mut *traces.lock().unwrap());
    assert!(memchr::memmem::find(&traces, b"tools/call parrot_say").is_some(), "{} bytes", traces.len());
    kept.push(("the traces".into(), traces));
    for (path, bytes) in &kept {
        look(Path::new(path).file_name().unwrap().to_str().unwrap(), bytes);
    }
    // What is encrypted on disk is read too.
    let payloads = Payloads::open(&gate.site.data()).unwrap();
    let mut read = 0;
    for record in gate.site.records() {
        if let Payload::Text(text) = payloads.read(record.to_string().as_bytes()).unwrap() {
            look("a payload", text.as_bytes());
            read += 1;
        }
    }
    assert!(read > 2 * cases.len(), "{read} payloads of {} calls", 2 * cases.len());
    assert!(leaks.is_empty(), "{} leaks of {}: {leaks:#?}", leaks.len(), cases.len());
}
