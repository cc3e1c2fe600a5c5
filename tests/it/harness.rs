//! A gateway as a process of its own, driven over HTTP and the command line, as anybody would.
//!
//! Dropping a [`Gate`] stops the process and verifies its log: no test may leave a broken chain.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// Permits everything: for tests whose subject is not policy.
pub const PERMIT_ALL: &str = "@id(\"all\")\npermit(principal, action in Action::\"Mcp\", resource);\n";

/// The binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_sealgate")
}

/// A folder with a configuration.
pub struct Site {
    folder: TempDir,
}

impl Site {
    /// Writes `mcpServers` (YAML, indented by two) and other top-level settings beside the fixed ones.
    pub fn new(servers: &str, settings: &str, policies: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let site = Self { folder };
        site.write("policies/test.cedar", policies);
        site.configure(servers, settings);
        site
    }

    /// The same, where the settings name the policies themselves.
    pub fn with_settings(servers: &str, settings: &str, policies: &str) -> Self {
        let site = Self::new(servers, "", policies);
        let text = format!(
            "listen: 127.0.0.1:0\nadmin: {{ listen: \"127.0.0.1:0\" }}\ndataDir: ./data\n{}\
             {settings}\nmcpServers:\n{servers}\n",
            auditors(settings)
        );
        site.write("sealgate.yaml", &text);
        site
    }

    /// Waits until a record of that kind is in the log.
    pub fn until_recorded(&self, kind: &str) {
        for _ in 0..200 {
            if self.records().iter().any(|record| record["kind"] == kind) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("no record of `{kind}`");
    }

    /// Writes the configuration anew.
    pub fn configure(&self, servers: &str, settings: &str) {
        let text = format!(
            "listen: 127.0.0.1:0\nadmin: {{ listen: \"127.0.0.1:0\" }}\ndataDir: ./data\n{}\
             policies: {{ folder: ./policies }}\n{settings}\nmcpServers:\n{servers}\n",
            auditors(settings)
        );
        self.write("sealgate.yaml", &text);
    }

    /// Writes one file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        // As editors do: whole or not at all.
        let fresh = path.with_extension("fresh");
        let mut file = std::fs::File::create(&fresh).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        drop(file);
        std::fs::rename(&fresh, &path).expect("in place");
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Runs `sealgate` with these arguments.
    pub fn sealgate(&self, arguments: &[&str]) -> Output {
        Command::new(binary()).args(arguments).current_dir(self.path()).output().expect("sealgate runs")
    }

    /// Makes a token for a user with one role.
    pub fn token(&self, user: &str, role: &str) -> Token {
        self.token_of("default", user, role)
    }

    /// The same in another tenant.
    pub fn token_of(&self, tenant: &str, user: &str, role: &str) -> Token {
        let out = self.sealgate(&[
            "token",
            "create",
            "--config",
            "sealgate.yaml",
            "--user",
            user,
            "--role",
            role,
            "--tenant",
            tenant,
            "--agent",
            "test",
            "-o",
            "json",
        ]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let made: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        Token {
            value: made["token"].as_str().expect("a token").to_owned(),
            id: made["id"].as_str().expect("an id").to_owned(),
        }
    }

    /// Starts the gateway and waits until it serves.
    pub fn start(self) -> Gate {
        let (child, ready) = self.spawn();
        Gate::new(self, child, &ready)
    }

    fn spawn(&self) -> (Child, Value) {
        // A write beyond the limit of a file's size then fails as on a full disk, and does not end the process.
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", binary()])
            .args(["serve", "--json", "--config", "sealgate.yaml"])
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(self.path().join("stderr.log")).expect("a log"))
            .spawn()
            .expect("sealgate starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("standard output")).read_line(&mut line).expect("a line");
        let Ok(ready) = serde_json::from_str(&line) else {
            let log = std::fs::read_to_string(self.path().join("stderr.log")).unwrap_or_default();
            panic!("the gateway did not start: {line}{log}");
        };
        (child, ready)
    }

    /// Every record, as JSON.
    pub fn records(&self) -> Vec<Value> {
        let data = self.data();
        let out =
            self.sealgate(&["audit", "tail", "-n", "1000000", "--data-dir", data.to_str().expect("UTF-8")]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
    }

    /// What a record's payload says, as JSON; null if there is none.
    pub fn said(&self, record: &Value) -> Value {
        let payloads = sealgate::audit::Payloads::open(&self.data()).expect("payloads");
        match payloads.read(record.to_string().as_bytes()).expect("a payload") {
            sealgate::audit::Payload::Text(text) => serde_json::from_str(&text).expect("JSON"),
            _ => Value::Null,
        }
    }

    /// Whether the log verifies.
    pub fn verify(&self) -> Output {
        let data = self.data();
        self.sealgate(&["audit", "verify", "-o", "json", "--data-dir", data.to_str().expect("UTF-8")])
    }
}

/// The auditors' listener on a free port, unless the settings say something of it.
fn auditors(settings: &str) -> &'static str {
    if settings.contains("auditApi:") { "" } else { "auditApi: { listen: \"127.0.0.1:0\" }\n" }
}

/// A bearer token.
#[derive(Clone)]
pub struct Token {
    pub value: String,
    pub id: String,
}

/// An HTTP answer.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    /// The JSON-RPC message: the body, or the last event.
    pub fn message(&self) -> Value {
        self.events().pop().unwrap_or_else(|| panic!("no message in `{}` ({})", self.body, self.status))
    }

    /// All JSON-RPC messages.
    pub fn events(&self) -> Vec<Value> {
        let kind = self.headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            // A priming event has no data.
            let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
            let data = data.filter(|data| !data.is_empty());
            return data.map(|data| serde_json::from_str(data).expect("JSON in an event")).collect();
        }
        serde_json::from_str(&self.body).into_iter().collect()
    }

    /// The body, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: `{}` ({})", self.body, self.status))
    }

    /// The code of a JSON-RPC error.
    pub fn code(&self) -> Option<i64> {
        self.events().last().and_then(|m| m["error"]["code"].as_i64())
    }
}

/// A running gateway.
pub struct Gate {
    pub site: Site,
    pub endpoint: String,
    pub admin: String,
    /// The auditors' API, without what follows `/audit/v1`.
    pub auditors: String,
    pub http: reqwest::Client,
    child: Child,
}

impl Gate {
    fn new(site: Site, child: Child, ready: &Value) -> Self {
        let text = |key: &str| ready[key].as_str().expect("an address").to_owned();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let auditors = text("audit_api");
        Self { endpoint: text("endpoint"), admin: text("admin"), auditors, site, child, http }
    }

    /// Ends the process at once (SIGKILL), and starts another on the same folder.
    pub fn crash_and_restart(&mut self) {
        self.kill();
        let (child, ready) = self.site.spawn();
        self.child = child;
        ready["endpoint"].as_str().expect("an address").clone_into(&mut self.endpoint);
        ready["admin"].as_str().expect("an address").clone_into(&mut self.admin);
        ready["audit_api"].as_str().expect("an address").clone_into(&mut self.auditors);
    }

    /// The process's id.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Ends the process as a service manager does (SIGTERM); whether it ended well.
    pub fn stop(&mut self) -> bool {
        let told = rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM);
        told.is_ok() && self.child.wait().is_ok_and(|status| status.success())
    }

    /// Ends the process at once (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends one request as it is.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let base = self.endpoint.trim_end_matches("/mcp");
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{base}{path}")).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send().await.expect("an answer")).await
    }

    /// One request of revision 2026-07-28 at `/mcp`.
    pub async fn modern(&self, token: &Token, method: &str, params: Value) -> Answer {
        self.modern_at("/mcp", token, method, params).await
    }

    /// One request of revision 2026-07-28.
    pub async fn modern_at(&self, path: &str, token: &Token, method: &str, params: Value) -> Answer {
        let (headers, body) = modern_request(method, params);
        let bearer = format!("Bearer {}", token.value);
        let mut all: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        all.push(("authorization", &bearer));
        self.send("POST", path, &all, body.to_string().into_bytes()).await
    }

    /// Calls a tool in revision 2026-07-28.
    pub async fn call(&self, token: &Token, tool: &str, arguments: Value) -> Answer {
        self.modern(token, "tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Opens a legacy session and returns its id.
    pub async fn session(&self, token: &Token, version: &str) -> String {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self.legacy_raw(token, None, body.to_string().into_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.headers["mcp-session-id"].to_str().expect("ASCII").to_owned()
    }

    /// One request in a legacy session.
    pub async fn legacy(&self, token: &Token, session: &str, method: &str, params: Value) -> Answer {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.legacy_raw(token, Some(session), body.to_string().into_bytes()).await
    }

    /// One legacy body as it is.
    pub async fn legacy_raw(&self, token: &Token, session: Option<&str>, body: Vec<u8>) -> Answer {
        let bearer = format!("Bearer {}", token.value);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        if let Some(session) = session {
            headers.push(("mcp-session-id", session));
        }
        self.send("POST", "/mcp", &headers, body).await
    }

    /// One request to the auditors' API, at `/audit/v1` and what follows.
    pub async fn audit(&self, token: &Token, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.asked(token, method, &format!("{}{path}", self.auditors), body).await
    }

    /// One request to the administrative API, at `/admin/v1` and what follows.
    pub async fn administer(&self, token: &Token, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.asked(token, method, &format!("{}/admin/v1{path}", self.admin), body).await
    }

    async fn asked(&self, token: &Token, method: &str, url: &str, body: Option<Value>) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        read(request.bearer_auth(&token.value).send().await.expect("an answer")).await
    }

    /// A page of the administrative listener.
    pub async fn page(&self, path: &str) -> Answer {
        read(self.http.get(format!("{}{path}", self.admin)).send().await.expect("an answer")).await
    }

    /// Waits until `/readyz` satisfies `wanted`, in a bounded number of looks.
    pub async fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..400 {
            let page: Value = serde_json::from_str(&self.page("/readyz").await.body).expect("JSON");
            if wanted(&page) {
                return page;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("the gateway did not come to the state that was waited for");
    }

    /// What the process wrote to standard error.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.site.path().join("stderr.log")).unwrap_or_default()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            let out = self.site.verify();
            assert!(
                out.status.success(),
                "the log does not verify: {}",
                String::from_utf8_lossy(&out.stdout)
            );
        }
    }
}

async fn read(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.expect("a body");
    Answer { status, headers, body }
}

/// `mcpServers` with the server whose tools ask their client, in one era.
pub fn asking_server(era: &str, settings: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/asking.py");
    format!("  ask: {{ command: python3, args: [\"{script}\", {era}], {settings} }}\n")
}

/// Headers and body of a request of revision 2026-07-28.
pub fn modern_request(method: &str, mut params: Value) -> (Vec<(&'static str, String)>, Value) {
    let mut meta = params.get("_meta").cloned().unwrap_or_else(|| json!({}));
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
    let capabilities = &mut meta["io.modelcontextprotocol/clientCapabilities"];
    if capabilities.is_null() {
        *capabilities = json!({});
    }
    params["_meta"] = meta;
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json, text/event-stream".to_owned()),
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    let key = match method {
        "resources/read" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => "name",
    };
    if let Some(name) = params[key].as_str() {
        headers.push(("mcp-name", name.to_owned()));
    }
    (headers, json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
}

/// `mcpServers` with the two demo servers.
pub fn demo_servers() -> String {
    let binary = serde_json::to_string(binary()).expect("a path");
    format!(
        "  crm: {{ command: {binary}, args: [demo-server, crm], trust: 80 }}\n\
         \x20 ops: {{ command: {binary}, args: [demo-server, ops], trust: 80 }}\n"
    )
}

/// `mcpServers` with the server whose tools misbehave.
pub fn hostile_server() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/hostile.py");
    format!("  bad: {{ command: python3, args: [\"{script}\"], timeoutMs: 1500, startTimeoutMs: 10000 }}\n")
}

/// A program that prints one JSON line and serves until it is dropped.
pub struct Service {
    child: Child,
    /// The line.
    pub said: Value,
}

impl Service {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("standard output")).read_line(&mut line).expect("a line");
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it did not start: {line}"));
        Self { child, said }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
