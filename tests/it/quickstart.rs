//! What a newcomer sees: the quickstart keeps what it prints, and says what is wrong.

use crate::harness::{binary, modern_request};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

struct Quickstart {
    child: Child,
    ready: Value,
}

impl Quickstart {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(binary())
            .args(["quickstart", "--json", "--port", "0", "--data-dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: `{line}`"));
        Self { child, ready }
    }

    /// The result, or the code of the error, of one request.
    async fn ask(&self, who: &str, method: &str, params: Value) -> Result<Value, i64> {
        let (headers, body) = modern_request(method, params);
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = http.post(self.ready["endpoint"].as_str().unwrap()).body(body.to_string());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let token = self.ready["tokens"][who].as_str().unwrap();
        let text = request.bearer_auth(token).send().await.unwrap().text().await.unwrap();
        let message: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: `{text}`"));
        match message["error"]["code"].as_i64() {
            Some(code) => Err(code),
            None => Ok(message["result"].clone()),
        }
    }

    async fn call(&self, who: &str, tool: &str, arguments: Value) -> Result<Value, i64> {
        self.ask(who, "tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Ctrl-C; returns whether it ended well.
    fn interrupt(&mut self) -> bool {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(arguments: &[&str]) -> (Output, String) {
    let out = Command::new(binary()).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    (out, text)
}

#[test]
fn the_allocator_is_told_to_give_back_what_the_start_needed() {
    let folder = tempfile::tempdir().unwrap();
    let running = Quickstart::start(folder.path());
    let environment = std::fs::read(format!("/proc/{}/environ", running.child.id())).unwrap();
    let told = environment.split(|byte| *byte == 0).filter(|var| var.starts_with(b"MIMALLOC_PURGE_DELAY="));
    assert_eq!(told.collect::<Vec<_>>(), [b"MIMALLOC_PURGE_DELAY=0"]);
}

#[tokio::test]
async fn each_of_the_three_may_do_what_is_printed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut gate = Quickstart::start(folder.path());
    let restart = |environment: &str| json!({"service": "checkout", "environment": environment});
    let update = json!({"id": "c-001", "fields": {"notes": "called back"}});
    let export = |pii: bool| json!({"format": "csv", "include_pii": pii});
    for (who, tool, arguments, allowed) in [
        ("employee", "crm_get_customer", json!({"id": "c-001"}), true),
        ("employee", "crm_update_customer", update.clone(), true),
        ("employee", "crm_delete_customer", json!({"id": "c-001"}), false),
        ("employee", "crm_export_customers", export(false), true),
        ("employee", "crm_export_customers", export(true), false),
        ("employee", "ops_restart_service", restart("staging"), true),
        ("employee", "ops_restart_service", restart("production"), false),
        ("contractor", "ops_list_incidents", json!({}), true),
        ("contractor", "ops_fetch_runbook", json!({"name": "mail-queue"}), true),
        ("contractor", "ops_long_report", json!({"steps": 1, "delay_ms": 1}), true),
        ("contractor", "crm_get_customer", json!({"id": "c-001"}), false),
        ("contractor", "crm_search_customers", json!({"query": "a"}), false),
        ("contractor", "ops_restart_service", restart("staging"), false),
        ("auditor", "ops_list_incidents", json!({}), false),
        ("auditor", "crm_get_customer", json!({"id": "c-001"}), false),
    ] {
        let done = gate.call(who, tool, arguments).await;
        match &done {
            Ok(result) => assert!(allowed && result["isError"] == json!(false), "{who} {tool}: {result}"),
            Err(code) => assert!(!allowed && *code == 8001, "{who} {tool}: {code}"),
        }
    }
    let runbook = gate.ask("contractor", "resources/read", json!({"uri": "ops+runbook://mail-queue"})).await;
    assert!(runbook.is_ok(), "{runbook:?}");
    let customer =
        gate.ask("contractor", "resources/read", json!({"uri": "crm+crm://customers/c-001"})).await;
    assert_eq!(customer, Err(8001));
    let tools = gate.ask("auditor", "tools/list", json!({})).await.unwrap();
    assert_eq!(tools["tools"], json!([]));
    // The line that it prints for the auditor, who alone may.
    let records = format!("{}/search?limit=5&mode=scan", gate.ready["audit_api"].as_str().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (who, status) in [("auditor", 200), ("employee", 403), ("contractor", 403)] {
        let token = gate.ready["tokens"][who].as_str().unwrap();
        assert_eq!(http.get(&records).bearer_auth(token).send().await.unwrap().status(), status, "{who}");
    }
    // The commands that it prints for the auditor.
    let data = gate.ready["data_dir"].as_str().unwrap().to_owned();
    let (tail, _) = run(&["audit", "tail", "--data-dir", &data, "-o", "text"]);
    assert!(String::from_utf8_lossy(&tail.stdout).contains("crm_get_customer"));
    assert!(gate.interrupt(), "Ctrl-C ends it well");
    let (verified, text) = run(&["audit", "verify", "--data-dir", &data]);
    assert!(verified.status.success(), "{text}");
    let (tail, _) = run(&["audit", "tail", "--data-dir", &data, "-n", "1"]);
    assert!(String::from_utf8_lossy(&tail.stdout).contains("log.close"));
}

#[test]
fn a_second_one_on_the_same_folder_is_told_and_leaves_the_first_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut gate = Quickstart::start(folder.path());
    let file = std::fs::read(folder.path().join("sealgate.yaml")).unwrap();
    let (second, text) = run(&["quickstart", "--port", "0", "--data-dir", path]);
    assert_eq!(second.status.code(), Some(2));
    assert!(text.contains("is running on") && text.contains("--data-dir"), "{text}");
    assert_eq!(std::fs::read(folder.path().join("sealgate.yaml")).unwrap(), file);
    let (listed, _) = run(&["token", "list", "--data-dir", path, "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(3), "no tokens of a start that failed");
    let port = gate.ready["endpoint"].as_str().unwrap().split([':', '/']).nth(4).unwrap().to_owned();
    let other = tempfile::tempdir().unwrap();
    let other = other.path().to_str().unwrap();
    let (taken, text) = run(&["quickstart", "--port", &port, "--data-dir", other]);
    assert_eq!(taken.status.code(), Some(2));
    assert!(text.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{text}");
    // Edits of policies stay over a restart, and the log goes on.
    let policy = folder.path().join("policies/10-employees.cedar");
    let mine = std::fs::read_to_string(&policy).unwrap() + "\n// mine\n";
    std::fs::write(&policy, &mine).unwrap();
    assert!(gate.interrupt());
    let mut again = Quickstart::start(folder.path());
    assert_eq!(std::fs::read_to_string(&policy).unwrap(), mine);
    assert!(again.interrupt());
    let (verified, text) = run(&["audit", "verify", "--data-dir", path]);
    assert!(verified.status.success(), "{text}");
}

#[test]
fn folders_that_cannot_be_used_are_named_and_none_is_made_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let file = file.to_str().unwrap();
    let (out, text) = run(&["quickstart", "--port", "0", "--data-dir", file]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text.contains(file) && text.contains("--data-dir"), "{text}");
    let nowhere = folder.path().join("nowhere");
    let path = nowhere.to_str().unwrap();
    for verb in [
        &["token", "list", "--data-dir", path][..],
        &["token", "revoke", "--data-dir", path, "tok_0123456789ab"],
        &["audit", "tail", "--data-dir", path],
        &["audit", "verify", "--data-dir", path],
    ] {
        let (out, text) = run(verb);
        assert_eq!(out.status.code(), Some(2), "{verb:?}: {text}");
        assert!(text.contains(path), "{verb:?}: {text}");
    }
    assert!(!nowhere.exists());
}
