//! A gateway in a process of its own, as a user starts it.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::SEALGATE;

/// A running gateway with a data folder that goes with it.
pub struct Gateway {
    process: Child,
    ready: Value,
    folder: TempDir,
    // Kept open, since a gateway that prints later must not meet a closed pipe.
    _stdout: ChildStdout,
}

impl Gateway {
    /// `sealgate quickstart`.
    pub fn quickstart() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").to_str().unwrap().to_owned();
        Self::start(folder, &["quickstart", "--port", "0", "--json", "--data-dir", &data])
    }

    /// `sealgate serve` with these servers, a policy that permits everything, and a token for `alice`.
    pub fn serve(servers: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Self::prepare(folder.path(), servers);
        let mut gateway = Self::start(folder, &["serve", "--json", "--config", &file]);
        let token = gateway.create_token(&file);
        gateway.ready["tokens"] = json!({"alice": token});
        gateway
    }

    /// Writes a configuration with these servers and a policy that permits everything; returns its path.
    pub fn prepare(folder: &Path, servers: &Value) -> String {
        let policies = folder.join("policies");
        fs::create_dir(&policies).unwrap();
        let policy = "@id(\"all\")\npermit (principal, action in Action::\"Mcp\", resource);\n";
        fs::write(policies.join("all.cedar"), policy).unwrap();
        // JSON is YAML.
        let config = json!({
            "listen": "127.0.0.1:0",
            "admin": {"listen": "127.0.0.1:0"},
            "dataDir": "./data",
            "policies": {"folder": "./policies"},
            "mcpServers": servers,
        });
        let file = folder.join("sealgate.yaml");
        fs::write(&file, serde_json::to_string_pretty(&config).unwrap()).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn start(folder: TempDir, arguments: &[&str]) -> Self {
        let log = folder.path().join("stderr.log");
        let mut process = Command::new(SEALGATE)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = process.stdout.take().unwrap();
        let ready = serde_json::Deserializer::from_reader(&mut stdout).into_iter::<Value>().next();
        let Some(Ok(ready)) = ready else {
            process.kill().unwrap();
            process.wait().unwrap();
            panic!("`sealgate {}` did not get ready:\n{}", arguments.join(" "), read(&log));
        };
        Self { process, ready, folder, _stdout: stdout }
    }

    fn create_token(&self, config: &str) -> String {
        let output = Command::new(SEALGATE)
            .args(["token", "create", "--config", config, "--user", "alice", "--role", "employee"])
            .args(["--agent", "cli", "--ttl", "1h", "-o", "json"])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let printed: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("no token was created:\n{}", String::from_utf8_lossy(&output.stderr)));
        printed["token"].as_str().unwrap().to_owned()
    }

    /// The URL of the agent-facing endpoint.
    pub fn endpoint(&self) -> String {
        self.ready["endpoint"].as_str().expect("the ready object has an endpoint").to_owned()
    }

    /// The bearer token of a person.
    pub fn token(&self, person: &str) -> String {
        self.ready["tokens"][person].as_str().expect("the ready object has the token").to_owned()
    }

    /// Does `work`; if that fails, says what the gateway wrote to its standard error.
    pub fn explain(&self, work: impl FnOnce()) {
        if let Err(cause) = catch_unwind(AssertUnwindSafe(work)) {
            eprintln!("the gateway's standard error:\n{}", read(&self.folder.path().join("stderr.log")));
            resume_unwind(cause);
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to do about it here.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}
