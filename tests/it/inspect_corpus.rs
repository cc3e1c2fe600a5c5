//! How much is found, and how much is not there: measured over `tests/corpus`, held by floors.
//!
//! `cargo nextest run --locked -E 'test(inspect_corpus)' --no-capture` prints the figures. `tests/corpus/generate.py` and
//! `probes.py` make the documents; the probes were written without a look at the rules.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::inspect_cli::inspect;

/// Marks that keep credentials out of the file; see the generator.
const CUT: &str = "¦";

#[derive(Default)]
struct Count {
    found: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, found: bool) {
        self.all += 1;
        self.found += usize::from(found);
    }

    fn share(&self) -> f64 {
        f64::from(u32::try_from(self.found).unwrap()) / f64::from(u32::try_from(self.all.max(1)).unwrap())
    }
}

#[derive(Default)]
struct Figures {
    by_type: BTreeMap<String, Count>,
    by_evasion: BTreeMap<String, Count>,
    /// Reported spans that lie on a planted value.
    precision: Count,
    /// Clean documents in which something is reported.
    flagged: Count,
}

fn overlap(one: &Value, other: &Value) -> bool {
    let place = |span: &Value| (span["start"].as_u64().unwrap(), span["end"].as_u64().unwrap());
    let ((a, b), (c, d)) = (place(one), place(other));
    one["path"] == other["path"] && a < d && c < b
}

/// Estonia and Lithuania number people alike; words tell them apart, and one of the two is right.
fn same_type(one: &Value, other: &Value) -> bool {
    let plain = |kind: &Value| if kind == "LT_AK" { json!("EE_IK") } else { kind.clone() };
    plain(one) == plain(other)
}

fn measure(corpus: &str) -> Figures {
    let corpus = corpus.replace(CUT, "");
    let documents: Vec<Value> = corpus.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut input = String::new();
    for document in &documents {
        let mut item = document.clone();
        item.as_object_mut().unwrap().retain(|member, _| ["id", "text", "json"].contains(&member.as_str()));
        input += &item.to_string();
        input.push('\n');
    }
    let (_, answers) = inspect(&[], &input);
    assert_eq!(answers.len(), documents.len(), "one answer a document");
    let mut figures = Figures::default();
    for (document, answer) in documents.iter().zip(&answers) {
        assert_eq!(document["id"], answer["id"]);
        let reported = answer["spans"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let planted = document["spans"].as_array().unwrap();
        for span in reported {
            figures.precision.add(planted.iter().any(|planted| overlap(planted, span)));
        }
        for value in planted {
            let found =
                reported.iter().any(|span| overlap(span, value) && same_type(&span["type"], &value["type"]));
            match document["evasion"].as_str() {
                Some(evasion) => figures.by_evasion.entry(evasion.to_owned()).or_default().add(found),
                None => {
                    figures.by_type.entry(value["type"].as_str().unwrap().to_owned()).or_default().add(found);
                }
            }
        }
        if planted.is_empty() {
            figures.flagged.add(!reported.is_empty());
        }
    }
    figures
}

fn mean<'c>(counts: impl Iterator<Item = &'c Count>) -> f64 {
    let shares: Vec<f64> = counts.map(Count::share).collect();
    shares.iter().sum::<f64>() / f64::from(u32::try_from(shares.len()).unwrap())
}

#[test]
fn inspect_corpus_floors_hold() {
    hold(&measure(include_str!("../corpus/corpus.jsonl")));
}

#[test]
fn inspect_corpus_floors_hold_for_probes() {
    hold(&measure(include_str!("../corpus/probes.jsonl")));
}

fn hold(figures: &Figures) {
    let mut evaded = Count::default();
    for count in figures.by_evasion.values() {
        (evaded.found, evaded.all) = (evaded.found + count.found, evaded.all + count.all);
    }
    println!("{:28} {:>6} {:>6}", "recall by type", "of", "");
    for (kind, count) in figures.by_type.iter().chain(&figures.by_evasion) {
        println!("{kind:28} {:6} {:6.3}", count.all, count.share());
    }
    println!("precision                    {:6} {:6.4}", figures.precision.all, figures.precision.share());
    println!(
        "macro recall                 {:6} {:6.4}",
        figures.by_type.len(),
        mean(figures.by_type.values())
    );
    println!("recall under evasion         {:6} {:6.4}", evaded.all, evaded.share());
    println!("clean documents flagged      {:6} {:6.4}", figures.flagged.all, figures.flagged.share());
    assert!(figures.precision.share() >= 0.985);
    assert!(mean(figures.by_type.values()) >= 0.96);
    assert!(evaded.share() >= 0.92);
    assert!(figures.flagged.share() <= 0.005);
    for (kind, count) in &figures.by_type {
        assert!(count.share() >= 0.85, "{kind}: {}", count.share());
    }
    for (evasion, count) in &figures.by_evasion {
        assert!(count.share() >= 0.7, "{evasion}: {}", count.share());
    }
}
