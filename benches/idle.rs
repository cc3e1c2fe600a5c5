//! What idle clients cost: `cargo bench --bench idle`.
//!
//! 2,000 sessions of 2025-11-25 that do nothing, then 2,000 open `subscriptions/listen` streams of 2026-07-28, from
//! 40 users; the memory is the gateway's resident set (`VmRSS`), in a process of its own. Needs 4,096 descriptors
//! (`ulimit -n`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench that cannot run should stop"
)]

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const USERS: usize = 40;
const EACH: usize = 50;

struct Gateway {
    process: Child,
    endpoint: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Gateway {
    fn start(folder: &Path) -> Self {
        let binary = env!("CARGO_BIN_EXE_sealgate");
        std::fs::create_dir(folder.join("policies")).unwrap();
        let policy = "@id(\"all\")\npermit(principal, action in Action::\"Mcp\", resource);\n";
        std::fs::write(folder.join("policies/all.cedar"), policy).unwrap();
        let config = json!({
            "listen": "127.0.0.1:0",
            "admin": {"listen": "127.0.0.1:0"},
            "dataDir": "./data",
            "policies": {"folder": "./policies"},
            "limits": {"concurrentCalls": 10_000, "callsPerPrincipal": 1_000},
            "mcpServers": {"ops": {"command": binary, "args": ["demo-server", "ops"]}},
        });
        std::fs::write(folder.join("sealgate.yaml"), config.to_string()).unwrap();
        let mut process = Command::new(binary)
            .args(["serve", "--json", "--config", "sealgate.yaml"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sealgate starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("it is ready");
        Self { process, endpoint: ready["endpoint"].as_str().unwrap().to_owned() }
    }

    /// The resident set, in MB.
    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

fn token(folder: &Path, user: usize) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sealgate"))
        .args([
            "token",
            "create",
            "--config",
            "sealgate.yaml",
            "--role",
            "employee",
            "--agent",
            "bench",
            "-o",
            "json",
        ])
        .args(["--user", &format!("user{user}")])
        .current_dir(folder)
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).expect("a token");
    made["token"].as_str().unwrap().to_owned()
}

async fn session(http: &reqwest::Client, endpoint: &str, token: &str) {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let request = http
        .post(endpoint)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body.to_string());
    let answer = request.send().await.expect("an answer");
    assert!(answer.headers().contains_key("mcp-session-id"), "{}", answer.status());
    drop(answer.bytes().await);
}

/// Opens a stream, and returns it when it has been acknowledged.
async fn listen(http: &reqwest::Client, endpoint: &str, token: &str) -> reqwest::Response {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "b", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"notifications": {"toolsListChanged": true}, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params});
    let request = http
        .post(endpoint)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "subscriptions/listen")
        .body(body.to_string());
    let mut answer = request.send().await.expect("an answer");
    let first = answer.chunk().await.expect("a stream").expect("its first event");
    assert!(String::from_utf8_lossy(&first).contains("acknowledged"), "{}", String::from_utf8_lossy(&first));
    answer
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let tokens: Vec<String> = (0..USERS).map(|user| token(folder.path(), user)).collect();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // The first session of each user, and what it makes the gateway keep, is not counted.
    for token in &tokens {
        session(&http, &gateway.endpoint, token).await;
    }
    let before = gateway.resident();
    for token in &tokens {
        for _ in 0..EACH {
            session(&http, &gateway.endpoint, token).await;
        }
    }
    let sessions = gateway.resident();
    let mut streams = Vec::new();
    for token in &tokens {
        for _ in 0..EACH {
            streams.push(listen(&http, &gateway.endpoint, token).await);
        }
    }
    let all = gateway.resident();
    let count = USERS * EACH;
    let each = |more: f64| more * 1024.0 / count as f64;
    println!("| state | resident, MB | more, KB each |\n|---|--:|--:|");
    println!("| at rest | {before:.1} | |");
    println!("| and {count} idle sessions | {sessions:.1} | {:.1} |", each(sessions - before));
    println!("| and {} open listen streams | {all:.1} | {:.1} |", streams.len(), each(all - sessions));
    println!("\n{:.1} MB for all of them", all - before);
}
