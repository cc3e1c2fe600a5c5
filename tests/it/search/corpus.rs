//! Logs to search in, with what a model knows of their records.

use super::NOV_2026;
use sealgate::audit::{Config, Draft, Kind, Log, Order, Role};
use sealgate::clock::Clock;
use serde_json::{Value, json};
use std::path::Path;
use uuid::Uuid;

/// What a call says.
#[derive(Debug, Clone)]
pub struct Said {
    pub actor: String,
    pub server: String,
    pub tool: String,
    pub text: String,
    pub latency: i64,
    pub status: &'static str,
    pub findings: Vec<(String, String)>,
}

impl Said {
    pub fn new(actor: &str, server: &str, tool: &str, text: &str) -> Self {
        Self {
            actor: actor.into(),
            server: server.into(),
            tool: tool.into(),
            text: text.into(),
            latency: 1000,
            status: "ok",
            findings: Vec::new(),
        }
    }

    pub fn taking(mut self, latency: i64) -> Self {
        self.latency = latency;
        self
    }

    pub fn with(mut self, kind: &str, commitment: &str) -> Self {
        self.findings.push((kind.into(), commitment.into()));
        self
    }
}

/// What the model knows of a record.
#[derive(Debug, Clone, Default)]
pub struct Fact {
    pub seq: u64,
    pub words: Vec<(&'static str, String)>,
    pub numbers: Vec<(&'static str, i64)>,
    pub texts: Vec<String>,
}

pub struct Corpus {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    log: Option<Log>,
    pub clock: Clock,
    pub facts: Vec<Fact>,
}

impl Corpus {
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut corpus = Self {
            folder: tempfile::tempdir().unwrap(),
            runtime,
            log: None,
            clock: Clock::held_at(NOV_2026),
            facts: Vec::new(),
        };
        std::fs::write(corpus.path().join("origin"), "test/audit").unwrap();
        corpus.open();
        corpus
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn open(&mut self) {
        let config = Config { checkpoint_ms: 20, heartbeat_s: 1 << 40, ..Config::default() };
        self.log = Some(Log::open(self.folder.path(), "test/audit", &config, self.clock.clone()).unwrap());
    }

    pub fn close(&mut self) {
        self.log.take().unwrap().close().unwrap();
    }

    pub fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    pub fn append(&self, draft: Draft) -> u64 {
        self.clock.advance_us(60_000_000);
        self.runtime.block_on(self.log().append(draft)).unwrap().seq()
    }

    pub fn perform(&self, order: Order) -> Value {
        self.runtime.block_on(self.log().perform(order)).unwrap()
    }

    fn decided(&self, kind: Kind, call: Uuid, said: &Said) -> Draft {
        let decision = if kind == Kind::CallDenied { "deny" } else { "allow" };
        let text = json!({"q": said.text}).to_string();
        let body = self.log().captured(Role::Request, (&said.actor, &said.server), &text, None);
        Draft::new(kind)
            .call(call)
            .member("actor", &json!({"id": said.actor, "roles": ["analyst", "staff"], "tenant": "acme"}))
            .member("authz", &json!({"decision": decision, "policies": ["p1"], "reason": "policy"}))
            .member("mcp", &json!({"method": "tools/call", "name": said.tool, "server": said.server}))
            .member("redact", &redact(said))
            .payload(Some(body))
    }

    fn fact(&mut self, seq: u64, kind: &str, call: Uuid, said: &Said) -> &mut Fact {
        let decision = if kind == "call.denied" { "deny" } else { "allow" };
        let mut fact = Fact { seq, ..Fact::default() };
        for (field, value) in [
            ("kind", kind),
            ("call", &call.to_string()),
            ("actor", &said.actor),
            ("role", "analyst"),
            ("role", "staff"),
            ("tenant", "acme"),
            ("decision", decision),
            ("policy", "p1"),
            ("reason", "policy"),
            ("method", "tools/call"),
            ("tool", &said.tool),
            ("server", &said.server),
        ] {
            if !value.is_empty() {
                fact.words.push((field, value.to_owned()));
            }
        }
        fact.numbers.push(("seq", i64::try_from(seq).unwrap()));
        fact.numbers.push(("created", self.clock.now_us()));
        self.facts.push(fact);
        self.facts.last_mut().unwrap()
    }

    /// A call that goes through: an intent and its outcome.
    pub fn call(&mut self, said: &Said) -> (u64, u64) {
        let call = Uuid::now_v7();
        let intent = self.append(self.decided(Kind::CallIntent, call, said));
        self.found(intent, "call.intent", call, said);
        let outcome = Draft::new(Kind::CallOutcome)
            .call(call)
            .member("bytes", &said.text.len())
            .member("intent", &intent)
            .member("latency_us", &said.latency)
            .member("status", said.status);
        let outcome = self.append(outcome);
        let fact = self.fact(outcome, "call.outcome", call, said);
        fact.words.push(("status", said.status.to_owned()));
        fact.numbers.push(("latency", said.latency));
        fact.numbers.push(("bytes", i64::try_from(said.text.len()).unwrap()));
        (intent, outcome)
    }

    pub fn denied(&mut self, said: &Said) -> u64 {
        let call = Uuid::now_v7();
        let seq = self.append(self.decided(Kind::CallDenied, call, said));
        self.found(seq, "call.denied", call, said);
        seq
    }

    fn found(&mut self, seq: u64, kind: &str, call: Uuid, said: &Said) {
        let findings = said.findings.clone();
        let text = said.text.clone();
        let fact = self.fact(seq, kind, call, said);
        fact.numbers.push(("redacted", i64::try_from(findings.len()).unwrap()));
        for (kind, commitment) in findings {
            fact.words.push(("finding", kind));
            fact.words.push(("commitment", commitment));
        }
        fact.texts.extend(["q".to_owned(), text]);
    }

    /// Whether a word is in any file of the index: in the dictionary of a segment, and there is no other file of words.
    pub fn index_holds(&self, word: &str) -> bool {
        let index = tantivy::Index::open_in_dir(self.path().join("search")).unwrap();
        let segments = index.searchable_segments().unwrap();
        let ids: Vec<String> = segments.iter().map(|segment| segment.id().uuid_string()).collect();
        for entry in std::fs::read_dir(self.path().join("search")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let ours =
                ids.iter().any(|id| name.starts_with(id.as_str())) || !name.contains('-') && name.len() < 32;
            assert!(ours || name.starts_with(".tantivy"), "{name} is of no segment");
        }
        let said = index.schema().get_field("(said)").unwrap();
        segments.iter().any(|segment| {
            let reader = tantivy::SegmentReader::open(segment).unwrap();
            let inverted = reader.inverted_index(said).unwrap();
            inverted.terms().get(word.as_bytes()).unwrap().is_some()
        })
    }
}

fn redact(said: &Said) -> Value {
    let finding = |(kind, commitment): &(String, String)| json!({"commitment": commitment, "count": 1, "operator": "mask", "type": kind});
    json!({"findings": said.findings.iter().map(finding).collect::<Vec<_>>()})
}
