//! What was said: read one by one, held, and erased by two people; proofs stay.

use super::{gate, record};
use serde_json::{Value, json};

const SAID: &str = "please call the customer back about the broken lamp";

#[tokio::test]
async fn payloads_are_read_held_and_erased_and_each_step_is_recorded() {
    let (gate, people) = gate("");
    let call = super::called(&gate, &people.employee, "ops_echo", json!({"text": SAID})).await;
    let seq =
        gate.site.records().iter().find(|r| r["kind"] == "call.intent").unwrap()["seq"].as_u64().unwrap();
    let path = format!("/records/{seq}/payload");
    let read = gate.audit(&people.auditor, "GET", &path, None).await.json();
    assert_eq!(read["state"], "ok");
    assert!(read["payload"].as_str().unwrap().contains(SAID), "{read}");
    let records = gate.site.records();
    let reading = records.iter().find(|record| record["kind"] == "payload.read").unwrap();
    assert_eq!(
        (&reading["actor"]["id"], &reading["request"]["params"]["seq"]),
        (&json!("anna"), &json!(seq))
    );
    assert_eq!(reading["authz"]["policies"], json!(["auditor-payloads"]));
    let none = gate.audit(&people.auditor, "GET", "/records/0/payload", None).await.json();
    assert_eq!((&none["state"], &none["payload"]), (&json!("none"), &Value::Null));

    // A hold beats an erasure that two people want.
    let selector = json!({"calls": [call]});
    let hold = json!({"selector": selector, "reason": "a lawsuit"});
    let hold = gate.audit(&people.auditor, "POST", "/holds", Some(hold)).await;
    assert_eq!(hold.status, 201, "{}", hold.body);
    let hold = hold.json();
    assert_eq!(hold["payloads"], 2);
    assert_eq!(record(&gate, hold["seq"].as_u64().unwrap())["kind"], "hold.set");
    let listed = gate.audit(&people.second, "GET", "/holds", None).await.json();
    assert_eq!(
        (&listed["holds"][0]["id"], &listed["holds"][0]["by"]),
        (&hold["hold"], &json!("User:default:anna"))
    );
    let wanted = json!({"selector": {"subject": "alice"}, "reason": "asked for"});
    let asked = gate.audit(&people.auditor, "POST", "/erasures", Some(wanted)).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    let approve = format!("/erasures/{id}/approve");
    let own = gate.audit(&people.auditor, "POST", &approve, None).await;
    assert_eq!((own.status, own.json()["type"].as_str().unwrap()), (409, "urn:sealgate:problem:conflict"));
    assert!(own.body.contains("two people"), "{}", own.body);
    let held = gate.audit(&people.second, "POST", &approve, None).await;
    assert!(held.status == 409 && held.body.contains(hold["hold"].as_str().unwrap()), "{}", held.body);
    let waiting = gate.audit(&people.second, "GET", "/erasures", None).await.json();
    assert_eq!(waiting["erasures"][0]["id"], json!(id), "it still waits");
    let lifted = format!("/holds/{}", hold["hold"].as_str().unwrap());
    assert_eq!(gate.audit(&people.second, "DELETE", &lifted, None).await.status, 204);
    assert_eq!(gate.audit(&people.second, "DELETE", &lifted, None).await.status, 404);

    let erased = gate.audit(&people.second, "POST", &approve, None).await;
    assert_eq!(erased.status, 200, "{}", erased.body);
    let erased = erased.json();
    assert_eq!(erased["payloads"], 2);
    let told = record(&gate, erased["seq"].as_u64().unwrap());
    assert_eq!(
        (&told["kind"], &told["approvers"]),
        (&json!("erase"), &json!(["User:default:anna", "User:default:ben"]))
    );
    let gone = gate.audit(&people.auditor, "GET", &path, None).await.json();
    assert_eq!((&gone["state"], &gone["payload"]), (&json!("erased"), &Value::Null));
    assert_eq!(gate.audit(&people.second, "POST", &approve, None).await.status, 404, "it is done once");
    let again = json!({"selector": selector, "reason": "again"});
    assert_eq!(gate.audit(&people.auditor, "POST", "/erasures", Some(again)).await.status, 409);
    let proof = gate.audit(&people.auditor, "GET", &format!("/proofs/{seq}"), None).await;
    assert_eq!(proof.status, 200, "the proof still holds");
    // What changes something is recorded before it is done, and again with how it was answered.
    let records = gate.site.records();
    let of_approval: Vec<&Value> = records
        .iter()
        .filter(|r| r["request"]["path"] == "/audit/v1/erasures/{id}/approve" && r["actor"]["id"] == "ben")
        .collect();
    let last = of_approval.iter().find(|r| r["answer"]["status"] == 200).unwrap();
    let first = of_approval.iter().find(|r| r["call"] == last["call"]).unwrap();
    assert!(first.get("answer").is_none() && first["seq"].as_u64() < erased["seq"].as_u64(), "{first:#}");
    assert!(last["seq"].as_u64() > erased["seq"].as_u64());
}

#[tokio::test]
async fn an_erasure_outlives_a_restart_and_can_be_withdrawn() {
    let (mut gate, people) = gate("");
    super::called(&gate, &people.employee, "ops_echo", json!({"text": SAID})).await;
    let wanted = json!({"selector": {"subject": "alice"}, "reason": "asked for"});
    let asked = gate.audit(&people.auditor, "POST", "/erasures", Some(wanted)).await.json();
    gate.crash_and_restart();
    let waiting = gate.audit(&people.second, "GET", "/erasures", None).await.json();
    assert_eq!(waiting["erasures"][0], asked);
    let path = format!("/erasures/{}", asked["id"].as_str().unwrap());
    assert_eq!(gate.audit(&people.second, "DELETE", &path, None).await.status, 204);
    assert_eq!(gate.audit(&people.second, "POST", &format!("{path}/approve"), None).await.status, 404);
}

#[tokio::test]
async fn a_value_is_found_by_its_commitment_and_told_to_nobody() {
    let (gate, people) = gate("");
    let email = "grace.hopper@navy.example.com";
    // There is an index from here on.
    let wait = gate.audit(&people.auditor, "GET", "/search?consistency=wait", None).await;
    assert_eq!(wait.status, 200, "{}", wait.body);
    let call =
        super::called(&gate, &people.employee, "ops_echo", json!({"text": format!("write to {email}")}))
            .await;
    let ask =
        async |value: &str| gate.audit(&people.auditor, "POST", "/hash", Some(json!({"value": value}))).await;
    let found = ask(email).await;
    assert_eq!(found.status, 200, "{}", found.body);
    let mut found = found.json();
    // The call was answered a moment ago: the index is waited for, and says what the whole log says.
    assert_eq!((&found["mode"], &found["archived"]), (&json!("index"), &json!(0)));
    let whole = Some(json!({"value": email, "mode": "scan"}));
    let whole = gate.audit(&people.auditor, "POST", "/hash", whole).await.json();
    found["mode"] = json!("scan");
    assert_eq!(found, whole);
    assert_eq!((&found["seen"], &found["truncated"]), (&json!(true), &json!(false)));
    let sighting = &found["sightings"][0];
    assert_eq!(
        (&sighting["call"], &sighting["name"], &sighting["actor"]),
        (&json!(call), &json!("ops_echo"), &json!("alice"))
    );
    assert_eq!(found["commitments"], json!([sighting["commitment"]]));
    let other = ask("somebody.else@example.com").await.json();
    assert_eq!((&other["seen"], &other["found"]), (&json!(false), &json!(0)));
    for file in ["audit.db", "audit.db-wal", "stderr.log"] {
        let path =
            if file == "stderr.log" { gate.site.path().join(file) } else { gate.site.data().join(file) };
        let bytes = std::fs::read(path).unwrap_or_default();
        assert!(!bytes.windows(email.len()).any(|window| window == email.as_bytes()), "{file}");
    }
}
