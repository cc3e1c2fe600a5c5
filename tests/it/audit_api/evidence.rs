//! What is shown is what was written, and each proof holds without the gateway.

use super::gate;
use sealgate::audit::tree::note::{Checkpoint, Note, Verifier};
use sealgate::audit::tree::proof;
use sealgate::audit::{hex, leaf, parse_hex};
use serde_json::{Value, json};

#[tokio::test]
async fn records_come_byte_for_byte_page_by_page_in_both_orders() {
    let (gate, people) = gate("");
    let call = super::called(&gate, &people.employee, "ops_echo", json!({"text": "hi"})).await;
    let out = gate.site.sealgate(&["audit", "tail", "-n", "1000", "--config", "sealgate.yaml"]);
    let lines: Vec<String> = String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect();
    for order in ["asc", "desc"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/records?limit=3&order={order}{cursor}");
            let page = gate.audit(&people.auditor, "GET", &path, None).await;
            assert_eq!(page.status, 200, "{}", page.body);
            let page_json = page.json();
            let hits = page_json["hits"].as_array().unwrap().clone();
            assert!(hits.len() <= 3);
            for hit in &hits {
                let seq = hit["seq"].as_u64().unwrap();
                seen.push(seq);
                let Some(line) = lines.get(usize::try_from(seq).unwrap()) else { continue };
                assert!(page.body.contains(line.as_str()), "not the exact bytes: {line}");
                assert_eq!(hit["leaf"], hex(&leaf(line.as_bytes())));
                assert_eq!(hit["integrity"], "ok");
            }
            match page_json["next"].as_u64() {
                // Reading writes records: the newest ones are of this very test.
                Some(next) if seen.len() < lines.len() => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        let step = if order == "asc" {
            seen.windows(2).all(|w| w[1] == w[0] + 1)
        } else {
            seen.windows(2).all(|w| w[0] == w[1] + 1)
        };
        assert!(step, "{order}: {seen:?}");
    }
    let only = gate
        .audit(&people.auditor, "GET", "/records?kind=call.intent&order=asc&limit=1000", None)
        .await
        .json();
    assert_eq!((only["hits"].as_array().unwrap().len(), &only["next"]), (1, &Value::Null));
    let of_call = gate.audit(&people.auditor, "GET", &format!("/calls/{call}"), None).await.json();
    let kinds: Vec<&str> = of_call["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["record"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!((kinds, &of_call["truncated"]), (vec!["call.intent", "call.outcome"], &json!(false)));
    let nothing = "/calls/019a0000-0000-7000-8000-000000000000";
    assert_eq!(gate.audit(&people.auditor, "GET", nothing, None).await.status, 404);
}

#[tokio::test]
async fn a_record_that_was_tampered_with_is_not_shown() {
    let (gate, people) = gate("");
    super::called(&gate, &people.employee, "ops_echo", json!({"text": "hi"})).await;
    let replace = |from: &str, to: &str| {
        let store = rusqlite::Connection::open(gate.site.data().join("audit.db")).unwrap();
        let guard = "SELECT sql FROM sqlite_master WHERE name = 'entry_no_update'";
        let guard: String = store.query_row(guard, [], |row| row.get(0)).unwrap();
        store
            .execute_batch(&format!(
                "BEGIN; DROP TRIGGER entry_no_update; UPDATE entry SET rec = \
                 CAST(replace(CAST(rec AS TEXT), '{from}', '{to}') AS BLOB) WHERE seq = 0; {guard}; COMMIT;"
            ))
            .unwrap();
    };
    replace("log.genesis", "log.Genesis");
    for (method, path, body) in [
        ("GET", "/records/0", None),
        ("GET", "/records?order=asc", None),
        ("GET", "/proofs/0", None),
        ("POST", "/exports", Some(json!({"form": "ndjson", "select": {"seqs": [0]}}))),
        ("POST", "/exports", Some(json!({"form": "bundle", "select": {"seqs": [0]}}))),
    ] {
        let answer = gate.audit(&people.auditor, method, path, body).await;
        assert_eq!(answer.status, 500, "{path}: {}", answer.body);
        assert_eq!(answer.json()["type"], "urn:sealgate:problem:tampered", "{path}");
        assert!(!answer.body.contains("enesis"), "{path}: {}", answer.body);
    }
    assert_eq!(gate.audit(&people.auditor, "GET", "/records/1", None).await.status, 200);
    replace("log.Genesis", "log.genesis");
    assert_eq!(gate.audit(&people.auditor, "GET", "/records/0", None).await.status, 200);
}

async fn text(gate: &crate::harness::Gate, people: &super::People, path: &str) -> String {
    let answer = gate.audit(&people.auditor, "GET", path, None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

fn hashes(list: &Value) -> Vec<[u8; 32]> {
    list.as_array().unwrap().iter().map(|hash| parse_hex(hash.as_str().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn proofs_checkpoints_and_tiles_hold_for_whoever_has_nothing_else() {
    let (gate, people) = gate("");
    super::called(&gate, &people.employee, "ops_echo", json!({"text": "hi"})).await;
    let keys: Vec<Verifier> =
        text(&gate, &people, "/keys").await.lines().map(|line| Verifier::parse(line).unwrap()).collect();
    let note = text(&gate, &people, "/checkpoint").await;
    let origin = Checkpoint::parse(Note::parse(&note).unwrap().text()).unwrap().origin;
    let signed = Checkpoint::open(&note, &origin, &keys).unwrap().head;
    // A record, its proof, and a root that the key has signed.
    let record = text(&gate, &people, "/records/1").await;
    let record: Value = serde_json::from_str(&record).unwrap();
    let found = text(&gate, &people, &format!("/proofs/1?size={}", signed.size)).await;
    let found: Value = serde_json::from_str(&found).unwrap();
    let bytes = record["record"].to_string();
    let path = hashes(&found["path"]);
    assert_eq!(found["leaf"], record["leaf"]);
    assert!(proof::includes(&signed.root, signed.size, 1, &leaf(bytes.as_bytes()), &path));
    assert!(!proof::includes(&signed.root, signed.size, 2, &leaf(bytes.as_bytes()), &path));
    let plain = text(&gate, &people, &format!("/proofs/1?size={}&form=text", signed.size)).await;
    assert!(plain.starts_with("c2sp.org/tlog-proof@v1\nindex 1\n") && plain.ends_with(&note), "{plain}");
    let same: Value =
        serde_json::from_str(&text(&gate, &people, &format!("/checkpoints/{}", signed.size)).await).unwrap();
    assert_eq!((&same["note"], &same["root"]), (&json!(note), &json!(hex(&signed.root))));
    // The log of then is the beginning of the log of now.
    gate.until(|ready| ready["log"]["checkpoint"].as_u64().is_some_and(|size| size > signed.size)).await;
    let newer = text(&gate, &people, "/checkpoint").await;
    let newer = Checkpoint::open(&newer, &origin, &keys).unwrap().head;
    let between = format!("/consistency?old={}&new={}", signed.size, newer.size);
    let between: Value = serde_json::from_str(&text(&gate, &people, &between).await).unwrap();
    assert!(proof::extends(&signed, &newer, &hashes(&between["proof"])));
    // Tiles: the entries hash to the leaves, and the leaves to the root.
    let width = signed.size;
    assert!(width < 256);
    let get = async |path: String| {
        let url = format!("{}{path}", gate.auditors);
        let answer = gate.http.get(url).bearer_auth(&people.auditor.value).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/octet-stream");
        answer.bytes().await.unwrap().to_vec()
    };
    let tile = get(format!("/tile/0/000.p/{width}")).await;
    let entries = get(format!("/tile/entries/000.p/{width}")).await;
    let (mut rest, mut leaves) = (entries.as_slice(), Vec::new());
    while let [high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        leaves.push(leaf(&more[..length]));
        rest = &more[length..];
    }
    assert_eq!(leaves.concat(), tile);
    let mut root = sealgate::audit::Root::default();
    for leaf in leaves {
        root.push(leaf);
    }
    assert_eq!(root.hash(), signed.root);
    let status: Value = serde_json::from_str(&text(&gate, &people, "/status").await).unwrap();
    assert_eq!(status["writable"], true);
    assert!(status["records"].as_u64().unwrap() >= newer.size, "{status}");
    assert!(status["anchors"].is_array() && status["checkpoint"]["root"].is_string(), "{status}");
}
