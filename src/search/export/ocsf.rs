//! Events of OCSF 1.8, class API Activity (6003), profiles security control and trace.

use crate::audit::hex;
use crate::search::field::Field;
use crate::search::source::Found;
use serde_json::{Map, Value, json};

const VERSION: &str = "1.8.0";
const CATEGORY: u64 = 6;
const CLASS: u64 = 6003;

/// What a record means in the words of OCSF.
struct Meaning {
    activity: (u64, &'static str),
    severity: (u64, &'static str),
    status: (u64, &'static str),
    /// Action and disposition, where policy decided.
    decided: Option<(u64, &'static str, u64, &'static str)>,
}

pub(super) fn event(found: &Found, out: &mut Vec<u8>) {
    let event = Value::Object(of(found));
    // A tree of values is always written.
    out.extend_from_slice(event.to_string().as_bytes());
}

fn of(found: &Found) -> Map<String, Value> {
    let doc = &found.doc;
    let word = |field| doc.values(field).next();
    let meaning = meaning(found);
    let time = doc.value(Field::Created).unwrap_or_default() / 1000;
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            event.insert(name.to_owned(), value);
        }
    };
    put("activity_id", meaning.activity.0.into());
    put("activity_name", meaning.activity.1.into());
    put("category_name", "Application Activity".into());
    put("category_uid", CATEGORY.into());
    put("class_name", "API Activity".into());
    put("class_uid", CLASS.into());
    put("type_uid", (CLASS * 100 + meaning.activity.0).into());
    put("type_name", format!("API Activity: {}", meaning.activity.1).into());
    put("severity_id", meaning.severity.0.into());
    put("severity", meaning.severity.1.into());
    put("status_id", meaning.status.0.into());
    put("status", meaning.status.1.into());
    put("status_code", word(Field::Status).into());
    put("status_detail", word(Field::Reason).into());
    put("time", time.into());
    if let Some(latency) = doc.value(Field::Latency) {
        put("duration", (latency / 1000).into());
    }
    if let Some((action, name, disposition, disposed)) = meaning.decided {
        put("action_id", action.into());
        put("action", name.into());
        put("disposition_id", disposition.into());
        put("disposition", disposed.into());
    }
    put("metadata", metadata(found));
    put("actor", actor(found));
    put("api", api(found));
    put("src_endpoint", source(found));
    put("resources", resources(found));
    put("trace", trace(found));
    put("raw_data", String::from_utf8_lossy(&found.record).into());
    put("unmapped", unmapped(found));
    event
}

fn meaning(found: &Found) -> Meaning {
    let word = |field| found.doc.values(field).next();
    let activity = match word(Field::Method) {
        Some(method)
            if method.ends_with("/list") || method.ends_with("/get") || method.ends_with("/read") =>
        {
            (2, "Read")
        }
        Some(_) => (99, "Call"),
        None => (99, "Other"),
    };
    let kind = word(Field::Kind).unwrap_or_default();
    let denies = word(Field::Decision) == Some("deny");
    let severity = match kind {
        "audit.failure" | "anchor.fail" => (4, "High"),
        "call.denied"
        | "call.question_denied"
        | "auth.failed"
        | "request.refused"
        | "definition.drift"
        | "definition.quarantine" => (3, "Medium"),
        _ => (1, "Informational"),
    };
    let status = match word(Field::Status) {
        Some("ok" | "input_required") => (1, "Success"),
        Some(_) => (2, "Failure"),
        None if denies || severity.0 > 1 => (2, "Failure"),
        None if matches!(kind, "call.intent" | "call.indeterminate") => (0, "Unknown"),
        None => (1, "Success"),
    };
    let decided = match word(Field::Decision) {
        Some("allow") => Some((1, "Allowed", 1, "Allowed")),
        Some(_) => Some((2, "Denied", 2, "Blocked")),
        None => None,
    };
    Meaning { activity, severity, status, decided }
}

fn metadata(found: &Found) -> Value {
    let doc = &found.doc;
    let mut metadata = json!({
        "event_code": doc.values(Field::Kind).next(),
        "log_name": found.value.get("log"),
        "log_version": found.value.get("v").map(ToString::to_string),
        "product": {"name": "Sealgate", "vendor_name": "Sealgate", "version": env!("CARGO_PKG_VERSION")},
        "profiles": ["security_control", "trace"],
        "sequence": found.seq,
        "uid": hex(&found.leaf),
        "version": VERSION,
    });
    if let Some(members) = metadata.as_object_mut() {
        for (name, field) in [("correlation_uid", Field::Call), ("tenant_uid", Field::Tenant)] {
            members.extend(doc.values(field).next().map(|value| (name.to_owned(), value.into())));
        }
    }
    metadata
}

fn actor(found: &Found) -> Value {
    let doc = &found.doc;
    let word = |field| doc.values(field).next();
    let mut actor = Map::new();
    if let Some(id) = word(Field::Actor).or(word(Field::By)) {
        let groups: Vec<Value> = [(Field::Team, "team"), (Field::Role, "role")]
            .into_iter()
            .flat_map(|(field, kind)| doc.values(field).map(move |name| json!({"name": name, "type": kind})))
            .collect();
        let mut user = Map::from_iter([("uid".to_owned(), id.into())]);
        user.extend(word(Field::Credential).map(|uid| ("credential_uid".to_owned(), uid.into())));
        user.extend(word(Field::Tenant).map(|uid| ("org".to_owned(), json!({"uid": uid}))));
        if !groups.is_empty() {
            user.insert("groups".into(), groups.into());
        }
        actor.insert("user".into(), user.into());
    }
    let name = word(Field::Agent).unwrap_or("sealgate");
    actor.insert("app_name".into(), name.into());
    actor.extend(word(Field::Session).map(|uid| ("session".to_owned(), json!({"uid": uid}))));
    if let Some(decision) = word(Field::Decision) {
        let granted = |policy: &str| json!({"decision": decision, "policy": {"uid": policy}});
        let granted: Vec<Value> = doc.values(Field::Policy).map(granted).collect();
        if !granted.is_empty() {
            actor.insert("authorizations".into(), granted.into());
        }
    }
    actor.into()
}

fn api(found: &Found) -> Value {
    let word = |field| found.doc.values(field).next();
    let operation = word(Field::Method).or(word(Field::Kind)).unwrap_or("unknown");
    let mut api = Map::from_iter([("operation".to_owned(), operation.into())]);
    api.extend(word(Field::Server).map(|name| ("service".to_owned(), json!({"name": name}))));
    api.extend(word(Field::Protocol).map(|version| ("version".to_owned(), version.into())));
    api.extend(word(Field::Call).map(|uid| ("request".to_owned(), json!({"uid": uid}))));
    api.into()
}

fn source(found: &Found) -> Value {
    let word = |field| found.doc.values(field).next();
    match (
        word(Field::Source).filter(|source| source.parse::<std::net::IpAddr>().is_ok()),
        word(Field::Client),
    ) {
        (Some(ip), Some(client)) => json!({"ip": ip, "svc_name": client}),
        (Some(ip), None) => json!({"ip": ip}),
        (None, client) => json!({"svc_name": client.unwrap_or("sealgate")}),
    }
}

fn resources(found: &Found) -> Value {
    let kind = match found.doc.values(Field::Method).next() {
        Some(method) if method.starts_with("resources/") => "resource",
        Some(method) if method.starts_with("prompts/") => "prompt",
        _ => "tool",
    };
    let tools: Vec<Value> =
        found.doc.values(Field::Tool).map(|name| json!({"name": name, "type": kind})).collect();
    if tools.is_empty() { Value::Null } else { tools.into() }
}

fn trace(found: &Found) -> Value {
    let id = found.doc.values(Field::Trace).find(|trace| trace.len() == 32);
    id.map_or(Value::Null, |uid| json!({"uid": uid}))
}

/// What OCSF has no place for: counted findings, and how much went back.
fn unmapped(found: &Found) -> Value {
    let doc = &found.doc;
    let mut unmapped = Map::new();
    for (name, field) in [("bytes", Field::Bytes), ("redacted", Field::Redacted)] {
        unmapped.extend(doc.value(field).map(|number| (name.to_owned(), number.into())));
    }
    let findings: Vec<&str> = doc.values(Field::Finding).collect();
    if !findings.is_empty() {
        unmapped.insert("findings".into(), json!(findings));
    }
    if unmapped.is_empty() { Value::Null } else { unmapped.into() }
}
