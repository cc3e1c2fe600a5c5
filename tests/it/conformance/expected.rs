//! What is known of each cell: the scenarios that pass, and the reason of each that does not.

use super::suite::Scenario;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn file(cell: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conformance/expected").join(format!("{cell}.json"))
}

/// What is written about a cell.
pub fn read(cell: &str) -> Value {
    std::fs::read(file(cell)).map_or(json!({}), |text| serde_json::from_slice(&text).unwrap())
}

/// Compares what was found with what is written, or writes it where that is asked for.
pub fn compare(cell: &str, found: &[(&str, BTreeMap<String, Scenario>)]) {
    let mut written = read(cell);
    let mut now = Map::new();
    for (revision, scenarios) in found {
        let mut entries = Map::new();
        for (name, scenario) in scenarios {
            entries.insert(name.clone(), entry(scenario, &written[*revision][name]));
        }
        now.insert((*revision).to_owned(), Value::Object(entries));
    }
    let now = Value::Object(now);
    if std::env::var_os("SEALGATE_BLESS").is_some() {
        std::fs::write(file(cell), format!("{}\n", serde_json::to_string_pretty(&now).unwrap())).unwrap();
        written.clone_from(&now);
    }
    let unexplained: Vec<String> = entries(&now)
        .filter(|(_, entry)| {
            !entry["failing"].is_null() && entry["reason"].as_str().is_none_or(str::is_empty)
        })
        .map(|(name, entry)| format!("{name}: {}", entry["failing"]))
        .collect();
    let changed: Vec<String> = entries(&now)
        .filter(|(name, entry)| entries(&written).find(|(n, _)| n == name).is_none_or(|(_, e)| e != *entry))
        .map(|(name, entry)| format!("{name} is now {entry}"))
        .chain(
            entries(&written)
                .filter(|(name, _)| entries(&now).all(|(n, _)| n != *name))
                .map(|(name, _)| format!("{name} was not run")),
        )
        .collect();
    assert!(
        changed.is_empty() && unexplained.is_empty(),
        "{cell} differs from {} (write it with SEALGATE_BLESS=1, then give reasons):\n{changed:#?}\n\
         without a reason: {unexplained:#?}",
        file(cell).display()
    );
}

/// Names as `revision scenario`, and what is said of each.
pub fn entries(all: &Value) -> impl Iterator<Item = (String, &Value)> {
    all.as_object().into_iter().flatten().flat_map(|(revision, scenarios)| {
        let scenarios = scenarios.as_object().into_iter().flatten();
        scenarios.map(move |(name, entry)| (format!("{revision} {name}"), entry))
    })
}

fn entry(scenario: &Scenario, written: &Value) -> Value {
    let mut entry = Map::new();
    entry.insert("scored".into(), json!(scenario.scored));
    if !scenario.failing.is_empty() {
        entry.insert("failing".into(), json!(scenario.failing));
        entry.insert("reason".into(), written.get("reason").cloned().unwrap_or(json!("")));
    }
    Value::Object(entry)
}
