//! An external recogniser: names in prose go nowhere, and nothing passes because it failed.

use crate::harness::{Answer, Gate, PERMIT_ALL, Service, Site, Token, asking_server, demo_servers};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Presidio's analyzer, and the file in which it keeps what it is asked.
fn presidio(folder: &Path) -> (Service, PathBuf) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("tests/interop/.venv-presidio/bin/python");
    assert!(python.exists(), "run tests/interop/setup.sh first");
    let seen = folder.join("seen.ndjson");
    let script = root.join("tests/it/fixtures/presidio.py");
    (Service::start(Command::new(python).arg(script).arg(&seen)), seen)
}

/// A recogniser that misbehaves as the file `mode` says.
struct Moody {
    service: Service,
    folder: tempfile::TempDir,
}

impl Moody {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mode"), "ok").unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/recognizer.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(folder.path().join("mode")).arg(folder.path().join("asked"));
        Self { service: Service::start(&mut command), folder }
    }

    fn mode(&self, mode: &str) {
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, mode).unwrap();
        std::fs::rename(fresh, self.folder.path().join("mode")).unwrap();
    }

    fn asked(&self) -> Vec<Value> {
        lines(&self.folder.path().join("asked"))
    }

    fn settings(&self, more: &str) -> String {
        settings(&self.service, more)
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn settings(service: &Service, more: &str) -> String {
    format!("inspect: {{ recognizer: {{ url: {}, {more} }} }}", service.said["url"])
}

fn said(answer: &Answer) -> String {
    let message = answer.message();
    message["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned()
}

async fn echo(gate: &Gate, token: &Token, text: &str) -> Answer {
    gate.call(token, "ops_echo", json!({ "text": text })).await
}

fn findings(record: &Value) -> Vec<Value> {
    record["redact"]["findings"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn names_in_prose_go_nowhere_in_either_direction() {
    let folder = tempfile::tempdir().unwrap();
    let (service, seen) = presidio(folder.path());
    let site = Site::new(&demo_servers(), &settings(&service, ""), PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();

    // To the backend, which sends back what it was given: letters of more than one byte before and in the name.
    let text = "🙂 Grüße an Zoë Müller, mail zoe@example.org, in Kraków: call \"John Smith\"";
    let back = said(&echo(&gate, &alice, text).await);
    assert_eq!(back, "🙂 Grüße an [PERSON], mail [EMAIL], in [ADDRESS]: call \"[PERSON]\"");
    let records = gate.site.records();
    let intent = records.iter().rev().find(|r| r["kind"] == "call.intent").unwrap();
    let by_it: Vec<_> = findings(intent).into_iter().filter(|f| f["evidence"] == "recognizer").collect();
    let shown: Vec<_> = by_it.iter().map(|f| (f["type"].clone(), f["pointer"].clone())).collect();
    let (person, place) = (json!("person"), json!("address"));
    let pointer = json!("/arguments/text");
    for one in [(person.clone(), pointer.clone()), (place, pointer)] {
        assert!(shown.contains(&one), "{shown:?}");
    }
    assert!(gate.site.said(intent).to_string().contains("[PERSON]"));

    // From the backend: in structured content, and in the JSON that its text copy holds.
    let answer = gate.call(&alice, "crm_get_customer", json!({"id": "c-001"})).await;
    assert_eq!(answer.message()["result"]["structuredContent"]["name"], "[PERSON]", "{}", answer.body);
    let copy: Value = serde_json::from_str(&said(&answer)).unwrap();
    assert_eq!(copy["name"], "[PERSON]");
    assert!(!answer.body.contains("Amara Osei"));

    // It was asked about texts in which the rest is masked, and not about what the protocol says.
    let asked = std::fs::read_to_string(&seen).unwrap();
    assert!(asked.contains("mail [EMAIL], in Krak") && !asked.contains("zoe@example.org"), "{asked}");
    let texts: Vec<String> = lines(&seen)
        .iter()
        .flat_map(|asked| asked["text"].as_array().cloned().unwrap_or_default())
        .map(|text| text.as_str().unwrap().to_owned())
        .collect();
    assert!(!texts.iter().any(|text| text == "text" || text.contains("echo")), "{texts:?}");
    let first = &lines(&seen)[0];
    assert_eq!((&first["language"], &first["entities"]), (&json!("en"), &json!(["LOCATION", "PERSON"])));

    // Nothing of it is in any file of the gateway's.
    for file in walk(&gate.site.data()) {
        let bytes = std::fs::read(&file).unwrap();
        for name in ["Zoë Müller", "Amara Osei", "John Smith"] {
            assert!(memchr::memmem::find(&bytes, name.as_bytes()).is_none(), "{name} in {}", file.display());
        }
    }
    let metrics = gate.page("/metrics").await.body;
    assert!(metrics.contains("sealgate_recognizer_asked_total{outcome=\"ok\"}"), "{metrics}");
    assert!(metrics.contains("sealgate_recognizer_resting 0"));
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn questions_of_servers_and_their_answers_are_looked_at_too() {
    let folder = tempfile::tempdir().unwrap();
    let (service, seen) = presidio(folder.path());
    let site = Site::new(&asking_server("modern", ""), &settings(&service, ""), PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    let able = json!({"elicitation": {"form": {}}});
    let mut params = json!({"name": "ask_form", "arguments": {}, "_meta": {"io.modelcontextprotocol/clientCapabilities": able}});
    let first = gate.modern(&alice, "tools/call", params.clone()).await;
    params["inputResponses"] =
        json!({"colour": {"action": "accept", "content": {"colour": "as Li Wei likes"}}});
    params["requestState"] = first.message()["result"]["requestState"].clone();
    let second = gate.modern(&alice, "tools/call", params).await;
    let heard: Value = serde_json::from_str(&said(&second)).unwrap();
    assert_eq!(heard["given"]["colour"]["content"]["colour"], "as [PERSON] likes");
    let asked = std::fs::read_to_string(&seen).unwrap();
    assert!(asked.contains("Which colour?"), "the question was looked at: {asked}");
}

#[tokio::test]
async fn what_a_failing_recogniser_has_not_seen_does_not_pass() {
    let moody = Moody::new();
    let settings = moody
        .settings("timeoutMs: 400, breaker: { failures: 1000 }, headers: { Authorization: Bearer of-it }");
    let site = Site::new(&demo_servers(), &settings, PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    assert_eq!(moody.asked()[0]["authorization"], "Bearer of-it");
    for mode in ["status", "garbage", "huge", "fewer", "one", "beyond", "backwards", "silent"] {
        moody.mode(mode);
        let refused = echo(&gate, &alice, "dear John Smith").await;
        assert_eq!((refused.status, refused.code()), (503, Some(8005)), "{mode}: {}", refused.body);
        let of_calls = |r: &Value| r["kind"].as_str().is_some_and(|kind| kind.starts_with("call."));
        let last = gate.site.records().into_iter().rev().find(of_calls).unwrap();
        assert_eq!(
            (&last["kind"], &last["authz"]["reason"]),
            (&json!("call.denied"), &json!("uninspected")),
            "{mode}"
        );
    }
    moody.mode("ok");
    assert_eq!(said(&echo(&gate, &alice, "dear John Smith").await), "dear [PERSON]");
    // A message without a word in it needs nobody.
    moody.mode("status");
    assert_eq!(said(&echo(&gate, &alice, "1 + 2").await), "1 + 2");
    let metrics = gate.page("/metrics").await.body;
    for outcome in ["status", "invalid", "timeout"] {
        assert!(
            metrics.contains(&format!("sealgate_recognizer_asked_total{{outcome=\"{outcome}\"}}")),
            "{metrics}"
        );
    }
    assert!(!gate.stderr().contains("of-it"));
}

#[tokio::test]
async fn results_that_it_has_not_seen_are_withheld() {
    let moody = Moody::new();
    let site = Site::new(&demo_servers(), &moody.settings("direction: response"), PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    moody.mode("status");
    let withheld = echo(&gate, &alice, "dear John Smith").await;
    assert_eq!(withheld.code(), Some(8005), "{}", withheld.body);
    assert!(!withheld.body.contains("John"), "{}", withheld.body);
    let records = gate.site.records();
    let kinds: Vec<&str> = records.iter().filter_map(|r| r["kind"].as_str()).collect();
    assert!(kinds.contains(&"call.intent") && kinds.contains(&"call.outcome"), "{kinds:?}");
    let outcome = records.iter().rev().find(|r| r["kind"] == "call.outcome").unwrap();
    assert_eq!(outcome["status"], "blocked", "{outcome}");
}

#[tokio::test]
async fn after_failures_in_a_row_it_is_left_alone_and_tried_again() {
    let moody = Moody::new();
    let settings = moody.settings("breaker: { failures: 3, restMs: 300 }");
    let site = Site::new(&demo_servers(), &settings, PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    moody.mode("status");
    let before = moody.asked().len();
    for _ in 0..3 {
        assert_eq!(echo(&gate, &alice, "dear John Smith").await.code(), Some(8005));
    }
    gate.until(|ready| ready["notes"].to_string().contains("left alone")).await;
    let refused = echo(&gate, &alice, "dear John Smith").await;
    assert_eq!(refused.code(), Some(8005));
    // At most the one that tries again, if the rest was over by then.
    assert!(moody.asked().len() <= before + 4, "{}", moody.asked().len());
    moody.mode("ok");
    for _ in 0..200 {
        let answer = echo(&gate, &alice, "dear John Smith").await;
        if answer.code().is_none() {
            assert_eq!(said(&answer), "dear [PERSON]");
            gate.until(|ready| !ready["notes"].to_string().contains("left alone")).await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("it was never tried again");
}

#[tokio::test]
async fn answers_that_do_not_fit_the_texts_are_failures_in_a_row_too() {
    let moody = Moody::new();
    let settings = moody.settings("breaker: { failures: 4, restMs: 3600000 }");
    let site = Site::new(&demo_servers(), &settings, PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    let before = moody.asked().len();
    for mode in ["status", "beyond", "backwards", "status"] {
        moody.mode(mode);
        assert_eq!(echo(&gate, &alice, "dear John Smith").await.code(), Some(8005), "{mode}");
    }
    assert_eq!(moody.asked().len(), before + 4);
    moody.mode("ok");
    assert_eq!(echo(&gate, &alice, "dear John Smith").await.code(), Some(8005));
    assert_eq!(moody.asked().len(), before + 4, "it is left alone");
}

#[tokio::test]
async fn what_passes_unseen_by_a_named_setting_is_recorded_so() {
    let moody = Moody::new();
    let site = Site::new(&demo_servers(), &moody.settings("onFailure: pass"), PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    gate.until(|ready| ready["notes"].to_string().contains("`inspect.recognizer.onFailure` is `pass`")).await;
    moody.mode("garbage");
    let passed = said(&echo(&gate, &alice, "dear John Smith, mail j@example.org").await);
    assert_eq!(passed, "dear John Smith, mail [EMAIL]");
    let records = gate.site.records();
    for kind in ["call.intent", "call.outcome"] {
        let record = records.iter().rev().find(|r| r["kind"] == kind).unwrap();
        assert!(
            findings(record).iter().any(|f| f["type"] == "unrecognized" && f["operator"] == "allow"),
            "{record}"
        );
    }
}

#[test]
fn a_recogniser_that_finds_nothing_keeps_the_gateway_from_starting() {
    let moody = Moody::new();
    let nobody = "inspect: { recognizer: { url: \"http://127.0.0.1:1/analyze\" } }".to_owned();
    moody.mode("blind");
    let cases = [
        (moody.settings(""), "finds none of `entities`"),
        (nobody, "cannot be reached"),
        (moody.settings("entities: { PERSON: persn }"), "unknown detector `persn`, use `person`"),
        (moody.settings("entities: {}"), "`inspect.recognizer.entities`"),
        (moody.settings("timeoutMs: 0"), "`inspect.recognizer.timeoutMs` must be from 1 to 60000"),
        ("inspect: { recognizer: {} }".to_owned(), "`inspect.recognizer.url`"),
        (moody.settings("minScore: 2"), "from 0 to 1"),
    ];
    for (settings, why) in &cases {
        let site = Site::new(&demo_servers(), settings, PERMIT_ALL);
        for command in ["serve", "check"] {
            let out = site.sealgate(&[command, "--config", "sealgate.yaml"]);
            let told =
                String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
            assert!(!out.status.success() && told.contains(why), "{command} {settings}: {told}");
        }
    }
    let off =
        format!("{}\n", moody.settings("")).replace("recognizer:", "disable: [person, address], recognizer:");
    let site = Site::new(&demo_servers(), &off, PERMIT_ALL);
    let out = site.sealgate(&["check", "--config", "sealgate.yaml"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("nothing it finds would count"), "{out:?}");
}

#[tokio::test]
async fn a_reload_tries_it_anew_and_keeps_what_was_in_force() {
    let moody = Moody::new();
    let site = Site::new(&demo_servers(), &moody.settings(""), PERMIT_ALL);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    moody.mode("blind");
    gate.site.configure(&demo_servers(), &moody.settings("minScore: 0.6"));
    let ready = gate.until(|ready| !ready["rejected_change"].is_null()).await;
    assert!(ready["rejected_change"].to_string().contains("finds none of"), "{ready}");
    moody.mode("ok");
    assert_eq!(said(&echo(&gate, &alice, "dear John Smith").await), "dear [PERSON]");
}
