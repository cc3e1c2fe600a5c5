//! Direct to a backend and through Sealgate, in the same run: `cargo bench --bench load`.
//!
//! Everything is on: tokens, 20 Cedar policies, inspection both ways, intent and outcome durable. The backend
//! is a server in this process; the gateway is the release binary in a process of its own, so that its CPU
//! time and memory can be read from `/proc`. The runs of each cell follow each other within seconds: compare
//! columns of one row, not rows of different days. `-- --seconds N` sets the length of each run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::string_slice,
    clippy::format_push_string,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench that cannot run should stop"
)]

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TOOLS: usize = 200;

/// One answer of the cheapest possible backend (revision 2025-11-25, JSON answers).
fn answer(body: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let id = request.get("id")?;
    let result = match request["method"].as_str()? {
        "initialize" => {
            json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "b", "version": "1"}})
        }
        "tools/list" => {
            let tool = |n: usize| {
                json!({"name": if n == 0 { "echo".to_owned() } else { format!("records_query_{n:04}") },
                "description": "Answers with as many bytes of text as it is asked for, and does nothing else at all. ".repeat(3),
                "inputSchema": {"type": "object", "properties": {"size": {"type": "integer"}, "filter": {"type": "string"}}}})
            };
            json!({"tools": (0..TOOLS).map(tool).collect::<Vec<_>>()})
        }
        "tools/call" => {
            let size = request["params"]["arguments"]["size"].as_u64().unwrap_or(0) as usize;
            let text = "The quick brown fox jumps over the lazy dog; item 42 of 99. ".repeat(size / 60 + 1);
            json!({"content": [{"type": "text", "text": &text[..size]}], "isError": false})
        }
        _ => {
            return Some(
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "unknown"}})
                    .to_string(),
            );
        }
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string())
}

async fn backend(_: HeaderMap, body: Bytes) -> impl IntoResponse {
    match answer(&body) {
        Some(text) => (axum::http::StatusCode::OK, [("content-type", "application/json")], text),
        None => (axum::http::StatusCode::ACCEPTED, [("content-type", "application/json")], String::new()),
    }
}

struct Gateway {
    child: Child,
    endpoint: String,
    token: String,
    _folder: tempfile::TempDir,
}

impl Gateway {
    fn start(backend: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        let mut policies = String::from(
            "@id(\"result\") permit(principal, action == Action::\"ReturnResult\", resource);\n\
             @id(\"callers\") permit(principal is User in Role::\"employee\", action in Action::\"CallTool\", resource) when { context.request.agent.approved };\n\
             @id(\"no-keys\") forbid(principal, action in Action::\"CallTool\", resource) when { context.findings.contains(\"private_key\") };\n",
        );
        for n in 0..17 {
            policies.push_str(&format!(
                "@id(\"guard-{n}\") forbid(principal, action == Action::\"rig_records_query_{:04}\", resource) unless {{ principal in Role::\"employee\" }};\n",
                n + 1
            ));
        }
        std::fs::write(folder.path().join("policies/bench.cedar"), policies).unwrap();
        let config = format!(
            "listen: 127.0.0.1:0\nadmin: {{ listen: \"127.0.0.1:0\" }}\ndataDir: ./data\npolicies: {{ folder: ./policies }}\n\
             limits: {{ callsPerPrincipal: 1000 }}\n\
             mcpServers:\n  rig: {{ url: \"{backend}\", era: legacy, concurrency: 1000 }}\n"
        );
        std::fs::write(folder.path().join("sealgate.yaml"), config).unwrap();
        let sealgate = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sealgate"));
            command.args(arguments).current_dir(folder.path());
            command
        };
        let made = sealgate(&[
            "token",
            "create",
            "--config",
            "sealgate.yaml",
            "--user",
            "a",
            "--role",
            "employee",
            "-o",
            "json",
        ])
        .output()
        .unwrap();
        let made: Value = serde_json::from_slice(&made.stdout).expect("a token");
        let mut child = sealgate(&["serve", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("a gateway");
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        Self { child, endpoint: text(&ready["endpoint"]), token: text(&made["token"]), _folder: folder }
    }

    /// CPU seconds so far, and resident memory in MiB.
    fn usage(&self) -> (f64, f64) {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let rss = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
        let kib: f64 = rss.split_whitespace().nth(1).unwrap().parse().unwrap();
        (ticks / 100.0, kib / 1024.0)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Load {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    session: Option<String>,
    method: &'static str,
    params: Value,
    stop: AtomicBool,
}

impl Load {
    async fn open(url: &str, token: Option<&str>, method: &'static str, params: Value) -> Arc<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(256)
            .build()
            .unwrap();
        let mut load = Self {
            http,
            url: url.into(),
            token: token.map(str::to_owned),
            session: None,
            method: "initialize",
            params: json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}),
            stop: AtomicBool::new(false),
        };
        if token.is_some() {
            let opened = load.request().send().await.unwrap();
            load.session = Some(opened.headers()["mcp-session-id"].to_str().unwrap().to_owned());
        }
        (load.method, load.params) = (method, params);
        Arc::new(load)
    }

    fn request(&self) -> reqwest::RequestBuilder {
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": self.method, "params": self.params}).to_string();
        let mut request = self.http.post(&self.url).header("content-type", "application/json").body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        request
    }

    /// Calls in a row until told to stop; returns the latencies in microseconds.
    async fn caller(self: Arc<Self>) -> Vec<u64> {
        let mut latencies = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let text = self.request().send().await.unwrap().text().await.unwrap();
            assert!(text.contains("\"result\""), "{text}");
            latencies.push(begun.elapsed().as_micros() as u64);
        }
        latencies
    }

    async fn run(self: Arc<Self>, callers: usize, length: Duration) -> (f64, Vec<u64>) {
        let begun = Instant::now();
        let tasks: Vec<_> = (0..callers).map(|_| tokio::spawn(self.clone().caller())).collect();
        tokio::time::sleep(length).await;
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all.sort_unstable();
        (begun.elapsed().as_secs_f64(), all)
    }
}

/// How long each run takes; `None` if nothing is to run.
fn length() -> Option<Duration> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut rest = arguments.iter().map(String::as_str);
    let mut seconds = 4.0;
    while let Some(argument) = rest.next() {
        match argument {
            // `cargo test --benches` asks only whether it runs.
            "--test" => return None,
            "--bench" => {}
            "--seconds" => seconds = rest.next().and_then(|n| n.parse().ok()).expect("--seconds N"),
            _ => {
                println!("cargo bench --bench load -- [--seconds N]   N: length of each of the 14 runs, 4");
                return None;
            }
        }
    }
    Some(Duration::from_secs_f64(seconds))
}

fn percentile(sorted: &[u64], part: f64) -> u64 {
    sorted[((sorted.len() - 1) as f64 * part) as usize]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let Some(length) = length() else { return };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let direct = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/mcp", post(backend))).await });
    let gateway = Gateway::start(&direct);
    println!("idle: {:.1} MiB resident\n", gateway.usage().1);
    println!(
        "| cell | direct calls/s | p50 / p99 µs | Sealgate calls/s | p50 / p99 µs | of direct | CPU µs/call | MiB |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let cells = [
        ("small", "tools/call", 100, vec![1, 16, 64]),
        ("100 KB", "tools/call", 102_400, vec![1, 16, 64]),
        ("list of 200", "tools/list", 0, vec![16]),
    ];
    for (name, method, size, concurrency) in cells {
        for callers in concurrency {
            let params = |tool: &str| match method {
                "tools/list" => json!({}),
                _ => json!({"name": tool, "arguments": {"size": size}}),
            };
            let load = Load::open(&direct, None, method, params("echo")).await;
            let (seconds, plain) = load.run(callers, length).await;
            let plain_rate = plain.len() as f64 / seconds;
            let load = Load::open(&gateway.endpoint, Some(&gateway.token), method, params("rig_echo")).await;
            let before = gateway.usage().0;
            let (seconds, governed) = load.run(callers, length).await;
            let (after, memory) = gateway.usage();
            let rate = governed.len() as f64 / seconds;
            println!(
                "| {name}, {callers} | {plain_rate:.0} | {} / {} | {rate:.0} | {} / {} | {:.2} | {:.0} | {memory:.0} |",
                percentile(&plain, 0.5),
                percentile(&plain, 0.99),
                percentile(&governed, 0.5),
                percentile(&governed, 0.99),
                rate / plain_rate,
                (after - before) * 1e6 / governed.len() as f64,
            );
        }
    }
}
