//! The client scripts of tests/interop, and what they report.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::SEALGATE;

/// A client whose script stands in tests/interop.
#[derive(Clone, Copy)]
pub enum Client {
    TypeScript1,
    TypeScript2,
    Python,
    FastMcp,
}

/// How a client opens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Era {
    Legacy,
    Auto,
    Modern,
}

impl Era {
    fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Auto => "auto",
            Self::Modern => "modern",
        }
    }
}

/// Where a client connects to.
pub enum Target {
    Http { url: String, token: String },
    Stdio(Vec<String>),
}

impl Target {
    pub fn demo_server(profile: &str) -> Self {
        Self::Stdio([SEALGATE, "demo-server", profile].map(str::to_owned).into())
    }
}

/// The folder of the scripts and of what they need.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// The Python of the scripts' environment, or a program that is installed there.
pub fn python_program(name: &str) -> String {
    folder().join(".venv/bin").join(name).to_str().unwrap().to_owned()
}

/// The entry file of a Node server.
pub fn node_server(name: &str) -> String {
    let file = folder().join("node_modules/@modelcontextprotocol").join(name).join("dist/index.js");
    file.to_str().unwrap().to_owned()
}

/// A file of tests/interop/profiles.
pub fn profile(name: &str) -> PathBuf {
    folder().join("profiles").join(format!("{name}.json"))
}

/// Fails with the remedy where the clients and servers are not installed.
pub fn require_installed() {
    for part in ["node_modules/.stamp", ".venv/.stamp"] {
        assert!(
            folder().join(part).exists(),
            "the real MCP clients and servers are not installed; run `tests/interop/setup.sh` (`./test` does so)"
        );
    }
}

/// Runs a client and fails with its report if it found anything wrong.
pub fn run(client: Client, era: Era, target: &Target, expect: &Path) {
    let (program, script) = match client {
        Client::TypeScript1 => ("node".to_owned(), "ts1.mjs"),
        Client::TypeScript2 => ("node".to_owned(), "ts2.mjs"),
        Client::Python => (python_program("python"), "py_mcp.py"),
        Client::FastMcp => (python_program("python"), "py_fastmcp.py"),
    };
    let mut command = Command::new(program);
    if matches!(target, Target::Http { url, .. } if url.starts_with("ws")) {
        // Node 20 has its own WebSocket behind this switch; from 22 on it is without effect.
        command.arg("--experimental-websocket");
    }
    command.current_dir(folder()).arg(script).args(["--era", era.name()]).arg("--expect").arg(expect);
    match target {
        Target::Http { url, token } => {
            command.args(["--url", url]);
            if !token.is_empty() {
                command.args(["--token", token]);
            }
        }
        Target::Stdio(server) => {
            command.args(["--stdio", &json!(server).to_string()]);
        }
    }
    let output = command.output().expect("the client starts; run `tests/interop/setup.sh`");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("{script} ended without a report:\n{}", String::from_utf8_lossy(&output.stderr))
    });
    let checks = report["checks"].as_array().unwrap();
    let wrong: Vec<&Value> = checks.iter().filter(|check| check["ok"] != true).collect();
    assert!(
        output.status.success() && report["ok"] == true,
        "{script} ({}) found: {} {wrong:#?}\n{}",
        era.name(),
        report["problem"],
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(checks.len() > 1, "{script} checked nothing: {report}");
}
