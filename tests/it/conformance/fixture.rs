//! The server of tests/fixture, as a process.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The eras that it speaks.
#[derive(Clone, Copy)]
pub enum Speaks {
    Both,
    Legacy,
    Modern,
}

impl Speaks {
    fn word(self) -> &'static str {
        match self {
            Self::Both => "dual",
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

/// A fixture over HTTP; it ends with this value.
pub struct Fixture {
    process: Child,
    url: String,
}

impl Fixture {
    /// The `mcpServers` entry of one over standard input and output.
    pub fn command(speaks: Speaks) -> Value {
        json!({"command": binary(), "args": ["--transport", "stdio", "--era", speaks.word()]})
    }

    /// Starts one on a free port.
    pub fn start(speaks: Speaks) -> Self {
        Self::with(speaks, &[])
    }

    /// Starts one with further arguments.
    pub fn with(speaks: Speaks, more: &[&str]) -> Self {
        let mut process = Command::new(binary())
            .args(["--transport", "http", "--era", speaks.word()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the fixture starts");
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Cargo builds examples with the tests, into a folder beside the binary.
pub fn binary() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_sealgate")).parent().unwrap();
    let file = folder.join("examples").join("fixture");
    assert!(
        file.exists(),
        "the fixture is not built; run `cargo build --example fixture` (`./test` does so)"
    );
    file
}
