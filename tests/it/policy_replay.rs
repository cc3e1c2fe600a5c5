//! A day of traffic, decided again: nothing flips under the same policies, and a planted change is found exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sealgate::audit::{self, Draft, Kind, Log, Reader};
use sealgate::clock::Clock;
use sealgate::policy::{
    Asked, Catalog, Circumstances, Decided, Person, Policies, PolicyFiles, Question, Recorded, Replay, Store,
    Surroundings, Table,
};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

const CALLS: u32 = 100_000;
const SECOND: i64 = 1_000_000;
/// 24 November 2025, 00:00 UTC.
const START: i64 = 1_763_942_400 * SECOND;

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn yaml<T: serde::de::DeserializeOwned>(path: &str) -> T {
    serde_saphyr::from_str(&std::fs::read_to_string(root(path)).unwrap()).unwrap()
}

/// Repeatable random numbers (Knuth, MMIX).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One call of the day.
struct Made {
    who: String,
    tool: &'static str,
    args: String,
    findings: Vec<&'static str>,
}

fn made(dice: &mut Dice, people: &[String]) -> Made {
    let who = people[usize::try_from(dice.roll(people.len() as u64)).unwrap()].clone();
    let findings = if dice.roll(10) == 0 { vec!["credit_card"] } else { Vec::new() };
    let (tool, args) = match dice.roll(8) {
        0..=2 => ("crm_search_customers", json!({"query": "ada", "limit": dice.roll(200)})),
        3 => ("crm_get_customer", json!({"id": format!("c-{:03}", dice.roll(20))})),
        4 => ("ops_echo", json!({"text": "hi"})),
        5 => {
            let environment = ["staging", "production"][usize::try_from(dice.roll(2)).unwrap()];
            ("ops_restart_service", json!({"environment": environment, "service": "web"}))
        }
        6 => ("crm_export_customers", json!({"format": "csv", "include_pii": dice.roll(2) == 1})),
        _ => ("weather_forecast", json!({"city": "Paris"})),
    };
    Made { who, tool, args: args.to_string(), findings }
}

#[derive(Serialize)]
struct Actor<'a> {
    agent: &'a str,
    approved: bool,
    credential: &'a str,
    id: &'a str,
    kind: &'a str,
    roles: &'a [String],
    teams: &'a [String],
    tenant: &'a str,
}

/// Writes the day as the gateway would, and says which calls a change of the limit from 100 to 50 would deny.
fn write(folder: &Path, policies: &Policies, people: &BTreeMap<String, Person>) -> BTreeSet<Uuid> {
    let clock = Clock::held_at(START);
    let log = Log::open(folder, "test/replay", &audit::Config::default(), clock.clone()).unwrap();
    let names: Vec<String> = people.keys().cloned().collect();
    let digests = policies.digests();
    let mut dice = Dice(7);
    let mut decided: BTreeMap<String, (bool, &str, Vec<String>)> = BTreeMap::new();
    let mut affected = BTreeSet::new();
    for index in 0..CALLS {
        clock.advance_us(86_400 * SECOND / i64::from(CALLS));
        let Made { who, tool, args, findings } = made(&mut dice, &names);
        let caller = people[&who].caller(&who).unwrap();
        let stamp =
            uuid::Timestamp::from_unix(uuid::NoContext, u64::try_from(clock.now_us() / SECOND).unwrap(), 0);
        let call = Uuid::new_v7(stamp);
        let key = format!("{who} {tool} {args} {findings:?}");
        let (allowed, reason, by) = decided.entry(key).or_insert_with(|| {
            let circumstances = Circumstances { now_us: clock.now_us(), ..Circumstances::default() };
            let asked = Asked::CallTool { tool, args: &args };
            let question = Question { call, asked, circumstances: &circumstances, findings: &findings };
            match policies.authorize(&caller, &question) {
                Ok(permit) => (true, "policy", permit.determining().to_vec()),
                Err(denial) => (false, denial.kind().as_str(), denial.determining().to_vec()),
            }
        });
        let limit = serde_json::from_str::<Value>(&args).unwrap()["limit"].as_u64().unwrap_or(0);
        if *allowed && tool == "crm_search_customers" && limit > 50 {
            affected.insert(call);
        }
        let actor = Actor {
            agent: &caller.agent,
            approved: caller.agent_approved,
            credential: &caller.credential,
            id: &caller.id,
            kind: caller.kind.entity_type(),
            roles: &caller.roles,
            teams: &caller.teams,
            tenant: &caller.tenant,
        };
        let authz = json!({
            "decision": if *allowed { "allow" } else { "deny" },
            "entities": digests.entities,
            "errors": [],
            "findings": findings,
            "policies": by,
            "policy_set": digests.policy_set,
            "reason": reason,
            "satisfied": [],
            "schema": digests.schema,
        });
        let server = tool.split_once('_').unwrap().0;
        let mcp = json!({
            "client": "", "client_version": "", "front": "/mcp", "method": "tools/call", "name": tool,
            "protocol": "", "rpc_id": index, "server": server, "session": "", "session_calls": 0,
            "session_started": 0, "transport": "",
        });
        let request = format!("{{\"name\":\"{tool}\",\"arguments\":{args}}}");
        let draft = Draft::new(if *allowed { Kind::CallIntent } else { Kind::CallDenied })
            .call(call)
            .member("actor", &actor)
            .member("authz", &authz)
            .member("mcp", &mcp)
            .member("redact", &json!({"findings": [], "ruleset": ""}))
            .member("request", &request);
        log.append_detached(draft);
    }
    log.close().unwrap();
    affected
}

#[test]
fn a_hundred_thousand_calls_flip_nothing_under_the_same_policies_and_exactly_the_planted_change() {
    let catalog: Catalog = yaml("policies/tests/catalog.yaml");
    let table: Table = yaml("policies/tests/scenarios.yaml");
    let surroundings = Surroundings::bare(catalog.models());
    let files = PolicyFiles::read(&root("policies")).unwrap();
    let policies = files.build(&surroundings).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::of(folder.path());
    store.keep(&policies).unwrap();
    let affected = write(folder.path(), &policies, &table.people);
    assert!(affected.len() > 1_000, "{}", affected.len());

    let planted: Vec<(String, String)> = files
        .texts()
        .map(|(path, text)| {
            (path.to_owned(), text.replace("context.args.limit > 100", "context.args.limit > 50"))
        })
        .collect();
    let mut same = Replay::new(files, store.clone());
    let mut changed = Replay::new(PolicyFiles::from_parts(&planted), store);
    let reader = Reader::open(folder.path()).unwrap();
    let mut next = 0;
    loop {
        let batch = reader.since(next, 5_000).unwrap();
        let Some(last) = batch.last() else { break };
        next = last.seq + 1;
        for recorded in batch.iter().filter_map(|entry| Recorded::parse(&entry.record)) {
            same.add(&recorded).unwrap();
            changed.add(&recorded).unwrap();
        }
    }
    let same = same.finish();
    assert_eq!((same.decided, same.undetermined, same.flips.len()), (u64::from(CALLS), 0, 0));
    let changed = changed.finish();
    let found: BTreeSet<Uuid> = changed.flips.iter().map(|flip| flip.call).collect();
    assert_eq!(found, affected);
    assert_eq!((changed.newly_allowed, changed.undetermined), (0, 0));
}

/// What a replay makes of these records, under policies that let everything in and only small results out.
fn replayed(records: &[Value]) -> Value {
    let catalog: Catalog = yaml("policies/tests/catalog.yaml");
    let surroundings = Surroundings::bare(catalog.models());
    let text = "@id(\"in\") permit (principal, action in Action::\"Mcp\", resource);\n\
                @id(\"small\") forbid (principal, action == Action::\"ReturnResult\", resource) when { context.bytes > 10 };";
    let files = PolicyFiles::from_parts(&vec![("a.cedar".to_owned(), text.to_owned())]);
    let policies = files.build(&surroundings).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::of(folder.path());
    store.keep(&policies).unwrap();
    let mut replay = Replay::new(files, store);
    for record in records {
        let text = record.to_string().replace("ENTITIES", &policies.digests().entities);
        replay.take(&Decided::parse(text.as_bytes()).unwrap()).unwrap();
    }
    serde_json::to_value(replay.finish()).unwrap()
}

/// A call of Erin's as it was allowed, and its end.
fn ended(seq: u64, (method, name): (&str, &str), end: Value) -> [Value; 2] {
    let call = Uuid::from_u128(u128::from(seq));
    let intent = json!({
        "kind": "call.intent", "seq": seq, "t": seq, "call": call,
        "actor": {"agent": "", "approved": false, "credential": "", "id": "erin", "kind": "User", "roles": [],
                  "teams": [], "tenant": "acme"},
        "authz": {"decision": "allow", "entities": "ENTITIES", "policies": ["in"], "reason": "policy"},
        "mcp": {"method": method, "name": name, "server": "crm"},
        "request": "{}",
    });
    let mut outcome =
        json!({"kind": "call.outcome", "seq": seq + 1, "t": seq + 1, "call": call, "intent": seq});
    outcome.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
    [intent, outcome]
}

#[test]
fn only_results_that_policy_was_asked_about_are_decided_again_and_what_is_not_known_is_said() {
    let let_out = |bytes: u64| json!({"status": "ok", "returned": {"bytes": bytes, "decision": "allow", "policies": ["in"]}});
    let uri = "crm://customers";
    let told = |of: (&str, &str), end: Value| {
        let report = replayed(&ended(1, of, end));
        assert_eq!(report["decided"], 1, "of {of:?}: {report:#}");
        (report["results_decided"].as_u64().unwrap(), report["results_undetermined"].as_u64().unwrap())
    };
    assert_eq!(told(("resources/read", uri), let_out(9)), (1, 0));
    assert_eq!(told(("resources/read", uri), json!({"status": "ok"})), (0, 1), "an older record");
    assert_eq!(told(("resources/subscribe", uri), json!({"status": "ok"})), (0, 0));
    for nothing in ["cancelled", "timeout", "upstream_error", "blocked"] {
        assert_eq!(told(("resources/read", uri), json!({"status": nothing})), (0, 0), "{nothing}");
    }
    let report = replayed(&ended(1, ("resources/read", &"x".repeat(256)), let_out(9)));
    assert_eq!((&report["undetermined"], &report["results_undetermined"]), (&json!(1), &json!(1)));
    let report = replayed(&ended(1, ("resources/read", uri), let_out(11)));
    let flip = &report["flips"][0];
    assert_eq!((&flip["decides"], &flip["candidate"]["policies"]), (&json!("result"), &json!(["small"])));
    // The call may be older than the records that are looked at: then it says so, or is told what the call was.
    let [intent, outcome] = ended(1, ("resources/read", uri), let_out(11));
    let alone = replayed(std::slice::from_ref(&outcome));
    assert!(alone["undetermined_reasons"].to_string().contains("its call is not among the records"));
    assert_eq!(alone["results_undetermined"], 1);
    assert_eq!(replayed(&[intent, outcome])["newly_denied"], 1);
}
