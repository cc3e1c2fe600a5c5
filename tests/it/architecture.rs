//! The rules of ARCHITECTURE.md, held by a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import. Down only: nobody imports a room above.
const MAY_IMPORT: [(&str, &[&str]); 22] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "api",
            "app",
            "approval",
            "audit",
            "clock",
            "config",
            "demo",
            "identity",
            "inspect",
            "policy",
            "report",
            "route",
            "search",
            "secret",
            "stdio",
            "telemetry",
            "tls",
        ],
    ),
    (
        "app",
        &[
            "api",
            "approval",
            "audit",
            "clock",
            "config",
            "gateway",
            "http",
            "identity",
            "inspect",
            "mcp",
            "policy",
            "recognizer",
            "route",
            "search",
            "telemetry",
            "tls",
            "upstream",
            "vault",
        ],
    ),
    ("api", &["app", "approval", "audit", "gateway", "http", "identity", "policy", "route", "search"]),
    ("http", &["gateway", "identity", "mcp", "route", "telemetry", "tls", "upstream"]),
    (
        "gateway",
        &[
            "approval",
            "audit",
            "clock",
            "identity",
            "inspect",
            "mcp",
            "policy",
            "recognizer",
            "route",
            "telemetry",
            "upstream",
            "vault",
        ],
    ),
    ("route", &["mcp", "upstream"]),
    ("upstream", &["audit", "inspect", "mcp", "policy", "tls"]),
    ("stdio", &["http", "mcp", "secret", "tls", "upstream"]),
    ("policy", &["identity"]),
    ("config", &["audit", "inspect", "mcp", "policy", "search", "secret", "telemetry", "tls"]),
    ("telemetry", &["audit", "secret"]),
    ("approval", &["clock", "identity"]),
    ("identity", &["clock", "secret"]),
    ("inspect", &["secret"]),
    ("recognizer", &["inspect", "telemetry"]),
    ("audit", &["clock", "secret", "vault"]),
    ("search", &["audit", "clock"]),
    ("report", &["audit", "search"]),
    ("mcp", &[]),
    ("vault", &["clock"]),
    ("tls", &[]),
];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

fn room(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The code of a file without its unit tests and comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_go_down_only() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        MAY_IMPORT.iter().map(|(room, may)| (*room, may.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let from = room(&path);
        if from == "lib" || path.ends_with("tests.rs") {
            continue;
        }
        let code = code(&text);
        for piece in code.split("crate::").skip(1) {
            let to: String = piece.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let is_room =
                allowed.contains_key(to.as_str()) || to == "clock" || to == "secret" || to == "demo";
            if is_room
                && to != from
                && !allowed.get(from.as_str()).is_some_and(|may| may.contains(to.as_str()))
            {
                wrong.push(format!("{} imports {to}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_have_one_subject() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| code(text).lines().count() > 420)
        .map(|(path, text)| format!("{}: {} lines of code", path.display(), code(&text).lines().count()))
        .collect();
    assert!(long.is_empty(), "over 400 lines: {long:#?}");
}

#[test]
fn every_room_begins_with_its_question() {
    for (path, text) in sources() {
        if path.ends_with("mod.rs") && !path.to_string_lossy().contains("/src/demo/") {
            let first = text.lines().next().unwrap_or_default();
            let depth = path
                .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
                .unwrap()
                .components()
                .count();
            if depth == 2 {
                assert!(first.starts_with("//! ") && first.contains('?'), "{}: {first}", path.display());
            }
        }
    }
}

#[test]
fn architecture_names_every_room() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let rooms: BTreeSet<String> = sources().iter().map(|(path, _)| room(path)).collect();
    for room in rooms {
        if room != "lib" {
            assert!(page.contains(&format!("`{room}")), "ARCHITECTURE.md does not name `{room}`");
        }
    }
}

#[test]
fn dependencies_stay_within_their_budget() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let crates = lock.matches("[[package]]").count();
    // 450 before: `jsonschema` and what it needs; a schema validator of our own would be the worse bargain.
    // 480 before: `tantivy` and what it needs; an inverted index of our own would be the worse bargain.
    // 530 before: `utoipa` with its macros and its router, so that no document can differ from its handlers.
    assert!(crates <= 533, "{crates} crates in Cargo.lock: what is the new one worth?");
    for banned in ["openssl-sys", "native-tls", "serde_yaml"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"\n")), "{banned}");
    }
}

#[test]
fn content_is_never_printed_by_a_debug_macro() {
    for (path, text) in sources() {
        if room(&path) != "cli" && room(&path) != "main" {
            for line in code(&text).lines() {
                let prints = line.contains("println!(") || line.contains("eprintln!(");
                assert!(!prints, "{}: {line}", path.display());
            }
        }
    }
}
