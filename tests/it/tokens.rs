//! Tokens: what they stand for is kept, opened where policy says so and nowhere else, expires, and is erased.

use crate::harness::{Answer, Gate, Site, Token, demo_servers};
use crate::leaks::collector;
use sealgate::clock::Clock;
use sealgate::vault::{Bounds, Error, Kept, Owner, Vault};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const POLICIES: &str = "@id(\"all\")\npermit(principal, action in Action::\"Mcp\", resource);\n\
    @id(\"open\")\npermit(principal, action == Action::\"OpenToken\", resource == Tool::\"ops_echo\")\n\
    when { context.type == \"email\" && context.argument == \"/text\" };\n";

/// Customers' addresses are tokens; what `ops` answers passes, so that it shows what it was sent.
fn settings(vault: &str) -> String {
    format!(
        "inspect:\n  vault: {{{vault}}}\n  operators:\n\
         \x20   - {{types: [email, credit_card], direction: response, servers: [crm], operator: tokenise}}\n\
         \x20   - {{direction: response, servers: [ops], operator: allow}}\n"
    )
}

const EMAIL: &str = "amara.osei@example.org";

async fn customer(gate: &Gate, token: &Token) -> Answer {
    gate.call(token, "crm_get_customer", json!({"id": "c-001"})).await
}

/// The token of the customer's address.
async fn token_of(gate: &Gate, token: &Token) -> String {
    let answer = customer(gate, token).await;
    let email = &answer.message()["result"]["structuredContent"]["email"];
    email.as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

async fn echo(gate: &Gate, token: &Token, text: &str) -> Answer {
    gate.call(token, "ops_echo", json!({"text": text})).await
}

fn said(answer: &Answer) -> String {
    let text = &answer.message()["result"]["content"][0]["text"];
    text.as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

/// Every file below a folder that holds one of the words.
fn files_with(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, words));
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let holds = |word: &&str| memchr::memmem::find(&bytes, word.as_bytes()).is_some();
            if words.iter().any(holds) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_opened_for_the_tool_and_argument_that_policy_names_and_nowhere_else() {
    let (collector, traces) = collector().await;
    let otlp = format!("telemetry: {{ log: {{ level: debug }}, otlp: {{ endpoint: \"{collector}\" }} }}\n");
    let site = Site::new(&demo_servers(), &(otlp + &settings("")), POLICIES);
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    let stranger = site.token_of("elsewhere", "alice", "employee");
    let mut gate = site.start();
    let token = token_of(&gate, &alice).await;
    assert!(token.starts_with("[TOKEN_EMAIL_") && token.len() == 13 + 26 + 1, "{token}");
    assert_eq!(token, token_of(&gate, &alice).await, "equal values have equal tokens");
    let other = token_of(&gate, &bob).await;
    assert_ne!(token, other, "another principal, another token");

    // The backend is sent the address; it stands in no record.
    assert_eq!(said(&echo(&gate, &alice, &format!("to {token}!")).await), format!("to {EMAIL}!"));
    let records = gate.site.records();
    let intent = records.iter().rev().find(|r| r["kind"] == "call.intent").unwrap();
    let opened = &intent["opened"][0];
    assert_eq!((&opened["type"], &opened["pointer"]), (&json!("email"), &json!("/text")));
    let find = |r: &Value| r["redact"]["findings"].as_array().cloned().unwrap_or_default();
    let kept = records.iter().flat_map(find).find(|f| f["operator"] == "tokenise" && f["type"] == "email");
    assert!(kept.is_some_and(|kept| {
        records
            .iter()
            .flat_map(find)
            .any(|f| f["commitment"] == opened["commitment"] && f["type"] == kept["type"])
    }));
    assert!(gate.site.said(intent).to_string().contains(&token), "what is recorded holds the token");

    // Another tool, another argument of it, another type: the token stays what it is.
    let update = json!({"id": "c-002", "fields": {"notes": format!("see {token}")}});
    assert_eq!(gate.call(&alice, "crm_update_customer", update).await.code(), None);
    let kept = gate.call(&alice, "crm_get_customer", json!({"id": "c-002"})).await;
    assert!(kept.body.contains(&token), "inspecting a token changes nothing: {}", kept.body);
    let card =
        customer(&gate, &alice).await.message()["result"]["structuredContent"]["payment"]["card"].clone();
    let card = card.as_str().unwrap();
    assert!(card.starts_with("[TOKEN_CREDIT_CARD_"), "{card}");
    assert_eq!(said(&echo(&gate, &alice, card).await), card, "policy opens addresses only");

    // Forged, or somebody else's: refused, and not sent.
    let forged = format!("[TOKEN_EMAIL_{}]", "A".repeat(26));
    for (who, token) in [(&alice, &forged), (&bob, &token), (&stranger, &token), (&alice, &other)] {
        let refused = echo(&gate, who, token).await;
        assert_eq!(refused.code(), Some(8002), "{}", refused.body);
    }
    let denied = gate.site.records().into_iter().rev().find(|r| r["kind"] == "call.denied").unwrap();
    assert_eq!(denied["authz"]["reason"], "blocked");
    assert_eq!(said(&echo(&gate, &bob, &other).await), EMAIL);

    // No file holds the value: neither log, index, payloads, nor vault.
    let card = "4000008594118429";
    assert_eq!(files_with(&gate.site.data(), &[EMAIL, card, "YW1hcmEub3NlaUBleGFtcGxlLm9yZw"]), [""; 0]);
    let stderr = gate.stderr();
    let metrics = gate.page("/metrics").await.body;
    assert!(![&stderr, &metrics].iter().any(|text| text.contains(EMAIL) || text.contains(card)));
    // The last spans leave when the process ends.
    assert!(gate.stop());
    let traces = std::mem::take(&mut *traces.lock().unwrap());
    let holds = |word: &str| memchr::memmem::find(&traces, word.as_bytes()).is_some();
    assert!(holds("tools/call ops_echo") && !holds(EMAIL) && !holds(card), "{} bytes", traces.len());
}

#[tokio::test]
async fn a_token_that_breaks_what_a_tool_declares_goes_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| json!(folder.path().join(name).to_str()).to_string();
    std::fs::write(folder.path().join("lines"), "").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/parrot.py");
    let server = format!(
        "  parrot: {{ command: python3, args: [\"{script}\", {}, {}], startTimeoutMs: 10000 }}\n",
        file("lines"),
        file("received"),
    );
    for (operator, fits) in [("tokenise", false), ("mask", true)] {
        let settings = format!(
            "inspect: {{ vault: {{}}, operators: [{{ types: [email], direction: response, operator: {operator} }}] }}"
        );
        let site = Site::new(&server, &settings, POLICIES);
        let alice = site.token("alice", "employee");
        let gate = site.start();
        let answer = gate.call(&alice, "parrot_contact", json!({})).await;
        assert!(!answer.body.contains(EMAIL), "{}", answer.body);
        if fits {
            assert_eq!(
                answer.message()["result"]["structuredContent"]["email"],
                "[EMAIL]",
                "{}",
                answer.body
            );
        } else {
            assert_eq!(answer.code(), Some(8002), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn an_opened_argument_must_be_what_the_tool_takes() {
    // The address of a machine inside, as a token, in an argument that is declared to be a URL.
    let settings = "inspect:\n  vault: {}\n  operators:\n\
        \x20   - {types: [ip_address], direction: response, servers: [crm], operator: tokenise}\n\
        \x20   - {direction: request, servers: [crm], operator: allow}\n";
    let servers = demo_servers()
        .replace("[demo-server, ops]", "[demo-server, ops], tools: { echo: { arguments: { /text: url } } }");
    let policies = POLICIES.replace("context.type == \"email\" && ", "");
    let site = Site::new(&servers, settings, &policies);
    let alice = site.token("alice", "employee");
    let gate = site.start();
    let notes =
        json!({"id": "c-001", "fields": {"notes": "server ip 100.100.100.200 or client ip 203.0.113.77"}});
    assert_eq!(gate.call(&alice, "crm_update_customer", notes).await.code(), None);
    let answer = customer(&gate, &alice).await;
    let notes = answer.message()["result"]["structuredContent"]["notes"].as_str().unwrap().to_owned();
    let tokens: Vec<&str> = notes.split(' ').filter(|word| word.starts_with("[TOKEN_IP_ADDRESS_")).collect();
    let inside = tokens.first().unwrap_or_else(|| panic!("{notes}"));
    let refused = echo(&gate, &alice, &format!("http://{inside}/latest/meta-data/")).await;
    assert_eq!(refused.code(), Some(8002), "{}", refused.body);
    assert!(!refused.body.contains("100.100.100"), "{}", refused.body);
}

#[tokio::test]
async fn a_vault_that_is_full_or_gone_refuses() {
    let site = Site::new(&demo_servers(), &settings("maxEntries: 1"), POLICIES);
    let alice = site.token("alice", "employee");
    let mut gate = site.start();
    // The customer has an address, another one in the notes, and a card.
    let full = customer(&gate, &alice).await;
    assert_eq!(full.code(), Some(8005), "{}", full.body);
    let records = gate.site.records();
    assert!(records.iter().any(|r| r["kind"] == "call.outcome" && r["status"] != "ok"), "{records:#?}");
    assert!(gate.stop());
    gate.site.configure(&demo_servers(), &settings(""));
    gate.crash_and_restart();
    let token = token_of(&gate, &alice).await;
    std::fs::remove_file(gate.site.data().join("vault.db")).unwrap();
    assert_eq!(
        customer(&gate, &alice).await.code(),
        Some(8005),
        "nothing goes out that cannot be opened again"
    );
    assert_eq!(echo(&gate, &alice, &token).await.code(), Some(8005));
    gate.crash_and_restart();
    assert_eq!(echo(&gate, &alice, &token).await.code(), Some(8002), "a new vault knows nothing");
}

#[tokio::test]
async fn erasing_a_person_destroys_what_their_tokens_stand_for() {
    let site = Site::new(&demo_servers(), &settings("unknown: leave"), POLICIES);
    let (alice, bob) = (site.token("alice", "employee"), site.token("bob", "employee"));
    for name in ["anna", "ben"] {
        site.write(name, &site.token(name, "auditor").value);
    }
    let gate = site.start();
    let (of_alice, of_bob) = (token_of(&gate, &alice).await, token_of(&gate, &bob).await);
    assert_eq!(said(&echo(&gate, &alice, &of_alice).await), EMAIL);
    let erase = |which: &[&str]| {
        let order = [
            "audit",
            "erase",
            "--config",
            "sealgate.yaml",
            "--reason",
            "asked for",
            "--approver",
            "anna",
            "--approver",
            "ben",
        ];
        let out = gate.site.sealgate(&[&order[..], which].concat());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    erase(&["--subject", "alice"]);
    assert_eq!(said(&echo(&gate, &alice, &of_alice).await), of_alice, "`unknown: leave`: it stays as it is");
    assert_eq!(said(&echo(&gate, &bob, &of_bob).await), EMAIL, "another person's stays");
    let vault = std::fs::read(gate.site.data().join("vault.db")).unwrap();
    assert!(memchr::memmem::find(&vault, of_alice.as_bytes()).is_none(), "the row is overwritten");
    let records = gate.site.records();
    let intent = records.iter().rev().find(|r| r["opened"].is_array()).unwrap();
    let commitment = intent["opened"][0]["commitment"].as_str().unwrap();
    erase(&["--commitment", commitment]);
    assert_eq!(said(&echo(&gate, &bob, &of_bob).await), of_bob);
}

#[test]
fn tokens_without_a_vault_and_bad_bounds_are_refused_when_they_are_loaded() {
    let refusal = |settings: &str, policies: &str| {
        let site = Site::new(&demo_servers(), settings, policies);
        let out = site.sealgate(&["check", "--config", "sealgate.yaml"]);
        assert!(!out.status.success(), "{settings}");
        String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
    };
    let without = settings("").replace("  vault: {}\n", "");
    assert!(refusal(&without, POLICIES).contains("`tokenise` needs `inspect.vault`"));
    assert!(refusal(&settings("ttlS: 5"), POLICIES).contains("`inspect.vault.ttlS` must be from 60"));
    assert!(refusal(&settings("scope: gateway"), POLICIES).contains("gateway"));
    let asked =
        "@id(\"t\") @redact(\"email\") @redact_mode(\"tokenise\") permit(principal, action, resource);";
    assert!(refusal("", asked).contains("set `inspect.vault`"));
}

#[test]
fn a_vault_forgets_in_time_keeps_scopes_apart_and_trusts_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::held_at(1_000_000);
    let bounds = Bounds { ttl: Duration::from_secs(100), entries: 2 };
    let vault = Vault::open(folder.path(), bounds, clock.clone()).unwrap();
    let owner = Owner { scope: "a", subject: "ana", call: uuid::Uuid::nil() };
    let kept =
        |token| Kept { token, kind: "email", commitment: "c", value: "ana@example.com", number: false };
    vault.keep(&owner, &[kept("one"), kept("two")]).unwrap();
    assert_eq!(vault.give("a", "one").unwrap().unwrap().value, "ana@example.com");
    assert_eq!(vault.give("b", "one").unwrap(), None);
    assert!(matches!(vault.keep(&owner, &[kept("three")]), Err(Error::Full { limit: 2 })));
    assert_eq!(vault.give("a", "three").unwrap(), None);
    clock.advance_us(80_000_000);
    vault.keep(&owner, &[kept("one")]).unwrap();
    clock.advance_us(30_000_000);
    assert_eq!(vault.give("a", "two").unwrap(), None, "its time is over");
    assert!(vault.give("a", "one").unwrap().is_some(), "what is given out again lives on");
    vault.keep(&owner, &[kept("three")]).unwrap();
    // Another hand moves a row, or another key is laid beside it.
    let file = rusqlite::Connection::open(folder.path().join("vault.db")).unwrap();
    file.execute("UPDATE entry SET scope = 'b' WHERE token = 'three'", []).unwrap();
    assert!(matches!(vault.give("b", "three"), Err(Error::Damaged)));
    drop(vault);
    std::fs::write(folder.path().join("vault.key"), [1; 32]).unwrap();
    let vault = Vault::open(folder.path(), bounds, clock).unwrap();
    assert!(matches!(vault.give("a", "one"), Err(Error::Damaged)));
}
